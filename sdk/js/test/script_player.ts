// Plays the server, and everybody else, of a script (docs/protocol-scripts.md) to one SDK client in a browser of fakes.
import { expect, vi } from 'vitest';
import { differences, filled, type Values } from '../../../tests/protocol/match.mjs';
import type { Script, Step } from '../../../tests/protocol/script.mjs';
import { CallClient, type Call } from '../src/index.js';
import type { TakeableCall } from '../src/protocol.js';
import { FakeBrowser, settle, type FakePeerConnection, type FakeSocket, type Frame } from './fakes.js';

/** What an SDK puts into these is its own; whether a pair is told, too. */
const own_fields = ['sdp', 'candidate', 'time_to_connect_ms', 'pair', 'age_ms'];
const optional_fields = ['pair', 'age_ms', 'generation'];
const unnumbered = ['hello', 'ping', 'pong', 'ack'];
/** They come when the SDK thinks fit; a step that names one takes the next. */
const aside = ['ping', 'pong', 'ack'];
const credentials = { username: '1:alice', ttl: 3600, uris: ['turn:192.0.2.1:3478'], iceServers: [{ urls: ['turn:192.0.2.1:3478'], username: 'u', credential: 'c' }] };
/** An SDK that is to open a socket has so long for it. */
const patience_ms = 5000;

type Media = { audio: boolean; video: boolean };

export class ScriptPlayer {
  readonly browser = new FakeBrowser();
  readonly client: CallClient;
  readonly #name: string;
  readonly #user: string;
  readonly #values: Values = {};
  readonly #calls: Call[] = [];
  readonly #heard: (string | ArrayBuffer)[] = [];
  /** Messages that wait for a connection. */
  #held: { place: string; template: Frame }[] = [];
  #elsewhere: Promise<TakeableCall[]> = Promise.resolve([]);
  #socket: FakeSocket | null = null;
  /** Frames of this socket that steps have named, or that may come at any time. */
  #seen = 0;
  #connections = 0;
  /** Numbered messages in each direction of the session. */
  #sent = 0;
  #received = 0;
  #acknowledged = 0;
  /** So many of the last that it has sent have not arrived. */
  #lost = 0;
  /** What the SDK has sent, by number: what it is to send again. */
  #messages: Frame[] = [];

  constructor(script: Script, name: string) {
    this.#name = name;
    this.#user = script.clients[name] ?? '';
    this.#values[`$token_${name}`] = `token of ${name}`;
    this.browser.answers_pings = true;
    this.client = new CallClient({ getToken: () => `token of ${name}`, policy: { reconnect_jitter: 0 } }, this.browser);
    this.client.on('incoming', (call) => this.#follow(call));
  }

  async play(steps: Step[]): Promise<void> {
    for (const step of steps) {
      const own = step.any_order ? step.any_order.filter(({ client }) => client === this.#name) : step.client === this.#name ? [step] : [];
      if (step.server === 'restarts') this.#cut(step.place);
      for (const one of own) await this.#carryOut(one);
    }
    await settle();
    this.#expectNothing('the end');
  }

  close(): void {
    this.client.close();
  }

  async #carryOut(step: Step): Promise<void> {
    const { place } = step;
    if (step.does) await this.#do(step.does);
    if (step.connects) await this.#open(place);
    if (step.signs_in) await this.#signIn(place, step.signs_in);
    if (step.resumes) await this.#resume(place);
    if (step.cuts) this.#cut(place);
    if (step.sends) await this.#expectFrame(place, step.sends);
    if (step.loses) {
      await this.#expectFrame(place, step.loses);
      this.#lost++;
    }
    if (step.receives && step.receives !== 'nothing' && step.receives.type !== 'credentials') await this.#receive(step.receives);
    if (step.is_closed) this.#socket?.drop(step.is_closed.code, step.is_closed.reason);
    if (step.sees) this.#see(place, step.sees);
    if (step.says) this.#expectSaid(place, step.says);
    if (step.hears) this.#hear(step.hears);
    await settle();
  }

  #cut(place: string): void {
    this.#expectNothing(`before step ${place}`);
    this.#socket?.drop();
    this.#socket = null;
  }

