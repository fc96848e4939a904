import { describe, expect, it } from 'vitest';
import type { Call } from '../src/index.js';
import { answered, browser, incoming, pass, receive, sent, useStage } from './call_stage.js';
import { settle, type FakePeerConnection } from './fakes.js';

useStage();

const offers = (): unknown[] => sent('offer').map(({ generation, fresh }) => (fresh ? `fresh ${String(generation)}` : generation));
const inUse = (): FakePeerConnection[] => browser.connections.filter((one) => one.listening && !one.closed);
const first = (): FakePeerConnection => {
  const [connection] = inUse();
  if (!connection) throw new Error('no connection is in use');
  return connection;
};

/** ICE has a path, and DTLS is still at it. */
async function findPath(connection: FakePeerConnection): Promise<void> {
  connection.connectionState = 'connecting';
  connection.iceConnectionState = 'connected';
  connection.oniceconnectionstatechange?.();
  await settle();
}

function finishHandshake(connection: FakePeerConnection): void {
  connection.connect();
}

/** A call of the caller that is answered, whose ICE took `ms`, and whose handshake is not done. */
async function half(ms = 100): Promise<Call> {
  const call = await answered();
  await pass(ms);
  await findPath(first());
  return call;
}

/** The same of the callee. */
async function halfOfCallee(): Promise<Call> {
  const call = await incoming();
  receive({ type: 'offer', call: call.id, generation: 0, sdp: 'theirs 0', from: 'bob' });
  await settle();
  call.accept();
  await pass(100);
  await findPath(first());
  return call;
}

describe('a handshake that takes too long', () => {
  it('gets a second connection beside it, and the first that is through carries the call', async () => {
    const call = await half();
    await pass(450);
    expect(offers()).toEqual([0]);
    await pass(100);
    expect(offers()).toEqual([0, 'fresh 1']);
    expect(inUse()).toHaveLength(2);
    finishHandshake(first());
    await pass(100);
    expect(call.state).toBe('connected');
  });

  it('is given up for the second connection when that one is through sooner', async () => {
    const call = await half();
    await pass(750);
    const [before, second] = inUse();
    receive({ type: 'answer', call: call.id, generation: 1, sdp: 'answer', from: 'bob' });
    await settle();
    if (second) finishHandshake(second);
    await pass(1000);
    expect(call.state).toBe('connected');
    expect(before?.closed).toBe(true);
    expect(inUse()).toEqual([second]);
  });

  it('is not one on a path that is long itself: it gets three times as long as ICE', async () => {
    await half(1000);
    await pass(2900);
    expect(offers()).toEqual([0]);
    await pass(200);
    expect(offers()).toEqual([0, 'fresh 1']);
  });

  it('is nothing to a call whose handshake is done in time', async () => {
    await half();
    await pass(400);
    finishHandshake(first());
    await pass(600);
    expect(offers()).toEqual([0]);
    expect(inUse()).toHaveLength(1);
  });

  it('keeps the connection of the callee, too, which leaves the second one to the caller for a while', async () => {
    const call = await halfOfCallee();
    await pass(900);
    expect(offers()).toEqual([]);
    receive({ type: 'offer', call: call.id, generation: 1, sdp: 'theirs 1', fresh: true, from: 'bob' });
    await settle();
    expect(inUse()).toHaveLength(2);
    expect(first().done).toContain('remote theirs 0');
    finishHandshake(first());
    await pass(100);
    expect(call.state).toBe('connected');
    await pass(1000);
    expect(offers()).toEqual([]);
  });

  it('is ended by the callee where the caller is through and the last word has not come', async () => {
    await halfOfCallee();
    await pass(950);
    expect(offers()).toEqual([]);
    await pass(100);
    expect(offers()).toEqual(['fresh 1']);
    expect(inUse()).toHaveLength(2);
  });

  it('counts from when there was a path, which may be long before the answer', async () => {
    const call = await incoming({ warm_path: 'relay' });
    receive({ type: 'offer', call: call.id, generation: 0, sdp: 'theirs 0', from: 'bob' });
    await settle();
    await pass(100);
    await findPath(first());
    await pass(3000);
    expect(offers()).toEqual([]);
    call.accept();
    await pass(10);
    expect(offers()).toEqual(['fresh 1']);
  });
});
