import { CallError, causeOf } from './errors.js';
import { Emitter } from './events.js';
import { NumberedStream } from './numbered.js';
import type { Policy } from './policy.js';
import { close_codes, type ClientMessage, type ServerMessage, type WarmPath, type Welcome } from './protocol.js';
import { Socket } from './socket.js';
import type { TokenSource } from './token.js';

const protocol_version = 1;
/** A first frame that is refused so often is not a matter of an old token. */
const max_token_refusals = 2;
/** A hello that was given up does not arrive later than this. */
const late_hello_ms = 60_000;
/** So many sockets are tried one right after the other on a network that may not be ready. */
const quick_tries = 5;
/** So many sockets at a time may be on their way to one session. */
const max_openings = 3;

export type ConnectionState = 'offline' | 'connecting' | 'online' | 'closed';

interface ConnectionEvents {
  state: [ConnectionState];
  /** In order, each once. */
  message: [ServerMessage];
  /** The session is gone, and what was not acknowledged in it. Another one is there, or there will be none for `cause`. */
  session_lost: [cause: CallError | null];
  welcome: [Welcome];
  /** The server pushes credentials for its relay: a frame, as it came. */
  credentials: [unknown];
  error: [CallError];
  log: [string];
}

export interface ConnectionOptions {
  url: string;
  token: TokenSource;
  policy: Policy;
  openSocket: (url: string) => WebSocket;
  /** What this device wishes of calls that ring; the server's own word where it says nothing. */
  warm_path?: WarmPath | undefined;
}

/**
 * The session with the server, over one WebSocket at a time: opened again when it is lost, resumed, kept alive. A socket
 * that is silent when it matters is not waited for: others are opened beside it, and the first that is through takes over.
 */
