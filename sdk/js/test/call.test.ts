import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CallClient, type CallClientOptions, type Call, type CallError } from '../src/index.js';
import { FakeAudio, FakeBrowser, installGlobals, settle, welcome, type FakePeerConnection, type Frame } from './fakes.js';

let browser: FakeBrowser;
let client: CallClient;
let seq: number;

beforeEach(() => {
  vi.useFakeTimers();
  installGlobals();
  browser = new FakeBrowser();
  seq = 0;
});
afterEach(() => {
  client.close();
  expect(browser.connections.every((connection) => connection.closed)).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

async function start(options: Partial<CallClientOptions> = {}): Promise<void> {
  client = new CallClient({ getToken: () => 'token', ...options }, browser);
  browser.socket.onopen?.();
  await settle();
  browser.socket.receive(welcome());
}

const receive = (message: object): void => browser.socket.receive({ ...message, seq: ++seq, ack: 0 });
const sent = (type: string): Frame[] => browser.socket.ofType(type);

function used(): FakePeerConnection {
  const connection = browser.connections.find((one) => one.listening || one.done.length > 0);
  if (!connection) throw new Error('no connection is in use');
  return connection;
}

async function dialled(media = { audio: true, video: true }): Promise<Call> {
  await start();
  const call = client.dial('bob', media);
  await settle();
  receive({ type: 'ringing', call: call.id });
  return call;
}

async function answered(): Promise<Call> {
  const call = await dialled();
  receive({ type: 'accepted', call: call.id, media: { audio: true, video: true } });
  receive({ type: 'answer', call: call.id, generation: 0, sdp: 'answer', from: 'bob' });
  await settle();
  return call;
}

async function connected(): Promise<Call> {
  const call = await answered();
  used().connect();
  await settle();
  vi.advanceTimersByTime(50);
  await settle();
  return call;
}

async function incoming(): Promise<Call> {
  await start();
  const calls: Call[] = [];
  client.on('incoming', (call) => calls.push(call));
  receive({ type: 'incoming', call: 'c_in', from: 'bob', media: { audio: true, video: false }, age_ms: 0 });
  const [call] = calls;
  if (!call) throw new Error('no incoming call');
  return call;
}

function everythingIsGivenBack(call: Call): void {
  expect(call.state).toBe('ended');
  expect(client.calls).toEqual([]);
  expect(browser.tracks.every((track) => track.stopped && track.onended === null)).toBe(true);
  expect(browser.connections.filter((connection) => connection.done.length > 0).every((one) => one.closed && !one.listening)).toBe(true);
  expect(FakeAudio.playing.size).toBe(0);
  expect(call.localStream).toBeNull();
}

describe('before anybody dials', () => {
  it('socket, credentials and candidate pool are warm', async () => {
    await start();
    expect(browser.connections).toHaveLength(1);
    expect(browser.connections[0]?.configuration).toMatchObject({
      iceCandidatePoolSize: 1,
      iceTransportPolicy: 'all',
      iceServers: [{ urls: ['turn:192.0.2.1:3478'] }],
    });
    expect(browser.requests[0]?.url).toBe('https://calls.example/api/turn/credentials');
  });

  it('the warm connection is replaced after 4 minutes, and the old one closed', async () => {
    await start();
    vi.advanceTimersByTime(240_000);
    expect(browser.connections.map((connection) => connection.closed)).toEqual([true, false]);
  });
});

describe('dialling', () => {
  it('sends dial and offer at once, from the warm connection', async () => {
    await dialled();
    expect(browser.socket.sent.map((frame) => frame.type)).toEqual(['hello', 'ping', 'dial', 'offer']);
    expect(sent('dial')[0]).toMatchObject({ to: 'bob', media: { audio: true, video: true } });
    expect(sent('dial')[0]?.['call']).toMatch(/^c_[\w-]{22}$/);
    expect(sent('offer')[0]).toMatchObject({ generation: 0 });
    expect(used()).toBe(browser.connections[0]);
  });

  it('goes through its states and is connected when media is decoded', async () => {
    await start();
    const call = client.dial('bob', { audio: true, video: true });
    const states: string[] = [call.state];
    call.on('state', (state) => states.push(state));
    let is_connected = false;
    void call.connected.then(() => (is_connected = true));
    await settle();
    receive({ type: 'ringing', call: call.id });
    receive({ type: 'accepted', call: call.id, media: { audio: true, video: true } });
    receive({ type: 'answer', call: call.id, generation: 0, sdp: 'answer', from: 'bob' });
    await settle();
    used().setIce('connected');
    await settle();
    expect(states).toEqual(['dialing', 'ringing', 'connecting']);
    used().connect();
    vi.advanceTimersByTime(50);
    await settle();
    expect(states).toEqual(['dialing', 'ringing', 'connecting', 'connected']);
    expect(is_connected).toBe(true);
    expect(sent('connected')[0]).toMatchObject({ call: call.id, pair: { local: 'relay', remote: 'host', protocol: 'udp' } });
  });

  it('reports how it went', async () => {
    const call = await connected();
    const report = call.report();
    expect(report).toMatchObject({ peer: 'bob', direction: 'outgoing', state: 'connected', path: 'relay', end_reason: null });
    expect(report.selected_pair).toEqual({ local: 'relay', remote: 'host', protocol: 'udp', relay_protocol: 'tcp' });
    expect(report.time_to_connect_ms).toBeLessThanOrEqual(report.dial_to_connect_ms ?? 0);
    expect(report.timeline.map((entry) => entry.event)).toEqual(
      expect.arrayContaining(['dialed', 'offer_sent', 'ringing', 'accepted', 'answer_received', 'ice_connected', 'connected']),
    );
  });

  it('before the first welcome is kept and sent with it', async () => {
    client = new CallClient({ getToken: () => 'token' }, browser);
    client.dial('bob');
    await settle();
    browser.socket.onopen?.();
    await settle();
    browser.socket.receive(welcome());
    expect(browser.socket.sent.map((frame) => frame.type)).toEqual(['hello', 'dial', 'offer']);
  });

  it('without relay credentials, when only the relay is allowed, says so', async () => {
    browser.credentials = { status: 503, body: {} };
    await start({ iceTransportPolicy: 'relay' });
    const call = client.dial('bob');
    await settle();
    vi.advanceTimersByTime(3000);
    await settle();
    expect(call.end_cause).toMatchObject({ code: 'credentials', retryable: true });
    everythingIsGivenBack(call);
  });
});

describe('answering', () => {
  it('rings, then accepts and answers with the warm connection, whatever came before', async () => {
    const call = await incoming();
    expect(call).toMatchObject({ peer: 'bob', direction: 'incoming', state: 'ringing' });
    expect(sent('ringing')).toMatchObject([{ call: 'c_in' }]);
    receive({ type: 'offer', call: 'c_in', generation: 0, sdp: 'offer', from: 'bob' });
    receive({ type: 'ice-candidate', call: 'c_in', generation: 0, candidate: { candidate: 'one' }, from: 'bob' });
    call.accept();
    await settle();
    expect(used()).toBe(browser.connections[0]);
    expect(used().done).toEqual(['remote offer', 'candidate one', 'local answer']);
    expect(sent('accept')).toMatchObject([{ call: 'c_in', media: { audio: true, video: false } }]);
    expect(sent('answer')).toMatchObject([{ call: 'c_in', generation: 0 }]);
    expect(browser.tracks.map((track) => track.kind)).toEqual(['audio']);
  });

  it('works when the offer comes after the accept', async () => {
    const call = await incoming();
    call.accept({ audio: true, video: true });
    await settle();
    receive({ type: 'offer', call: 'c_in', generation: 0, sdp: 'offer', from: 'bob' });
    await settle();
    expect(sent('answer')).toHaveLength(1);
  });

  it('is busy by itself during another call', async () => {
    await connected();
    receive({ type: 'incoming', call: 'c_2', from: 'carol', media: { audio: true, video: false }, age_ms: 0 });
    expect(sent('reject')).toMatchObject([{ call: 'c_2', reason: 'busy' }]);
    expect(client.calls).toHaveLength(1);
  });

  it('verbs that make no sense, or come twice, do nothing', async () => {
    const call = await incoming();
    call.accept();
    call.accept();
    call.reject();
    call.end();
    call.end();
    call.reject();
    expect(['accept', 'reject', 'hangup'].map((type) => sent(type).length)).toEqual([1, 0, 1]);
    expect(await call.setCamera(true)).toBe(false);
  });
});

describe('both dial each other', () => {
  // No letter of an id sorts before "!" or behind "~".
  const from_bob = (call: string): void => receive({ type: 'incoming', call, from: 'bob', media: { audio: true, video: false }, age_ms: 0 });

  async function both(id: string): Promise<{ own: Call; dialled_id: string; shown: Call[] }> {
    await start();
    const shown: Call[] = [];
    client.on('incoming', (call) => shown.push(call));
    const own = client.dial('bob', { audio: true, video: true });
    const dialled_id = own.id;
    await settle();
    receive({ type: 'ringing', call: own.id });
    from_bob(id);
    await settle();
    return { own, dialled_id, shown };
  }

  it('and the lower id is theirs: our call becomes it, answered with what we dialled with', async () => {
    const { own, dialled_id, shown } = await both('c_!');
    expect(shown).toEqual([]);
    expect(client.calls).toEqual([own]);
    expect([own.id, own.state]).toEqual(['c_!', 'connecting']);
    expect(sent('hangup')).toMatchObject([{ call: dialled_id }]);
    expect(sent('accept')).toMatchObject([{ call: 'c_!', media: { audio: true, video: true } }]);
    receive({ type: 'ended', call: dialled_id, reason: 'canceled', verdict: '', retryable: false });
    receive({ type: 'offer', call: 'c_!', generation: 0, sdp: 'theirs', from: 'bob' });
    await settle();
    expect(sent('answer')).toMatchObject([{ call: 'c_!', generation: 0 }]);
    const answering = browser.connections.find((one) => one.done.includes('remote theirs'));
    expect(answering?.done).toEqual(['remote theirs', 'local answer']);
    answering?.connect();
    await settle();
    vi.advanceTimersByTime(50);
    await own.connected;
    expect(browser.tracks).toHaveLength(2);
    own.end();
    everythingIsGivenBack(own);
  });

  it('at the moment of the dial, before it has a connection', async () => {
    await start();
    const own = client.dial('bob', { audio: true, video: false });
    from_bob('c_!');
    receive({ type: 'offer', call: 'c_!', generation: 0, sdp: 'theirs', from: 'bob' });
    await settle();
    expect(sent('offer')).toEqual([]);
    expect(sent('answer')).toMatchObject([{ call: 'c_!' }]);
    expect(own.state).toBe('connecting');
  });

  it('and the lower id is ours: we dial on, and nothing is shown', async () => {
    const { own, shown } = await both('c_~');
    expect(shown).toEqual([]);
    expect(client.calls).toEqual([own]);
    receive({ type: 'ended', call: 'c_~', reason: 'canceled', verdict: '', retryable: false });
    receive({ type: 'accepted', call: own.id, media: { audio: true, video: true } });
    expect(own.state).toBe('connecting');
    expect([...sent('hangup'), ...sent('reject'), ...sent('accept')]).toEqual([]);
  });

  it('theirs is let go when ours is answered', async () => {
    const { own } = await both('c_~');
    receive({ type: 'accepted', call: own.id, media: { audio: true, video: true } });
    expect(sent('reject')).toMatchObject([{ call: 'c_~', reason: 'busy' }]);
    expect(sent('hangup')).toEqual([]);
  });

  it('theirs is shown when ours comes to nothing', async () => {
    const { own, shown } = await both('c_~');
    receive({ type: 'ended', call: own.id, reason: 'busy', verdict: '', retryable: true });
    expect(shown).toMatchObject([{ id: 'c_~', state: 'ringing' }]);
    expect(client.calls).toEqual(shown);
  });

  it('a dial to somebody who is ringing here answers', async () => {
    const theirs = await incoming();
    expect(client.dial('bob', { audio: true, video: true })).toBe(theirs);
    expect(sent('dial')).toEqual([]);
    expect(sent('accept')).toMatchObject([{ call: 'c_in', media: { audio: true, video: true } }]);
  });
});

describe('a call that rings without end', () => {
  it('ends 5 s after the server should have ended it: outgoing', async () => {
    const call = await dialled();
    vi.advanceTimersByTime(49_999);
    expect(call.state).toBe('ringing');
    vi.advanceTimersByTime(1);
    expect(call.end_cause?.code).toBe('no_answer');
    expect(sent('hangup')).toMatchObject([{ call: call.id }]);
  });

  it('ends 5 s after the server should have ended it: incoming, dialled a while ago', async () => {
    await start();
    receive({ type: 'incoming', call: 'c_in', from: 'bob', media: { audio: true, video: false }, age_ms: 40_000 });
    vi.advanceTimersByTime(10_000);
    expect(client.calls).toEqual([]);
    expect(sent('reject')).toMatchObject([{ call: 'c_in', reason: 'busy' }]);
  });

  it.each(['outgoing', 'incoming'])('ends after 30 s without a connection: %s', async (direction) => {
    const call = direction === 'outgoing' ? await dialled() : await incoming();
    browser.socket.drop();
    vi.advanceTimersByTime(29_999);
    expect(call.state).toBe('ringing');
    vi.advanceTimersByTime(1);
    expect(call.end_cause?.code).toBe('signaling_lost');
    everythingIsGivenBack(call);
  });
});

describe('a message that the server refuses while we dial', () => {
  async function refused(type: string, code: string): Promise<Call> {
    await start();
    const call = client.dial('bob');
    await settle();
    used().onicecandidate?.({ candidate: { candidate: 'typ host', usernameFragment: 'local0' } });
    receive({ type: 'error', code, message: 'no', call: call.id, ref: sent(type)[0]?.['seq'] });
    return call;
  }

  it.each(['too_many_candidates', 'bad_message'])('does not end the call if it is a candidate: %s', async (code) => {
    expect((await refused('ice-candidate', code)).state).toBe('dialing');
  });

  it('ends it if it is the dial', async () => {
    expect((await refused('dial', 'bad_message')).end_cause?.code).toBe('error');
    expect(sent('hangup')).toEqual([]);
  });

  it('ends it if it is the offer, and tells the server', async () => {
    expect((await refused('offer', 'bad_message')).end_cause?.code).toBe('error');
    expect(sent('hangup')).toMatchObject([{ reason: 'error' }]);
  });
});

describe('every way out gives everything back', () => {
  const outgoing_ends: [string, (call: Call) => void, string][] = [
    ['given up', (call) => call.end(), 'canceled'],
    ['declined', (call) => receive({ type: 'ended', call: call.id, reason: 'declined', verdict: 'bob declined.', retryable: false }), 'declined'],
    ['no answer', (call) => receive({ type: 'ended', call: call.id, reason: 'no_answer', verdict: '', retryable: true }), 'no_answer'],
    ['refused by the server', (call) => receive({ type: 'error', call: call.id, code: 'too_many_calls', message: 'Too many calls.' }), 'error'],
    ['session closed for good', () => browser.socket.drop(4403, 'forbidden'), 'blocked'],
  ];

  it.each(outgoing_ends)('while ringing: %s', async (_name, end, code) => {
    const call = await dialled();
    end(call);
    await settle();
    await expect(call.connected).rejects.toMatchObject({ name: 'CallError', code });
    everythingIsGivenBack(call);
  });

  const connected_ends: [string, (call: Call) => void | Promise<void>, string][] = [
    ['hung up here', (call) => call.end(), 'hangup'],
    ['hung up there', (call) => receive({ type: 'ended', call: call.id, reason: 'hangup', verdict: 'bob ended the call.', retryable: false }), 'hangup'],
    [
      'path lost',
      () => {
        used().setIce('disconnected');
        vi.advanceTimersByTime(30_000);
      },
      'ice_lost',
    ],
    [
      'session lost',
      async () => {
        browser.socket.drop();
        vi.advanceTimersByTime(0);
        browser.socket.onopen?.();
        await settle();
        seq = 0;
        browser.socket.receive(welcome({ session: 's_2' }));
      },
      'signaling_lost',
    ],
  ];

  it.each(connected_ends)('when connected: %s', async (_name, end, code) => {
    const call = await connected();
    expect(call.state).toBe('connected');
    expect(FakeAudio.playing.size).toBe(1);
    let ended: CallError | null = null;
    call.on('ended', (error) => (ended = error));
    await end(call);
    await settle();
    expect(ended).toMatchObject({ code });
    everythingIsGivenBack(call);
  });

  it('when no path is ever found: ice_failed after 30 s', async () => {
    const call = await answered();
    vi.advanceTimersByTime(30_000);
    expect(call.end_cause).toMatchObject({ code: 'ice_failed', retryable: true });
    expect(sent('hangup')).toMatchObject([{ reason: 'ice_failed' }]);
    everythingIsGivenBack(call);
  });

  it('when devices are refused: media_denied, with what to do', async () => {
    browser.denial = Object.assign(new Error('no'), { name: 'NotAllowedError' });
    await start();
    const call = client.dial('bob', { audio: true, video: true });
    await settle();
    expect(sent('hangup')).toMatchObject([{ reason: 'media_denied' }]);
    expect(call.end_cause?.verdict).toMatch(/may not use the microphone and camera. Allow it/);
    everythingIsGivenBack(call);
  });

  it('when devices open after the end', async () => {
    await start();
    const call = client.dial('bob');
    call.end();
    await settle();
    expect(browser.tracks).toHaveLength(1);
    everythingIsGivenBack(call);
  });

  it('when the server cannot be reached for 20 s', async () => {
    client = new CallClient({ getToken: () => 'token' }, browser);
    const call = client.dial('bob');
    await settle();
    vi.advanceTimersByTime(20_000);
    expect(call.end_cause?.code).toBe('signaling_lost');
    everythingIsGivenBack(call);
    // Should it come back, the dial must not ring there for nobody.
    browser.socket.onopen?.();
    await settle();
    browser.socket.receive(welcome());
    expect(browser.socket.sent.slice(1).map((frame) => frame.type)).toEqual(['dial', 'offer', 'hangup']);
  });

  it('and a second call works after any first', async () => {
    const first = await connected();
    first.end();
    vi.advanceTimersByTime(2000);
    const second = client.dial('bob', { audio: true, video: true });
    await settle();
    expect(second.state).toBe('dialing');
    expect(sent('offer')).toHaveLength(2);
    expect(browser.connections.filter((connection) => connection.done.length > 0)).toHaveLength(2);
  });

  it('nobody awaits `connected` and nothing is unhandled', async () => {
    const call = await dialled();
    call.end();
    await settle();
    everythingIsGivenBack(call);
  });
});

describe('during the call', () => {
  it('a lost socket does not matter', async () => {
    const call = await connected();
    browser.socket.drop();
    vi.advanceTimersByTime(0);
    browser.socket.onopen?.();
    await settle();
    browser.socket.receive(welcome({ resumed: true, ack: 99 }));
    expect(call.state).toBe('connected');
  });

  it('the caller restarts ICE when the path is interrupted', async () => {
    const call = await connected();
    const states: string[] = [];
    call.on('state', (state) => states.push(state));
    used().setIce('disconnected');
    vi.advanceTimersByTime(2000);
    await settle();
    expect(sent('offer').map((frame) => frame['generation'])).toEqual([0, 1]);
    receive({ type: 'answer', call: call.id, generation: 1, sdp: 'answer', from: 'bob' });
    await settle();
    used().setIce('connected');
    expect(states).toEqual(['reconnecting', 'connected']);
  });

  it('the microphone is muted without being closed', async () => {
    const call = await connected();
    expect(await call.setMicrophone(false)).toBe(false);
    const [microphone] = browser.tracks;
    expect([microphone?.enabled, microphone?.stopped]).toEqual([false, false]);
    expect(await call.setMicrophone(true)).toBe(true);
    expect(microphone?.enabled).toBe(true);
  });

  it('the camera is released when it is off, and opened again', async () => {
    const call = await connected();
    expect(await call.setCamera(false)).toBe(false);
    const camera = browser.tracks[1];
    expect([camera?.enabled, camera?.stopped]).toEqual([false, false]);
    vi.advanceTimersByTime(1000);
    expect(camera?.stopped).toBe(true);
    expect(await call.setCamera(true)).toBe(true);
    expect(browser.tracks).toHaveLength(3);
    expect(used().transceivers[1]?.sender.track).toBe(browser.tracks[2]);
  });

  it('a camera that is switched off while it opens is released', async () => {
    await start();
    const call = client.dial('bob', { audio: true, video: true });
    const off = call.setCamera(false);
    await settle();
    expect(await off).toBe(false);
    vi.advanceTimersByTime(1000);
    expect(browser.tracks.map((track) => track.stopped)).toEqual([false, true]);
  });

  it('a camera that cannot be opened is an error, not the end', async () => {
    const call = await dialled({ audio: true, video: false });
    const errors: CallError[] = [];
    client.on('error', (error) => errors.push(error));
    browser.denial = Object.assign(new Error('none'), { name: 'NotFoundError' });
    expect(await call.setCamera(true)).toBe(false);
    expect(errors).toMatchObject([{ code: 'media_denied' }]);
    expect(call.state).toBe('ringing');
  });
});

describe('a listener that throws', () => {
  it('does not stop the call, and is not swallowed', async () => {
    const call = await dialled();
    const stop = call.on('state', () => {
      stop();
      throw new Error('fault of the app');
    });
    receive({ type: 'accepted', call: call.id, media: { audio: true, video: true } });
    expect(call.state).toBe('connecting');
    expect(() => vi.advanceTimersByTime(0)).toThrow('fault of the app');
  });
});
