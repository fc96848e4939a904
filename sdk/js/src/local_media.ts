import { Emitter } from './events.js';
import { openDevices, type Devices, type GetUserMedia } from './media.js';
import type { Kind } from './peer.js';
import type { MediaKinds } from './protocol.js';

interface LocalMediaEvents {
  /** What is to be sent of this kind from now on. */
  track: [kind: Kind, track: MediaStreamTrack | null];
  log: [string];
}

export interface LocalMediaOptions {
  getUserMedia: GetUserMedia | null;
  /** Whether both devices open without a question to the person. */
  devicesAllowed: () => boolean;
  devices: Devices;
  camera_release_ms: number;
}

/** Microphone and camera of one call: opened, switched, and always given back. */
export class LocalMedia extends Emitter<LocalMediaEvents> {
  /** The stream under which the other side sees the tracks; empty until a device is open. */
  readonly stream = new MediaStream();
  readonly #options: LocalMediaOptions;
  #tracks = new Map<Kind, MediaStreamTrack>();
  #opening = new Map<Kind, Promise<void>>();
  #on: Record<Kind, boolean> = { audio: true, video: true };
  #release_timer: ReturnType<typeof setTimeout> | undefined;
  #disposed = false;

  constructor(options: LocalMediaOptions) {
    super();
    this.#options = options;
  }

  /** Whether something of this kind is being sent that is neither muted nor off. */
  sends(kind: Kind): boolean {
    return this.#tracks.get(kind)?.enabled ?? false;
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

  dispose(): void {
    this.#disposed = true;
    clearTimeout(this.#release_timer);
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
    this.emit('track', kind, track);
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
      this.emit('track', 'video', null);
    }, this.#options.camera_release_ms);
  }

  #close(track: MediaStreamTrack): void {
    track.onended = null;
    track.stop();
    this.stream.removeTrack(track);
  }
}

