// One device of a user over a WebSocket: it numbers what it sends, holds the server to its numbers and acknowledgements, and
// sends again what a resume asks for. What comes waits until a step asks for it.

import { WebSocket } from 'ws';

const unnumbered = ['hello', 'ping', 'pong', 'ack'];
/** They come when they are due; a step that names one takes the next. */
const aside = ['ack', 'credentials'];

export class Device {
  #socket = null;
  #attempts = 0;
  /** Numbered messages of ours: the highest, what the server has acknowledged, and what it has not. */
  #sent = 0;
  #acknowledged = 0;
  #pending = [];
  #received = 0;
  #arrived = [];
  #aside = [];
  #wake = () => undefined;
  /** Whether each ping that is not answered yet is a script's; the others keep the connection alive. */
  #pings = [];
  #ping_timer;
  /** A rule of numbering that the server broke. */
  #broken = null;

  constructor({ name, user, token, url, patience_ms }) {
    Object.assign(this, { name, user, token, url, patience_ms });
    this.session = null;
  }

  get is_open() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  get is_quiet() {
    return this.#arrived.length === 0;
  }

  async connect({ origin } = {}) {
    const socket = new WebSocket(`${this.url}/ws`, origin === undefined ? {} : { origin });
    socket.on('message', (text) => socket === this.#socket && this.#handleFrame(JSON.parse(`${text}`)));
    socket.on('close', (code, reason) => socket === this.#socket && this.#handleClose(code, `${reason}`));
    // A connection that replaces another: what the other still hears is its close.
    this.#socket?.on('close', (code, reason) => this.#arrive({ closed: { code, reason: `${reason}` } }));
    this.#socket = socket;
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  }

  /** The network is gone: nobody says goodbye. */
  cut() {
    const socket = this.#socket;
    this.#forgetSocket();
    socket?.terminate();
  }

  hello(fields = {}) {
    return { type: 'hello', version: 1, token: this.token, ...fields };
  }

  /** What a resume of this session says. */
  resume() {
    const { session, resume_token } = this.session;
    return { session, resume_token, ack: this.#received, attempt: ++this.#attempts };
  }

  /** How many numbered messages of ours there are: what a welcome acknowledges when the server has them all. */
  get sent() {
    return this.#sent;
  }

  sendText(text) {
    // It crosses the close.
    if (this.#arrived.some(({ closed }) => closed)) return;
    if (!this.#socket) throw new Error(`${this.name} has no connection`);
    this.#socket.send(text);
  }

  /** A message gets its number, and waits if there is no connection. `seq` of the frame stands as it is; null takes it away. */
  send(frame) {
    this.#send(frame, true);
  }

  /** The network loses this message: it has its number, and goes out after the next resume. */
  lose(frame) {
    this.#send(frame, false);
  }

  #send(frame, arrives) {
    if (frame.type === 'ping') this.#pings.push('script');
    if (unnumbered.includes(frame.type)) return this.sendText(JSON.stringify(frame));
    const { seq, ...rest } = { seq: this.#sent + 1, ack: this.#received, ...frame };
    if (seq === null) return this.sendText(JSON.stringify(rest));
    const message = { ...rest, seq };
    if (seq > this.#sent) this.#pending.push(message);
    this.#sent = Math.max(this.#sent, seq);
    if (this.#socket && arrives) this.sendText(JSON.stringify(message));
  }

  /** The next frame, or {closed}, in its order. Frames of `type` that come when they are due are looked for beside it. */
  async next(type) {
    const queue = aside.includes(type) ? this.#aside : this.#arrived;
    const isThere = () => queue.findIndex((one) => queue === this.#arrived || one.frame.type === type);
    const deadline = setTimeout(() => this.#wake(), this.patience_ms);
    const end = Date.now() + this.patience_ms;
    try {
      while (isThere() < 0 && !this.#broken) {
        if (Date.now() >= end) return null;
        await new Promise((resolve) => (this.#wake = resolve));
      }
    } finally {
      clearTimeout(deadline);
    }
    if (this.#broken) throw new Error(this.#broken);
    const [item] = queue.splice(isThere(), 1);
    return item.frame ? { frame: this.#withoutNumbers(item.frame) } : item;
  }

  /** Holds the number of a message to the one that is due, and takes it away; a script need not write them. */
  #withoutNumbers(frame) {
    if (frame.type === 'welcome') {
      this.session = { session: frame.session, resume_token: frame.resume_token };
      if (!frame.resumed) this.#received = 0;
      return frame;
    }
    if (unnumbered.includes(frame.type) || frame.type === 'credentials') return frame;
    const { seq, ack, ...rest } = frame;
    if (seq !== this.#received + 1) throw new Error(`the number due is ${this.#received + 1}, and there came ${JSON.stringify(frame)}`);
    if (!Number.isSafeInteger(ack)) throw new Error(`no ack in ${JSON.stringify(frame)}`);
    this.#received = seq;
    return rest;
  }

  #handleFrame(frame) {
    if (frame.type === 'welcome') this.#handleWelcome(frame);
    else if (frame.ack !== undefined) this.#handleAck(frame);
    if (frame.type === 'pong' && this.#pings.shift() === 'own') return;
    if (aside.includes(frame.type)) this.#aside.push({ frame });
    else this.#arrived.push({ frame });
    this.#wake();
  }

  #handleWelcome(frame) {
    if (frame.resumed) this.#handleAck(frame);
    else [this.#sent, this.#acknowledged, this.#pending] = [0, 0, []];
    this.#aside = [];
    clearInterval(this.#ping_timer);
    this.#ping_timer = setInterval(() => this.#ping(), frame.ping_interval_ms);
    for (const message of this.#pending) this.sendText(JSON.stringify({ ...message, ack: this.#received }));
  }

  #ping() {
    this.#pings.push('own');
    this.sendText(JSON.stringify({ type: 'ping' }));
  }

  #handleAck({ ack, type }) {
    if (ack > this.#sent) this.#broken = `${type} acknowledges ${ack}, and ${this.#sent} was sent last`;
    if (ack < this.#acknowledged) this.#broken = `${type} acknowledges ${ack} after ${this.#acknowledged}`;
    this.#acknowledged = ack;
    this.#pending = this.#pending.filter((message) => message.seq > ack);
  }

  #handleClose(code, reason) {
    this.#forgetSocket();
    this.#arrive({ closed: { code, reason } });
  }

  #forgetSocket() {
    clearInterval(this.#ping_timer);
    this.#pings = [];
    this.#socket = null;
  }

  #arrive(item) {
    this.#arrived.push(item);
    this.#wake();
  }
}
