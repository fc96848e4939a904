// The server is another process, which knows nothing: what the SDK tells it of its calls, and how they go on.
import { describe, expect, it, vi } from 'vitest';
import { answered, browser, client, connected, dialled, incoming, open, pass, receive, restartNumbers, sent, start, useStage, used } from './call_stage.js';
import { settle } from './fakes.js';

useStage();

/** The connection is lost, and the next one begins a new session. */
async function restart(): Promise<void> {
  browser.socket.drop();
  await pass(0, 1);
  vi.advanceTimersByTime(1);
  restartNumbers();
  await open({ session: 's_2' });
  await settle();
}

const inUse = (): number => browser.connections.filter((one) => (one.listening || one.done.length > 0) && !one.closed).length;
const both = { audio: true, video: true };

describe('a new session', () => {
  it('is told of a call that talks, which goes on untouched', async () => {
    const call = await connected();
    await restart();
    expect(sent('snapshot')).toMatchObject([{ seq: 1, call: call.id, peer: 'bob', role: 'caller', state: 'connected', media: both, generation: 0 }]);
    receive({ type: 'accepted', call: call.id, media: both });
    receive({ type: 'restored', call: call.id, generation: 0 });
    await settle();
    expect(call.state).toBe('connected');
    expect(call.report().restarts).toBe(0);
    expect(inUse()).toBe(1);
    expect(sent('offer')).toEqual([]);
    call.end();
    expect(sent('hangup')).toMatchObject([{ seq: 2, call: call.id, reason: 'hangup' }]);
  });

  it('is told nothing that was meant for the one before', async () => {
    const call = await connected();
    browser.socket.drop();
    used().setIce('disconnected');
    vi.advanceTimersByTime(300);
    restartNumbers();
    await open({ session: 's_2' });
    expect(sent('offer')).toEqual([]);
    expect(sent('snapshot')).toMatchObject([{ call: call.id, state: 'connected', generation: 1 }]);
  });

  it('begins a new connection for a path that went with the process, above every generation that was used', async () => {
    const call = await connected();
    const before = used();
    browser.socket.drop();
    before.setIce('disconnected');
    await pass(300);
    restartNumbers();
    await open({ session: 's_2' });
    receive({ type: 'restored', call: call.id, generation: 4 });
    await settle();
    expect(sent('offer')).toMatchObject([{ generation: 5, fresh: true }]);
    expect(before.closed).toBe(false);
  });

  it('has the caller offer anew where no path has stood yet', async () => {
    const call = await answered();
    await restart();
    expect(sent('snapshot')).toMatchObject([{ state: 'accepted', generation: 0 }]);
    receive({ type: 'restored', call: call.id, generation: 0 });
    await settle();
    expect(sent('offer')).toMatchObject([{ generation: 1, fresh: true }]);
  });

  it('is told of a call that rings, with a new offer, and hears of the ringing again', async () => {
    const call = await dialled();
    await restart();
    const [told, offered] = browser.socket.sent.filter((frame) => frame['seq'] !== undefined);
    expect(told).toMatchObject({ seq: 1, type: 'snapshot', role: 'caller', state: 'ringing', media: both });
    expect(offered).toMatchObject({ seq: 2, type: 'offer', generation: 1, fresh: true });
    receive({ type: 'ringing', call: call.id });
    expect(call.state).toBe('ringing');
    expect(sent('dial')).toEqual([]);
  });

  it('has the next call begin with a connection that was made after it', async () => {
    await start();
    await settle();
    const before = browser.connections.at(-1);
    await restart();
    expect(before?.closed).toBe(true);
    client.dial('bob');
    await settle();
    expect(used()).not.toBe(before);
  });

  it('makes a device that rings already ring no second time', async () => {
    const call = await incoming();
    let rung = 0;
    client.on('incoming', () => rung++);
    await restart();
    receive({ type: 'incoming', call: call.id, from: 'bob', media: both, age_ms: 300 });
    expect(rung).toBe(0);
    expect(sent('snapshot')).toMatchObject([{ call: call.id, peer: 'bob', role: 'callee', state: 'ringing' }]);
    expect(sent('ringing')).toMatchObject([{ call: call.id }]);
  });

  it('is told of the answer that was given meanwhile', async () => {
    const call = await incoming();
    browser.socket.drop();
    call.accept();
    await settle();
    vi.advanceTimersByTime(0);
    restartNumbers();
    await open({ session: 's_2' });
    expect(sent('accept')).toEqual([]);
    expect(sent('snapshot')).toMatchObject([{ role: 'callee', state: 'accepted', media: { audio: true, video: false } }]);
    receive({ type: 'incoming', call: call.id, from: 'bob', media: both, age_ms: 300 });
    expect(sent('ringing')).toEqual([]);
  });

  it('is told again what is sent by a call that was answered before the server knew it again', async () => {
    const call = await incoming();
    await restart();
    call.accept();
    await settle();
    call.setHold(true);
    await settle();
    expect(sent('state').map(({ hold }) => hold)).toEqual([true]);
    // The caller is back, and its offer is the first that comes of this call.
    receive({ type: 'offer', call: call.id, generation: 0, sdp: 'theirs', from: 'bob' });
    await settle();
    expect(sent('state').map(({ hold }) => hold)).toEqual([true, true]);
    receive({ type: 'offer', call: call.id, generation: 1, sdp: 'theirs 1', from: 'bob' });
    await settle();
    expect(sent('state')).toHaveLength(2);
  });

  it('hears of a call that this device alone has declined only that the device is out of it', async () => {
    const call = await incoming();
    call.reject('declined', { here: true });
    await restart();
    expect(sent('snapshot')).toMatchObject([{ call: call.id, state: 'ended', reason: 'busy', accepted: false }]);
  });

  it('is told of calls that are over, and rings for none of them', async () => {
    const call = await incoming();
    let rung = 0;
    client.on('incoming', () => rung++);
    call.reject();
    await restart();
    receive({ type: 'incoming', call: call.id, from: 'bob', media: both, age_ms: 300 });
    expect(rung).toBe(0);
    expect(sent('snapshot')).toMatchObject([{ call: call.id, role: 'callee', state: 'ended', reason: 'declined', accepted: false }]);
  });

  it('is told why a call was ended, and that it was one', async () => {
    const call = await connected();
    browser.socket.drop();
    call.end();
    await settle();
    vi.advanceTimersByTime(0);
    restartNumbers();
    await open({ session: 's_2' });
    expect(sent('hangup')).toEqual([]);
    expect(sent('snapshot')).toMatchObject([{ state: 'ended', reason: 'hangup', accepted: true }]);
  });

  it('ends a call that the other side does not know of any more', async () => {
    const call = await connected();
    await restart();
    receive({ type: 'ended', call: call.id, reason: 'signaling_lost' });
    expect(call.end_cause?.code).toBe('signaling_lost');
  });
});
