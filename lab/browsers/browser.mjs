// The runner's hold on one browser that an agent drives in a client's network namespace.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';

const agent = fileURLToPath(new URL('./agent.mjs', import.meta.url));
const here = path.dirname(agent);
const answer_limit_ms = 90_000;
const quit_limit_ms = 10_000;
const witness = [path.join(here, '../../tests/e2e/page_frames.js'), path.join(here, 'witness.js')];

export class Browser {
  #process;
  #waiting = new Map();
  #next = 1;
  #errors = '';
  #ended;

  /** Its home is made in `directory`. `in_namespace` are the words that run a command there, for example ['ip', 'netns', 'exec', NAME]. */
  static async launch({ kind, directory, in_namespace = [], ...options }) {
    const browser = new Browser();
    browser.kind = kind;
    browser.home = fs.mkdtempSync(path.join(directory, 'home-'));
    if (options.trust) options.trust(browser.home);
    browser.#start([...in_namespace, process.execPath, agent]);
    const { trust: _trust, ...launching } = options;
    try {
      browser.version = await browser.ask('launch', { kind, home: browser.home, ...launching });
    } catch (error) {
      await browser.close();
      throw error;
    }
    return browser;
  }

  #start([command, ...args]) {
    // The browser's own temporary files go with its home.
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true, env: { ...process.env, TMPDIR: this.home } });
    this.#process = child;
    live.add(this);
    child.stderr.on('data', (text) => (this.#errors = (this.#errors + text).slice(-4000)));
    readline.createInterface({ input: child.stdout }).on('line', (line) => this.#handleLine(line));
    // A write to an agent that is gone shows as its end.
    child.stdin.on('error', () => undefined);
    this.#ended = new Promise((resolve) => {
      child.once('error', resolve);
      child.once('exit', (code, signal) => resolve(new Error(`the agent ended (${signal ?? code}): ${this.#errors.trim()}`)));
    }).then((error) => {
      this.gone = error;
      live.delete(this);
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    });
  }

  #handleLine(line) {
    const { id, value, error } = JSON.parse(line);
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error !== undefined) waiting?.reject(new Error(error));
    else waiting?.resolve(value);
  }

  /** One request to the agent. Rejects if it fails there, or is not answered in time. */
  ask(verb, body = {}, limit_ms = answer_limit_ms) {
    if (this.gone) return Promise.reject(this.gone);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Error(`${this.kind}: no answer to '${verb}' within ${limit_ms} ms`));
      }, limit_ms);
      const settle = (done) => (value) => {
        clearTimeout(timer);
        done(value);
      };
      this.#waiting.set(id, { resolve: settle(resolve), reject: settle(reject) });
      this.#process.stdin.write(`${JSON.stringify({ id, do: verb, ...body })}\n`);
    });
  }

  /** A fresh page of `product` at `url`, with the witness in it. */
  open(product, url, { scripts = [], lab_options } = {}) {
    return this.ask('open', { url, scripts: [...witness, ...scripts, path.join(here, 'pages', `${product}.js`)], lab_options });
  }

  /** A verb of the page's driver. */
  lab(name, ...args) {
    return this.ask('run', { of: '__lab', name, args });
  }

  witness(name, ...args) {
    return this.ask('run', { of: '__witness', name, args });
  }

  /** Everything that helps to understand a failure. Never throws: the page may be what failed. */
  async evidence(screenshot) {
    const asked = { driver: this.lab('describe'), witness: this.witness('evidence'), lines: this.ask('lines'), screenshot: this.ask('screenshot', { file: screenshot }) };
    const entries = Object.entries(asked).map(async ([name, answer]) => [name, await answer.catch((error) => String(error))]);
    return Object.fromEntries(await Promise.all(entries));
  }

  async close() {
    if (!this.gone) {
      this.#process.stdin.end();
      const timer = setTimeout(() => this.kill(), quit_limit_ms);
      await this.#ended;
      clearTimeout(timer);
    }
    // A browser that had to be killed may still be at it; what it leaves goes with the directory.
    fs.rmSync(this.home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }

  /** The agent's group; the browser, which has one of its own, ends with the pipe to the agent or with its namespace. */
  kill() {
    try {
      process.kill(-this.#process.pid, 'SIGKILL');
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
  }
}

const live = new Set();
process.on('exit', () => {
  for (const browser of live) browser.kill();
});
