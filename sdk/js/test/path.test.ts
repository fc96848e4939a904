import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Path } from '../src/path.js';
import { default_policy } from '../src/policy.js';

let events: string[];
let begin: number;

function pathOf(role: 'caller' | 'callee'): Path {
  const path = new Path(default_policy, role === 'caller');
  for (const event of ['interrupted', 'restored'] as const) path.on(event, () => events.push(event));
  path.on('restart', () => events.push(`restart ${performance.now() - begin}`));
  path.on('given_up', (ever) => events.push(ever ? 'lost' : 'failed'));
  return path;
}

/** A path with both descriptions on which ICE is well. */
function upPath(role: 'caller' | 'callee' = 'caller'): Path {
  const path = pathOf(role);
  path.expect();
  path.handleDescribed();
  path.handleIceState('connected');
  return path;
}

/** Every restart is offered and answered at once. */
function answerRestarts(path: Path): void {
  path.on('restart', () => {
    path.handleOffered();
    path.handleDescribed();
  });
}

/** Packets for `ms`, read every 100 ms. */
function flow(path: Path, ms: number, from: number, per_step = 5): number {
  let count = from;
  for (let at = 0; at < ms; at += 100) {
    vi.advanceTimersByTime(100);
    path.handlePackets((count += per_step));
  }
  return count;
}

beforeEach(() => {
  vi.useFakeTimers();
  events = [];
  begin = performance.now();
});
afterEach(() => vi.useRealTimers());

describe('a path that is not found', () => {
  it('is tried again 1.5 s after both descriptions are there, then 3, 6 and 8 s later', () => {
    const path = pathOf('caller');
    answerRestarts(path);
    path.handleDescribed();
    vi.advanceTimersByTime(20_000);
    expect(events).toEqual(['restart 1500', 'restart 4500', 'restart 10500', 'restart 18500']);
    path.stop();
  });

  it('is tried by the callee as well, a little later, so that the caller comes first', () => {
    const path = pathOf('callee');
    answerRestarts(path);
    path.handleDescribed();
    vi.advanceTimersByTime(1_899);
    path.handleDescribed(); // the caller's restart, answered
    vi.advanceTimersByTime(1_899);
    expect(events).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(events).toHaveLength(1);
    path.stop();
  });

  it('is offered again when the offer has no answer for 2.5 s', () => {
    const path = pathOf('caller');
    path.on('restart', () => path.handleOffered());
    path.handleDescribed();
    vi.advanceTimersByTime(6_500);
    expect(events).toEqual(['restart 1500', 'restart 4000', 'restart 6500']);
    path.stop();
  });

  it('is not tried before both descriptions are there', () => {
    const path = pathOf('caller');
    path.handleOffered();
    path.handleIceState('checking');
    path.handleIceState('failed');
    vi.advanceTimersByTime(60_000);
    expect(events).toEqual([]);
  });

  it('ends the call 30 s after the accept, and never before it', () => {
    const path = pathOf('callee');
    path.handleDescribed();
    vi.advanceTimersByTime(60_000);
    expect(events).not.toContain('failed');
    path.expect();
    vi.advanceTimersByTime(29_999);
    expect(events).not.toContain('failed');
    vi.advanceTimersByTime(1);
    expect(events).toContain('failed');
    path.stop();
  });
});

