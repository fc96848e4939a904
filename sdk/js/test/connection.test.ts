import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Connection } from '../src/connection.js';
import { default_policy } from '../src/policy.js';
import type { ServerMessage } from '../src/protocol.js';
import { TokenSource } from '../src/token.js';
import { FakeBrowser, settle, welcome } from './fakes.js';

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
  connection.on('session_lost', (kept, cause) => events.push(`lost ${[...kept].join()} ${cause?.code ?? ''}`.trim()));
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
    expect(browser.socket.sent[0]).toEqual({ type: 'hello', version: 1, token: 'token', resume: { session: 's_1', resume_token: 'r_1', ack: 1 } });
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

  it('whose session is gone loses the calls that it had begun', async () => {
    await online();
    connection.send({ type: 'dial', call: 'c_1', to: 'bob', media: { audio: true, video: false } });
    browser.socket.drop();
    connection.send({ type: 'dial', call: 'c_2', to: 'bob', media: { audio: true, video: false } });
    vi.advanceTimersByTime(0);
    await open({ session: 's_2', resumed: false, ack: 0 });
    expect(events).toContain('lost c_2');
    expect(browser.socket.ofType('dial')).toMatchObject([{ call: 'c_2', seq: 1 }]);
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

  it('is noticed within 2 s when somebody dials', async () => {
    await online();
    connection.probe();
    vi.advanceTimersByTime(2000);
    expect(events).toEqual(['offline']);
  });

  it('that never opens is given up', () => {
    connection.start();
    vi.advanceTimersByTime(6000);
    expect(events).toEqual(['connecting', 'offline']);
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
    expect(events.slice(-2)).toEqual(['closed', 'lost  credentials']);
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
