import type { AppChannel } from './app_channel.js';
import type { CallDeps } from './call_deps.js';
import { CallError, causeOf } from './errors.js';
import { Emitter } from './events.js';
import { Path } from './path.js';
import { Peer, type Kind } from './peer.js';
import type { IceCandidate, ServerMessage } from './protocol.js';
import type { Reading } from './stats.js';
import { Watch } from './watch.js';

export interface LinkEvents {
  description: [type: 'offer' | 'answer', generation: number, sdp: string];
  candidate: [generation: number, candidate: IceCandidate];
  track: [kind: Kind, track: MediaStreamTrack];
  /** What the other side says over the data channel. */
  word: [text: string];
  /** ICE has a path, for the first time. */
  up: [];
  interrupted: [];
  restored: [];
  reading: [Reading];
  /** An offer of the other side stays without an answer, for the browser has refused it. */
  unanswered: [];
  /** No path for too long. */
  given_up: ['ice_failed' | 'ice_lost'];
  /** The call cannot go on. */
  failed: [CallError];
  log: [string];
}

export interface LinkOptions {
  deps: CallDeps;
  /** Whether this side makes the first offer, and is the first to repair. */
  offers: boolean;
  /** The stream under which the other side sees our tracks. */
  stream: MediaStream;
  /** What takes the app's messages over this connection. */
  app: AppChannel;
  /** The newest generation of the call, over all its connections. */
  generation: () => number;
  /** Whether the first offer asks the other side for a new connection, too. */
  fresh?: boolean;
  /** Whether the connection before this one has stood on a network that is gone: then nothing gathered before is of use. */
  anew?: boolean;
  /** Asked before ICE is restarted: true if a new connection is made instead. `moved`: our own network seems to have changed. */
  isReplaced?: (moved: boolean) => boolean;
}

export type NegotiationMessage = ServerMessage & { type: 'offer' | 'answer' | 'ice-candidate' };

/**
 * One connection of a call to one device of the other side, from the moment it is asked for until it is closed: its peer
 * connection, the path and its repair, and the counters. A call talks over one at a time (links.ts).
 */
export class Link extends Emitter<LinkEvents> {
  readonly #options: LinkOptions;
  readonly #path: Path;
  #peer: Peer | null = null;
  #watch: Watch | null = null;
  /** What came from the other side before there was a connection to take it. */
  #early: NegotiationMessage[] = [];
  #tracks = new Map<Kind, MediaStreamTrack | null>();
  #word: string | null = null;
  #answered = false;
  #ever_up = false;
  #restarts = 0;
  #direct_timer: ReturnType<typeof setTimeout> | undefined;
  #last_reading: Reading | null = null;
  /** Whether a description of the other side has come for it. */
  #met = false;
  #closed = false;

  constructor(options: LinkOptions) {
    super();
    this.#options = options;
    this.#path = new Path(options.deps.policy, options.offers);
    this.#path.on('restart', (cause, moved) => this.#repair(cause, moved));
    this.#path.on('quiet', () => options.deps.suspectSocket());
    this.#path.on('interrupted', () => this.emit('interrupted'));
    this.#path.on('restored', () => this.emit('restored'));
    this.#path.on('given_up', (ever) => this.emit('given_up', ever ? 'ice_lost' : 'ice_failed'));
  }

  get up(): boolean {
    return this.#path.up;
  }

