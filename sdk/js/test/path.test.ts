import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Path } from '../src/path.js';
import { default_policy } from '../src/policy.js';

let events: string[];

function pathOf(role: 'caller' | 'callee'): Path {
  const path = new Path(default_policy, role === 'caller');
  for (const event of ['interrupted', 'restored', 'restart'] as const) path.on(event, () => events.push(event));
  path.on('given_up', (ever) => events.push(ever ? 'lost' : 'failed'));
  return path;
}

beforeEach(() => {
  vi.useFakeTimers();
  events = [];
});
afterEach(() => vi.useRealTimers());

describe('the path of a call', () => {
  it('is restarted by the caller 2 s after it is interrupted', () => {
    const path = pathOf('caller');
    path.handleIceState('connected');
    path.handleIceState('disconnected');
    vi.advanceTimersByTime(1999);
    expect(events).toEqual(['interrupted']);
    vi.advanceTimersByTime(1);
    expect(events).toEqual(['interrupted', 'restart']);
    path.handleIceState('connected');
    expect(events).toEqual(['interrupted', 'restart', 'restored']);
  });

  it('is not restarted if it comes back by itself', () => {
    const path = pathOf('caller');
    path.handleIceState('connected');
    path.handleIceState('disconnected');
    path.handleIceState('connected');
    vi.advanceTimersByTime(60_000);
    expect(events).toEqual(['interrupted', 'restored']);
  });

  it('is restarted at once when it failed, and again every 8 s, for 30 s', () => {
    const path = pathOf('caller');
    path.handleIceState('connected');
    path.handleIceState('failed');
    expect(events).toEqual(['interrupted', 'restart']);
    vi.advanceTimersByTime(30_000);
    expect(events).toEqual(['interrupted', 'restart', 'restart', 'restart', 'restart', 'lost']);
  });

  it('is never restarted by the callee', () => {
    const path = pathOf('callee');
    path.handleIceState('connected');
    path.handleIceState('failed');
    vi.advanceTimersByTime(30_000);
    expect(events).toEqual(['interrupted', 'lost']);
  });

  it('is given up 30 s after the answer if there never was one', () => {
    const path = pathOf('callee');
    path.start();
    vi.advanceTimersByTime(29_999);
    expect(events).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(events).toEqual(['failed']);
  });

  it('is not repaired before the answer', () => {
    const path = pathOf('caller');
    path.handleIceState('checking');
    path.handleIceState('failed');
    vi.advanceTimersByTime(60_000);
    expect(events).toEqual([]);
  });

  it('makes no sound after stop', () => {
    const path = pathOf('caller');
    path.start();
    path.stop();
    expect(vi.getTimerCount()).toBe(0);
  });
});
