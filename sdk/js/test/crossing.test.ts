// Offers of both sides that are on their way at the same time. The server lets one pass: the first, and of a new connection
// the later one; the numbers of those that were refused are used by nobody.
import { describe, expect, it } from 'vitest';
import type { Call } from '../src/index.js';
import { browser, connected, dialled, incoming, open, pass, receive, restartNumbers, useStage, used } from './call_stage.js';
import { settle, type FakePeerConnection, type Frame } from './fakes.js';

useStage();

/** An acknowledgement of whatever has been sent. */
const everything = 1000;

const all = (type: string): Frame[] => browser.sockets.flatMap((socket) => socket.ofType(type));
const offers = (): unknown[] => all('offer').map(({ generation, fresh }) => (fresh ? `fresh ${String(generation)}` : generation));
const answers = (): unknown[] => all('answer').map(({ generation }) => generation);
const inUse = (): FakePeerConnection[] => browser.connections.filter((one) => one.listening && !one.closed);
const offer = (call: Call, generation: number, sdp: string, fresh = false): void =>
  receive({ type: 'offer', call: call.id, generation, sdp, from: 'bob', ...(fresh ? { fresh } : {}) });
const refuse = (code: string, generation: number): void => {
  const frame = all('offer').find((one) => one['generation'] === generation);
  receive({ type: 'error', call: frame?.['call'], code, message: '', ref: frame?.['seq'] });
};

/** The network has changed, and the server is reached over another socket. */
async function move(): Promise<void> {
  browser.changeNetwork(true);
  await settle();
  await open({ resumed: true, ack: everything });
  await settle();
}

/** A device that rings and is connected; its network has changed, and two restarts are on their way. */
async function restartedTwice(): Promise<Call> {
  const call = await incoming({ warm_path: 'relay' });
  offer(call, 0, 'theirs 0');
  await settle();
  used().connectSilently();
  await move();
  expect(offers()).toEqual([1, 2]);
  return call;
}

describe('two restarts of a device that rings, and a new connection of the caller that came first', () => {
  it('gets its new connection, under its own number', async () => {
    const call = await restartedTwice();
    offer(call, 1, 'anew', true);
    for (const generation of [1, 2]) refuse('wrong_state', generation);
    await settle();
    expect(inUse().map((one) => one.done)).toEqual([['remote anew', 'local answer']]);
    expect(answers()).toEqual([0, 1]);
    call.reject();
  });

  it('is repaired as any other, by a number that nobody has used', async () => {
    const call = await restartedTwice();
    offer(call, 1, 'anew', true);
    for (const generation of [1, 2]) refuse('wrong_state', generation);
    await settle();
    await pass(2000);
    expect(offers()).toEqual([1, 2, 3]);
    call.reject();
  });

  it('of the same connection is answered in the place of both', async () => {
    const call = await restartedTwice();
    offer(call, 1, 'theirs 1');
    for (const generation of [1, 2]) refuse('stale_generation', generation);
    await settle();
    expect(used().done.slice(-2)).toEqual(['remote theirs 1', 'local answer']);
    expect(answers()).toEqual([0, 1]);
    call.reject();
  });
});

describe('new connections of both sides at once', () => {
  /** Ours was refused, for theirs came first; the second one passed, and theirs is only now heard of. */
  const later = async (): Promise<Call> => {
    const call = await connected();
    await move();
    refuse('stale_generation', 1);
    await settle();
    expect(offers()).toEqual([0, 'fresh 1', 'fresh 2']);
    return call;
  };

  it('the later one stands: the other side answers it', async () => {
    const call = await later();
    offer(call, 1, 'theirs', true);
    await settle();
    expect(answers()).toEqual([]);
    receive({ type: 'answer', call: call.id, generation: 2, sdp: 'answer', from: 'bob' });
    await settle();
    expect(inUse().at(-1)?.done).toEqual(['local offer', 'remote answer']);
    call.end();
  });

  it.each([2, 3])('the later one stands: theirs, number %d', async (generation) => {
    const call = await later();
    offer(call, generation, 'theirs', true);
    await settle();
    expect(answers()).toEqual([generation]);
    expect(inUse()).toHaveLength(2);
    expect(inUse().at(-1)?.done).toEqual(['remote theirs', 'local answer']);
    call.end();
  });

  it('before the call is answered as well', async () => {
    const call = await dialled();
    receive({ type: 'answer', call: call.id, generation: 0, sdp: 'answer', from: 'bob' });
    await settle();
    used().connectSilently();
    await move();
    expect(offers()).toEqual([0, 'fresh 1']);
    // Of the connection that is given up: the other side has heard nothing of that yet.
    offer(call, 1, 'theirs');
    await settle();
    expect(answers()).toEqual([]);
    refuse('stale_generation', 1);
    await settle();
    expect(offers()).toEqual([0, 'fresh 1', 'fresh 2']);
    receive({ type: 'answer', call: call.id, generation: 2, sdp: 'answer 2', from: 'bob' });
    await settle();
    expect(inUse().map((one) => one.done)).toEqual([['local offer', 'remote answer 2']]);
    call.end();
  });
});

