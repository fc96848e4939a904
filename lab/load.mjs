// How busy the machine's processors were: a time measured while they were full says nothing about the product.

import fs from 'node:fs';

const sample_ms = 100;
const kept_ms = 120_000;
/** Above this share of all processors the machine counts as full. */
export const full = 0.97;

function readTicks() {
  const [, ...ticks] = fs.readFileSync('/proc/stat', 'utf8').split('\n', 1)[0].split(/\s+/);
  const [user, nice, system, idle, iowait, irq, softirq, steal] = ticks.map(Number);
  // What runs at a low priority gives way, but not at once, and not the other half of a core.
  return { busy: user + nice + system + irq + softirq, steal, idle: idle + iowait };
}

export class Load {
  #samples = [];
  #last = readTicks();
  #timer = setInterval(() => this.#sample(), sample_ms).unref();

  #sample() {
    const now = readTicks();
    const at = Date.now();
    const [busy, steal, idle] = ['busy', 'steal', 'idle'].map((name) => now[name] - this.#last[name]);
    this.#last = now;
    const all = busy + steal + idle;
    if (all > 0) this.#samples.push({ at, used: (busy + steal) / all, steal: steal / all });
    while (this.#samples.length > 0 && this.#samples[0].at < at - kept_ms) this.#samples.shift();
  }

  /** Mean and highest use between two moments of Date.now(), samples of a tenth of a second. */
  between(from, to) {
    const seen = this.#samples.filter(({ at }) => at >= from && at <= to + sample_ms);
    if (seen.length === 0) return null;
    const mean = (name) => Math.round((seen.reduce((sum, one) => sum + one[name], 0) / seen.length) * 1000) / 1000;
    return { mean: mean('used'), highest: Math.max(...seen.map(({ used }) => Math.round(used * 1000) / 1000)), steal: mean('steal') };
  }

  stop() {
    clearInterval(this.#timer);
  }
}
