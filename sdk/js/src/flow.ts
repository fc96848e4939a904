import { Emitter } from './events.js';
import type { Policy } from './policy.js';
import type { MediaKinds } from './protocol.js';
import type { Timeline } from './report.js';
import type { Reading, SelectedPair } from './stats.js';
import type { Talk } from './talk.js';

interface FlowEvents {
  /** A path is there, and nothing has come over it for too long. */
  late: [];
  log: [string];
}

export interface FlowOptions {
  policy: Policy;
  timeline: Timeline;
  talk: Talk;
  /** What each side has promised to send. */
  promised: () => { local: MediaKinds; remote: MediaKinds };
}

/** Reads out of a call's counters which way it goes, and whether its media flows. */
export class Flow extends Emitter<FlowEvents> {
  readonly #options: FlowOptions;
  #pair: SelectedPair | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: FlowOptions) {
    super();
    this.#options = options;
  }

  /** The two candidates that carry the call; null until there is a path. */
  get pair(): SelectedPair | null {
    return this.#pair;
  }

  /** From now on media has as long as the policy allows. */
  limit(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.emit('late'), this.#options.policy.media_timeout_ms);
  }

  unlimit(): void {
    clearTimeout(this.#timer);
  }

  /** True if what the other side promised is decoded here, and what we promised is on its way. */
  handleReading(reading: Reading): boolean {
    const { timeline, talk } = this.#options;
    if (reading.pair) this.#notePair(reading.pair);
    talk.remote.handleReading(reading);
    const decoded = talk.remote.decoded(reading);
    if (decoded.audio) timeline.markOnce('first_audio');
    if (decoded.video) timeline.markOnce('first_picture');
    return this.#flows(reading, decoded);
  }

  #flows(reading: Reading, decoded: MediaKinds): boolean {
    const { policy, timeline, talk, promised } = this.#options;
    const { local, remote } = promised();
    const expected = talk.expected(remote);
    if ((local.audio || local.video) && !talk.local.state.hold && reading.packets_sent === 0) return false;
    if ((decoded.audio || !expected.audio) && (decoded.video || !expected.video)) return true;
    const waited_ms = Math.min(timeline.elapsedSince('ice_connected'), timeline.elapsedSince('accepted'));
    return (decoded.audio || decoded.video) && waited_ms > policy.late_media_ms;
  }

  #notePair(pair: SelectedPair): void {
    const words = `${pair.local} to ${pair.remote} over ${pair.relay_protocol ?? pair.protocol}`;
    const before = this.#pair;
    if (before?.local === pair.local && before.remote === pair.remote && before.protocol === pair.protocol) return;
    this.#pair = pair;
    this.#options.timeline.mark(`pair ${words}`);
    this.emit('log', `path: ${words}`);
  }
}