describe('a restart of the other side that comes after our new connection', () => {
  it('is answered by the one before, and ours stands, as its number is above', async () => {
    const call = await connected();
    const before = used();
    await move();
    refuse('stale_generation', 1);
    await settle();
    offer(call, 1, 'theirs');
    await settle();
    expect(before.done).toContain('remote theirs');
    expect(offers()).toEqual([0, 'fresh 1', 'fresh 2']);
    expect(inUse()).toHaveLength(2);
    call.end();
  });

  it('is of the new one if it comes right after its answer', async () => {
    const call = await connected();
    const before = used();
    await move();
    const after = inUse().find((one) => one !== before);
    receive({ type: 'answer', call: call.id, generation: 1, sdp: 'answer', from: 'bob' });
    offer(call, 2, 'theirs');
    await settle();
    expect(after?.done.slice(-2)).toEqual(['remote theirs', 'local answer']);
    expect(before.done).not.toContain('remote theirs');
    call.end();
  });
});

describe('a device that has won, and whose new connection was refused, for the caller makes one', () => {
  it('hears that, though its own numbers are above', async () => {
    const call = await incoming({ warm_path: 'relay' });
    offer(call, 0, 'theirs 0');
    await settle();
    // Another device is connected.
    await pass(1900);
    refuse('wrong_state', 1);
    call.accept();
    await settle();
    await move();
    expect(offers()).toEqual([1, 'fresh 2']);
    refuse('wrong_state', 2);
    offer(call, 1, 'anew', true);
    await settle();
    expect(answers()).toEqual([0, 1]);
    expect(inUse().map((one) => one.done)).toEqual([['remote anew', 'local answer']]);
    call.end();
  });

  it('hears it also after two of its own', async () => {
    const call = await incoming({ warm_path: 'relay' });
    offer(call, 0, 'theirs 0');
    call.accept();
    await settle();
    await move();
    await pass(400);
    await move();
    expect(offers()).toEqual(['fresh 1', 'fresh 2']);
    for (const generation of [1, 2]) refuse('wrong_state', generation);
    offer(call, 1, 'anew', true);
    await settle();
    expect(answers()).toEqual([0, 1]);
    call.end();
  });
});

describe('a new connection that the other side has not answered', () => {
  it('is offered again when the server has lost it, before the first path as well', async () => {
    const call = await incoming({ warm_path: 'relay' });
    offer(call, 0, 'theirs 0');
    call.accept();
    await settle();
    await move();
    expect(offers()).toEqual(['fresh 1']);
    browser.socket.drop();
    await pass(50);
    restartNumbers();
    await open({ resumed: false });
    receive({ type: 'restored', call: call.id, generation: 1 });
    await settle();
    expect(offers()).toEqual(['fresh 1', 'fresh 2']);
    call.end();
  });
});

describe('an offer that cannot be answered', () => {
  it('makes a new connection of ours, which alone passes', async () => {
    const call = await connected();
    used().refuses = /theirs/;
    offer(call, 1, 'theirs');
    await settle();
    expect(answers()).toEqual([]);
    expect(offers()).toEqual([0, 'fresh 2']);
    call.end();
  });

  it('of a new connection that fails here leaves the one before, and one of ours', async () => {
    const call = await connected();
    const before = used();
    for (let packets = 1; packets < 5; packets++) {
      before.receivePackets(packets);
      await pass(200);
    }
    const warm = browser.connections.at(-1);
    if (warm) warm.refuses = /theirs/;
    offer(call, 1, 'theirs', true);
    await settle();
    expect(answers()).toEqual([]);
    expect(offers()).toEqual([0, 'fresh 2']);
    expect(before.closed).toBe(false);
    expect(call.state).toBe('connected');
    call.end();
  });
});
