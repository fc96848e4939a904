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
afterEach(() => {
  servers.stop();
  vi.useRealTimers();
});

describe('credentials', () => {
  it('are fetched with the token and told in the log', async () => {
    servers.start();
    await settle();
    expect(browser.requests).toEqual([{ url: 'https://calls.example/api/turn/credentials', authorization: 'Bearer token1' }]);
    expect(servers.servers).toEqual([{ urls: ['turn:192.0.2.1:3478'], username: 'u', credential: 'c' }]);
    expect(lines).toEqual(['TURN loaded (1 URIs, TTL: 3600 s)', 'Username: 1:alice', 'URIs: [turn:192.0.2.1:3478]']);
  });

  it('are renewed at half their life', async () => {
    servers.start();
    await settle();
    vi.advanceTimersByTime(1_799_999);
    expect(browser.requests).toHaveLength(1);
    vi.advanceTimersByTime(1);
    await settle();
    expect(browser.requests).toHaveLength(2);
    expect(vi.getTimerCount()).toBe(1);
  });

  it('stay in use when the renewal fails, which is tried again', async () => {
    servers.start();
    await settle();
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
    servers.start();
    await settle();
    expect(browser.requests.map((request) => request.authorization)).toEqual(['Bearer token1', 'Bearer token2']);
  });

  it('are waited for by a dial, but not for ever', async () => {
    const waited = servers.wait(3000);
    expect(await waited).toBeNull();
    servers.start();
    const second = servers.wait(3000);
    await settle();
    expect(await second).toHaveLength(1);
  });

  it('an answer that lacks fields is an error with a cause', async () => {
    browser.credentials = { status: 200, body: { ttl: 5 } };
    servers.start();
    await settle();
    expect(lines[0]).toMatch(/no iceServers or ttl/);
    expect(servers.servers).toBeNull();
  });

  it('nothing runs after stop', async () => {
    servers.start();
    await settle();
    servers.stop();
    expect(vi.getTimerCount()).toBe(0);
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
