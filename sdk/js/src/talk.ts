import { AppChannel } from './app_channel.js';
import type { CallDeps } from './call_deps.js';
import { CallError, causeOf } from './errors.js';
import { Emitter } from './events.js';
import { LocalMedia } from './local_media.js';
import type { Kind } from './peer.js';
import type { MediaKinds, MediaState } from './protocol.js';
import { RemoteMedia } from './remote_media.js';

/** What a call tells the app of this. */
export interface TalkEvents {
  /** The other side's media; again when a kind is added to it. */
  remotestream: [MediaStream];
  /** Our own media, as soon as a device is open; again when a device is added to it. */
  localstream: [MediaStream];
  /** What the other side sends has changed, or it has put the call on hold. */
  remotemedia: [MediaState];
  /** What we send has changed, whoever changed it: the browser's own button ends a shared screen. */
  localmedia: [MediaState];
  /** The other side's app says something. */
  message: [string | ArrayBuffer];
}

interface OwnEvents extends TalkEvents {
  /** What is to be sent of this kind from now on. */
  track: [kind: Kind, track: MediaStreamTrack | null];
  /** A device is open. */
  device: [kind: Kind];
  /** To be told to the other side. */
  state: [MediaState];
  log: [string];
}

const stateOf = ({ audio, video }: MediaKinds): MediaState => ({ audio, video, screen: false, hold: false });
const same = (one: MediaState, other: MediaState): boolean => JSON.stringify(one) === JSON.stringify(other);

/** What the two sides of a call say and show each other: microphone, camera, screen, hold, messages of the app. */
export class Talk extends Emitter<OwnEvents> {
  readonly local: LocalMedia;
  readonly remote: RemoteMedia;
  readonly app = new AppChannel();
  readonly #deps: CallDeps;
  /** What the other side knows of us; null before the answer. */
  #said: MediaState | null = null;
  /** Whether the other side was ever told more than what `dial`, `accept` and `take` say. */
  #told = false;
  /** What the app knows of us. */
  #shown: MediaState;
  #heard: MediaState;

  /** `heard`: what the other side said that it sends. */
  constructor(deps: CallDeps, heard: MediaKinds) {
    super();
    this.#deps = deps;
    this.#heard = stateOf(heard);
    this.local = new LocalMedia({ ...deps, camera_release_ms: deps.policy.camera_release_ms });
    this.remote = new RemoteMedia(deps.playAudio);
    this.#shown = this.local.state;
    this.local.on('track', (kind, track) => this.emit('track', kind, track));
    this.local.on('device', (kind) => {
      this.emit('device', kind);
      this.emit('localstream', this.local.stream);
    });
    this.local.on('changed', () => this.announce());
    this.remote.on('stream', (stream) => this.emit('remotestream', stream));
    this.app.on('message', (message) => this.emit('message', message));
    for (const part of [this.local, this.remote] as Emitter<{ log: [string] }>[]) part.on('log', (text) => this.emit('log', text));
  }

  /** What the other side's switches are at now. */
  get heard(): MediaState {
    return { ...this.#heard };
  }

  /** What is to come now of `promised`, what the other side's device has begun with: a microphone that is muted sends silence. */
  expected(promised: MediaKinds): MediaKinds {
    const { audio, video, screen, hold } = this.#heard;
    return { audio: !hold && (promised.audio || audio), video: !hold && (video || screen) };
  }

  /** Both sides want to talk, and have told each other what they begin with. */
  handleAnswered(told: MediaKinds, heard: MediaKinds): void {
    this.#said = stateOf(told);
    this.handleState(stateOf(heard));
    this.remote.handleAnswered(heard);
    this.app.handleAnswered();
  }

  handleState(state: MediaState): void {
    if (same(this.#heard, state)) return;
    this.#heard = state;
    this.emit('remotemedia', this.heard);
  }

  /**
   * Whoever passes on what is said knows of `told` alone, and has lost what was said meanwhile. The other side may still
   * believe what it has heard before.
   */
  handleForgotten(told: MediaKinds): void {
    if (!this.#said) return;
    this.#said = stateOf(told);
    if (this.#told) this.#tell();
    else this.announce();
  }

  setHold(on: boolean): void {
    this.remote.setHold(on);
    this.local.setHold(on);
    this.announce();
  }

  /** Resolves to whether the device is on; failures are reported as the client's `error`. */
  async setDevice(kind: Kind, on: boolean): Promise<boolean> {
    await this.#report(this.local.set(kind, on));
    this.announce();
    return this.local.sends(kind);
  }

  async setScreen(on: boolean): Promise<boolean> {
    await this.#report(this.local.setScreen(on));
    this.announce();
    return this.local.state.screen;
  }

  /** What came belonged to another device than the one that is talked to, or comes again. */
  reset(): void {
    this.remote.reset();
    this.app.reset();
  }

  dispose(): void {
    this.local.dispose();
    this.remote.dispose();
    this.app.close();
    this.removeAllListeners();
  }

  async #report(step: Promise<void>): Promise<void> {
    try {
      await step;
    } catch (error) {
      this.#deps.error(error instanceof CallError ? error : new CallError('error', causeOf(error)));
    }
  }

  /** Tells app and other side of what they do not know of this side yet. */
  announce(): void {
    const state = this.local.state;
    if (!same(this.#shown, state)) {
      this.#shown = state;
      this.emit('localmedia', { ...state });
    }
    if (this.#said && !same(this.#said, state)) this.#tell();
  }

  #tell(): void {
    this.#told = true;
    this.#said = this.local.state;
    this.emit('state', this.#said);
  }
}
