// What a call is played on: a world of networks, the servers in it, and browsers in its clients' namespaces. Servers and
// browsers are kept as long as the cells that follow can use them.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';

import { baselines_port, coturnCommand, coturnServers, peerjs_port } from './baselines/servers.mjs';
import { makeAuthority, trustIn } from './browsers/authority.mjs';
import { Browser } from './browsers/browser.mjs';
import { createWorld } from './network/index.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const peerjs_script = path.join(here, '../node_modules/peerjs/dist/peerjs.min.js');
const http_port = 8080;
const start_limit_ms = 20_000;
/** What a browser takes of memory at rest, generously. */
const browser_bytes = 250 * 2 ** 20;
const most_browsers = Math.max(3, Math.min(40, Math.floor(os.totalmem() / 2 / browser_bytes)));

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Stage {
  #world;
  #directory;
  #binary;
  #tls;
  #server = null;
  #baselines = null;
  #browsers = new Map();
  #closing = null;
  #serving = Promise.resolve();

  static async raise({ binary, kinds, tls, seed }) {
    const stage = new Stage();
    stage.#binary = binary;
    stage.#directory = fs.mkdtempSync(path.join(os.tmpdir(), 'offhook-lab-'));
    stage.#world = await createWorld({ kinds, seed });
    // After the world's own handler, which ends everything that still runs in its namespaces.
    process.once('exit', () => stage.#removeDirectory());
    // No network is used on trust.
    try {
      await stage.#world.prove();
    } catch (error) {
      await stage.#world.close();
      throw error;
    }
    const { v4, v6 } = stage.#world.server;
    stage.#tls = tls ? makeAuthority(stage.#directory, [v4, v6]) : null;
    return stage;
  }

  get world() {
    return this.#world;
  }

  side(role, cell) {
    return this.#world.side(role, cell[role].kind);
  }

  /** Servers, links and filters as `cell` wants them. */
  async prepare(cell) {
    // Calls that are begun together want the same server; the first starts it.
    const serve = () => (cell.product === 'offhook' ? this.#serve(cell.server_flags) : this.#serveBaselines());
    this.#serving = this.#serving.then(serve, serve);
    await this.#serving;
    for (const role of ['caller', 'callee']) {
      const side = this.side(role, cell);
      await this.#world.restore(side);
      await this.#world.setLink(side, { jitter_ms: 0, loss: 0, rate_kbit: 0, cut: false, rules: [], ...cell[role].link });
      if (cell.hands_over?.includes(role)) await this.#world.prepareHandover(side);
    }
    for (const filter of cell.filters ?? []) this.#world.filter('server', filter);
  }

  /** Undoes what prepare() did beyond links and servers. */
  tidy(cell) {
    if (cell.filters) this.#world.clearFilters('server');
  }

  async #serve(flags) {
    const wanted = JSON.stringify(flags);
    if (this.#server?.flags === wanted && !this.#server.ended) return;
    await this.#server?.stop();
    const state = fs.mkdtempSync(path.join(this.#directory, 'state-'));
    const { v4, v6 } = this.#world.server;
    const tls = this.#tls ? ['--cert', this.#tls.certificate, '--key', this.#tls.key, '--tls-port', '443'] : [];
    // Nothing filters there, and the server is told so: under ip(8) it does not see the control groups in which it would look.
    const packet_sockets = ['--packet-sockets', 'on'];
    const command = [this.#binary, 'serve', '--state-dir', state, '--listen-address', v4, '--listen-address', v6, '--http-port', String(http_port), ...packet_sockets, ...tls, ...flags];
    this.#server = new Server(this.#world, command, path.join(this.#directory, 'offhook.log'));
    this.#server.flags = wanted;
    this.#server.state = state;
    await this.#server.untilAnswers(`http://${v4}:${http_port}/readyz`);
  }

  async #serveBaselines() {
    if (this.#baselines) return;
    const { v4, v6 } = this.#world.server;
    const serve = [process.execPath, path.join(here, 'baselines/serve.mjs')];
    const pages = new Server(this.#world, serve, path.join(this.#directory, 'baselines.log'));
    const coturn = new Server(this.#world, coturnCommand({ addresses: [v4, v6], directory: this.#directory }), path.join(this.#directory, 'coturn.log'));
    this.#baselines = [pages, coturn];
    await pages.untilAnswers(`http://${v4}:${baselines_port}/`);
  }

  /** Where this side reaches the page: as its network lets it. */
  origin(role, cell) {
    const { can } = this.side(role, cell);
    const { v4, v6 } = this.#world.server;
    const host = can.v4 ? v4 : `[${v6}]`;
    if (cell.product !== 'offhook') return `http://${host}:${baselines_port}`;
    return can.tcp443_only ? `https://${host}` : `http://${host}:${http_port}`;
  }

  /** The arguments of Browser.open(). */
  pageFor(role, cell) {
    const origin = this.origin(role, cell);
    const lab_options = { ...cell.lab_options, kinds: cell.media };
    if (cell.product === 'offhook') return ['offhook', `${origin}/healthz`, { lab_options }];
    if (cell.product === 'peerjs') return ['peerjs', `${origin}/`, { scripts: [peerjs_script], lab_options }];
    return ['origin', `${origin}/`, { lab_options }];
  }

  /** What the page's driver needs to sign `side` in. */
  signInFor({ role, user }, cell) {
    const settings = { user, kinds: { audio: true, video: cell.media.includes('video') }, devices: cell.devices, options: cell.sdk_options };
    if (cell.product === 'offhook') return { ...settings, token: this.#token(user) };
    const { can } = this.side(role, cell);
    const host = can.v4 ? this.#world.server.v4 : this.#world.server.v6;
    const host_in_url = can.v4 ? host : `[${host}]`;
    const port = cell.product === 'peerjs' ? peerjs_port : baselines_port;
    return { ...settings, variant: cell.product.replace('origin-', ''), server: { host: host_in_url, host_in_url, port }, ice_servers: coturnServers(host_in_url, cell.credential_ttl_s) };
  }

  #token(user) {
    return execFileSync(this.#binary, ['token', '--user', user, '--state-dir', this.#server.state], { encoding: 'utf8' }).trim();
  }

  /** The browser of this side; the least used one goes if there are too many. */
  async browser(role, cell) {
    const { browser: kind, dns = 'none', hides_addresses = false } = cell[role];
    const side = this.side(role, cell);
    const name = [role, side.kind, kind, dns, hides_addresses].join(' ');
    const kept = this.#browsers.get(name);
    this.#browsers.delete(name);
    if (kept && !kept.gone) {
      this.#browsers.set(name, kept);
      kept.fresh = false;
      kept.in_use = true;
      return kept;
    }
    await this.#makeRoom();
    this.#world.setDns(side, dns);
    const { v4, v6 } = this.#world.server;
    const secure_origins = [v4, `[${v6}]`].flatMap((host) => [http_port, baselines_port].map((port) => `http://${host}:${port}`));
    const browser = await Browser.launch({
      kind,
      directory: this.#directory,
      in_namespace: ['ip', 'netns', 'exec', side.ns],
      secure_origins,
      hides_addresses,
      trust: this.#tls ? (home) => trustIn(home, this.#tls) : undefined,
    });
    /** Its first call starts processes for sound and pictures, and tells nothing about the product. */
    browser.fresh = true;
    browser.in_use = true;
    this.#browsers.set(name, browser);
    return browser;
  }

  /** The call is over; the browser is kept for the next one on its network. */
  release(browser) {
    browser.in_use = false;
  }

  async #makeRoom() {
    for (const browser of [...this.#browsers.values()]) {
      if (this.#browsers.size < most_browsers) return;
      if (!browser.in_use) await this.discard(browser);
    }
  }

  async discard(browser) {
    for (const [name, one] of this.#browsers) if (one === browser) this.#browsers.delete(name);
    await browser.close();
  }

  serverTail(product) {
    const servers = product === 'offhook' ? [this.#server] : (this.#baselines ?? []);
    return servers.map((server) => server?.tail() ?? '').join('\n');
  }

  /** Ends everything, once; may be called while a call is played, which fails then. */
  close() {
    return (this.#closing ??= this.#end());
  }

  async #end() {
    await Promise.all([...this.#browsers.values()].map((browser) => browser.close()));
    await Promise.all([this.#server, ...(this.#baselines ?? [])].map((server) => server?.stop()));
    await this.#world.close();
    this.#removeDirectory();
  }

  #removeDirectory() {
    fs.rmSync(this.#directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

/** A program in the server's namespace. */
class Server {
  #child;
  #log;
  #world;
  ended = null;

  constructor(world, command, log) {
    this.#log = log;
    this.#world = world;
    const out = fs.openSync(log, 'a');
    this.#child = world.exec(world.server.ns, command, { stdio: ['pipe', out, out] });
    fs.closeSync(out);
    this.name = path.basename(command[0]);
    this.exit = new Promise((resolve) => this.#child.once('exit', (code, signal) => resolve((this.ended = { code, signal }))));
  }

  tail(lines = 80) {
    return fs.readFileSync(this.#log, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  }

  /** Waits until GET `url` in its namespace answers 200. */
  async untilAnswers(url) {
    const deadline = Date.now() + start_limit_ms;
    const asking = this.#world.exec(this.#world.server.ns, [process.execPath, path.join(here, 'ask.mjs'), url, String(start_limit_ms)], { stdio: ['ignore', 'pipe', 'inherit'] });
    const answered = new Promise((resolve) => readline.createInterface({ input: asking.stdout }).once('line', resolve).once('close', () => resolve(null)));
    const first = await Promise.race([answered, this.exit, pause(deadline - Date.now())]);
    if (first !== 'ready') throw new Error(`${this.name} did not get ready: ${JSON.stringify(first ?? null)}\n${this.tail(20)}`);
  }

  async stop() {
    if (this.ended) return;
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 8000);
    await this.exit;
    clearTimeout(timer);
  }
}
