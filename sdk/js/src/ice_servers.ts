import { causeOf } from './errors.js';
import { Emitter } from './events.js';
import type { Policy } from './policy.js';
import type { Credentials } from './protocol.js';
import type { TokenSource } from './token.js';

export type RelayTransport = 'udp' | 'tcp' | 'tls';

/** A failed renewal is tried again after these; the last one repeats. The servers that are there stay in use. */
const retry_delays_ms = [500, 1000, 2000, 5000, 15_000, 30_000];

export interface IceServersOptions {
  /** `…/api/turn/credentials`. */
  url: string;
  token: TokenSource;
  policy: Policy;
  fetch: typeof fetch;
  /** Only these ways to the relay are used; all if absent. */
  relayTransports?: readonly RelayTransport[] | undefined;
}

/** So much of the life of credentials has passed when the server pushes new ones; the rest is for asking if it does not. */
const pushed_at = 0.5;
const fetched_at = 0.6;

/**
 * The STUN and TURN servers with their credentials, there before anybody dials. The server pushes them over the socket;
 * where it does not, they are fetched.
 */
export class IceServers extends Emitter<{ renewed: [RTCIceServer[]]; log: [string] }> {
  readonly #options: IceServersOptions;
  #servers: RTCIceServer[] | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #waiting = new Set<() => void>();
  #failures = 0;
  #running = false;
  #stale_at = Infinity;

  constructor(options: IceServersOptions) {
    super();
    this.#options = options;
  }

  /** The newest servers; null before the first. */
  get servers(): RTCIceServer[] | null {
    return this.#servers;
  }

  /** When half the life of the newest is over, by performance.now(). */
  get stale_at(): number {
    return this.#stale_at;
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#schedule(this.#options.policy.credentials_fetch_after_ms);
  }

  /** The server has said welcome: it pushes credentials now, if it ever does. */
  handleWelcome(): void {
    if (this.#running && !this.#servers) this.#schedule(this.#options.policy.credentials_push_wait_ms);
  }

  /** The server has pushed credentials. */
  handlePushed(frame: unknown): void {
    if (!this.#running) return;
    try {
      this.#take(checked(frame), fetched_at);
    } catch (error) {
      this.emit('log', `the server pushed credentials that are none: ${causeOf(error)}`);
    }
  }

  stop(): void {
    this.#running = false;
    clearTimeout(this.#timer);
    this.#wake();
  }

  /** The servers as soon as they are there; null if they are not within `wait_ms`. */
  async wait(wait_ms: number): Promise<RTCIceServer[] | null> {
    if (!this.#servers && this.#running) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, wait_ms);
        const waiting = this.#waiting;
        function done(): void {
          clearTimeout(timer);
          waiting.delete(done);
          resolve();
        }
        waiting.add(done);
      });
    }
    return this.#servers;
  }

  #schedule(wait_ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#fetch(), wait_ms);
  }

  async #fetch(): Promise<void> {
    const newest = this.#servers;
    try {
      const answer = await this.#request();
      // Pushed ones that came meanwhile are as good.
      if (this.#running && this.#servers === newest) this.#take(answer, pushed_at);
    } catch (error) {
      if (!this.#running || this.#servers !== newest) return;
      const next_ms = retry_delays_ms[Math.min(this.#failures++, retry_delays_ms.length - 1)] ?? 0;
      this.emit('log', `TURN credentials could not be loaded: ${causeOf(error)}; next attempt in ${next_ms} ms`);
      this.#schedule(next_ms);
    }
  }

  async #request(may_retry = true): Promise<Credentials> {
    const { url, token, policy, fetch } = this.#options;
    const bearer = await token.get();
    const response = await fetch(url, {
      headers: { Authorization: `Bearer ${bearer}` },
      cache: 'no-store',
      signal: AbortSignal.timeout(policy.credentials_timeout_ms),
    });
    if (response.status === 401 && may_retry) {
      token.refuse(bearer);
      return this.#request(false);
    }
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    return checked(await response.json());
  }

  /** They are asked for again when `again_at` of their life is over, unless others have come. */
  #take(answer: Credentials, again_at: number): void {
    const life_ms = answer.ttl * 1000;
    this.#failures = 0;
    this.#stale_at = performance.now() + life_ms * pushed_at;
    this.#schedule(life_ms * again_at);
    this.#servers = onlyTransports(answer.iceServers, this.#options.relayTransports);
    this.emit('log', `TURN loaded (${answer.uris.length} URIs, TTL: ${answer.ttl} s)`);
    this.emit('log', `Username: ${answer.username}`);
    this.emit('log', `URIs: [${answer.uris.join(', ')}]`);
    this.emit('renewed', this.#servers);
    this.#wake();
  }

  #wake(): void {
    for (const done of [...this.#waiting]) done();
  }
}

function checked(body: unknown): Credentials {
  const { username, ttl, uris, iceServers } = (body ?? {}) as Partial<Credentials>;
  if (!Array.isArray(iceServers) || !(Number(ttl) > 0)) throw new Error('the answer has no iceServers or ttl');
  return { username: username ?? '', uris: uris ?? [], ttl: Number(ttl), iceServers };
}

/** The transport that a STUN or TURN URI names (RFC 7064, RFC 7065). */
function transportOf(uri: string): RelayTransport {
  if (/^(turns|stuns):/.test(uri)) return 'tls';
  return /\?transport=tcp$/.test(uri) ? 'tcp' : 'udp';
}

/** `servers` without the URIs of other transports, and without servers that have none left. */
export function onlyTransports(servers: RTCIceServer[], allowed?: readonly RelayTransport[]): RTCIceServer[] {
  if (!allowed) return servers;
  return servers
    .map((server) => ({ ...server, urls: [server.urls].flat().filter((uri) => allowed.includes(transportOf(uri))) }))
    .filter((server) => server.urls.length > 0);
}