describe('a path that is interrupted', () => {
  it('is restarted after 300 ms, and again after 1, 1.5, 2.5, 4 and 8 s', () => {
    const path = upPath();
    answerRestarts(path);
    path.handleIceState('disconnected');
    vi.advanceTimersByTime(10_000);
    expect(events).toEqual(['interrupted', 'restart 300', 'restart 1300', 'restart 2800', 'restart 5300', 'restart 9300']);
    path.handleIceState('connected');
    vi.advanceTimersByTime(60_000);
    expect(events.slice(6)).toEqual(['restored']);
  });

  it('is a reason to ask for the server at once, and not for one that is to be replaced anyway', () => {
    for (const retired of [false, true]) {
      const path = upPath();
      path.on('quiet', () => events.push('quiet'));
      if (retired) path.retire();
      path.handleIceState('disconnected');
      path.stop();
    }
    expect(events).toEqual(['interrupted', 'quiet', 'interrupted']);
  });

  it('is not restarted if it comes back by itself', () => {
    const path = upPath();
    path.handleIceState('disconnected');
    path.handleIceState('connected');
    vi.advanceTimersByTime(60_000);
    expect(events).toEqual(['interrupted', 'restored']);
  });

  it.each([true, false])('is offered less and less often when no offer has an answer; offers get out: %s', (get_out) => {
    const path = upPath();
    path.on('restart', () => get_out && path.handleOffered());
    path.handleIceState('disconnected');
    vi.advanceTimersByTime(20_000);
    expect(events).toEqual(['interrupted', ...[300, 2800, 5300, 7800, 11_800, 19_800].map((at) => `restart ${at}`)]);
    path.stop();
  });

  it('is restarted when it fails after a restart that a packet has called off', () => {
    const path = upPath();
    answerRestarts(path);
    const packets = flow(path, 1000, 0);
    path.handleNetworkChange(true);
    flow(path, 100, packets);
    path.handleIceState('failed');
    vi.advanceTimersByTime(0);
    expect(events).toEqual(['restart 1000', 'interrupted', 'restart 1100']);
    path.stop();
  });

  it('is restarted when it fails after all restarts for silence, and none is due', () => {
    const path = upPath();
    answerRestarts(path);
    const packets = flow(path, 1000, 0);
    flow(path, 30_000, packets, 0);
    expect(events).toHaveLength(4);
    path.handleIceState('failed');
    vi.advanceTimersByTime(0);
    expect(events.slice(4)).toEqual(['interrupted', 'restart 31000']);
    path.stop();
  });

  it('is restarted at once when it has failed', () => {
    const path = upPath();
    path.handleIceState('failed');
    vi.advanceTimersByTime(0);
    expect(events).toEqual(['interrupted', 'restart 0']);
    path.stop();
  });

  it('ends the call after 30 s', () => {
    const path = upPath();
    answerRestarts(path);
    path.handleIceState('disconnected');
    vi.advanceTimersByTime(29_999);
    expect(events).not.toContain('lost');
    vi.advanceTimersByTime(1);
    expect(events.at(-1)).toBe('lost');
    path.stop();
  });

  it('while it rings is repaired, and never given up', () => {
    const path = pathOf('caller');
    answerRestarts(path);
    path.handleDescribed();
    path.handleIceState('connected');
    path.handleIceState('disconnected');
    vi.advanceTimersByTime(60_000);
    expect(events.length).toBeGreaterThan(5);
    expect(events).not.toContain('lost');
    path.stop();
  });

  it('has time anew when signalling is back', () => {
    const path = upPath();
    path.on('restart', () => path.handleOffered());
    path.handleIceState('disconnected');
    vi.advanceTimersByTime(2_000);
    path.handleOnline();
    vi.advanceTimersByTime(999);
    expect(events).toEqual(['interrupted', 'restart 300']);
    path.stop();
  });
});

