import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { IceServers, onlyTransports } from '../src/ice_servers.js';
import { default_policy } from '../src/policy.js';
import { TokenSource } from '../src/token.js';
import { FakeBrowser, settle } from './fakes.js';

let browser: FakeBrowser;
let servers: IceServers;
let lines: string[];
let tokens: number;

beforeEach(() => {
  vi.useFakeTimers();
  browser = new FakeBrowser();
  lines = [];
  tokens = 0;
  servers = new IceServers({
    url: 'https://calls.example/api/turn/credentials',
    token: new TokenSource(() => `token${++tokens}`, 10_000),
    policy: default_policy,
    fetch: browser.fetch,
  });
  servers.on('log', (text) => lines.push(text));
});
/** A server that pushes nothing is asked. */
async function fetched(): Promise<void> {
  servers.start();
  vi.advanceTimersByTime(1500);
  await settle();
}
afterEach(() => {
  servers.stop();
  vi.useRealTimers();
});

describe('credentials', () => {
  it('are fetched with the token and told in the log', async () => {
    await fetched();
    expect(browser.requests).toEqual([{ url: 'https://calls.example/api/turn/credentials', authorization: 'Bearer token1' }]);
    expect(servers.servers).toEqual([{ urls: ['turn:192.0.2.1:3478'], username: 'u', credential: 'c' }]);
    expect(lines).toEqual(['TURN loaded (1 URIs, TTL: 3600 s)', 'Username: 1:alice', 'URIs: [turn:192.0.2.1:3478]']);
  });

  it('are renewed at half their life', async () => {
    await fetched();
    vi.advanceTimersByTime(1_799_999);
    expect(browser.requests).toHaveLength(1);
    vi.advanceTimersByTime(1);
    await settle();
    expect(browser.requests).toHaveLength(2);
    expect(vi.getTimerCount()).toBe(1);
  });

  it('stay in use when the renewal fails, which is tried again', async () => {
    await fetched();
    const before = servers.servers;
    browser.credentials = { status: 503, body: {} };
    vi.advanceTimersByTime(1_800_000);
    await settle();
    expect(servers.servers).toBe(before);
    vi.advanceTimersByTime(500);
    await settle();
    vi.advanceTimersByTime(1000);
    await settle();
    expect(browser.requests).toHaveLength(4);
    expect(lines.at(-1)).toMatch(/could not be loaded: the server answered 503; next attempt in 2000 ms/);
  });

  it('are asked for with another token when the first is refused', async () => {
    browser.credentials = { status: 401, body: {} };
    await fetched();
    expect(browser.requests.map((request) => request.authorization)).toEqual(['Bearer token1', 'Bearer token2']);
  });

  it('are waited for by a dial, but not for ever', async () => {
    const waited = servers.wait(3000);
    expect(await waited).toBeNull();
    servers.start();
    const second = servers.wait(3000);
    await vi.advanceTimersByTimeAsync(1500);
    expect(await second).toHaveLength(1);
  });

  it('an answer that lacks fields is an error with a cause', async () => {
    browser.credentials = { status: 200, body: { ttl: 5 } };
    await fetched();
    expect(lines[0]).toMatch(/no iceServers or ttl/);
    expect(servers.servers).toBeNull();
  });

  it('nothing runs after stop', async () => {
    await fetched();
    servers.stop();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('pushed credentials', () => {
  const pushed = { type: 'credentials', username: '2:alice', ttl: 60, uris: ['turn:b'], iceServers: [{ urls: ['turn:b'] }] };

  it('make a request needless, also a renewal', async () => {
    servers.start();
    servers.handleWelcome();
    vi.advanceTimersByTime(299);
    servers.handlePushed(pushed);
    vi.advanceTimersByTime(30_000);
    servers.handlePushed({ ...pushed, username: '3:alice' });
    vi.advanceTimersByTime(35_999);
    await settle();
    expect(browser.requests).toEqual([]);
    expect(servers.servers).toEqual([{ urls: ['turn:b'] }]);
  });

  it('that do not come within 300 ms of the welcome, or in time for a renewal, are asked for', async () => {
    servers.start();
    servers.handleWelcome();
    vi.advanceTimersByTime(300);
    await settle();
    expect(browser.requests).toHaveLength(1);
    servers.handlePushed(pushed);
    vi.advanceTimersByTime(36_000);
    await settle();
    expect(browser.requests).toHaveLength(2);
  });

  it('count more than an answer that was asked for before they came', async () => {
    servers.start();
    vi.advanceTimersByTime(1500);
    servers.handlePushed(pushed);
    await settle();
    expect(browser.requests).toHaveLength(1);
    expect(servers.servers).toEqual([{ urls: ['turn:b'] }]);
  });

  it('that are none change nothing and are told', async () => {
    await fetched();
    const before = servers.servers;
    servers.handlePushed({ type: 'credentials', ttl: 60 });
    expect(servers.servers).toBe(before);
    expect(lines.at(-1)).toMatch(/pushed credentials that are none: .*no iceServers or ttl/);
  });

  it('end the wait of a dial', async () => {
    servers.start();
    const waited = servers.wait(3000);
    servers.handlePushed(pushed);
    expect(await waited).toHaveLength(1);
  });
});

describe('onlyTransports', () => {
  const all = [
    { urls: 'stun:a' },
    { urls: ['turn:a?transport=udp', 'turn:a?transport=tcp', 'turns:a?transport=tcp'], username: 'u', credential: 'c' },
  ];

  it('keeps all without a filter', () => expect(onlyTransports(all)).toBe(all));

  it.each([
    ['udp', [['stun:a'], ['turn:a?transport=udp']]],
    ['tcp', [['turn:a?transport=tcp']]],
    ['tls', [['turns:a?transport=tcp']]],
  ] as const)('keeps %s alone', (transport, urls) => {
    expect(onlyTransports(all, [transport]).map((server) => server.urls)).toEqual(urls);
  });
});
