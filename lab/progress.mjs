// How far a run is, and how long it will still take.

const minutes = (ms) => (ms > 5_400_000 ? `${(ms / 3_600_000).toFixed(1)} h` : `${Math.max(1, Math.round(ms / 60_000))} min`);
const shown = (value) => (value === null || value === undefined ? '-' : String(value));

export class Progress {
  #calls;
  #rounds;
  #begun_at = Date.now();
  #done = 0;
  #guess_ms;

  #before;

  /** `calls` a round; `rounds` is {count} or {until}, a moment; `before` have been made by a run that was cut off. */
  constructor({ calls, guess_ms, rounds, before }) {
    this.#calls = calls;
    this.#before = before;
    this.#guess_ms = guess_ms;
    this.#rounds = rounds;
  }

  /** Whether round `round` is to be begun: with a moment to end at, only if most of it fits. */
  goesOn(round) {
    if (this.#rounds.count !== undefined) return round <= this.#rounds.count;
    return round === 1 || Date.now() + (this.#mean_ms * this.#calls) / 2 < this.#rounds.until;
  }

  get #mean_ms() {
    return this.#done === 0 ? this.#guess_ms : (Date.now() - this.#begun_at) / this.#done;
  }

  get #remaining_ms() {
    const until = this.#rounds.until;
    if (until !== undefined) return Math.max(0, until - Date.now());
    return Math.max(0, this.#calls * this.#rounds.count - this.#before - this.#done) * this.#mean_ms;
  }

  tell(row, round) {
    this.#done += 1;
    const { accept_to_audio: audio } = row.times ?? {};
    const media = audio ? `audio ${shown(audio.caller)}/${shown(audio.callee)} ms` : row.reason;
    const moved = row.handover ? `, silent for ${row.handover.longest_silence_ms} ms` : '';
    const busy = row.saturated ? ', processors full' : '';
    const spent = Date.now() - this.#begun_at;
    const share = Math.round((100 * spent) / (spent + this.#remaining_ms));
    const words = row.outcome === 'ok' ? 'ok     ' : row.outcome === 'failed' ? 'FAILED ' : 'not run';
    console.log(`[${String(share).padStart(3)} %, ${minutes(this.#remaining_ms)} left] ${words} round ${round} ${row.cell}: ${media}${moved}${busy}`);
  }
}
