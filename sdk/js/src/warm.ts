import { Emitter } from './events.js';
import type { IceServers } from './ice_servers.js';
import type { Policy } from './policy.js';

export interface WarmOptions {
  servers: IceServers;
  policy: Policy;
  iceTransportPolicy: RTCIceTransportPolicy;
  createPeerConnection: (configuration: RTCConfiguration, anew: boolean) => RTCPeerConnection;
}

/**
 * Keeps one RTCPeerConnection ready for the next call. Its candidate pool (JSEP, RFC 8829 section 3.5.4) gathers at
 * once, relay allocation included, so that a dial or an answer finds its candidates made.
 */
export class WarmConnection extends Emitter<{ log: [string] }> {
  readonly #options: WarmOptions;
  #ready: RTCPeerConnection | null = null;
  /** When the credentials that it was made with have lived half their life. */
  #stale_at = 0;
  #lifetime_timer: ReturnType<typeof setTimeout> | undefined;
  #refill_timer: ReturnType<typeof setTimeout> | undefined;
  #running = false;

  constructor(options: WarmOptions) {
    super();
    this.#options = options;
    options.servers.on('renewed', () => this.#handleRenewed());
  }

  start(): void {
    this.#running = true;
    if (this.#options.servers.servers) this.#make();
  }

  stop(): void {
    this.#running = false;
    this.#drop();
    this.#forgetRefill();
  }

  /**
   * The warm connection, or a new one; null if relay credentials are needed and there are none. Now the caller's. `anew`: what
   * was gathered before is worth nothing.
   */
  async take(anew: boolean): Promise<RTCPeerConnection | null> {
    const { servers, policy, iceTransportPolicy } = this.#options;
    const known = servers.servers ?? (await servers.wait(policy.credentials_wait_ms));
    if (iceTransportPolicy === 'relay' && !known?.some(hasRelay)) return null;
    const ready = anew ? null : this.#ready;
    if (this.#ready) {
      if (ready) this.#ready = null;
      this.#drop();
      this.#forgetRefill();
      this.#refill_timer = setTimeout(() => this.refill(), policy.warm_refill_ms);
    }
    if (ready) return ready;
    if (!known) this.emit('log', 'no TURN credentials yet: the call is tried without a relay');
    return this.#create(known ?? [], anew);
  }

  /** Makes the next one if there is none. */
  refill(): void {
    this.#forgetRefill();
    if (this.#running && !this.#ready && this.#options.servers.servers) this.#make();
  }

  /** The network has changed: what was gathered is worth nothing. */
  renew(): void {
    if (this.#ready) this.#make();
  }

  /** A relay that is allocated stays; only one whose credentials are old is worth another. */
  #handleRenewed(): void {
    if (this.#refill_timer !== undefined) return;
    if (!this.#ready || performance.now() >= this.#stale_at) this.#make();
  }

  #make(): void {
    if (!this.#running) return;
    this.#drop();
    const servers = this.#options.servers.servers;
    if (!servers) return;
    this.#stale_at = this.#options.servers.stale_at;
    this.#ready = this.#create(servers, false);
    this.#lifetime_timer = setTimeout(() => this.#make(), this.#options.policy.warm_lifetime_ms);
  }

  #create(iceServers: RTCIceServer[], anew: boolean): RTCPeerConnection {
    const configuration: RTCConfiguration = {
      iceServers,
      iceTransportPolicy: this.#options.iceTransportPolicy,
      iceCandidatePoolSize: 1,
      bundlePolicy: 'max-bundle',
      rtcpMuxPolicy: 'require',
    };
    return this.#options.createPeerConnection(configuration, anew);
  }

  #forgetRefill(): void {
    clearTimeout(this.#refill_timer);
    this.#refill_timer = undefined;
  }

  #drop(): void {
    clearTimeout(this.#lifetime_timer);
    this.#ready?.close();
    this.#ready = null;
  }
}

function hasRelay(server: RTCIceServer): boolean {
  return [server.urls].flat().some((uri) => /^turns?:/.test(uri));
}