export class Connection extends Emitter<ConnectionEvents> {
  readonly #options: ConnectionOptions;
  readonly #numbered = new NumberedStream();
  #state: ConnectionState = 'offline';
  /** The one that the session runs over. */
  #socket: Socket | null = null;
  /** On their way. */
  #openings = new Set<Socket>();
  /** The opening that has said hello. One at a time: a hello that comes late would ask for what is gone already. */
  #greeting: Socket | null = null;
  /** Numbers the hellos, so that the server knows one that others have outrun. */
  #hellos = 0;
  /** When a hello was given up last: arriving late, it replaces the socket that we use, and not another page does. */
  #gave_up_at = -Infinity;
  /** Hellos that were given up for their slow answer since the last welcome. */
  #slow_hellos = 0;
  /** Sockets that have failed beside one that is open since the last welcome. */
  #tries_again = 0;
  /** Whether what is on its way is there for mere suspicion, which a word from the server ends. */
  #suspected = false;
  #urgent = false;
  /** Whether there are calls at all. */
  #live = false;
  /** The network has changed, or is suspected to be dead, and no socket has come through since. */
  #hurried = false;
  /** What a resume needs; null while there is no session to resume. */
  #welcome: Welcome | null = null;
  #had_session = false;
  #attempt = 0;
  /** Closes with 4429 without a quiet spell between them. */
  #overflows = 0;
  #token_refusals = 0;
  #token_trouble = false;
  #retry_timer: ReturnType<typeof setTimeout> | undefined;
  #hedge_timer: ReturnType<typeof setTimeout> | undefined;
  #ping_timer: ReturnType<typeof setInterval> | undefined;
  #pong_timer: ReturnType<typeof setTimeout> | undefined;
  /** What `#pong_timer` was set to; 0 once another socket is being tried. */
  #pong_wait_ms = 0;
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
    if (this.#socket || this.#openings.size > 0) return;
    clearTimeout(this.#retry_timer);
    this.#open();
  }

  /** Sends `message` now or as soon as there is a connection; it is repeated until the server has it. */
  send(message: ClientMessage): void {
    if (!this.#numbered.push(message)) {
      this.#loseSession('too many messages wait for the server');
      return;
    }
    this.#flush();
  }

  /** Makes sure that the connection lives: asks the server if it is open, opens it at once if it is not. */
  probe(): void {
    if (this.#socket) this.#ping(this.#options.policy.probe_timeout_ms);
    else if (this.#openings.size === 0) {
      this.#attempt = 0;
      this.start();
    }
  }

  /** The path of a call is silent, and the socket may be as dead: it is asked, and another is opened, whichever is sooner. */
  suspect(): void {
    if (this.#socket && this.#openings.size === 0) {
      this.#hurried = true;
      this.#open();
      this.#suspected = true;
    }
    this.probe();
  }

  /** The network has changed: the socket of the old one is as good as lost. */
  renew(): void {
    this.#attempt = this.#tries_again = 0;
    clearTimeout(this.#retry_timer);
    this.#dropOpenings();
    this.#suspected = false;
    this.#hurried = true;
    this.#open();
  }

  /** While a call is set up or interrupted, a dead socket is looked for, and gone around, within seconds. */
  setUrgent(urgent: boolean, live: boolean): void {
    this.#live = live;
    if (this.#urgent === urgent) return;
    this.#urgent = urgent;
    this.#schedulePings();
    this.#scheduleHedge();
  }

  /** Ends the session and its calls at once, as far as a message still gets out. */
  close(): void {
    if (this.#state === 'online') this.send({ type: 'bye' });
    this.#stop(null);
  }

  #open(): void {
    if (!this.#socket) this.#setState('connecting');
    let opening: Socket;
    try {
      opening = new Socket({ ...this.#options, open_timeout_ms: this.#options.policy.open_timeout_ms });
    } catch (error) {
      this.#fail(new CallError('error', `The address of the server is wrong: ${causeOf(error)}`));
      return;
    }
    this.#openings.add(opening);
    opening.on('ready', () => this.#greet());
    opening.on('text', (text) => this.#handleText(opening, text));
    opening.on('closed', (code, reason) => this.#handleClose(opening, code, reason));
    opening.on('late', () => this.#lose(opening, 'the server did not answer in time'));
    opening.on('token_trouble', (error) => this.#handleTokenTrouble(opening, error));
    this.#scheduleHedge();
  }

  #scheduleHedge(): void {
    clearTimeout(this.#hedge_timer);
    if (!(this.#urgent || this.#hurried) || this.#openings.size === 0) return;
    const { socket_hedge_ms, welcome_wait_ms, open_timeout_ms } = this.#options.policy;
    const wait_ms = this.#greeting ? Math.min(welcome_wait_ms * 2 ** this.#slow_hellos, open_timeout_ms) : socket_hedge_ms;
    this.#hedge_timer = setTimeout(() => this.#hedge(), wait_ms);
  }

  /** The socket that is open is as good as lost, and the one that was to take over has failed. */
  #openAgain(): void {
    clearTimeout(this.#hedge_timer);
    const { reconnect_delays_ms: delays, socket_again_ms } = this.#options.policy;
    const delay = delays[Math.min(this.#tries_again++ - quick_tries, delays.length - 1)] ?? 0;
    this.#hedge_timer = setTimeout(() => this.#openings.size === 0 && this.#open(), Math.max(delay, socket_again_ms));
  }

  /** What is on its way takes too long: another one beside it, and a hello without an answer is given up for it. */
  #hedge(): void {
    this.emit('log', 'signalling: another socket is tried beside the slow one');
    if (this.#greeting) {
      this.#slow_hellos++;
      // A session that nobody will know of is not to live.
      if (!this.#welcome) this.#greeting.write({ type: 'bye', seq: 1, ack: 0 });
      this.#drop(this.#greeting);
    }
    if (this.#openings.size < max_openings) this.#open();
    else this.#scheduleHedge();
    this.#greet();
    this.#catchUp();
  }

  #handleTokenTrouble(opening: Socket, error: unknown): void {
    const cause = `getToken failed: ${causeOf(error)}`;
    // Once a series: the app's backend is asked again and again, the app hears of it once, and not while all is well.
    if (!this.#token_trouble && !this.#socket) this.emit('error', new CallError('credentials', cause, true));
    this.#token_trouble ||= !this.#socket;
    this.#loseCalmly(opening, cause);
  }

  /** From now on nothing goes over the socket before: what it would acknowledge, this hello does not know of. */
  #greet(): void {
    if (this.#greeting) return;
    const opening = [...this.#openings].find((one) => one.token !== null);
    if (!opening) return;
    this.#greeting = opening;
    this.#scheduleHedge();
    this.#token_trouble = false;
    const { warm_path } = this.#options;
    const resume = this.#welcome && {
      session: this.#welcome.session,
      resume_token: this.#welcome.resume_token,
      ack: this.#numbered.ack,
      attempt: ++this.#hellos,
    };
    opening.write({
      type: 'hello',
      version: protocol_version,
      token: opening.token,
      ...(resume ? { resume } : {}),
      ...(warm_path ? { warm_path } : {}),
    });
  }

  #handleText(socket: Socket, text: unknown): void {
    let frame: { type?: unknown; ack?: unknown; seq?: unknown };
    try {
      frame = JSON.parse(String(text));
    } catch {
      this.#violation(socket, 'a frame that is not JSON');
      return;
    }
    if (frame.type === 'welcome' && socket === this.#greeting) return this.#handleWelcome(socket, frame as unknown as Welcome);
    if (socket !== this.#socket) return;
    clearTimeout(this.#pong_timer);
    this.#pong_timer = undefined;
    if (this.#suspected && !this.#greeting) this.#dropOpenings();
    if (typeof frame.ack === 'number') this.#numbered.handleAck(frame.ack);
    if (frame.type === 'ping') return this.#write({ type: 'pong' });
    if (frame.type === 'credentials') this.emit('credentials', frame);
    if (typeof frame.seq === 'number') this.#handleNumbered(socket, frame as unknown as ServerMessage & { seq: number });
  }

  #handleNumbered(socket: Socket, frame: ServerMessage & { seq: number }): void {
    const { messages, violation } = this.#numbered.handleFrame(frame);
    if (violation) return this.#violation(socket, 'messages too far ahead of a gap');
    if (this.#numbered.ack_due) this.#acknowledge();
    else this.#ack_timer ??= setTimeout(() => this.#acknowledge(), this.#options.policy.ack_delay_ms);
    for (const message of messages) this.emit('message', this.#withRefused(message));
  }

  #withRefused(message: ServerMessage): ServerMessage {
    if (message.type !== 'error') return message;
    const { refused: _refused, ...error } = message;
    const refused = error.ref === undefined ? undefined : this.#numbered.refusable(error.ref);
    return refused ? { ...error, refused } : error;
  }

  #handleWelcome(socket: Socket, welcome: Welcome): void {
    socket.settle();
    this.#dropSocket();
    this.#openings.delete(socket);
    this.#dropOpenings();
    this.#socket = socket;
    this.#greeting = null;
    this.#hurried = false;
    clearTimeout(this.#hedge_timer);
    clearTimeout(this.#retry_timer);
    const lost = this.#had_session && !welcome.resumed;
    if (lost) this.#numbered.clear();
    this.#welcome = welcome;
    this.#had_session = true;
    this.#attempt = this.#tries_again = this.#slow_hellos = this.#token_refusals = 0;
    this.emit('log', `signalling connected as ${welcome.user}${welcome.resumed ? ' (resumed)' : ''}`);
    for (const frame of this.#numbered.replay(welcome.ack)) this.#write(frame);
    this.#schedulePings();
    this.#setState('online');
    this.emit('welcome', welcome);
    if (lost) this.emit('session_lost', null);
  }

  #schedulePings(): void {
    clearInterval(this.#ping_timer);
    if (!this.#socket || !this.#welcome) return;
    const { policy } = this.#options;
    const [interval_ms, timeout_ms] = this.#urgent
      ? [policy.urgent_ping_interval_ms, policy.probe_timeout_ms]
      : [this.#welcome.ping_interval_ms, policy.pong_timeout_ms];
    this.#ping_timer = setInterval(() => {
      this.#overflows = 0;
      this.#ping(timeout_ms);
    }, interval_ms);
  }

  #handleClose(socket: Socket, code: number, reason: string): void {
    const words = reason ? `: ${reason}` : '';
    switch (code) {
      case close_codes.token:
        return this.#handleTokenRefused(socket, reason);
      case close_codes.bad_message:
      case close_codes.too_big:
        return this.#fail(new CallError('error', `The server refused a message of this client${words}`, false));
      case close_codes.forbidden:
        return this.#fail(new CallError('blocked', forbiddenVerdict(reason), false));
      case close_codes.replaced:
        if (this.#replacedByUs(socket)) return this.#lose(socket, 'replaced');
        return this.#fail(new CallError('signaling_lost', 'Another page has taken over this session.', false));
      case close_codes.overflow:
        return this.#handleOverflow(socket, `connection closed${words}`);
      default:
        return this.#lose(socket, `connection lost (${code})${words}`);
    }
  }

  /** By a hello whose welcome is on its way, or by one that was given up; or `socket` has come too late itself. */
  #replacedByUs(socket: Socket): boolean {
    if (this.#greeting || socket !== this.#socket) return true;
    const is_ours = performance.now() - this.#gave_up_at < late_hello_ms;
    this.#gave_up_at = -Infinity;
    return is_ours;
  }

  /** The session may well live: it is resumed, but not at once, or what was too much would be too much again. */
  #handleOverflow(socket: Socket, cause: string): void {
    this.#attempt = Math.max(this.#attempt, ++this.#overflows);
    this.#loseCalmly(socket, cause);
  }

  #handleTokenRefused(socket: Socket, reason: string): void {
    this.#options.token.refuse(socket.token ?? '');
    const cause = `token refused: ${reason}`;
    if (++this.#token_refusals < max_token_refusals) return this.#lose(socket, cause);
    if (this.#socket && socket !== this.#socket) return this.#loseCalmly(socket, cause);
    this.#fail(new CallError('credentials', `The server does not accept the token (${reason || 'no reason given'}).`, false));
  }

  /** Whether frames go out: not while a hello is on its way, which says how far the session is. */
  get #flowing(): boolean {
    return this.#state === 'online' && this.#socket !== null && !this.#greeting;
  }

  #flush(): void {
    if (!this.#flowing) return;
    for (const frame of this.#numbered.takeUnwritten()) this.#write(frame);
  }

  /** What has waited while a hello was on its way. */
  #catchUp(): void {
    this.#flush();
    this.#acknowledge();
  }

  #acknowledge(): void {
    this.#clearAckTimer();
    if (this.#numbered.owed === 0 || !this.#flowing) return;
    this.#numbered.acknowledged();
    this.#write({ type: 'ack', ack: this.#numbered.ack });
  }

  /** A socket that stays silent is not dropped before another one is through, unless it has been silent for long. */
  #ping(timeout_ms: number): void {
    if (!this.#socket || this.#greeting) return;
    const socket = this.#socket;
    if (this.#pong_timer === undefined || timeout_ms < this.#pong_wait_ms) {
      clearTimeout(this.#pong_timer);
      this.#pong_wait_ms = timeout_ms;
      this.#pong_timer = setTimeout(() => this.#handleSilence(socket, timeout_ms), timeout_ms);
    }
    this.#write({ type: 'ping' });
  }

  #handleSilence(socket: Socket, waited_ms: number): void {
    const left_ms = this.#options.policy.pong_timeout_ms - waited_ms;
    if (left_ms <= 0) return this.#lose(socket, 'no pong from the server');
    if (this.#openings.size === 0) {
      this.emit('log', 'signalling: no pong from the server; another socket is tried');
      this.#open();
      this.#suspected = true;
    }
    this.#pong_wait_ms = 0;
    this.#pong_timer = setTimeout(() => this.#lose(socket, 'no pong from the server'), left_ms);
  }

  #write(frame: object): void {
    this.#socket?.write(frame);
  }

  #violation(socket: Socket, what: string): void {
    socket.close(close_codes.bad_message, `bad_message: ${what}`.slice(0, 120));
    this.#fail(new CallError('error', `The server sent ${what}.`, false));
  }

  /** Nothing of the session can be saved: the next connection begins a new one. */
  #loseSession(cause: string): void {
    this.#welcome = null;
    this.#dropOpenings();
    this.#dropSocket();
    this.#retry(cause);
  }

  /** `socket` is of no use any more. Others may be on their way; if not, one is opened after a wait. */
  #lose(socket: Socket, cause: string): void {
    if (socket === this.#socket) this.#dropSocket();
    else this.#drop(socket);
    if (this.#socket) {
      if (this.#hurried && this.#openings.size === 0) this.#openAgain();
      return this.#catchUp();
    }
    if (this.#openings.size === 0) return this.#retry(cause);
    this.emit('log', `signalling: ${cause}`);
    this.#setState('connecting');
    this.#greet();
  }

  /** What was refused would be refused again at once: a socket that is open goes on if it answers. */
  #loseCalmly(socket: Socket, cause: string): void {
    this.#hurried = false;
    this.#lose(socket, cause);
    this.#ping(this.#options.policy.probe_timeout_ms);
  }

  #retry(cause: string): void {
    const { reconnect_delays_ms, live_reconnect_delays_ms, reconnect_jitter: jitter } = this.#options.policy;
    const delays = this.#live ? live_reconnect_delays_ms : reconnect_delays_ms;
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
    clearTimeout(this.#hedge_timer);
    this.#dropOpenings();
    this.#dropSocket();
    this.#welcome = null;
    this.#had_session = false;
    this.#token_refusals = 0;
    this.#numbered.clear();
    this.#setState('closed');
    if (cause) this.emit('session_lost', cause);
  }

  #dropSocket(): void {
    clearTimeout(this.#pong_timer);
    this.#pong_timer = undefined;
    clearInterval(this.#ping_timer);
    this.#clearAckTimer();
    this.#socket?.close();
    this.#socket = null;
  }

  #dropOpenings(): void {
    this.#suspected = false;
    clearTimeout(this.#hedge_timer);
    for (const opening of [...this.#openings]) this.#drop(opening);
  }

  #drop(opening: Socket): void {
    this.#openings.delete(opening);
    if (this.#greeting === opening) {
      this.#greeting = null;
      this.#gave_up_at = performance.now();
    }
    if (this.#openings.size === 0) clearTimeout(this.#hedge_timer);
    opening.close();
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
