import { describe, expect, it } from 'vitest';
import type { Call } from '../src/index.js';
import { browser, connected, dialled, everythingIsGivenBack, incoming, open, pass, receive, sent, useStage, used } from './call_stage.js';
import { FakeAudio, settle, type FakePeerConnection, type FakeStream } from './fakes.js';

useStage();

const offers = (): unknown[] => browser.sockets.flatMap((socket) => socket.ofType('offer')).map(({ generation, fresh }) => (fresh ? `fresh ${String(generation)}` : generation));
const inUse = (): FakePeerConnection[] => browser.connections.filter((one) => one.listening && !one.closed);
const sentKinds = (connection: FakePeerConnection | undefined): (string | undefined)[] | undefined => connection?.transceivers.map((one) => one.sender.track?.kind);
const stale = (generation: number): void => {
  const frame = browser.sockets.flatMap((socket) => socket.ofType('offer')).filter((one) => one['generation'] === generation).at(-1);
  receive({ type: 'error', call: frame?.['call'], code: 'stale_generation', message: '', ref: frame?.['seq'] });
};
const answer = (call: Call, generation: number): void => receive({ type: 'answer', call: call.id, generation, sdp: 'answer', from: 'bob' });

/** An acknowledgement of whatever has been sent. */
const everything = 1000;

/** A connected call of the caller over which packets come. */
async function talking(): Promise<Call> {
  const call = await connected();
  await hear(1000);
  return call;
}

let packets = 10;
async function hear(ms: number, connection = used()): Promise<void> {
  for (let at = 0; at < ms; at += 200) {
    connection.receivePackets(++packets);
    await pass(200);
  }
}

/** The network of a talking call has changed: the connection before, and the one that is to take over. */
async function moved(): Promise<{ call: Call; before: FakePeerConnection; after: FakePeerConnection }> {
  const call = await talking();
  const before = used();
  browser.changeNetwork(true);
  await settle();
  await open({ resumed: true, ack: everything });
  const after = inUse().find((one) => one !== before);
  if (!after) throw new Error('no new connection was made');
  return { call, before, after };
}

/** The other side has begun a new connection in a talking call. */
async function followed(): Promise<{ call: Call; before: FakePeerConnection; after: FakePeerConnection }> {
  const call = await talking();
  const before = used();
  receive({ type: 'offer', call: call.id, generation: 1, sdp: 'theirs', fresh: true, from: 'bob' });
  await settle();
  const after = browser.connections.find((one) => one.done.includes('remote theirs'));
  if (!after) throw new Error('no new connection was made');
  return { call, before, after };
}

const remoteKinds = (call: Call): unknown[] => (call.remoteStream as unknown as FakeStream).getTracks();

