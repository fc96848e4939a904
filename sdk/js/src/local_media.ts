import { Emitter } from './events.js';
import { openDevices, openScreen, type Devices, type GetUserMedia } from './media.js';
import type { Kind } from './peer.js';
import type { MediaKinds, MediaState } from './protocol.js';

interface LocalMediaEvents {
  /** What is to be sent of this kind from now on. */
  track: [kind: Kind, track: MediaStreamTrack | null];
  /** A device is open. */
  device: [kind: Kind];
  /** What is sent has changed by itself. */
  changed: [];
  log: [string];
}

export interface LocalMediaOptions {
  getUserMedia: GetUserMedia | null;
  getDisplayMedia: GetUserMedia | null;
  /** Whether both devices open without a question to the person. */
  devicesAllowed: () => boolean;
  devices: Devices;
  camera_release_ms: number;
}

/** Microphone, camera and screen of one call: opened, switched, and always given back. */
export class LocalMedia extends Emitter<LocalMediaEvents> {
  /** The devices that are open; also the stream under which the other side sees what is sent. */
  readonly stream = new MediaStream();
  readonly #options: LocalMediaOptions;
  #tracks = new Map<Kind, MediaStreamTrack>();
  #opening = new Map<Kind, Promise<void>>();
  #on: Record<Kind, boolean> = { audio: true, video: true };
  #release_timer: ReturnType<typeof setTimeout> | undefined;
  #screen: MediaStreamTrack | null = null;
  #screen_wanted = false;
  #screen_opening: Promise<void> | null = null;
  #hold = false;
  #disposed = false;

  constructor(options: LocalMediaOptions) {
    super();
    this.#options = options;
  }

  /** Whether something of this kind is being sent that is neither muted nor off. */
  sends(kind: Kind): boolean {
    return this.#tracks.get(kind)?.enabled ?? false;
  }

  /** The switches as they are; a device that is being opened counts as on. */
  get state(): MediaState {
    const is_on = (kind: Kind): boolean => this.#on[kind] && (this.#tracks.has(kind) || this.#opening.has(kind));
    return { audio: is_on('audio'), video: is_on('video'), screen: this.#screen !== null, hold: this.#hold };
  }

  /** What is to be sent of this kind now. */
  sending(kind: Kind): MediaStreamTrack | null {
    if (this.#hold) return null;
    return (kind === 'video' ? this.#screen : null) ?? this.#tracks.get(kind) ?? null;
  }

  /** Of the device of this kind, which may still be opened; null if none is open. To be stopped by whoever has it. */
  async copy(kind: Kind): Promise<MediaStreamTrack | null> {
    if (!this.#tracks.has(kind)) await this.#opening.get(kind)?.catch(() => undefined);
    return this.#tracks.get(kind)?.clone() ?? null;
  }

  /** Rejects with a CallError `media_denied`. */
  open(kinds: MediaKinds): Promise<void> {
    if (this.#disposed) return Promise.resolve();
    const opening = this.#openTogether(kinds);
    for (const kind of ['audio', 'video'] as const) {
      if (kinds[kind]) this.#opening.set(kind, opening);
    }
    const forget = (): void => this.#opening.clear();
    opening.then(forget, forget);
    return opening;
  }

  /** Switches microphone or camera; opens the device if it is not open yet. Rejects with a CallError if it cannot. */
  async set(kind: Kind, on: boolean): Promise<void> {
    this.#on[kind] = on;
    const track = this.#tracks.get(kind);
    if (track) track.enabled = on;
    else if (on) await (this.#opening.get(kind) ?? this.open({ audio: kind === 'audio', video: kind === 'video' }));
    if (kind === 'video') this.#scheduleRelease();
  }

  /** Sends nothing, or again what is on. The devices stay as they are. */
  setHold(on: boolean): void {
    if (this.#hold === on) return;
    this.#hold = on;
    for (const kind of ['audio', 'video'] as const) this.#send(kind);
  }

  /** Sends a screen that the person chooses in the place of the camera, or the camera again. Rejects with a CallError. */
  async setScreen(on: boolean): Promise<void> {
    this.#screen_wanted = on;
    if (!on) return this.#closeScreen();
    if (this.#screen || this.#disposed) return;
    const forget = (): void => void (this.#screen_opening = null);
    this.#screen_opening ??= this.#openScreen().finally(forget);
    await this.#screen_opening;
  }

  dispose(): void {
    this.#disposed = true;
    clearTimeout(this.#release_timer);
    this.#closeScreen();
    for (const track of this.#tracks.values()) this.#close(track);
    this.#tracks.clear();
    this.removeAllListeners();
  }

  /** The microphone does not wait for the camera; but a person who has to be asked is asked once for both. */
  async #openTogether(kinds: MediaKinds): Promise<void> {
    if (!kinds.audio || !kinds.video || !this.#options.devicesAllowed()) return this.#open(kinds);
    await Promise.all([this.#open({ audio: true, video: false }), this.#open({ audio: false, video: true })]);
  }

  async #open(kinds: MediaKinds): Promise<void> {
    const tracks = await openDevices(this.#options.getUserMedia, this.#options.devices, kinds);
    for (const track of tracks) this.#take(track);
  }

  #take(track: MediaStreamTrack): void {
    // The call may have ended while the person was asked.
    if (this.#disposed) return track.stop();
    const kind = track.kind as Kind;
    track.enabled = this.#on[kind];
    track.onended = () => this.emit('log', `${kind === 'audio' ? 'microphone' : 'camera'} was taken away`);
    this.#tracks.set(kind, track);
    this.stream.addTrack(track);
    this.#send(kind);
    this.emit('device', kind);
    // It may have been switched off while the person was asked.
    if (kind === 'video') this.#scheduleRelease();
  }

  /** A camera that is off shows black for a moment, so that the other side does not keep the last picture; then its light goes out. */
  #scheduleRelease(): void {
    clearTimeout(this.#release_timer);
    const track = this.#tracks.get('video');
    if (!track || track.enabled) return;
    this.#release_timer = setTimeout(() => {
      this.#tracks.delete('video');
      this.#close(track);
      this.#send('video');
    }, this.#options.camera_release_ms);
  }

  async #openScreen(): Promise<void> {
    const screen = await openScreen(this.#options.getDisplayMedia);
    // The person may have thought better of it, or the call may have ended, while they chose.
    if (this.#disposed || !this.#screen_wanted) return screen.stop();
    this.#screen = screen;
    // The browser has a button of its own that ends it.
    screen.onended = () => {
      this.#closeScreen();
      this.emit('changed');
    };
    this.#send('video');
  }

  #closeScreen(): void {
    const screen = this.#screen;
    if (!screen) return;
    this.#screen = null;
    screen.onended = null;
    screen.stop();
    this.#send('video');
  }

  #send(kind: Kind): void {
    this.emit('track', kind, this.sending(kind));
  }

  #close(track: MediaStreamTrack): void {
    track.onended = null;
    track.stop();
    this.stream.removeTrack(track);
  }
}

