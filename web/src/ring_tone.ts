const period_ms = 2400;

/** A soft ring, two notes at a time. Browsers allow it once the person has touched the page. */
export class RingTone {
  #context: AudioContext | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;

  start(): void {
    // A page that a program drives needs no ring, and its sound would disturb what is measured.
    if (navigator.webdriver || navigator.userActivation?.hasBeenActive === false) return;
    this.stop();
    this.#context ??= new AudioContext();
    const context = this.#context;
    void context.resume();
    this.#chime(context);
    this.#timer = setInterval(() => this.#chime(context), period_ms);
  }

  stop(): void {
    clearInterval(this.#timer);
    void this.#context?.suspend();
  }

  #chime(context: AudioContext): void {
    [659.3, 880, 659.3, 880].forEach((frequency, index) => this.#note(context, frequency, index * 0.18));
  }

  #note(context: AudioContext, frequency: number, delay_s: number): void {
    const begin = context.currentTime + delay_s;
    const tone = new OscillatorNode(context, { frequency });
    const gain = new GainNode(context, { gain: 0 });
    gain.gain.linearRampToValueAtTime(0.06, begin + 0.02);
    gain.gain.exponentialRampToValueAtTime(0.0001, begin + 0.3);
    tone.connect(gain).connect(context.destination);
    tone.start(begin);
    tone.stop(begin + 0.32);
  }
}
