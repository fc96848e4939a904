import { describe, expect, it, vi } from 'vitest';
import type { Call } from '../src/index.js';
import { browser, client, connected, dialled, incoming, open, pass, push, receive, sent, useStage, used } from './call_stage.js';
import { settle } from './fakes.js';

useStage();

const generations = (): unknown[] => sent('offer').map((frame) => frame['generation']);

/** A connected call over which packets come, `at` so many of them. */
async function talking(): Promise<Call> {
  const call = await connected();
  for (let packets = 1; packets <= 5; packets++) {
    used().receivePackets(packets);
    await pass(200);
  }
  expect(generations()).toEqual([0]);
  return call;
}

describe('a call without a path', () => {
  it('is tried again 1.5 s after both descriptions are there, while it rings', async () => {
    const call = await dialled();
    await pass(5000);
    expect(generations()).toEqual([0]);
    receive({ type: 'answer', call: call.id, generation: 0, sdp: 'answer', from: 'bob' });
    await settle();
    await pass(1499);
    expect(generations()).toEqual([0]);
    await pass(1);
    expect(generations()).toEqual([0, 1]);
    expect(call.state).toBe('ringing');
    expect(call.report().restarts).toBe(1);
  });

  it('is tried again by the callee too, with the newest credentials', async () => {
    const call = await incoming({ warm_path: 'relay' });
    receive({ type: 'offer', call: 'c_in', generation: 0, sdp: 'offer', from: 'bob' });
    await settle();
    push({ username: 'u', ttl: 60, uris: [], iceServers: [{ urls: ['turn:newest'] }] });
    await pass(1900);
    expect(generations()).toEqual([1]);
    expect(used().done.slice(2)).toEqual(['configured turn:newest', 'local offer']);
    expect(used().configuration).toMatchObject({ iceCandidatePoolSize: 1, bundlePolicy: 'max-bundle' });
    call.reject();
  });

  it('takes its offer back when the other side was first, and answers theirs', async () => {
    const call = await dialled();
    receive({ type: 'answer', call: call.id, generation: 0, sdp: 'answer', from: 'bob' });
    await settle();
    await pass(1500);
    receive({ type: 'error', call: call.id, code: 'stale_generation', message: '', ref: sent('offer')[1]?.['seq'] });
    receive({ type: 'offer', call: call.id, generation: 1, sdp: 'theirs', from: 'bob' });
    await settle();
    expect(used().done.filter((step) => !step.startsWith('configured')).slice(-3)).toEqual(['local rollback', 'remote theirs', 'local answer']);
    expect(sent('answer')).toMatchObject([{ generation: 1 }]);
    expect(call.state).toBe('ringing');
  });

  it('does not take an offer back for an answer that was refused', async () => {
    const call = await dialled();
    receive({ type: 'offer', call: call.id, generation: 1, sdp: 'theirs', from: 'bob' });
    await settle();
    await pass(1500);
    expect(generations()).toEqual([0, 2]);
    receive({ type: 'error', call: call.id, code: 'stale_generation', message: '', ref: sent('answer')[0]?.['seq'] });
    await settle();
    expect(used().done).not.toContain('local rollback');
  });

  it('goes on when the server refuses a restart', async () => {
    const call = await incoming({ warm_path: 'relay' });
    receive({ type: 'offer', call: 'c_in', generation: 0, sdp: 'offer', from: 'bob' });
    await settle();
    await pass(1900);
    receive({ type: 'error', call: 'c_in', code: 'wrong_state', message: '', ref: sent('offer')[0]?.['seq'] });
    await settle();
    expect(used().done.at(-1)).toBe('local rollback');
    expect(call.state).toBe('ringing');
    call.reject();
  });
});

describe('a device that rings while another one of its user is connected', () => {
  const offer = (generation: number): void => receive({ type: 'offer', call: 'c_in', generation, sdp: 'offer', from: 'bob' });

  async function refused(): Promise<Call> {
    const call = await incoming({ warm_path: 'relay' });
    offer(0);
    await settle();
    await pass(1900);
    receive({ type: 'error', call: 'c_in', code: 'wrong_state', message: '', ref: sent('offer')[0]?.['seq'] });
    await pass(20_000);
    return call;
  }

  it('repairs nothing once the server has refused it', async () => {
    const call = await refused();
    expect(generations()).toEqual([1]);
    call.reject();
  });

  it('repairs again after another offer', async () => {
    const call = await refused();
    offer(2);
    await pass(3350);
    expect(generations()).toEqual([1]);
    await pass(100);
    expect(generations()).toEqual([1, 3]);
    call.reject();
  });

  it('repairs again after its own answer', async () => {
    const call = await refused();
    call.accept();
    await pass(3500);
    expect(generations()).toEqual([1, 2]);
    call.end();
  });

  it('goes on repairing when its offer only crossed another one', async () => {
    const call = await incoming({ warm_path: 'relay' });
    offer(0);
    await settle();
    await pass(1900);
    receive({ type: 'error', call: 'c_in', code: 'stale_generation', message: '', ref: sent('offer')[0]?.['seq'] });
    await pass(5000);
    expect(generations().length).toBeGreaterThan(1);
    call.reject();
  });
});

