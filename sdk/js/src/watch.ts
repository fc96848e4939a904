import { Emitter } from './events.js';
import type { Policy } from './policy.js';
import { read, type Reading } from './stats.js';

/** Reads the media counters of a call: often until it is connected, seldom afterwards. */
export class Watch extends Emitter<{ reading: [Reading] }> {
  readonly #stats: () => Promise<RTCStatsReport>;
  readonly #policy: Policy;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running = false;
  #interval_ms: number;

  constructor(stats: () => Promise<RTCStatsReport>, policy: Policy) {
    super();
    this.#stats = stats;
    this.#policy = policy;
    this.#interval_ms = policy.poll_ms;
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    void this.#look();
  }

  slowDown(): void {
    this.#interval_ms = this.#policy.watch_ms;
  }

  stop(): void {
    this.#running = false;
    clearTimeout(this.#timer);
    this.removeAllListeners();
  }

  async #look(): Promise<void> {
    // A connection that is closed meanwhile rejects; then there is nothing left to read.
    const report = await this.#stats().catch(() => null);
    if (!this.#running) return;
    if (report) this.emit('reading', read(report));
    if (this.#running) this.#timer = setTimeout(() => void this.#look(), this.#interval_ms);
  }
}