describe('a change of the network in a call', () => {
  it('begins a new connection beside the old one, with our tracks', async () => {
    const { call, before, after } = await moved();
    expect(offers()).toEqual([0, 'fresh 1']);
    expect(sentKinds(after)).toEqual(['audio', 'video']);
    expect(sentKinds(before)).toEqual(['audio', 'video']);
    expect(before.closed).toBe(false);
    expect(before.done).not.toContain('local offer 1');
    expect(call.state).toBe('connected');
    expect(call.report().restarts).toBe(1);
  });

  it('leaves the old one only when media comes over the new one, each kind as it comes, and closes it once', async () => {
    const { call, before, after } = await moved();
    const stream = call.remoteStream;
    const old_tracks = remoteKinds(call);
    answer(call, 1);
    await settle();
    after.connectSilently();
    await pass(1000);
    expect(remoteKinds(call)).toEqual(old_tracks);
    after.stats.set('A', { id: 'A', type: 'inbound-rtp', kind: 'audio', packetsReceived: 3, totalSamplesReceived: 960, concealedSamples: 0 });
    await pass(50);
    const [audio, video] = after.transceivers.map((one) => one.receiver.track);
    expect(remoteKinds(call)).toEqual([old_tracks[1], audio]);
    expect([...FakeAudio.playing].map((one) => (one.srcObject as FakeStream).getTracks())).toEqual([[audio]]);
    expect(before.closed).toBe(false);
    after.flow();
    await pass(50);
    expect(remoteKinds(call)).toEqual([audio, video]);
    expect(call.remoteStream).toBe(stream);
    await pass(499);
    expect(before.closed).toBe(false);
    await pass(1);
    expect(before.closed).toBe(true);
    expect(inUse()).toEqual([after]);
    expect(call.state).toBe('connected');
  });

  it('keeps the old one as long as nothing comes over a new one that has a path', async () => {
    const { call, before, after } = await moved();
    answer(call, 1);
    await settle();
    after.connectSilently();
    for (let i = 0; i < 20; i++) await hear(200, before);
    expect(before.closed).toBe(false);
    after.flow();
    await pass(1000);
    expect(before.closed).toBe(true);
  });

  it('does not wait for a picture that does not come', async () => {
    const { call, before, after } = await moved();
    answer(call, 1);
    await settle();
    after.connect();
    after.stats.delete('V');
    await pass(1500);
    expect(before.closed).toBe(false);
    await pass(700);
    expect(before.closed).toBe(true);
  });

  it('repairs the new one, and not the old one, by a restart', async () => {
    const { call, before, after } = await moved();
    answer(call, 1);
    await settle();
    before.setIce('failed');
    await pass(1500);
    expect(offers()).toEqual([0, 'fresh 1', 2]);
    expect(after.done.filter((step) => step === 'local offer')).toHaveLength(2);
    expect(before.done.filter((step) => step === 'local offer')).toHaveLength(1);
    expect(call.state).toBe('reconnecting');
    answer(call, 2);
    await settle();
    after.connect();
    await pass(50);
    expect(call.state).toBe('connected');
  });

  it('seen before the browser tells of it takes a connection that asks for the network anew, and is told of late once', async () => {
    await talking();
    const before = used();
    browser.answers_pings = false;
    Object.assign(browser.sockets[0] ?? {}, { answers_pings: false });
    await pass(500);
    await open({ resumed: true, ack: everything });
    await settle();
    const after = inUse().find((one) => one !== before);
    expect(offers()).toEqual([0, 'fresh 1']);
    expect([before.anew, after?.anew]).toEqual([false, true]);
    await pass(600);
    browser.changeNetwork(true);
    await settle();
    expect(offers()).toEqual([0, 'fresh 1']);
    browser.changeNetwork(true);
    await settle();
    expect(offers()).toEqual([0, 'fresh 1', 'fresh 2']);
  });

  it('is one change, though the browser tells of it twice', async () => {
    await moved();
    browser.changeNetwork(true);
    await settle();
    expect(offers()).toEqual([0, 'fresh 1']);
    await pass(300);
    browser.changeNetwork(true);
    await settle();
    expect(offers()).toEqual([0, 'fresh 1', 'fresh 2']);
    expect(inUse()).toHaveLength(2);
  });

  it('sends a device that is opened meanwhile over both', async () => {
    const { call, before, after } = await moved();
    await call.setCamera(false);
    await pass(1000);
    expect(sentKinds(before)).toEqual(['audio', undefined]);
    expect(sentKinds(after)).toEqual(['audio', undefined]);
  });

  it('goes on with the old one if the server knows no such offer', async () => {
    const { call, before, after } = await moved();
    receive({ type: 'error', call: call.id, code: 'wrong_state', message: '', ref: browser.sockets.flatMap((one) => one.ofType('offer')).at(-1)?.['seq'] });
    await settle();
    expect(after.closed).toBe(true);
    expect(inUse()).toEqual([before]);
    await pass(1100);
    expect(offers()).toEqual([0, 'fresh 1', 2]);
  });

  it('ends the call when neither has a path for 30 s', async () => {
    const { call, before } = await moved();
    before.setIce('failed');
    await pass(30_050);
    // Not `ice_failed`: the call had a path once.
    expect(call.end_cause?.code).toBe('ice_lost');
    everythingIsGivenBack(call);
  });
});

describe('a change of the network of which the browser says nothing', () => {
  it('is known by a socket that is dead while the path is silent', async () => {
    const call = await talking();
    browser.answers_pings = false;
    Object.assign(browser.sockets[0] ?? {}, { answers_pings: false });
    await pass(400);
    expect(browser.sockets).toHaveLength(2);
    await open({ resumed: true, ack: 3 });
    await settle();
    expect(offers()).toEqual([0, 'fresh 1']);
    expect(call.state).toBe('connected');
  });

  it('is not seen in a socket that is replaced while the other side is heard', async () => {
    await talking();
    browser.socket.drop();
    await hear(200);
    await open({ resumed: true, ack: 3 });
    await hear(1000);
    expect(offers()).toEqual([0]);
  });

  it('is not seen in silence while the server answers: ICE is restarted', async () => {
    await talking();
    await pass(1100);
    expect(offers()).toEqual([0, 1]);
    expect(inUse()).toHaveLength(1);
  });
});

describe('a new connection of the other side', () => {
  it('is answered by one beside the old one, with our tracks', async () => {
    const { before, after } = await followed();
    expect(after).not.toBe(before);
    expect(after.done).toEqual(['remote theirs', 'local answer']);
    expect(sentKinds(after)).toEqual(['audio', 'video']);
    expect(before.closed).toBe(false);
    expect(sent('answer')).toMatchObject([{ generation: 1 }]);
  });

  it('takes over when media comes over it', async () => {
    const { call, before, after } = await followed();
    receive({ type: 'ice-candidate', call: call.id, generation: 1, candidate: { candidate: 'theirs' }, from: 'bob' });
    expect(after.done).toContain('candidate theirs');
    before.setIce('failed');
    expect(call.state).toBe('reconnecting');
    after.connect();
    await pass(50);
    expect(call.state).toBe('connected');
    await pass(500);
    expect(before.closed).toBe(true);
    expect(offers()).toEqual([0]);
  });

  it('replaces one that they began before', async () => {
    const { call, before, after } = await followed();
    receive({ type: 'offer', call: call.id, generation: 2, sdp: 'again', fresh: true, from: 'bob' });
    await settle();
    expect(after.closed).toBe(true);
    expect(before.closed).toBe(false);
    expect(inUse()).toHaveLength(2);
  });

  it('wins over ours if the server had it first', async () => {
    const { call, before, after } = await moved();
    receive({ type: 'offer', call: call.id, generation: 1, sdp: 'theirs', fresh: true, from: 'bob' });
    stale(1);
    await settle();
    expect(after.closed).toBe(true);
    expect(before.closed).toBe(false);
    expect(offers()).toEqual([0, 'fresh 1']);
    expect(inUse().find((one) => one !== before)?.done).toEqual(['remote theirs', 'local answer']);
  });
});

