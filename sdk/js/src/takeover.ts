import { Emitter } from './events.js';
import type { Link } from './link.js';
import type { Kind } from './peer.js';
import type { MediaKinds } from './protocol.js';
import type { Reading } from './stats.js';

/** Sound that no element plays is not decoded by every browser; so many packets of 20 ms must do. */
const enough_audio_packets = 5;

interface TakeoverEvents {
  /** From now on this kind is to be taken from the new connection. */
  track: [kind: Kind, track: MediaStreamTrack];
  /** Everything is. */
  done: [];
}

/** Looks when a new connection can take the place of one that still plays: kind by kind, as it comes over the new one. */
export class Takeover extends Emitter<TakeoverEvents> {
  readonly link: Link;
  readonly #old: Link;
  readonly #wait_ms: number;
  #tracks = new Map<Kind, MediaStreamTrack>();
  /** What the other side said that it sends, and has not come here yet. */
  #missing: Set<Kind>;
  #any = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(link: Link, old: Link, promised: MediaKinds, wait_ms: number) {
    super();
    this.link = link;
    this.#old = old;
    this.#wait_ms = wait_ms;
    this.#missing = new Set((['audio', 'video'] as const).filter((kind) => promised[kind]));
  }

  handleTrack(kind: Kind, track: MediaStreamTrack): void {
    this.#tracks.set(kind, track);
  }

  handleReading(reading: Reading): void {
    const flows = {
      audio: reading.audio_samples > 0 || reading.audio_packets >= enough_audio_packets,
      video: reading.video_frames > 0,
    };
    for (const kind of [...this.#missing]) if (flows[kind]) this.#take(kind);
    if (this.#missing.size === 0 && this.link.ready) this.#finish();
    // What is promised may not be sent at all: a camera that is off.
    else this.#timer ??= setTimeout(() => this.#handleLate(), this.#wait_ms);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#tracks.clear();
    this.removeAllListeners();
  }

  /** Nothing is given up for a connection over which nothing comes. */
  #handleLate(): void {
    this.#timer = undefined;
    if (this.link.ready && (this.#any || !this.#old.well)) this.#finish();
  }

  #take(kind: Kind): void {
    const track = this.#tracks.get(kind);
    this.#tracks.delete(kind);
    this.#missing.delete(kind);
    this.#any = true;
    if (track) this.emit('track', kind, track);
  }

  #finish(): void {
    for (const kind of [...this.#tracks.keys()]) this.#take(kind);
    this.emit('done');
  }
}
