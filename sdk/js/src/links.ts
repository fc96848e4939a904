import type { AppChannel } from './app_channel.js';
import type { CallDeps } from './call_deps.js';
import { CallError } from './errors.js';
import { Emitter } from './events.js';
import { Link, type LinkEvents, type NegotiationMessage } from './link.js';
import type { Kind } from './peer.js';
import type { MediaKinds } from './protocol.js';
import type { Reading } from './stats.js';
import { Takeover } from './takeover.js';

interface LinksEvents extends Omit<LinkEvents, 'description'> {
  /** `fresh`: the offer of a new connection, for which the other side takes a new one, too. */
  description: [type: 'offer' | 'answer', generation: number, sdp: string, fresh: boolean];
  /** The same media over another connection. */
  replacedtrack: [kind: Kind, track: MediaStreamTrack];
  /** What has come so far is void. */
  reset: [];
}

export interface LinksOptions {
  deps: CallDeps;
  /** The stream under which the other side sees our tracks. */
  stream: MediaStream;
  /** What takes the app's messages over these connections. */
  app: AppChannel;
  /** Whether the server knows this side as the caller. */
  calling: () => boolean;
  /** What the other side said that it sends. */
  promised: () => MediaKinds;
}

/** A connection that is to take over. */
interface Next {
  takeover: Takeover;
  /** The generation that began it; null until our offer of it is out. */
  generation: number | null;
  begun_at: number;
}

/**
 * The connections of a call. It talks over one; when a network has changed, a second one is made beside it, and the first
 * plays on until what the other side sends comes over the second: ICE that begins anew on the first would hold on to its
 * dead pair for seconds. While there are two, everything new is negotiated for the second.
 */