describe('a restart of the other side that crosses our new connection', () => {
  it('is answered by the old one, and ours is offered again', async () => {
    const { call, before, after } = await moved();
    receive({ type: 'offer', call: call.id, generation: 1, sdp: 'theirs', from: 'bob' });
    stale(1);
    await settle();
    expect(before.done).toContain('remote theirs');
    expect(after.closed).toBe(true);
    expect(offers()).toEqual([0, 'fresh 1', 'fresh 2']);
    expect(inUse()).toHaveLength(2);
  });

  it('that came after it belongs to the new one', async () => {
    const { call, before, after } = await moved();
    answer(call, 1);
    receive({ type: 'offer', call: call.id, generation: 2, sdp: 'theirs', from: 'bob' });
    await settle();
    expect(after.done).toContain('remote theirs');
    expect(before.done).not.toContain('remote theirs');
  });
});

describe('a call that ends during a hand-over gives everything back', () => {
  it.each([
    ['as the new one is being made', async () => (await moved()).call],
    ['when it is answered', async () => {
      const { call } = await moved();
      answer(call, 1);
      await settle();
      return call;
    }],
    ['when it has a path', async () => {
      const { call, after } = await moved();
      after.connectSilently();
      return call;
    }],
    ['when it has taken over, and the old one is still open', async () => {
      const { call, before, after } = await moved();
      after.connect();
      await pass(50);
      expect(before.closed).toBe(false);
      return call;
    }],
    ['of the other side', async () => (await followed()).call],
  ])('%s', async (_name, make) => {
    const call = await make();
    call.end();
    everythingIsGivenBack(call);
  });

  it('before the new one is there', async () => {
    const call = await talking();
    browser.changeNetwork(true);
    call.end();
    await settle();
    everythingIsGivenBack(call);
    expect(inUse()).toEqual([]);
  });
});

describe('a change of the network while it rings', () => {
  const ringing = async (): Promise<Call> => {
    const call = await incoming({ warm_path: 'relay' });
    receive({ type: 'offer', call: 'c_in', generation: 0, sdp: 'offer', from: 'bob' });
    await settle();
    used().connectSilently();
    return call;
  };

  it('restarts ICE at a device that rings, and begins a new connection at the accept', async () => {
    const call = await ringing();
    browser.changeNetwork(true);
    await settle();
    expect(offers()).toEqual([1]);
    call.accept();
    await settle();
    expect(offers()).toEqual([1, 'fresh 2']);
    call.end();
  });

  it('is forgotten at an accept that comes much later', async () => {
    const call = await ringing();
    browser.changeNetwork(true);
    await settle();
    await open({ resumed: true, ack: 1 });
    receive({ type: 'answer', call: 'c_in', generation: 1, sdp: 'answer', from: 'bob' });
    await pass(5000);
    call.accept();
    await settle();
    expect(offers()).not.toContainEqual(expect.stringContaining('fresh'));
    call.end();
  });

  it('is known by a socket that had to be replaced', async () => {
    const call = await ringing();
    browser.socket.drop();
    await pass(50);
    await open({ resumed: true, ack: everything });
    await settle();
    expect(offers()).toEqual([1]);
    call.accept();
    await settle();
    expect(offers()).toEqual([1, 'fresh 2']);
    call.end();
  });

  it('is asked for when nothing has come 300 ms after the accept', async () => {
    const call = await ringing();
    browser.answers_pings = false;
    Object.assign(browser.sockets[0] ?? {}, { answers_pings: false });
    call.accept();
    await pass(299);
    expect(browser.sockets).toHaveLength(1);
    await pass(1);
    expect(browser.sockets).toHaveLength(2);
    await open({ resumed: true, ack: everything });
    await settle();
    expect(offers()).toEqual(['fresh 1']);
    call.end();
  });

  it('is not asked for when something has', async () => {
    const call = await ringing();
    call.accept();
    used().flow();
    await hear(1000);
    expect(browser.sockets).toHaveLength(1);
    call.end();
  });

  it('replaces the connection of the side that calls', async () => {
    const call = await dialled();
    answer(call, 0);
    await settle();
    used().connectSilently();
    const before = used();
    browser.changeNetwork(true);
    await settle();
    expect(before.closed).toBe(true);
    expect(offers()).toEqual([0, 'fresh 1']);
    expect(inUse()).toHaveLength(1);
    expect(call.state).toBe('ringing');
  });
});
