// A client in a browser of fakes, its server played by the test: the steps of a call that tests of it begin with.
import { afterEach, beforeEach, expect, vi } from 'vitest';
import { CallClient, type Call, type CallClientOptions } from '../src/index.js';
import { FakeAudio, FakeBrowser, installGlobals, settle, welcome, type FakePeerConnection, type Frame } from './fakes.js';

export let browser: FakeBrowser;
export let client: CallClient;
let seq: number;

/** Every test of the file gets a browser and a client of its own, and leaves nothing open behind. */
export function useStage(): void {
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
}

/** A client whose socket is not open yet. */
export function makeClient(options: Partial<CallClientOptions> = {}): void {
  client = new CallClient({ getToken: () => 'token', ...options }, browser);
}

export async function open(fields: object = {}): Promise<void> {
  browser.socket.onopen?.();
  await settle();
  browser.socket.receive(welcome(fields));
}

/** The server numbers from 1 again: a new session. */
export function restartNumbers(): void {
  seq = 0;
}

export async function start(options: Partial<CallClientOptions> = {}): Promise<void> {
  makeClient(options);
  await open();
  push();
}

/** The server pushes credentials; by default those that a request would give, if it gave any. */
export function push(body?: object): void {
  const { status, body: answer } = browser.credentials;
  if (body ?? status === 200) browser.socket.receive({ type: 'credentials', ...(body ?? answer) });
}

export const receive = (message: object): void => browser.socket.receive({ ...message, seq: ++seq, ack: 0 });
export const sent = (type: string): Frame[] => browser.socket.ofType(type);

export function used(): FakePeerConnection {
  const connection = browser.connections.find((one) => one.listening || one.done.length > 0);
  if (!connection) throw new Error('no connection is in use');
  return connection;
}

export async function dialled(media = { audio: true, video: true }): Promise<Call> {
  await start();
  const call = client.dial('bob', media);
  await settle();
  receive({ type: 'ringing', call: call.id });
  return call;
}

export async function answered(): Promise<Call> {
  const call = await dialled();
  receive({ type: 'accepted', call: call.id, media: { audio: true, video: true } });
  receive({ type: 'answer', call: call.id, generation: 0, sdp: 'answer', from: 'bob' });
  await settle();
  return call;
}

export async function connected(): Promise<Call> {
  const call = await answered();
  used().connect();
  await settle();
  vi.advanceTimersByTime(50);
  await settle();
  return call;
}

export async function incoming(fields: object = {}, options: Partial<CallClientOptions> = {}): Promise<Call> {
  await start(options);
  const calls: Call[] = [];
  client.on('incoming', (call) => calls.push(call));
  receive({ type: 'incoming', call: 'c_in', from: 'bob', media: { audio: true, video: false }, age_ms: 0, ...fields });
  const [call] = calls;
  if (!call) throw new Error('no incoming call');
  return call;
}

/** Lets `ms` pass in small steps, and everything happen that is due on the way. */
export async function pass(ms: number, step_ms = 50): Promise<void> {
  for (let left = ms; left > 0; left -= step_ms) {
    vi.advanceTimersByTime(Math.min(step_ms, left));
    await settle();
  }
}

export function everythingIsGivenBack(call: Call): void {
  expect(call.state).toBe('ended');
  expect(client.calls).toEqual([]);
  expect(browser.tracks.every((track) => track.stopped && track.onended === null)).toBe(true);
  expect(browser.connections.filter((connection) => connection.done.length > 0).every((one) => one.closed && !one.listening)).toBe(true);
  expect(FakeAudio.playing.size).toBe(0);
  expect(call.localStream).toBeNull();
}
