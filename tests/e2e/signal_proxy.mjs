// A proxy between one browser and the server: HTTP passes as it is, frames of the WebSocket pass through an order
// that the test chooses, and the socket can be cut like a network does it: without a goodbye.

import { EventEmitter, once } from 'node:events';
import http from 'node:http';

import { WebSocket, WebSocketServer } from 'ws';

import { asTheyCome } from './orders.mjs';
import { freePort } from './processes.mjs';

export class SignalProxy extends EventEmitter {
  #links = new Set();
  #refusing = false;
  #cut_at = null;
  /** Makes the order of one connection's direction; see orders.mjs. */
  to_server = asTheyCome;
  to_browser = asTheyCome;
  /** Candidates that were passed before the description they belong to. */
  overtakings = { to_server: 0, to_browser: 0 };
  /** Candidates that the server gave before the description they belong to (docs/protocol.md, "Causality"). */
  violations = [];
  connections = 0;
  #described = new Set();

  #keeps_origin = false;

  /** `keeps_origin`: to the server its pages are those of a stranger. */
  static async start(origin, { keeps_origin = false } = {}) {
    const proxy = new SignalProxy();
    proxy.#keeps_origin = keeps_origin;
    proxy.upstream = new URL(origin);
    proxy.server = http.createServer((request, response) => proxy.#passRequest(request, response));
    proxy.acceptor = new WebSocketServer({ noServer: true, perMessageDeflate: false });
    proxy.server.on('upgrade', (request, socket, head) => proxy.#passUpgrade(request, socket, head));
    const port = await freePort();
    proxy.server.listen(port, '127.0.0.1');
    await once(proxy.server, 'listening');
    proxy.origin = `http://127.0.0.1:${port}`;
    return proxy;
  }

  /** Cuts every socket; with `refuse` no new one is let through until restore(). */
  cut({ refuse = false } = {}) {
    this.#refusing = refuse;
    for (const link of this.#links) link.cut();
  }

  restore() {
    this.#refusing = false;
  }

  /** Cuts once, when a frame of `type` passes in `direction`: before it is passed on, or right after. */
  cutAt({ direction, type, passed, refuse = false }) {
    const done = once(this, 'cut-at');
    this.#cut_at = { direction, type, passed, refuse };
    return done;
  }

  async close() {
    for (const link of this.#links) link.cut();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** Headers as the server would see them without a proxy: its own host, and its own origin where there is one. */
  #headers(request) {
    const headers = { ...request.headers, host: this.upstream.host };
    if (headers.origin && !this.#keeps_origin) headers.origin = this.upstream.origin;
    return headers;
  }

  #passRequest(request, response) {
    const { hostname, port } = this.upstream;
    const options = { hostname, port, method: request.method, path: request.url, headers: this.#headers(request) };
    const onward = http.request(options, (answer) => {
      response.writeHead(answer.statusCode, answer.rawHeaders);
      answer.pipe(response);
    });
    onward.once('error', () => response.destroy());
    request.pipe(onward);
  }

  #passUpgrade(request, socket, head) {
    if (this.#refusing) return socket.destroy();
    const { origin } = this.#headers(request);
    const url = `ws://${this.upstream.host}${request.url}`;
    const server = new WebSocket(url, { origin, perMessageDeflate: false });
    this.acceptor.handleUpgrade(request, socket, head, (browser) => {
      this.connections += 1;
      const link = new Link(this, browser, server);
      this.#links.add(link);
      link.once('over', () => this.#links.delete(link));
      this.emit('connection');
    });
  }

  /** Notes what the server broke of its promise; `frame` is as the server sent it. */
  checkCausality({ type, call, generation, seq }) {
    const belongs_to = `${call} ${generation}`;
    if (type === 'offer' || type === 'answer') this.#described.add(belongs_to);
    if (type === 'ice-candidate' && !this.#described.has(belongs_to)) this.violations.push(`${belongs_to}, seq ${seq}`);
  }

  /** Whether a frame may pass; may cut instead, or after it. */
  watch(direction, frame, link) {
    const at = this.#cut_at;
    if (!at || at.direction !== direction || at.type !== frame.type) return true;
    this.#cut_at = null;
    this.#refusing = at.refuse;
    if (!at.passed) {
      link.cut();
      this.emit('cut-at');
      return false;
    }
    // In the next turn, so that the frame has left.
    setImmediate(() => {
      link.cut();
      this.emit('cut-at');
    });
    return true;
  }
}

/** One browser socket and its server socket. */
class Link extends EventEmitter {
  constructor(proxy, browser, server) {
    super();
    this.browser = browser;
    this.server = server;
    this.early = [];
    const count = (direction) => (n) => (proxy.overtakings[direction] += n);
    const up = proxy.to_server((text) => this.#sendUp(text), count('to_server'));
    const down = proxy.to_browser((text) => browser.readyState === WebSocket.OPEN && browser.send(text), count('to_browser'));
    this.orders = [up, down];
    browser.on('message', (bytes) => this.#pass(proxy, 'to_server', up, bytes.toString()));
    server.on('message', (bytes) => this.#pass(proxy, 'to_browser', down, bytes.toString()));
    server.on('open', () => this.#sendEarly());
    for (const [one, other] of [[browser, server], [server, browser]]) {
      one.on('close', (code, reason) => this.#closeOther(other, code, reason));
      // A socket that fails also closes; what matters follows there.
      one.on('error', () => other.terminate());
    }
  }

  cut() {
    this.#stopOrders();
    this.browser.terminate();
    this.server.terminate();
    this.emit('over');
  }

  #pass(proxy, direction, order, text) {
    const frame = JSON.parse(text);
    if (direction === 'to_browser') proxy.checkCausality(frame);
    if (proxy.watch(direction, frame, this)) order.take(frame, text);
  }

  #sendUp(text) {
    if (this.server.readyState === WebSocket.CONNECTING) this.early.push(text);
    else if (this.server.readyState === WebSocket.OPEN) this.server.send(text);
  }

  #sendEarly() {
    for (const text of this.early.splice(0)) this.server.send(text);
  }

  #closeOther(other, code, reason) {
    this.#stopOrders();
    // 1005 and 1006 say that there was no close frame; they cannot be sent.
    if (code === 1005) other.close();
    else if (code === 1006) other.terminate();
    else other.close(code, reason);
    this.emit('over');
  }

  #stopOrders() {
    for (const order of this.orders) order.stop();
  }
}
