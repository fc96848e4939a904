import { Emitter } from './events.js';
import type { TokenSource } from './token.js';

interface SocketEvents {
  /** It is open, and there is a token to greet with. */
  ready: [token: string];
  text: [unknown];
  closed: [code: number, reason: string];
  /** Neither open nor refused in time. */
  late: [];
  token_trouble: [unknown];
}

export interface SocketOptions {
  url: string;
  token: TokenSource;
  open_timeout_ms: number;
  openSocket: (url: string) => WebSocket;
}

/** One WebSocket from the moment it is asked for; says when it can greet the server. */
export class Socket extends Emitter<SocketEvents> {
  readonly #socket: WebSocket;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #token: string | null = null;

  /** Throws if the address is none. */
  constructor({ url, token, open_timeout_ms, openSocket }: SocketOptions) {
    super();
    const socket = openSocket(url);
    this.#socket = socket;
    this.#timer = setTimeout(() => this.emit('late'), open_timeout_ms);
    const opened = new Promise<void>((resolve) => (socket.onopen = () => resolve()));
    socket.onclose = (event) => this.emit('closed', event.code, event.reason);
    socket.onmessage = (event) => this.emit('text', event.data);
    Promise.all([token.get(), opened]).then(
      ([value]) => {
        this.#token = value;
        this.emit('ready', value);
      },
      (error: unknown) => this.emit('token_trouble', error),
    );
  }

  /** What it greets with; null until it is ready. */
  get token(): string | null {
    return this.#token;
  }

  /** The server has said welcome. */
  settle(): void {
    clearTimeout(this.#timer);
  }

  write(frame: object): void {
    this.#socket.send(JSON.stringify(frame));
  }

  close(code?: number, reason?: string): void {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    socket.onopen = socket.onmessage = socket.onclose = null;
    this.removeAllListeners();
    socket.close(code, reason);
  }
}
