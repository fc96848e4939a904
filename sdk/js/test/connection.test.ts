import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Connection } from '../src/connection.js';
import { default_policy } from '../src/policy.js';
import type { ServerMessage } from '../src/protocol.js';
import { TokenSource } from '../src/token.js';
import { FakeBrowser, settle, welcome, type FakeSocket } from './fakes.js';

let browser: FakeBrowser;
let connection: Connection;
let events: string[];
let tokens: (() => string)[];

beforeEach(() => {
  vi.useFakeTimers();
  browser = new FakeBrowser();
  browser.answers_pings = false;
  events = [];
  tokens = [];
  connection = new Connection({
    url: 'wss://calls.example/ws',
    token: new TokenSource(() => (tokens.shift() ?? ((): string => 'token'))(), 10_000),
    policy: { ...default_policy, reconnect_jitter: 0 },
    openSocket: browser.openSocket,
  });
  connection.on('state', (state) => events.push(state));
  connection.on('message', (message: ServerMessage) => events.push(`${message.type} ${message.call}`));
  connection.on('error', (error) => events.push(`error ${error.code}: ${error.verdict}`));
  connection.on('session_lost', (cause) => events.push(`lost ${cause?.code ?? ''}`.trim()));
});
afterEach(() => {
  connection.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

async function open(fields: object = {}): Promise<void> {
  browser.socket.onopen?.();
  await settle();
  browser.socket.receive(welcome(fields));
}

async function online(): Promise<void> {
  connection.start();
  await open();
  events = [];
}

describe('hello', () => {
  it('is the first frame, with the token and without resume', async () => {
    connection.start();
    expect(browser.socket.url).toBe('wss://calls.example/ws');
    browser.socket.onopen?.();
    await settle();
    expect(browser.socket.sent).toEqual([{ type: 'hello', version: 1, token: 'token' }]);
    expect(connection.state).toBe('connecting');
    browser.socket.receive(welcome());
    expect(connection.state).toBe('online');
  });

  it('comes before what was sent earlier', async () => {
    connection.send({ type: 'ringing', call: 'c_1' });
    connection.start();
    await open();
    expect(browser.socket.sent.map((frame) => frame.type)).toEqual(['hello', 'ringing']);
    expect(browser.socket.sent[1]).toMatchObject({ seq: 1, ack: 0 });
  });
});

describe('a lost socket', () => {
  it('is opened again at once, resumed, and what was not acknowledged is repeated', async () => {
    await online();
    for (const call of ['c_1', 'c_2']) connection.send({ type: 'ringing', call });
    browser.socket.receive({ type: 'ack', ack: 1 });
    browser.socket.receive({ type: 'ringing', call: 'c_9', seq: 1, ack: 1 });
    browser.socket.drop();
    connection.send({ type: 'ringing', call: 'c_3' });
    vi.advanceTimersByTime(0);
    await open({ resumed: true, ack: 1 });
    expect(browser.socket.sent[0]).toEqual({ type: 'hello', version: 1, token: 'token', resume: { session: 's_1', resume_token: 'r_1', ack: 1, attempt: 1 } });
    expect(browser.socket.sent.slice(1).map((frame) => [frame['seq'], frame['call']])).toEqual([
      [2, 'c_2'],
      [3, 'c_3'],
    ]);
    expect(events).toEqual(['ringing c_9', 'offline', 'connecting', 'online']);
  });

  it('is tried again after 0, 300, 600, 1200 ms', () => {
    connection.start();
    for (const wait_ms of [0, 300, 600, 1200]) {
      browser.socket.drop();
      const before = browser.sockets.length;
      if (wait_ms > 0) {
        vi.advanceTimersByTime(wait_ms - 1);
        expect(browser.sockets).toHaveLength(before);
      }
      vi.advanceTimersByTime(wait_ms > 0 ? 1 : 0);
      expect(browser.sockets).toHaveLength(before + 1);
    }
  });

  it('whose session is gone begins a new one with nothing in it', async () => {
    await online();
    connection.send({ type: 'dial', call: 'c_1', to: 'bob', media: { audio: true, video: false } });
    browser.socket.drop();
    connection.send({ type: 'dial', call: 'c_2', to: 'bob', media: { audio: true, video: false } });
    vi.advanceTimersByTime(0);
    await open({ session: 's_2', resumed: false, ack: 0 });
    expect(events).toEqual(['offline', 'connecting', 'online', 'lost']);
    expect(browser.socket.ofType('dial')).toEqual([]);
    connection.send({ type: 'ringing', call: 'c_3' });
    expect(browser.socket.ofType('ringing')).toMatchObject([{ call: 'c_3', seq: 1 }]);
  });

  it('is opened again within 1.4 s while there is a call, however long the server is away', async () => {
    await online();
    connection.setUrgent(false, true);
    for (const wait_ms of [0, 300, 600, 600, 600, 600, 1200, 1400, 1400]) {
      browser.socket.drop();
      const before = browser.sockets.length;
      vi.advanceTimersByTime(Math.max(0, wait_ms - 1));
      if (wait_ms > 0) expect(browser.sockets).toHaveLength(before);
      vi.advanceTimersByTime(1);
      expect(browser.sockets).toHaveLength(before + 1);
    }
  });

  it('is noticed when no pong comes within 5 s of a ping', async () => {
    await online();
    vi.advanceTimersByTime(10_000);
    expect(browser.socket.ofType('ping')).toHaveLength(1);
    browser.socket.receive({ type: 'pong' });
    vi.advanceTimersByTime(10_000);
    vi.advanceTimersByTime(5_000);
    expect(events).toEqual(['offline']);
    expect(browser.sockets[0]?.closed).toBe(true);
  });

  it('is suspected 1 s after somebody dials, and given up after 5 s', async () => {
    await online();
    connection.probe();
    vi.advanceTimersByTime(999);
    expect(browser.sockets).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(browser.sockets).toHaveLength(2);
    expect(events).toEqual([]);
    vi.advanceTimersByTime(4000);
    expect(browser.sockets[0]?.closed).toBe(true);
    expect(events).toEqual(['connecting']);
  });

  it('that never opens is given up', () => {
    connection.start();
    vi.advanceTimersByTime(6000);
    expect(events).toEqual(['connecting', 'offline']);
  });
});

describe('another socket beside a silent one', () => {
  const first = (): FakeSocket => browser.sockets[0] as FakeSocket;

  it('is opened within 2 s while a call is set up, and takes over without a gap', async () => {
    await online();
    connection.setUrgent(true, true);
    vi.advanceTimersByTime(1000);
    first().receive({ type: 'pong' });
    vi.advanceTimersByTime(1999);
    expect(browser.sockets).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(browser.sockets).toHaveLength(2);
    connection.send({ type: 'ringing', call: 'c_1' });
    await open({ resumed: true });
    expect(browser.socket.sent[0]).toMatchObject({ type: 'hello', resume: { session: 's_1', ack: 0 } });
    expect(browser.socket.ofType('ringing')).toMatchObject([{ call: 'c_1', seq: 1, ack: 0 }]);
    expect(first().closed).toBe(true);
    expect(events).toEqual([]);
  });

  it('silences the old one with its hello, which must not acknowledge what the hello does not know of', async () => {
    await online();
    connection.renew();
    browser.socket.onopen?.();
    await settle();
    const before = first().sent.length;
    first().receive({ type: 'ringing', call: 'c_9', seq: 1, ack: 0 });
    connection.send({ type: 'ringing', call: 'c_1' });
    vi.advanceTimersByTime(100);
    expect(first().sent).toHaveLength(before);
    expect(events).toEqual(['ringing c_9']);
    browser.socket.receive(welcome({ resumed: true }));
    expect(browser.socket.ofType('ringing')).toMatchObject([{ call: 'c_1', ack: 1 }]);
  });

  it('is opened on suspicion, and given up when the old one speaks first', async () => {
    await online();
    connection.suspect();
    connection.suspect();
    expect(browser.sockets).toHaveLength(2);
    expect(first().ofType('ping')).not.toEqual([]);
    first().receive({ type: 'pong' });
    expect(browser.sockets[1]?.closed).toBe(true);
    expect(events).toEqual([]);
    connection.suspect();
    await open({ resumed: true });
    expect(first().closed).toBe(true);
    expect(connection.state).toBe('online');
  });

  it('that fails leaves the old one in use', async () => {
    await online();
    connection.renew();
    browser.socket.onopen?.();
    await settle();
    connection.send({ type: 'ringing', call: 'c_1' });
    browser.socket.drop();
    expect(first().ofType('ringing')).toHaveLength(1);
    expect(events).toEqual([]);
  });

  it('that fails is tried again soon, as the new network may not be ready; until the old one is found well or dead', async () => {
    await online();
    connection.renew();
    browser.socket.drop();
    vi.advanceTimersByTime(199);
    expect(browser.sockets).toHaveLength(2);
    vi.advanceTimersByTime(1);
    expect(browser.sockets).toHaveLength(3);
    browser.socket.drop();
    vi.advanceTimersByTime(200);
    await open({ resumed: true });
    expect(first().closed).toBe(true);
    vi.advanceTimersByTime(1000);
    expect(browser.sockets).toHaveLength(4);
    expect(events).toEqual([]);
  });

  it('by which the old one is replaced is ours: no error', async () => {
    await online();
    connection.renew();
    browser.socket.onopen?.();
    await settle();
    first().drop(4409, 'replaced');
    expect(events).toEqual(['connecting']);
    browser.socket.receive(welcome({ resumed: true }));
    expect(events).toEqual(['connecting', 'online']);
  });

  it('is opened beside one that does not open, three at most; the first that is through wins', async () => {
    connection.setUrgent(true, true);
    connection.start();
    vi.advanceTimersByTime(3500);
    expect(browser.sockets).toHaveLength(3);
    browser.sockets[1]?.onopen?.();
    await settle();
    browser.sockets[0]?.onopen?.();
    await settle();
    expect(browser.sockets.map((socket) => socket.sent.length)).toEqual([0, 1, 0]);
    browser.sockets[1]?.receive(welcome());
    expect(browser.sockets.map((socket) => socket.closed)).toEqual([true, false, true]);
    expect(connection.state).toBe('online');
  });

  it('is greeted when a hello has no answer', async () => {
    await online();
    first().drop();
    connection.setUrgent(true, true);
    vi.advanceTimersByTime(0);
    browser.socket.onopen?.();
    await settle();
    vi.advanceTimersByTime(1499);
    expect(browser.sockets).toHaveLength(2);
    vi.advanceTimersByTime(1);
    expect(browser.sockets).toHaveLength(3);
    expect(browser.sockets[1]?.closed).toBe(true);
    await open({ resumed: true });
    expect(connection.state).toBe('online');
  });

  it('is opened at once when the network changes, whatever wait is due', () => {
    connection.start();
    browser.socket.drop();
    vi.advanceTimersByTime(0);
    browser.socket.drop();
    connection.renew();
    expect(browser.sockets).toHaveLength(3);
    vi.advanceTimersByTime(300);
    expect(browser.sockets).toHaveLength(3);
  });
});

describe('a hello that may come late', () => {
  const first = (): FakeSocket => browser.sockets[0] as FakeSocket;

  async function greet(): Promise<FakeSocket> {
    const { socket } = browser;
    socket.onopen?.();
    await settle();
    return socket;
  }

  /** A session whose second hello was given up, beside a socket that is open. */
  async function gaveUp(): Promise<void> {
    await online();
    connection.renew();
    const slow = await greet();
    vi.advanceTimersByTime(1500);
    expect(slow.closed).toBe(true);
  }

  it('has a number that only grows', async () => {
    await online();
    const attempts: unknown[] = [];
    for (let round = 0; round < 3; round++) {
      connection.renew();
      attempts.push((await greet()).sent[0]?.['resume']);
      connection.renew();
      attempts.push((await greet()).sent[0]?.['resume']);
      browser.socket.receive(welcome({ resumed: true }));
    }
    expect(attempts).toMatchObject([1, 2, 3, 4, 5, 6].map((attempt) => ({ attempt })));
  });

  it('and was outrun loses its own socket and nothing else', async () => {
    await online();
    connection.renew();
    (await greet()).drop(4409, 'replaced');
    expect(events).toEqual([]);
    connection.send({ type: 'ringing', call: 'c_1' });
    expect(first().ofType('ringing')).toHaveLength(1);
    first().drop();
    vi.advanceTimersByTime(0);
    (await greet()).drop(4409, 'replaced');
    vi.advanceTimersByTime(300);
    await open({ resumed: true });
    expect(events.filter((event) => /^(error|lost|closed)/.test(event))).toEqual([]);
    expect(connection.state).toBe('online');
  });

  it('and was given up replaces our own socket: once, and not much later', async () => {
    await gaveUp();
    first().drop(4409, 'replaced');
    expect(events).toEqual(['connecting']);
    await open({ resumed: true });
    browser.socket.drop(4409, 'replaced');
    expect(events.slice(1, 3)).toEqual(['online', 'error signaling_lost: Another page has taken over this session.']);
  });

  it('and was given up a minute ago does not excuse another page', async () => {
    await gaveUp();
    await open({ resumed: true });
    for (let at = 0; at < 60_000; at += 1000) {
      vi.advanceTimersByTime(1000);
      browser.socket.receive({ type: 'pong' });
    }
    browser.socket.drop(4409, 'replaced');
    expect(connection.state).toBe('closed');
  });

  it('is waited for twice as long after each that was given up, until one is answered', async () => {
    await online();
    first().drop();
    connection.setUrgent(true, true);
    vi.advanceTimersByTime(0);
    for (const wait_ms of [1500, 3000]) {
      const slow = await greet();
      vi.advanceTimersByTime(wait_ms - 1);
      expect(slow.closed).toBe(false);
      vi.advanceTimersByTime(1);
      expect(slow.closed).toBe(true);
    }
    await open({ resumed: true });
    browser.socket.drop();
    vi.advanceTimersByTime(0);
    const slow = await greet();
    vi.advanceTimersByTime(1500);
    expect(slow.closed).toBe(true);
  });

  it('lets the old socket go on with what has waited when it is given up', async () => {
    await online();
    connection.renew();
    await greet();
    connection.send({ type: 'ringing', call: 'c_1' });
    expect(first().ofType('ringing')).toEqual([]);
    vi.advanceTimersByTime(1500);
    expect(first().ofType('ringing')).toMatchObject([{ call: 'c_1', seq: 1 }]);
  });

  it('lets the old socket acknowledge what has come when it is given up, or has failed', async () => {
    await online();
    connection.renew();
    await greet();
    first().receive({ type: 'ringing', call: 'c_9', seq: 1, ack: 0 });
    vi.advanceTimersByTime(1500);
    expect(first().ofType('ack')).toEqual([{ type: 'ack', ack: 1 }]);
    const slow = await greet();
    first().receive({ type: 'ringing', call: 'c_9', seq: 2, ack: 0 });
    vi.advanceTimersByTime(100);
    expect(first().ofType('ack')).toHaveLength(1);
    slow.drop();
    expect(first().ofType('ack')).toHaveLength(2);
  });

  it('and is the first of all takes the session along that it would begin', async () => {
    connection.setUrgent(true, true);
    connection.start();
    const slow = await greet();
    vi.advanceTimersByTime(1500);
    expect(slow.sent.slice(1)).toEqual([{ type: 'bye', seq: 1, ack: 0 }]);
  });
});

describe('trouble of a socket beside one that is open', () => {
  const first = (): FakeSocket => browser.sockets[0] as FakeSocket;

  async function refused(code: number): Promise<void> {
    browser.socket.onopen?.();
    await settle();
    browser.socket.drop(code, 'why');
  }

  function goesOn(sockets: number): void {
    expect(first().ofType('ping')).not.toEqual([]);
    vi.advanceTimersByTime(900);
    expect(browser.sockets).toHaveLength(sockets);
    expect(events).toEqual([]);
    expect(connection.state).toBe('online');
  }

  it('with its token ends nothing; another token is tried once', async () => {
    await online();
    connection.renew();
    await refused(4401);
    vi.advanceTimersByTime(200);
    expect(browser.sockets).toHaveLength(3);
    await refused(4401);
    goesOn(3);
  });

  it('with getToken is no error of the app, and is not hurried', async () => {
    tokens = [
      () => 'old',
      () => {
        throw new Error('backend is down');
      },
    ];
    await online();
    connection.renew();
    await refused(4401);
    vi.advanceTimersByTime(200);
    await settle();
    goesOn(3);
  });

  it('with a full server is not hurried', async () => {
    await online();
    connection.renew();
    await refused(4429);
    goesOn(2);
  });

  it('that goes on is met with longer waits', async () => {
    await online();
    connection.renew();
    for (const wait_ms of [200, 200, 200, 200, 200, 200, 300, 600, 1200]) {
      const before = browser.sockets.length;
      browser.socket.drop();
      vi.advanceTimersByTime(wait_ms - 1);
      expect(browser.sockets).toHaveLength(before);
      vi.advanceTimersByTime(1);
      expect(browser.sockets).toHaveLength(before + 1);
    }
    connection.renew();
    const before = browser.sockets.length;
    browser.socket.drop();
    vi.advanceTimersByTime(200);
    expect(browser.sockets).toHaveLength(before + 1);
  });
});

describe('what else the server says', () => {
  it('credentials are given on, and have no number', async () => {
    await online();
    connection.on('credentials', (frame) => events.push(JSON.stringify(frame)));
    browser.socket.receive({ type: 'credentials', ttl: 60 });
    vi.advanceTimersByTime(100);
    expect(events).toEqual(['{"type":"credentials","ttl":60}']);
    expect(browser.socket.ofType('ack')).toEqual([]);
  });

  it('an error names the dial or offer that it refuses', async () => {
    await online();
    const refused: unknown[] = [];
    connection.on('message', (message) => message.type === 'error' && refused.push(message.refused));
    connection.send({ type: 'offer', call: 'c_1', generation: 3, sdp: '' });
    connection.send({ type: 'answer', call: 'c_1', generation: 2, sdp: '' });
    for (const ref of [1, 2]) browser.socket.receive({ type: 'error', code: 'stale_generation', message: '', call: 'c_1', ref, seq: ref, ack: 0 });
    expect(refused).toEqual([{ type: 'offer', generation: 3 }, undefined]);
  });

  it('hello carries the wish for the warm path', async () => {
    connection.close();
    connection = new Connection({
      url: 'wss://calls.example/ws',
      token: new TokenSource(() => 'token', 10_000),
      policy: default_policy,
      openSocket: browser.openSocket,
      warm_path: 'off',
    });
    connection.start();
    browser.socket.onopen?.();
    await settle();
    expect(browser.socket.sent[0]).toMatchObject({ type: 'hello', warm_path: 'off' });
  });
});

describe('acknowledgement', () => {
  it('goes alone after at most 50 ms', async () => {
    await online();
    browser.socket.receive({ type: 'ringing', call: 'c_1', seq: 1, ack: 0 });
    vi.advanceTimersByTime(50);
    expect(browser.socket.ofType('ack')).toEqual([{ type: 'ack', ack: 1 }]);
  });

  it('goes with a message if there is one', async () => {
    await online();
    browser.socket.receive({ type: 'ringing', call: 'c_1', seq: 1, ack: 0 });
    connection.send({ type: 'ringing', call: 'c_2' });
    vi.advanceTimersByTime(50);
    expect(browser.socket.ofType('ack')).toEqual([]);
    expect(browser.socket.sent.at(-1)).toMatchObject({ seq: 1, ack: 1 });
  });

  it('answers a ping of the server at once', async () => {
    await online();
    browser.socket.receive({ type: 'ping' });
    expect(browser.socket.sent.at(-1)).toEqual({ type: 'pong' });
  });
});

describe('close codes', () => {
  it('4401 asks for another token once, then is an error', async () => {
    tokens = [() => 'old', () => 'new'];
    connection.start();
    browser.socket.onopen?.();
    await settle();
    browser.socket.drop(4401, 'token_expired');
    vi.advanceTimersByTime(0);
    browser.socket.onopen?.();
    await settle();
    expect(browser.sockets.map((socket) => socket.sent[0]?.['token'])).toEqual(['old', 'new']);
    browser.socket.drop(4401, 'token_invalid: no such key');
    vi.advanceTimersByTime(60_000);
    expect(browser.sockets).toHaveLength(2);
    expect(events).toContain('error credentials: The server does not accept the token (token_invalid: no such key).');
    expect(events.slice(-2)).toEqual(['closed', 'lost credentials']);
  });

  it.each([
    [4400, 'error'],
    [4403, 'blocked'],
    [4409, 'signaling_lost'],
    [4413, 'error'],
  ])('%i is the error %s, and is not tried again', async (code, error) => {
    await online();
    browser.socket.drop(code, 'why');
    vi.advanceTimersByTime(60_000);
    expect(browser.sockets).toHaveLength(1);
    expect(events[0]).toMatch(new RegExp(`^error ${error}: `));
    expect(connection.state).toBe('closed');
  });

  it('4429 resumes, after a wait that grows while it happens again', async () => {
    await online();
    for (const [index, wait_ms] of [300, 600, 1200].entries()) {
      browser.socket.drop(4429, 'too_many_frames');
      vi.advanceTimersByTime(wait_ms - 1);
      expect(browser.sockets).toHaveLength(index + 1);
      vi.advanceTimersByTime(1);
      await open({ resumed: true });
      expect(browser.socket.sent[0]).toHaveProperty('resume');
    }
    expect(events.filter((event) => event.startsWith('lost'))).toEqual([]);
  });

  it('4403 says whom to ask for what', async () => {
    await online();
    browser.socket.drop(4403, 'forbidden: origin https://app.example');
    expect(events[0]).toMatch(/does not accept this page \(forbidden: origin https:\/\/app.example\).*--allowed-origin/);
  });

  it.each([1001, 1006, 4408])('%i is tried again with the session', async (code) => {
    await online();
    browser.socket.drop(code);
    vi.advanceTimersByTime(0);
    browser.socket.onopen?.();
    await settle();
    expect(browser.socket.sent[0]).toHaveProperty('resume');
  });
});

describe('bad input', () => {
  it.each(['not json', '{"type":'])('%s closes with 4400 and an error', async (text) => {
    await online();
    browser.socket.onmessage?.({ data: text });
    expect(events[0]).toMatch(/^error error: The server sent a frame that is not JSON/);
  });

  it('a getToken that never answers is told after 10 s, and asked again', async () => {
    const ask = vi.fn(() => new Promise<string>(() => undefined));
    const hung = new TokenSource(ask, 10_000);
    const first = expect(hung.get()).rejects.toThrow('no token within 10 s');
    await vi.advanceTimersByTimeAsync(10_000);
    await first;
    const second = expect(hung.get()).rejects.toThrow('no token within 10 s');
    await vi.advanceTimersByTimeAsync(10_000);
    await second;
    expect(ask).toHaveBeenCalledTimes(2);
  });

  it('a getToken that fails is told once and tried again', async () => {
    tokens = [1, 2, 3].map(() => (): string => {
      throw new Error('backend is down');
    });
    connection.start();
    await settle();
    vi.advanceTimersByTime(0);
    await settle();
    expect(events.filter((event) => event.startsWith('error'))).toEqual(['error credentials: getToken failed: backend is down']);
    vi.advanceTimersByTime(300);
    await settle();
    vi.advanceTimersByTime(600);
    await open();
    expect(connection.state).toBe('online');
  });
});

describe('close', () => {
  it('says bye and is over', async () => {
    await online();
    connection.close();
    expect(browser.socket.sent.at(-1)).toMatchObject({ type: 'bye', seq: 1 });
    expect(browser.socket.closed).toBe(true);
  });
});
