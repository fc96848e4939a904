// The program behind every link (lab/link): orders out, answers in, in the same order.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export function forwarderBinary() {
  const candidates = [process.env.OFFHOOK_LAB_LINK, `${ROOT}build/release/lab/lab_link`, `${ROOT}build/dev/lab/lab_link`];
  return candidates.find((path) => path && existsSync(path)) ?? null;
}

export class Forwarder {
  constructor() {
    const binary = forwarderBinary();
    if (!binary) throw new Error('lab: lab_link is not built: tools/build dev lab_link');
    this.child = spawn(binary, [], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.waiting = [];
    this.gone = null;
    this.closed = new Promise((resolve) => {
      const end = (reason) => {
        this.gone = new Error(`lab: lab_link ended: ${reason}`);
        for (const { reject } of this.waiting.splice(0)) reject(this.gone);
        resolve();
      };
      this.child.once('exit', (status, signal) => end(signal ?? `exit status ${status}`));
      this.child.once('error', (error) => end(error.message));
    });
    this.child.stdin.on('error', () => {}); // the 'exit' that follows tells every waiting order
    createInterface({ input: this.child.stdout }).on('line', (line) => this.#answered(line));
  }

  get pid() {
    return this.child.pid;
  }

  #answered(line) {
    const { order, resolve, reject } = this.waiting.shift();
    const answer = JSON.parse(line);
    if (answer.ok) resolve(answer);
    else reject(new Error(`lab: lab_link: ${order}: ${answer.error}`));
  }

  /** @param {string} order see lab/link/orders.h */
  order(order) {
    if (this.gone) return Promise.reject(this.gone);
    return new Promise((resolve, reject) => {
      this.waiting.push({ order, resolve, reject });
      this.child.stdin.write(order + '\n');
    });
  }

  async close() {
    this.child.stdin.end();
    await this.closed;
  }
}

const NUMBERS = ['delay_ms', 'jitter_ms', 'rate_kbit', 'queue_ms'];
const SWITCHES = ['cut', 'reorder'];

/**
 * What a link does to packets; what is not named stays as it is.
 * @typedef {object} Conditions
 * @property {number} [delay_ms] one way
 * @property {number} [jitter_ms] to either side of the delay, uniform; order is kept unless `reorder`
 * @property {number} [loss] share of packets, 0 to 1
 * @property {number} [loss_percent] the same, 0 to 100
 * @property {number} [rate_kbit] 0: unlimited
 * @property {number} [queue_ms] how much the rate limit queues before it drops
 * @property {boolean} [cut] everything is dropped
 * @property {boolean} [reorder]
 * @property {{proto: 'tcp'|'udp', port: number, delay_ms: number}[]} [rules] a delay of its own for a port, at either end
 */
function words(conditions) {
  const all = [];
  for (const [key, value] of Object.entries(conditions)) {
    if (value === undefined || key === 'up' || key === 'down') continue;
    if (NUMBERS.includes(key)) all.push(key, Number(value));
    else if (SWITCHES.includes(key)) all.push(key, value ? 1 : 0);
    else if (key === 'loss') all.push(key, checkedLoss(value));
    else if (key === 'loss_percent') all.push('loss', checkedLoss(value / 100));
    else if (key === 'rules') all.push(key, value.map((rule) => `${rule.proto}:${rule.port}:${rule.delay_ms}`).join(',') || 'none');
    else throw new Error(`lab: a link has no '${key}'`);
  }
  return all;
}

function checkedLoss(share) {
  if (!(share >= 0 && share <= 1)) throw new Error(`lab: loss is a share from 0 to 1, not ${share}`);
  return share;
}

/** Orders that bring about the conditions; `up` (towards the internet) and `down` hold what differs by direction. */
export function setOrders(id, conditions) {
  return [['both', conditions], ['up', conditions.up ?? {}], ['down', conditions.down ?? {}]]
    .map(([direction, part]) => [direction, words(part)])
    .filter(([, list]) => list.length > 0)
    .map(([direction, list]) => `set ${id} ${direction} ${list.join(' ')}`);
}
