import { CallError, causeOf } from './errors.js';
import { Emitter } from './events.js';
import { NumberedStream } from './numbered.js';
import type { Policy } from './policy.js';
import { close_codes, type ClientMessage, type ServerMessage, type Welcome } from './protocol.js';
import type { TokenSource } from './token.js';

const protocol_version = 1;
/** A first frame that is refused so often is not a matter of an old token. */
const max_token_refusals = 2;

export type ConnectionState = 'offline' | 'connecting' | 'online' | 'closed';

interface ConnectionEvents {
  state: [ConnectionState];
  /** In order, each once. */
  message: [ServerMessage];
  /** The session is gone, and every call that is not in `kept` with it; `cause` if there will be no other. */
  session_lost: [kept: ReadonlySet<string>, cause: CallError | null];
  welcome: [Welcome];
  error: [CallError];
  log: [string];
}

export interface ConnectionOptions {
  url: string;
  token: TokenSource;
  policy: Policy;
  openSocket: (url: string) => WebSocket;
}

/** The session with the server, over one WebSocket at a time: opened again when it is lost, resumed, kept alive. */
export class Connection extends Emitter<ConnectionEvents> {
  readonly #options: ConnectionOptions;
  readonly #numbered = new NumberedStream();
  #state: ConnectionState = 'offline';
  #socket: WebSocket | null = null;
  #token = '';
  /** What a resume needs; null while there is no session to resume. */
  #welcome: Welcome | null = null;
  #had_session = false;
  #attempt = 0;
  /** Closes with 4429 without a quiet spell between them. */
  #overflows = 0;
  #token_refusals = 0;
  #token_trouble = false;
  #retry_timer: ReturnType<typeof setTimeout> | undefined;
  #open_timer: ReturnType<typeof setTimeout> | undefined;
  #ping_timer: ReturnType<typeof setInterval> | undefined;
  #pong_timer: ReturnType<typeof setTimeout> | undefined;
  #ack_timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ConnectionOptions) {
    super();
    this.#options = options;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Opens the connection; does nothing if it is open or being opened. */
  start(): void {
    if (this.#socket || this.#state === 'connecting') return;
    clearTimeout(this.#retry_timer);
    this.#open();
  }

  /** Sends `message` now or as soon as there is a connection; it is repeated until the server has it. */
  send(message: ClientMessage): void {
    if (!this.#numbered.push(message)) {
      this.#loseSession('too many messages wait for the server');
      return;
    }
    if (this.#state === 'online') this.#flush();
  }

  /** Makes sure that the connection lives: asks the server if it is open, opens it at once if it is not. */
  probe(): void {
    if (this.#state === 'online') this.#ping(this.#options.policy.probe_timeout_ms);
    else if (!this.#socket) {
      this.#attempt = 0;
      this.start();
    }
  }

  /** Ends the session and its calls at once, as far as a message still gets out. */
  close(): void {
    if (this.#state === 'online') this.send({ type: 'bye' });
    this.#stop(null);
  }

  #open(): void {
    this.#setState('connecting');
    const { policy, openSocket, url, token } = this.#options;
    let socket: WebSocket;
    try {
      socket = openSocket(url);
    } catch (error) {
      this.#fail(new CallError('error', `The address of the server is wrong: ${causeOf(error)}`));
      return;
    }
    this.#socket = socket;
    this.#open_timer = setTimeout(() => this.#retry('the server did not answer in time'), policy.open_timeout_ms);
    const opened = new Promise<void>((resolve) => (socket.onopen = () => resolve()));
    socket.onclose = (event) => this.#handleClose(event);
    socket.onmessage = (event) => this.#handleText(event.data);
    Promise.all([token.get(), opened]).then(
      ([value]) => {
        if (this.#socket !== socket) return;
        this.#token = value;
        this.#sendHello();
      },
      (error: unknown) => {
        if (this.#socket === socket) this.#handleTokenTrouble(error);
      },
    );
  }

  #handleTokenTrouble(error: unknown): void {
    const cause = `getToken failed: ${causeOf(error)}`;
    // Once a series: the app's backend is asked again and again, the app hears of it once.
    if (!this.#token_trouble) this.emit('error', new CallError('credentials', cause, true));
    this.#token_trouble = true;
    this.#retry(cause);
  }

  #sendHello(): void {
    this.#token_trouble = false;
    const hello = { type: 'hello', version: protocol_version, token: this.#token };
    const resume = this.#welcome && {
      session: this.#welcome.session,
      resume_token: this.#welcome.resume_token,
      ack: this.#numbered.ack,
    };
    this.#write(resume ? { ...hello, resume } : hello);
  }

  #handleText(text: unknown): void {
    clearTimeout(this.#pong_timer);
    this.#pong_timer = undefined;
    let frame: { type?: unknown; ack?: unknown; seq?: unknown };
    try {
      frame = JSON.parse(String(text));
    } catch {
      this.#violation('a frame that is not JSON');
      return;
    }
    if (frame.type === 'welcome') return this.#handleWelcome(frame as unknown as Welcome);
    if (typeof frame.ack === 'number') this.#numbered.handleAck(frame.ack);
    if (frame.type === 'ping') return this.#write({ type: 'pong' });
    if (typeof frame.seq === 'number') this.#handleNumbered(frame as unknown as ServerMessage & { seq: number });
  }

  #handleNumbered(frame: ServerMessage & { seq: number }): void {
    const { messages, violation } = this.#numbered.handleFrame(frame);
    if (violation) return this.#violation('messages too far ahead of a gap');
    if (this.#numbered.ack_due) this.#acknowledge();
    else this.#ack_timer ??= setTimeout(() => this.#acknowledge(), this.#options.policy.ack_delay_ms);
    for (const message of messages) this.emit('message', this.#withRefused(message));
  }

  #withRefused(message: ServerMessage): ServerMessage {
    if (message.type !== 'error') return message;
    const { refused: _refused, ...error } = message;
    const refused = error.ref === undefined ? undefined : this.#numbered.opening(error.ref);
    return refused ? { ...error, refused } : error;
  }

  #handleWelcome(welcome: Welcome): void {
    clearTimeout(this.#open_timer);
    const kept = this.#had_session && !welcome.resumed ? this.#numbered.restart() : null;
    this.#welcome = welcome;
    this.#had_session = true;
    this.#attempt = 0;
    this.#token_refusals = 0;
    this.emit('log', `signalling connected as ${welcome.user}${welcome.resumed ? ' (resumed)' : ''}`);
    for (const frame of this.#numbered.replay(welcome.ack)) this.#write(frame);
    clearInterval(this.#ping_timer);
    this.#ping_timer = setInterval(() => {
      this.#overflows = 0;
      this.#ping(this.#options.policy.pong_timeout_ms);
    }, welcome.ping_interval_ms);
    this.#setState('online');
    this.emit('welcome', welcome);
    if (kept) this.emit('session_lost', kept, null);
  }

  #handleClose(event: CloseEvent): void {
    const words = event.reason ? `: ${event.reason}` : '';
    switch (event.code) {
      case close_codes.token:
        return this.#handleTokenRefused(event.reason);
      case close_codes.bad_message:
      case close_codes.too_big:
        return this.#fail(new CallError('error', `The server refused a message of this client${words}`, false));
      case close_codes.forbidden:
        return this.#fail(new CallError('blocked', forbiddenVerdict(event.reason), false));
      case close_codes.replaced:
        return this.#fail(new CallError('signaling_lost', 'Another page has taken over this session.', false));
      case close_codes.overflow:
        return this.#handleOverflow(`connection closed${words}`);
      default:
        return this.#retry(`connection lost (${event.code})${words}`);
    }
  }

  /** The session may well live: it is resumed, but not at once, or what was too much would be too much again. */
  #handleOverflow(cause: string): void {
    this.#attempt = Math.max(this.#attempt, ++this.#overflows);
    this.#retry(cause);
  }

  #handleTokenRefused(reason: string): void {
    this.#options.token.refuse(this.#token);
    if (++this.#token_refusals < max_token_refusals) return this.#retry(`token refused: ${reason}`);
    this.#fail(new CallError('credentials', `The server does not accept the token (${reason || 'no reason given'}).`, false));
  }

  #flush(): void {
    for (const frame of this.#numbered.takeUnwritten()) this.#write(frame);
  }

  #acknowledge(): void {
    this.#clearAckTimer();
    if (this.#numbered.owed === 0 || this.#state !== 'online') return;
    this.#numbered.acknowledged();
    this.#write({ type: 'ack', ack: this.#numbered.ack });
  }

  #ping(timeout_ms: number): void {
    if (this.#state !== 'online') return;
    clearTimeout(this.#pong_timer);
    this.#pong_timer = setTimeout(() => this.#retry('no pong from the server'), timeout_ms);
    this.#write({ type: 'ping' });
  }

  #write(frame: object): void {
    this.#socket?.send(JSON.stringify(frame));
  }

  #violation(what: string): void {
    this.#socket?.close(close_codes.bad_message, `bad_message: ${what}`.slice(0, 120));
    this.#fail(new CallError('error', `The server sent ${what}.`, false));
  }

  /** Nothing of the session can be saved: the next connection begins a new one. */
  #loseSession(cause: string): void {
    this.#welcome = null;
    this.#retry(cause);
  }

  #retry(cause: string): void {
    const { reconnect_delays_ms: delays, reconnect_jitter: jitter } = this.#options.policy;
    this.#dropSocket();
    const delay = delays[Math.min(this.#attempt++, delays.length - 1)] ?? 0;
    const wait_ms = Math.round(delay * (1 + jitter * (2 * Math.random() - 1)));
    this.emit('log', `signalling: ${cause}; next attempt in ${wait_ms} ms`);
    this.#setState('offline');
    clearTimeout(this.#retry_timer);
    this.#retry_timer = setTimeout(() => this.start(), wait_ms);
  }

  #fail(error: CallError): void {
    this.emit('error', error);
    this.#stop(error);
  }

  #stop(cause: CallError | null): void {
    clearTimeout(this.#retry_timer);
    this.#dropSocket();
    this.#welcome = null;
    this.#had_session = false;
    this.#token_refusals = 0;
    this.#numbered.clear();
    this.#setState('closed');
    this.emit('session_lost', new Set(), cause);
  }

  #dropSocket(): void {
    clearTimeout(this.#open_timer);
    clearTimeout(this.#pong_timer);
    clearInterval(this.#ping_timer);
    this.#clearAckTimer();
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #clearAckTimer(): void {
    clearTimeout(this.#ack_timer);
    this.#ack_timer = undefined;
  }

  #setState(state: ConnectionState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.emit('state', state);
  }
}

function forbiddenVerdict(reason: string): string {
  const origin = globalThis.location?.origin;
  const page = origin ? `pages of ${origin}` : 'this page';
  const words = reason ? ` (${reason})` : '';
  return `The server does not accept ${page}${words}. Its operator can allow them: --allowed-origin ${origin ?? 'ORIGIN'}`;
}