describe('silence', () => {
  it('of 300 ms is told, once; it is well again with the next packet', () => {
    const path = upPath();
    path.on('quiet', () => events.push('quiet'));
    const count = flow(path, 1000, 1);
    flow(path, 200, count, 0);
    expect(path.well).toBe(true);
    flow(path, 200, count, 0);
    expect(events).toEqual(['quiet']);
    expect(path.well).toBe(false);
    expect(path.ill).toBe(false);
    flow(path, 100, count);
    expect(path.well).toBe(true);
    path.stop();
  });

  it('of a path that another one replaces is no reason for anything, until it is revived', () => {
    const path = upPath();
    path.on('quiet', () => events.push('quiet'));
    const count = flow(path, 1000, 1);
    path.retire();
    flow(path, 5000, count, 0);
    path.handleIceState('failed');
    vi.advanceTimersByTime(60_000);
    expect(events).toEqual(['interrupted']);
    path.revive();
    vi.advanceTimersByTime(0);
    expect(events[1]).toMatch(/^restart/);
    path.stop();
  });

  it('of 700 ms is a reason to restart, long before ICE says anything', () => {
    const path = upPath();
    const packets = flow(path, 1000, 0);
    flow(path, 600, packets, 0);
    expect(events).toEqual([]);
    flow(path, 100, packets, 0);
    expect(events).toEqual(['restart 1700']);
    path.stop();
  });

  it('that a restart does not end is met with further ones, four in all', () => {
    const path = upPath();
    answerRestarts(path);
    const packets = flow(path, 1000, 0);
    flow(path, 30_000, packets, 0);
    expect(events).toEqual(['restart 1700', 'restart 2700', 'restart 4200', 'restart 6700']);
    path.stop();
  });

  it('is over with the next packet', () => {
    const path = upPath();
    answerRestarts(path);
    const packets = flow(path, 1000, 0);
    flow(path, 700, packets, 0);
    flow(path, 5_000, packets);
    expect(events).toEqual(['restart 1700']);
  });

  it('again and again earns no new restarts, but after steady sound it does', () => {
    const path = upPath();
    answerRestarts(path);
    let packets = flow(path, 1000, 0);
    for (let round = 0; round < 8; round++) {
      packets = flow(path, 800, packets, 0);
      packets = flow(path, 500, packets);
    }
    expect(events).toHaveLength(4);
    packets = flow(path, 6_000, packets);
    flow(path, 800, packets, 0);
    expect(events).toHaveLength(5);
    path.stop();
  });

  it('right after the other side has begun anew waits for what that brings', () => {
    const path = upPath();
    const packets = flow(path, 1000, 0);
    flow(path, 500, packets, 0);
    path.handleDescribed();
    flow(path, 900, packets, 0);
    expect(events).toEqual([]);
    flow(path, 100, packets, 0);
    expect(events).toEqual(['restart 2500']);
    path.stop();
  });

  it('is none before anything was heard', () => {
    const path = upPath();
    flow(path, 5_000, 0, 0);
    expect(events).toEqual([]);
  });
});

describe('a change of the network', () => {
  it('restarts at once, in any phase, and again as long as nothing comes', () => {
    const path = upPath();
    answerRestarts(path);
    const packets = flow(path, 1000, 0);
    path.handleNetworkChange(true);
    expect(events).toEqual(['restart 1000']);
    flow(path, 1000, packets, 0);
    expect(events).toEqual(['restart 1000', 'restart 2000']);
    path.stop();
  });

  it('whose old path goes on for a while is restarted again when that is gone', () => {
    const path = upPath();
    answerRestarts(path);
    let packets = flow(path, 1000, 0);
    path.handleNetworkChange(true);
    packets = flow(path, 3000, packets);
    expect(events).toEqual(['restart 1000']);
    flow(path, 700, packets, 0);
    expect(events).toEqual(['restart 1000', 'restart 4700']);
    path.stop();
  });

  it('with hints around it leaves the restart its time', () => {
    const path = upPath();
    let packets = flow(path, 1000, 0);
    path.handleNetworkChange(false);
    path.handleNetworkChange(true);
    path.handleNetworkChange(false);
    packets = flow(path, 100, packets);
    flow(path, 600, packets, 0);
    expect(events).toEqual(['restart 1000']);
    path.stop();
  });

  it('before the answer is told to those who ring', () => {
    const path = pathOf('caller');
    path.handleOffered();
    path.handleNetworkChange(true);
    expect(events).toEqual(['restart 0']);
    path.stop();
  });

  it('that is only hinted at makes silence count after 300 ms', () => {
    const path = upPath();
    const packets = flow(path, 1000, 0);
    path.handleNetworkChange(false);
    flow(path, 200, packets, 0);
    expect(events).toEqual([]);
    flow(path, 100, packets, 0);
    expect(events).toEqual(['restart 1300']);
    path.stop();
  });
});

describe('stop', () => {
  it('leaves no timer and makes no sound', () => {
    const path = upPath();
    path.handleIceState('disconnected');
    path.stop();
    expect(vi.getTimerCount()).toBe(0);
  });
});
