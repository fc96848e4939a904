import { causeOf } from './errors.js';
import { Emitter } from './events.js';
import type { Policy } from './policy.js';
import type { TokenSource } from './token.js';

export type RelayTransport = 'udp' | 'tcp' | 'tls';

/** A failed renewal is tried again after these; the last one repeats. The servers that are there stay in use. */
const retry_delays_ms = [500, 1000, 2000, 5000, 15_000, 30_000];

interface Answer {
  username: string;
  ttl: number;
  uris: string[];
  iceServers: RTCIceServer[];
}

export interface IceServersOptions {
  /** `…/api/turn/credentials`. */
  url: string;
  token: TokenSource;
  policy: Policy;
  fetch: typeof fetch;
  /** Only these ways to the relay are used; all if absent. */
  relayTransports?: readonly RelayTransport[] | undefined;
}

/** The STUN and TURN servers with their credentials, fetched before anybody dials and renewed at half their life. */
export class IceServers extends Emitter<{ renewed: [RTCIceServer[]]; log: [string] }> {
  readonly #options: IceServersOptions;
  #servers: RTCIceServer[] | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #waiting = new Set<() => void>();
  #failures = 0;
  #running = false;

  constructor(options: IceServersOptions) {
    super();
    this.#options = options;
  }

  /** The last servers that were fetched; null before the first. */
  get servers(): RTCIceServer[] | null {
    return this.#servers;
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    void this.#fetch();
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

  async #fetch(): Promise<void> {
    let next_ms: number;
    try {
      const answer = await this.#request();
      if (!this.#running) return;
      this.#failures = 0;
      next_ms = (answer.ttl * 1000) / 2;
      this.#take(answer);
    } catch (error) {
      if (!this.#running) return;
      next_ms = retry_delays_ms[Math.min(this.#failures++, retry_delays_ms.length - 1)] ?? 0;
      this.emit('log', `TURN credentials could not be loaded: ${causeOf(error)}; next attempt in ${next_ms} ms`);
    }
    this.#timer = setTimeout(() => void this.#fetch(), next_ms);
  }

  async #request(may_retry = true): Promise<Answer> {
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
    const answer = (await response.json()) as Partial<Answer>;
    if (!Array.isArray(answer.iceServers) || !(Number(answer.ttl) > 0)) throw new Error('the answer has no iceServers or ttl');
    return { username: answer.username ?? '', uris: answer.uris ?? [], ttl: Number(answer.ttl), iceServers: answer.iceServers };
  }

  #take(answer: Answer): void {
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