export class Links extends Emitter<LinksEvents> {
  readonly #options: LinksOptions;
  #link: Link | null = null;
  /** Whether `#link` has sent or received an offer. */
  #begun = false;
  /** Whether sound or a picture has come over `#link`. */
  #heard = false;
  #next: Next | null = null;
  /** Connections that others have taken over from. */
  #leaving = new Map<Link, ReturnType<typeof setTimeout>>();
  /** What came from the other side before there was a connection for it. */
  #early: NegotiationMessage[] = [];
  /** The newest generation that either side has begun. */
  #newest = -1;
  /** The generation with which `#link` was begun in the place of another one; -1 if it was not. */
  #fresh_generation = -1;
  #tracks = new Map<Kind, MediaStreamTrack | null>();
  #answered = false;
  #slow = false;
  #held = false;
  /** Restarts of connections that are gone, and connections that took their place. */
  #past_restarts = 0;
  /** Our own network has changed, and no connection was made for it. */
  #moved_at = -Infinity;
  /** The socket to the server had to be replaced. */
  #resumed_at = -Infinity;
  #fresh_at = -Infinity;
  /** Until when the browser's word of a changed network is of the change that we have seen ourselves. */
  #echo_until = -Infinity;
  #quiet_timer: ReturnType<typeof setTimeout> | undefined;
  /** When ICE found a path for the connection in use. */
  #up_at = 0;
  #handshake_timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(options: LinksOptions) {
    super();
    this.#options = options;
  }

  get is_open(): boolean {
    return this.#link !== null;
  }

  get up(): boolean {
    return this.#link?.up ?? false;
  }

  /** Whether media would flow at once. */
  get ready(): boolean {
    return this.#link?.ready ?? false;
  }

  /** How often this side has begun a repair. */
  get restarts(): number {
    return this.#past_restarts + (this.#link?.restarts ?? 0) + (this.#next?.takeover.link.restarts ?? 0);
  }

  /** The newest that either side has begun; -1 before the first. */
  get generation(): number {
    return this.#newest;
  }

  get candidate_types(): { local: string[]; remote: string[] } {
    return this.#link?.candidate_types ?? { local: [], remote: [] };
  }

  /** The first connection; does nothing if there is one, or if the call is over. */
  open(): void {
    if (!this.#link && !this.#closed) this.#open(this.#options.calling(), false);
  }

  /** Another device is at the other end: what there was is closed. */
  openAnew(): void {
    this.#replace(this.#options.calling(), true);
  }

  /** Another device of ours has had the call until now, and has used this generation: nothing of it is for us. */
  continueAfter(generation: number): void {
    this.#newest = generation;
    if (this.#options.calling()) this.openAnew();
    else this.open();
  }

  /** What there was belonged to another call. */
  forget(): void {
    this.#past_restarts += this.#closeAll();
    this.#newest = -1;
    this.emit('reset');
  }

  close(): void {
    this.#closed = true;
    this.#closeAll();
    this.#tracks.clear();
    this.removeAllListeners();
  }

  /** The call is answered: what lacks now ends it some time, and silence is listened for. */
  handleAnswered(): void {
    this.#answered = true;
    this.#link?.revive(true);
    this.#link?.handleAnswered();
    // While it rang, the network has changed under a device that could not begin anew then.
    const moved = performance.now() - this.#moved_at < this.#options.deps.policy.moved_ms;
    if (moved && this.#link?.ever_up) this.#beginFresh('the network has changed while it rang');
    this.#awaitHandshake();
    // A path that has died while it rang is not silent by its counters: nothing was sent over it.
    this.#quiet_timer = setTimeout(() => {
      if (this.up && !this.#heard) this.#options.deps.suspectSocket();
    }, this.#options.deps.policy.quiet_ms);
  }

  handleMessage(message: NegotiationMessage): void {
    if (message.type === 'offer') {
      this.#newest = Math.max(this.#newest, message.generation);
      const asks = this.#link?.asks ?? false;
      if (message.fresh && (asks || this.#begun || this.#early.length > 0)) return this.#follow(message);
      // It is of the connection that we have given up; what we ask for counts, or is refused and comes again.
      if (asks) return;
    }
    const next = this.#next;
    if (message.type === 'offer' && next?.takeover.link.asks && message.generation >= (next.generation ?? Infinity)) {
      // It crossed our fresh offer, which is refused. The connection before has to answer, and ours comes again.
      this.#link?.handleMessage(message);
      this.#beginFresh('the other side has restarted ICE meanwhile');
      return;
    }
    const is_for_next = next !== null && next.generation !== null && message.generation >= next.generation;
    const link = is_for_next ? next.takeover.link : this.#link;
    if (message.type === 'offer' && link === this.#link) {
      this.#begun = true;
      if (!this.#next) link?.revive(true);
      this.#early = this.#early.filter((one) => one.generation >= message.generation);
    }
    if (link) link.handleMessage(message);
    else this.#early.push(message);
  }

  /** The server has refused our offer of `generation`; `stale`: it knows another one of this generation. */
  handleRefusedOffer(generation: number, stale: boolean): void {
    const next = this.#next;
    if (next?.generation === generation && next.takeover.link.asks) {
      if (stale) this.#beginFresh('its offer crossed another one');
      else this.#dropNext();
    } else if (generation === this.#fresh_generation && this.#link?.offers) {
      if (stale) this.#replace(true, true, true);
      // For another reason than the generation: it is the other side that begins anew, whatever number it takes.
      else this.#fresh_generation = -1;
    } else {
      // Another device of ours is connected while it rings: nobody listens to this one before the accept.
      const is_newest = this.#link?.offered === generation;
      if (is_newest && !stale && !this.#answered && !this.#options.calling()) this.#link?.retire();
      this.#link?.handleRefusedOffer(generation);
      next?.takeover.link.handleRefusedOffer(generation);
    }
  }

  handleNetworkChange(certain: boolean): void {
    if (!certain) {
      for (const link of [this.#link, this.#next?.takeover.link]) link?.handleNetworkChange(false);
      return;
    }
    const now = performance.now();
    const is_echo = now < this.#echo_until && (this.#next !== null || this.#link?.well);
    this.#echo_until = -Infinity;
    if (is_echo || now - this.#fresh_at < this.#options.deps.policy.moved_again_ms) return;
    if (this.#begun && this.#beginFresh('the network has changed')) return;
    this.#handleMoved();
  }

  /**
   * The socket to the server had to be replaced. If the path is ill as well, it is our network that has changed; as long as
   * nothing has been heard nobody knows whether it is.
   */
  handleResumed(): void {
    this.#resumed_at = performance.now();
    const link = this.#link;
    if (!link?.ever_up || this.#next) return;
    if (!this.#answered) this.#handleMoved();
    else if (!link.well || !this.#heard) this.#beginAfresh('the path and the socket were lost');
  }

  /** After a restart the server knows the call again. What was on its way between the two sides is lost. */
  handleRestored(generation: number): void {
    const calling = this.#options.calling();
    const link = this.#link;
    this.#newest = Math.max(this.#newest, generation);
    if ((this.#next?.takeover.link ?? link)?.asks) this.#beginFresh('its offer was lost');
    else if (this.#next) return;
    else if (link?.ever_up) {
      link.handleRefusedOffer(link.generation);
      if (calling) this.handleResumed();
    } else if (calling) this.openAnew();
  }

  handleOnline(): void {
    for (const link of [this.#link, this.#next?.takeover.link]) link?.handleOnline();
  }

  /** Sends `track` from now on, or nothing. */
  setTrack(kind: Kind, track: MediaStreamTrack | null): void {
    this.#tracks.set(kind, track);
    for (const link of [this.#link, this.#next?.takeover.link, ...this.#leaving.keys()]) link?.setTrack(kind, track);
  }

  /** The other side has said that it sends nothing now, or that it sends again. */
  setHeld(held: boolean): void {
    this.#held = held;
    for (const link of [this.#link, this.#next?.takeover.link]) link?.setHeld(held);
  }

  /** False if the other side takes no tones. */
  sendDtmf(tones: string, duration_ms: number, gap_ms: number): boolean {
    return this.#link?.sendDtmf(tones, duration_ms, gap_ms) ?? false;
  }

  /** Tells the other side over the data channel, as soon as there is one. */
  say(text: string): void {
    this.#link?.say(text);
  }

  /** Media flows: from now on the counters are read less often. */
  slowDown(): void {
    this.#slow = true;
    this.#link?.slowDown();
  }

  /** A change of the network for which no new connection is made at once. */
  #handleMoved(): void {
    this.#moved_at = performance.now();
    this.#link?.handleNetworkChange(true);
  }

  #open(offers: boolean, fresh: boolean, anew = false): void {
    const link = this.#make(offers, fresh, anew);
    this.#link = link;
    this.#start(link);
    for (const message of this.#early.splice(0)) this.handleMessage(message);
  }

  #make(offers: boolean, fresh: boolean, anew: boolean): Link {
    const { deps, stream, app } = this.#options;
    const link: Link = new Link({ deps, offers, fresh, stream, app, anew, generation: () => this.#newest, isReplaced: (moved: boolean): boolean => this.#isReplaced(link, moved) });
    let due = fresh;
    link.on('description', (type, generation, sdp) => {
      const is_fresh = due && type === 'offer';
      due &&= !is_fresh;
      this.#handleDescription(link, generation, is_fresh);
      this.emit('description', type, generation, sdp, is_fresh);
    });
    const takeover = (): Takeover | undefined => (this.#next?.takeover.link === link ? this.#next.takeover : undefined);
    const is_current = (): boolean => this.#link === link;
    link.on('candidate', (generation, candidate) => this.emit('candidate', generation, candidate));
    link.on('track', (kind, track) => (is_current() ? this.emit('track', kind, track) : takeover()?.handleTrack(kind, track)));
    link.on('word', (text) => this.emit('word', text));
    link.on('up', () => {
      this.emit('up');
      if (!is_current()) return;
      this.#up_at = performance.now();
      this.#awaitHandshake();
    });
    link.on('interrupted', () => is_current() && this.emit('interrupted'));
    link.on('restored', () => is_current() && this.emit('restored'));
    link.on('reading', (reading) => (is_current() ? this.#handleReading(reading) : takeover()?.handleReading(reading)));
    link.on('given_up', (reason) => (is_current() ? this.emit('given_up', reason) : this.#handleNextGivenUp()));
    link.on('unanswered', () => this.#beginFresh('the browser refused a step'));
    link.on('failed', (error) => (is_current() ? this.emit('failed', error) : this.#handleNextFailed(error)));
    link.on('log', (text) => this.emit('log', text));
    return link;
  }

  #start(link: Link): void {
    for (const [kind, track] of this.#tracks) link.setTrack(kind, track);
    link.setHeld(this.#held);
    if (this.#answered) link.handleAnswered();
    void link.open();
  }

  /**
   * DTLS waits twice as long after each packet that it has lost, while ICE has long found a path: where it takes too long, a
   * second connection is made beside it, and the first that is through carries the call. The caller does so; the callee waits
   * twice as long, for a caller who is through already does not know that the last word has not come.
   */
  #awaitHandshake(): void {
    const link = this.#link;
    if (!this.#answered || !link?.up || link.ready) return;
    clearTimeout(this.#handshake_timer);
    const usual_ms = Math.max(this.#options.deps.policy.handshake_wait_ms, 3 * link.found_after_ms);
    const wait_ms = (this.#options.calling() ? 1 : 2) * usual_ms - (performance.now() - this.#up_at);
    this.#handshake_timer = setTimeout(() => {
      if (link === this.#link && !this.#next && link.up && !link.ready) this.#beginFresh('the handshake takes too long');
    }, wait_ms);
  }

  #handleReading(reading: Reading): void {
    this.#heard ||= reading.audio_packets > 0 || reading.video_frames > 0;
    this.emit('reading', reading);
  }

  #handleDescription(link: Link, generation: number, is_fresh: boolean): void {
    this.#newest = Math.max(this.#newest, generation);
    if (this.#link === link) {
      this.#begun = true;
      if (is_fresh) this.#fresh_generation = generation;
    } else if (this.#next?.takeover.link === link) {
      this.#next.generation ??= generation;
      this.#link?.retire();
    }
  }

  /** Whether a new connection is made instead of a restart of ICE on `link`. */
  #isReplaced(link: Link, moved: boolean): boolean {
    if (link !== this.#link || this.#next || !link.ever_up) return false;
    const { moved_ms } = this.#options.deps.policy;
    const now = performance.now();
    if (now - this.#fresh_at < moved_ms || !(moved || now - this.#resumed_at < moved_ms)) return false;
    return this.#beginAfresh('the path is ill, and the network seems to have changed');
  }

  /** The network seems to have changed, and the browser has not told of it: when it does, that is nothing new. */
  #beginAfresh(cause: string): boolean {
    this.#echo_until = performance.now() + this.#options.deps.policy.told_late_ms;
    return this.#beginFresh(cause);
  }

  /** A new connection that we offer. Before the accept the caller alone may begin one (docs/protocol.md). */
  #beginFresh(cause: string): boolean {
    if (!this.#link || !(this.#answered || this.#options.calling())) return false;
    this.emit('log', `a new connection: ${cause}`);
    this.#past_restarts++;
    this.#moved_at = -Infinity;
    this.#fresh_at = performance.now();
    if (this.#answered && this.#link.ever_up) this.#setNext(this.#make(true, true, true), null);
    else this.#replace(true, true, true);
    return true;
  }

  /** The generation of our offer of a new connection that has no answer yet; -1 if there is none. */
  get #asked(): number {
    const next = this.#next;
    if (next) return next.takeover.link.asks ? (next.generation ?? -1) : -1;
    return this.#link?.asks ? this.#fresh_generation : -1;
  }

  /** The other side has begun a new connection. If we have as well, the later one stands: the server lets both pass. */
  #follow(message: NegotiationMessage): void {
    if (this.#asked > message.generation) return;
    if (!this.#link) this.#early = [message];
    else if (this.#heard || (this.#answered && this.#link.up && !this.#link.ready)) {
      this.emit('log', 'the other side takes a new connection');
      this.#setNext(this.#make(false, false, false), message.generation);
      this.#link.retire();
      this.#next?.takeover.link.handleMessage(message);
    } else {
      this.#replace(false, false);
      this.handleMessage(message);
    }
  }

  #replace(offers: boolean, fresh: boolean, anew = false): void {
    this.#past_restarts += this.#closeAll();
    this.emit('reset');
    this.#open(offers, fresh, anew);
  }

  #setNext(link: Link, generation: number | null): void {
    if (!this.#link) return;
    this.#closeNext();
    const { deps, promised } = this.#options;
    const takeover = new Takeover(link, this.#link, promised(), deps.policy.take_over_ms);
    this.#next = { takeover, generation, begun_at: performance.now() };
    takeover.on('track', (kind, track) => this.emit('replacedtrack', kind, track));
    takeover.on('done', () => this.#takeOver());
    this.#start(link);
  }

  #takeOver(): void {
    const old = this.#link;
    const next = this.#next;
    if (!old || !next) return;
    this.emit('log', `the new connection has taken over after ${Math.round(performance.now() - next.begun_at)} ms`);
    next.takeover.stop();
    this.#next = null;
    this.#link = next.takeover.link;
    this.#heard = true;
    this.#fresh_generation = -1;
    this.#past_restarts += old.restarts;
    if (this.#slow) this.#link.slowDown();
    this.#leaving.set(old, setTimeout(() => this.#leave(old), this.#options.deps.policy.linger_ms));
    this.emit('restored');
  }

  #leave(link: Link): void {
    clearTimeout(this.#leaving.get(link));
    this.#leaving.delete(link);
    link.close();
  }

  /** The connection that was to take over is of no use, and the one before goes on alone. */
  #dropNext(): void {
    this.#closeNext();
    this.#link?.revive();
  }

  #closeNext(): void {
    this.#past_restarts += this.#next?.takeover.link.restarts ?? 0;
    this.#next?.takeover.stop();
    this.#next?.takeover.link.close();
    this.#next = null;
  }

  #handleNextGivenUp(): void {
    if (!this.#next) return;
    if (this.#link?.well) this.#beginFresh('the last one has found no path');
    // The call has had a path, whether or not this connection ever did.
    else this.emit('given_up', 'ice_lost');
  }

  #handleNextFailed(error: CallError): void {
    if (!this.#next) return;
    this.emit('log', `the new connection has failed: ${error.verdict}`);
    const { offers } = this.#next.takeover.link;
    if (this.#next.generation !== null && !this.#link?.well) return this.emit('failed', error);
    // Theirs would stay without an answer, and nothing but a new connection passes before that.
    if (offers || !this.#beginFresh('the new connection has failed')) this.#dropNext();
  }

  /** Returns how many restarts are gone with them. */
  #closeAll(): number {
    clearTimeout(this.#quiet_timer);
    clearTimeout(this.#handshake_timer);
    for (const link of [...this.#leaving.keys()]) this.#leave(link);
    this.#closeNext();
    const restarts = this.#link?.restarts ?? 0;
    this.#link?.close();
    this.#link = null;
    this.#begun = this.#heard = false;
    this.#fresh_generation = -1;
    this.#early = [];
    return restarts;
  }
}