  /** The next socket of the SDK opens. */
  async #open(place: string): Promise<void> {
    for (let waited = 0; this.browser.sockets.length <= this.#connections; waited += 50) {
      if (waited > patience_ms) throw new Error(`step ${place}: the SDK opens no connection`);
      await this.#pass(50);
    }
    this.#connections = this.browser.sockets.length;
    this.#socket = this.browser.socket;
    this.#seen = 0;
    this.#socket.onopen?.();
    await settle();
  }

  async #signIn(place: string, fields: object): Promise<void> {
    await this.#open(place);
    await this.#expectFrame(place, { type: 'hello', version: 1, token: `token of ${this.#name}`, ...fields });
    await this.#welcome({ resumed: false, ack: 0, session: `s_${place}`, resume_token: `r_${place}` });
  }

  async #resume(place: string): Promise<void> {
    await this.#open(place);
    const [session, resume_token] = [this.#values[`$session_${this.#name}`], this.#values[`$resume_token_${this.#name}`]];
    await this.#expectFrame(place, { type: 'hello', version: 1, token: `token of ${this.#name}`, resume: { session, resume_token, ack: this.#received, attempt: '*number' } });
    const ack = this.#sent - this.#lost;
    this.#lost = 0;
    await this.#welcome({ resumed: true, ack, session: String(session), resume_token: String(resume_token) });
  }

  #welcome(fields: { resumed: boolean; ack: number; session: string; resume_token: string }): Promise<void> {
    this.#values[`$session_${this.#name}`] = fields.session;
    this.#values[`$resume_token_${this.#name}`] = fields.resume_token;
    return this.#receive({ type: 'welcome', user: this.#user, ping_interval_ms: 10_000, ring_timeout_ms: 45_000, warm_path: 'relay', ...fields });
  }

  /** The SDK gets this frame. What the script leaves open gets a value of its kind. */
  async #receive(template: Frame): Promise<void> {
    const frame = filled(template, this.#values, (word) => (word === '*number' ? 0 : word.startsWith('$') ? `${word.slice(1)}_of_the_player` : 'Something.'));
    if (frame.type === 'welcome' && frame['resumed'] === false) {
      [this.#sent, this.#received, this.#acknowledged, this.#messages] = [0, 0, 0, []];
    }
    const is_numbered = ![...unnumbered, 'welcome', 'credentials'].includes(frame.type);
    this.#socket?.receive(is_numbered ? { ...frame, seq: ++this.#received, ack: this.#sent } : frame);
    if (frame.type !== 'welcome') return;
    if (frame['resumed'] === true) this.#expectAgain(Number(frame['ack']));
    this.#socket?.receive({ type: 'credentials', ...credentials });
    for (const { place, template: held } of this.#held.splice(0)) await this.#expectFrame(place, held);
  }

  /** After a resume the SDK sends at once what the server has not acknowledged, with the numbers it had. */
  #expectAgain(ack: number): void {
    for (const message of this.#messages.splice(ack)) {
      const { ack: _ack, ...again } = this.#take(message.type) ?? { type: 'nothing' };
      expect(again).toEqual(message);
      this.#messages.push(message);
    }
  }

  /** The next frame of the SDK that is not one of those that come as it thinks fit. */
  #take(type: string): Frame | undefined {
    const frames = this.#socket?.sent ?? [];
    while (this.#seen < frames.length) {
      const frame = frames[this.#seen++];
      if (frame && (frame.type === type || !aside.includes(frame.type))) return frame;
    }
    return undefined;
  }

  async #expectFrame(place: string, template: Frame): Promise<void> {
    await settle();
    // Without a connection it waits, and goes out with the next welcome.
    if (!this.#socket) return void this.#held.push({ place, template });
    const frame = this.#take(template.type);
    if (!frame) throw new Error(`step ${place}: expected the SDK to send ${JSON.stringify(template)}, and it sends nothing`);
    const { seq, ack, ...rest } = frame;
    if (!unnumbered.includes(frame.type)) {
      expect({ place, seq }).toEqual({ place, seq: ++this.#sent });
      expect(ack, `step ${place}: what it acknowledges`).toBeGreaterThanOrEqual(this.#acknowledged);
      expect(ack, `step ${place}: what it acknowledges`).toBeLessThanOrEqual(this.#received);
      this.#acknowledged = Number(ack);
      this.#messages.push({ ...rest, seq } as Frame);
    }
    const { seq: _seq, ack: _ack, ...expected } = template;
    const wrong = differences(expected, this.#withoutOwn(rest as Frame, expected), this.#values);
    if (wrong.length > 0) throw new Error(`step ${place}: expected ${JSON.stringify(expected)}\ngot ${JSON.stringify(rest)}\n${wrong.join('\n')}`);
  }

  #withoutOwn(frame: Frame, expected: Record<string, unknown>): Frame {
    const same = { ...frame };
    for (const field of own_fields) if (field in expected && (field in frame || optional_fields.includes(field))) same[field] = expected[field];
    for (const field of optional_fields) if (!(field in expected)) delete same[field];
    return same;
  }

  #expectNothing(place: string): void {
    const frame = this.#take('');
    if (frame) throw new Error(`${place}: the SDK sends ${JSON.stringify(frame)}, and the script has nothing of it`);
  }

  get #call(): Call {
    const call = this.#calls.at(-1);
    if (!call) throw new Error('there is no call yet');
    return call;
  }

  #follow(call: Call): void {
    this.#calls.push(call);
    call.on('message', (message) => this.#heard.push(message));
  }

  /** The connection that the call is made over now. */
  get #connection(): FakePeerConnection {
    const connection = this.browser.connections.filter((one) => one.listening).at(-1);
    if (!connection) throw new Error('no connection is in use');
    return connection;
  }

  async #do(action: Record<string, unknown>): Promise<void> {
    const [verb, what] = Object.entries(action)[0] ?? [];
    const verbs: Record<string, (of: never) => unknown> = {
      dial: ({ to, media, call }: { to: string; media: Media; call: string }) => this.#follow(this.client.dial(to, media, call)),
      accept: (media: Media) => this.#call.accept(media),
      reject: ({ reason, here }: { reason?: 'declined'; here?: boolean }) => this.#call.reject(reason, { here: here ?? false }),
      ignore: () => this.#call.ignore(),
      hang_up: () => this.#call.end(),
      hold: (on: boolean) => this.#call.setHold(on),
      screen: (on: boolean) => this.#call.setScreen(on),
      camera: (on: boolean) => this.#call.setCamera(on),
      gather: (candidate: string) => this.#connection.onicecandidate?.({ candidate: candidate === '' ? null : { candidate, sdpMid: '0', sdpMLineIndex: 0 } }),
      connect_media: () => this.#connectMedia(),
      lose_path: () => this.#connection.setIce('failed'),
      say: (text: string) => expect(this.#call.send(text)).toBeNull(),
      send_tones: (tones: string) => expect(this.#call.sendDtmf(tones)).toBeNull(),
      ask_elsewhere: () => (this.#elsewhere = this.client.callsElsewhere()),
      take: (media: Media) => void this.#elsewhere.then(([call]) => call && this.#follow(this.client.take(call, media))),
      // What the server refuses is told by the next step.
      block: (user: string) => void this.client.block(user).catch(() => undefined),
      unblock: (user: string) => void this.client.unblock(user).catch(() => undefined),
      deny_devices: () => (this.browser.denial = new DOMException('no', 'NotAllowedError')),
      sign_out: () => this.client.close(),
    };
    const act = verbs[verb ?? ''];
    if (!act) throw new Error(`this player knows no '${verb}'`);
    act(what as never);
    await settle();
    // A path that is lost is repaired after a while: the callee's side gives the caller's a start.
    if (verb === 'lose_path') await this.#pass(500);
  }

  async #connectMedia(): Promise<void> {
    const connection = this.#connection;
    connection.connect();
    connection.connectionState = 'connected';
    for (const channel of connection.channels) channel.open();
    await settle();
    await this.#pass(50);
  }

  async #pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 50) {
      vi.advanceTimersByTime(50);
      await settle();
    }
  }

  #see(place: string, what: Record<string, unknown>): void {
    const { state, reason, ...remote } = what;
    const call = this.#call;
    if (state !== undefined) expect({ place, state: call.state }).toEqual({ place, state });
    if (reason !== undefined) expect({ place, reason: call.report().end_reason }).toEqual({ place, reason });
    if ('remote' in remote) expect({ place, remote: call.remoteMedia }).toEqual({ place, remote: remote['remote'] });
    if ('message' in remote) expect({ place, message: this.#heard.shift() }).toEqual({ place, message: remote['message'] });
    if ('tones' in remote) expect(this.#connection.transceivers[0]?.sender.dtmf.toneBuffer).toBe(remote['tones']);
  }

  /** What goes from device to device, over the data channel of this id. */
  #expectSaid(place: string, { channel, ...expected }: Record<string, unknown>): void {
    const { sent, frames } = this.#connection.channels[Number(channel)] ?? { sent: [], frames: [] };
    const text = sent.shift();
    const got: unknown = text === undefined ? readFrame(frames.shift()) : JSON.parse(text);
    const wrong = differences(expected, got, this.#values);
    if (wrong.length > 0) throw new Error(`step ${place}: expected ${JSON.stringify(expected)} over channel ${channel}\n${wrong.join('\n')}`);
  }

  #hear({ channel, ...template }: Record<string, unknown>): void {
    const frame = filled(template, this.#values, () => 7);
    this.#connection.channels[Number(channel)]?.receive('kind' in frame ? frameOf(frame as unknown as AppFrame) : frame);
  }
}

/** A frame of the channel with id 1, as docs/protocol.md has it. */
interface AppFrame {
  kind: number;
  sender: number;
  number: number;
  text?: string;
}

function readFrame(frame: ArrayBuffer | undefined): AppFrame | undefined {
  if (!frame) return undefined;
  const view = new DataView(frame);
  const text = new TextDecoder().decode(frame.slice(9));
  return { kind: view.getUint8(0), sender: view.getUint32(1), number: view.getUint32(5), ...(text === '' ? {} : { text }) };
}

function frameOf({ kind, sender, number, text = '' }: AppFrame): ArrayBuffer {
  const bytes = new TextEncoder().encode(text);
  const frame = new Uint8Array(9 + bytes.length);
  const view = new DataView(frame.buffer);
  view.setUint8(0, kind);
  view.setUint32(1, sender);
  view.setUint32(5, number);
  frame.set(bytes, 9);
  return frame.buffer;
}