  /** Whether media would flow at once. */
  get ready(): boolean {
    return this.up && (this.#peer?.secure ?? false);
  }

  /** How long ICE took for its first path; 0 before. */
  get found_after_ms(): number {
    return this.#path.found_after_ms;
  }

  /** Whether there is a path and something comes over it. */
  get well(): boolean {
    return this.#path.well;
  }

  /** Whether there has ever been a path. */
  get ever_up(): boolean {
    return this.#ever_up;
  }

  /** Whether this side makes the first offer. */
  get offers(): boolean {
    return this.#options.offers;
  }

  /** Whether it began with our asking for a new connection, and the other side has not answered that. */
  get asks(): boolean {
    return this.offers && (this.#options.fresh ?? false) && !this.#met;
  }

  /** The newest generation that it knows. */
  get generation(): number {
    return this.#peer?.generation ?? -1;
  }

  /** The generation of our newest offer; -1 before. */
  get offered(): number {
    return this.#peer?.offered ?? -1;
  }

  /** Restarts of ICE that this side has begun. */
  get restarts(): number {
    return this.#restarts;
  }

  get candidate_types(): { local: string[]; remote: string[] } {
    return { local: [...(this.#peer?.types.local ?? [])], remote: [...(this.#peer?.types.remote ?? [])] };
  }

  /** Takes a connection, and makes the first offer if that is this side's part. */
  async open(): Promise<void> {
    const { deps, offers, stream, app, generation, anew = false } = this.#options;
    let connection: RTCPeerConnection | null;
    try {
      connection = await deps.takeConnection(anew);
    } catch (error) {
      return this.#handleBroken(error);
    }
    if (this.#closed) return connection?.close();
    if (!connection) {
      return this.emit('failed', new CallError('credentials', 'The server gave no relay credentials, and this call must use the relay.', true));
    }
    const peer = new Peer(connection, { stream, app, generation, iceServers: deps.iceServers });
    this.#peer = peer;
    this.#listen(peer);
    for (const [kind, track] of this.#tracks) peer.setTrack(kind, track);
    if (this.#word !== null) peer.say(this.#word);
    if (offers) peer.offer();
    for (const message of this.#early.splice(0)) this.#pass(peer, message);
  }

  handleMessage(message: NegotiationMessage): void {
    this.#met ||= message.type === 'offer' || (message.type === 'answer' && message.generation === this.offered);
    if (this.#peer) this.#pass(this.#peer, message);
    else this.#early.push(message);
  }

  handleRefusedOffer(generation: number): void {
    this.#peer?.handleRefusedOffer(generation);
  }

  /** The call is answered: what lacks now ends it some time, and silence is listened for. */
  handleAnswered(): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#path.expect();
    if (this.up) this.#watchMedia();
  }

  /** Another connection is to take over: this one only plays on what still comes. */
  retire(): void {
    this.#path.retire();
  }

  /** Nothing takes over. `calm`: something comes that may well repair it. */
  revive(calm = false): void {
    this.#path.revive(calm);
  }

  handleNetworkChange(certain: boolean): void {
    this.#path.handleNetworkChange(certain);
  }

  handleOnline(): void {
    this.#path.handleOnline();
  }

  /** Sends `track` from now on, or nothing. */
  setTrack(kind: Kind, track: MediaStreamTrack | null): void {
    this.#tracks.set(kind, track);
    this.#peer?.setTrack(kind, track);
  }

  /** The other side has said that it sends nothing now, or that it sends again. */
  setHeld(held: boolean): void {
    this.#path.setHeld(held);
  }

  /** False if the other side takes no tones. */
  sendDtmf(tones: string, duration_ms: number, gap_ms: number): boolean {
    return this.#peer?.sendDtmf(tones, duration_ms, gap_ms) ?? false;
  }

  /** Tells the other side over the data channel, as soon as there is one. */
  say(text: string): void {
    this.#word = text;
    this.#peer?.say(text);
  }

  /** Media flows: from now on the counters are read less often. */
  slowDown(): void {
    this.#watch?.slowDown();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#direct_timer);
    this.#watch?.stop();
    this.#path.stop();
    this.#peer?.close();
    this.#early = [];
    this.#tracks.clear();
    this.removeAllListeners();
  }

  #listen(peer: Peer): void {
    peer.on('description', (type, generation, sdp) => {
      this.emit('description', type, generation, sdp);
      if (type === 'offer') this.#path.handleOffered();
    });
    peer.on('candidate', (generation, candidate) => this.emit('candidate', generation, candidate));
    peer.on('described', () => this.#path.handleDescribed());
    peer.on('ice', (state) => this.#handleIceState(state));
    peer.on('track', (kind, track) => this.emit('track', kind, track));
    peer.on('word', (text) => this.emit('word', text));
    peer.on('unanswered', () => this.emit('unanswered'));
    peer.on('broken', (error) => this.#handleBroken(error));
    peer.on('log', (text) => this.emit('log', text));
  }

  #pass(peer: Peer, message: NegotiationMessage): void {
    if (message.type === 'offer') peer.handleOffer(message.generation, message.sdp);
    if (message.type === 'answer') peer.handleAnswer(message.generation, message.sdp);
    if (message.type === 'ice-candidate') peer.handleCandidate(message.generation, message.candidate);
  }

  #repair(cause: string, moved: boolean): void {
    if (!this.#peer) return;
    if (!this.#options.isReplaced?.(moved)) this.#restart(cause);
    this.#options.deps.suspectSocket();
  }

  #restart(cause: string): void {
    this.#restarts++;
    this.emit('log', `ICE restart: ${cause}`);
    this.#peer?.restart();
  }

  #handleIceState(state: RTCIceConnectionState): void {
    const was_up = this.up;
    this.#path.handleIceState(state);
    if (this.#closed) return;
    if (state === 'disconnected' || state === 'failed') this.emit('log', `ICE ${state}`);
    if (was_up || !this.up) return;
    this.emit('log', 'ICE connected');
    if (!this.#ever_up) this.emit('up');
    this.#ever_up = true;
    if (this.#answered) this.#watchMedia();
  }

  #watchMedia(): void {
    const { policy } = this.#options.deps;
    const peer = this.#peer;
    if (this.#watch || !peer) return;
    this.#watch = new Watch(() => peer.stats(), policy);
    this.#watch.on('reading', (reading) => this.#handleReading(reading));
    this.#watch.start();
    const wait_ms = policy.direct_after_ms + (this.#options.offers ? 0 : policy.callee_patience_ms);
    this.#direct_timer = setTimeout(() => this.#seekDirect(), wait_ms);
  }

  #handleReading(reading: Reading): void {
    this.#last_reading = reading;
    this.#path.handlePackets(reading.audio_packets > 0 ? reading.packets_received : 0);
    this.emit('reading', reading);
  }

  /** A browser that keeps the first pair that it has chosen (Firefox) stays on the relay until ICE begins anew. */
  #seekDirect(): void {
    const pair = this.#last_reading?.pair;
    if (!this.up || !pair || (pair.local !== 'relay' && pair.remote !== 'relay') || this.#last_reading?.direct_tried) return;
    const { local, remote } = this.candidate_types;
    if ([local, remote].every((types) => types.some((type) => type !== 'relay'))) this.#restart('a direct path may be there');
  }

  #handleBroken(error: unknown): void {
    if (!this.#closed) this.emit('failed', new CallError('error', `The browser refused a step of the call: ${causeOf(error)}`));
  }
}