describe('a call whose path is lost', () => {
  it('restarts after 700 ms of silence', async () => {
    const call = await talking();
    // The last packet was seen 150 ms ago.
    await pass(549);
    expect(generations()).toEqual([0]);
    await pass(400);
    expect(generations()).toEqual([0, 1]);
    expect(call.state).toBe('connected');
  });

  it('suspects its socket as well, after 300 ms of silence', async () => {
    await talking();
    browser.answers_pings = false;
    Object.assign(browser.sockets[0] ?? {}, { answers_pings: false });
    // The last packet was seen 150 ms ago.
    await pass(100);
    expect(browser.sockets).toHaveLength(1);
    await pass(250);
    expect(browser.sockets).toHaveLength(2);
  });

  it('sends the offer over another socket if its own is dead', async () => {
    await talking();
    browser.answers_pings = false;
    Object.assign(browser.sockets[0] ?? {}, { answers_pings: false });
    await pass(1100);
    await open({ resumed: true, ack: 2 });
    expect(sent('offer')).toMatchObject([{ generation: 1 }]);
  });

  it('is not taken for silent before the other side has sent sound: its device may be opening', async () => {
    const call = await dialled();
    receive({ type: 'accepted', call: call.id, media: { audio: true, video: true } });
    receive({ type: 'answer', call: call.id, generation: 0, sdp: 'answer', from: 'bob' });
    await settle();
    used().connectSilently();
    used().receivePackets(12); // of DTLS
    await pass(3000);
    expect(generations()).toEqual([0]);
  });

  it('is not taken for silent while the other side is heard', async () => {
    await talking();
    for (let packets = 6; packets < 30; packets++) {
      used().receivePackets(packets);
      await pass(200);
    }
    expect(generations()).toEqual([0]);
  });

  it('restarts at once when the network changes, and opens another socket beside the old one', async () => {
    const call = await talking();
    const [first] = browser.sockets;
    browser.changeNetwork(true);
    await settle();
    expect(first?.ofType('offer')).toHaveLength(2);
    expect(browser.sockets).toHaveLength(2);
    await open({ resumed: true, ack: 2 });
    expect(sent('offer')).toMatchObject([{ generation: 1 }]);
    expect(call.state).toBe('connected');
  });

  it('takes no hint of a change for one, but asks the server', async () => {
    await talking();
    const pings = sent('ping').length;
    browser.changeNetwork(false);
    await settle();
    expect(browser.sockets).toHaveLength(1);
    expect(sent('ping').length).toBe(pings + 1);
    expect(generations()).toEqual([0]);
  });

  it('tells those who ring of a new network', async () => {
    await dialled();
    const [first] = browser.sockets;
    browser.changeNetwork(true);
    await settle();
    expect(first?.ofType('offer').map((frame) => frame['generation'])).toEqual([0, 1]);
  });
});

describe('a path over the relay that could be direct', () => {
  async function relayed(local: string, remote: string): Promise<void> {
    const call = await connected();
    used().onicecandidate?.({ candidate: { candidate: `x typ ${local}`, usernameFragment: 'local0' } });
    receive({ type: 'ice-candidate', call: call.id, generation: 0, candidate: { candidate: `y typ ${remote}` }, from: 'bob' });
    used().stats.set('R', { id: 'R', type: 'remote-candidate', candidateType: 'relay', protocol: 'udp' });
    for (let packets = 1; packets <= 12; packets++) {
      used().receivePackets(packets);
      await pass(200);
    }
  }

  it('is left for a direct one by a restart, once, where the browser has not tried', async () => {
    await relayed('host', 'srflx');
    expect(generations()).toEqual([0, 1]);
    receive({ type: 'answer', call: client.calls[0]?.id, generation: 1, sdp: 'answer', from: 'bob' });
    for (let packets = 20; packets < 60; packets++) {
      used().receivePackets(packets);
      await pass(200);
    }
    expect(generations()).toEqual([0, 1]);
  });

  it('stays where one side has nothing but relays', async () => {
    await relayed('host', 'relay');
    expect(generations()).toEqual([0]);
  });

  it('stays where the browser tries direct pairs by itself', async () => {
    const call = await connected();
    used().stats.set('H', { id: 'H', type: 'local-candidate', candidateType: 'host' });
    used().stats.set('S', { id: 'S', type: 'remote-candidate', candidateType: 'srflx' });
    used().stats.set('D', { id: 'D', type: 'candidate-pair', localCandidateId: 'H', remoteCandidateId: 'S', state: 'in-progress', requestsSent: 3 });
    used().onicecandidate?.({ candidate: { candidate: 'x typ host', usernameFragment: 'local0' } });
    receive({ type: 'ice-candidate', call: call.id, generation: 0, candidate: { candidate: 'y typ srflx' }, from: 'bob' });
    for (let packets = 1; packets <= 12; packets++) {
      used().receivePackets(packets);
      await pass(200);
    }
    expect(generations()).toEqual([0]);
  });
});

describe('the socket', () => {
  it('is asked every second while a call is set up, and seldom in a call', async () => {
    const call = await dialled();
    const before = sent('ping').length;
    await pass(3000);
    expect(sent('ping').length - before).toBe(3);
    receive({ type: 'accepted', call: call.id, media: { audio: true, video: true } });
    receive({ type: 'answer', call: call.id, generation: 0, sdp: 'answer', from: 'bob' });
    await settle();
    used().connect();
    await pass(50);
    const then = sent('ping').length;
    for (let packets = 1; packets <= 15; packets++) {
      used().receivePackets(packets);
      await pass(200);
    }
    expect(sent('ping')).toHaveLength(then);
    used().setIce('disconnected');
    await pass(2000);
    // Every second again, and once more each for the interruption and for the restart.
    expect(sent('ping').length - then).toBe(4);
    vi.clearAllTimers();
    call.end();
  });
});
