import { Emitter } from './events.js';
import type { Kind } from './peer.js';
import type { MediaKinds } from './protocol.js';
import type { Reading } from './stats.js';

const gestures = ['pointerdown', 'keydown'] as const;

interface RemoteMediaEvents {
  /** The other side's media; again when a kind is added to it. */
  stream: [MediaStream];
  log: [string];
}

/** The other side's tracks: gathered into one stream, and the sound played for apps that have no element for it. */
export class RemoteMedia extends Emitter<RemoteMediaEvents> {
  readonly #plays_audio: boolean;
  #stream: MediaStream | null = null;
  #late_video: MediaStreamTrack | null = null;
  #element: HTMLAudioElement | null = null;
  #playing = false;
  #hold = false;
  /** What the other side said that it sends; null until the call is answered. */
  #promised: MediaKinds | null = null;
  /** Tracks of a call that is not answered yet: nothing comes over them. */
  #waiting: [Kind, MediaStreamTrack][] = [];

  constructor(plays_audio: boolean) {
    super();
    this.#plays_audio = plays_audio;
  }

  get stream(): MediaStream | null {
    return this.#stream;
  }

  /** The call is answered, and the other side said what it sends. */
  handleAnswered(promised: MediaKinds): void {
    this.#promised = promised;
    for (const [kind, track] of this.#waiting.splice(0)) this.handleTrack(kind, track);
  }

  /** Plays nothing, in the app's elements neither, or everything again. */
  setHold(on: boolean): void {
    this.#hold = on;
    const waiting = this.#waiting.map(([, track]) => track);
    for (const track of [...(this.#stream?.getTracks() ?? []), ...waiting]) track.enabled = !on;
    if (this.#late_video) this.#late_video.enabled = !on;
  }

  handleTrack(kind: Kind, track: MediaStreamTrack): void {
    track.enabled = !this.#hold;
    if (!this.#promised) {
      this.#waiting.push([kind, track]);
      return;
    }
    if (kind === 'audio' && this.#plays_audio) this.#play(track);
    // A picture that is not promised would keep an element waiting for it; it is added when it comes.
    if (kind === 'video' && !this.#promised.video) this.#late_video = track;
    else this.#add(track);
  }

  /** The same from another connection: it takes the place of what came before, in the same stream. */
  replaceTrack(kind: Kind, track: MediaStreamTrack): void {
    track.enabled = !this.#hold;
    const before = this.#stream?.getTracks().filter((one) => one.kind === kind) ?? [];
    if (kind === 'audio' && this.#plays_audio) this.#play(track);
    if (kind === 'video' && !this.#promised?.video && before.length === 0) this.#late_video = track;
    else this.#add(track);
    for (const one of before) if (one !== track) this.#stream?.removeTrack(one);
  }

  handleReading(reading: Reading): void {
    if (!this.#late_video || reading.video_frames === 0) return;
    this.#add(this.#late_video);
    this.#late_video = null;
  }

  /** What has been decoded. Sound that no element plays is not decoded by browsers; then its packets must do. */
  decoded(reading: Reading): MediaKinds {
    return {
      audio: reading.audio_packets > 0 && (reading.audio_samples > 0 || !this.#playing),
      video: reading.video_frames > 0,
    };
  }

  /** What came belonged to another device than the one that is talked to. */
  reset(): void {
    this.#forgetGestures();
    if (this.#element) {
      this.#element.pause();
      this.#element.srcObject = null;
    }
    this.#element = null;
    this.#stream = null;
    this.#late_video = null;
    this.#waiting = [];
    this.#playing = false;
  }

  dispose(): void {
    const stream = this.#stream;
    this.reset();
    this.#stream = stream;
    this.removeAllListeners();
  }

  #add(track: MediaStreamTrack): void {
    this.#stream ??= new MediaStream();
    this.#stream.addTrack(track);
    this.emit('stream', this.#stream);
  }

  #play(track: MediaStreamTrack): void {
    this.#element ??= new Audio();
    this.#element.srcObject = new MediaStream([track]);
    this.#start(this.#element);
  }

  #start(element: HTMLAudioElement): void {
    element.play().then(
      () => (this.#playing = this.#element === element),
      () => {
        // Either disposed meanwhile, or the browser's autoplay rule: the next gesture starts it.
        if (this.#element !== element) return;
        for (const gesture of gestures) addEventListener(gesture, this.#handleGesture);
        this.emit('log', 'the browser plays sound only after a click or a key in this page');
      },
    );
  }

  #forgetGestures(): void {
    for (const gesture of gestures) globalThis.removeEventListener?.(gesture, this.#handleGesture);
  }

  readonly #handleGesture = (): void => {
    this.#forgetGestures();
    if (this.#element) this.#start(this.#element);
  };
}
