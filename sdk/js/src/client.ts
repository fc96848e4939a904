import { BlockChanges } from './blocks.js';
import { Call } from './call.js';
import type { CallDeps, CallInit } from './call_deps.js';
import { Connection, type ConnectionState } from './connection.js';
import { addressesOf, browserEnvironment, type Environment } from './environment.js';
import { CallError } from './errors.js';
import { Emitter } from './events.js';
import { Group } from './group.js';
import { IceServers, type RelayTransport } from './ice_servers.js';
import { Log, type LogOrigin } from './log.js';
import { Permissions, type Devices } from './media.js';
import { default_policy, type Policy } from './policy.js';
import type { MediaKinds, ServerMessage, Snapshot, TakeableCall, WarmPath } from './protocol.js';
import { TokenSource } from './token.js';
import { WarmConnection } from './warm.js';

/** Until the server has said how long it lets a call ring. */
const default_ring_timeout_ms = 45_000;
/** So many calls that are over are remembered. */
const max_over = 8;

export interface CallClientOptions {
  /** The server, for example https://calls.example.org. Default: where the page comes from. */
  url?: string;
  /** The token by which the app's backend vouches for the user; asked for again when it expires. */
  getToken: () => string | Promise<string>;
  /** What is wanted of microphone and camera. */
  devices?: Devices;
  /** `relay` hides this device's address from the other side. */
  iceTransportPolicy?: 'all' | 'relay';
  /** Only these ways to the relay. Default: all that the server has. */
  relayTransports?: readonly RelayTransport[];
  /**
   * How far calls connect while they ring, so that the answer is heard at once: `direct`, `relay` (nothing but relay
   * addresses is told before the accept) or `off`. Default: what the server says; a device can only be stricter.
   */
  warmPath?: WarmPath;
  /** Whether the SDK plays the other side's sound by itself. Default: yes. */
  playAudio?: boolean;
  /** Whether log lines also go to console.debug. */
  debug?: boolean;
  policy?: Partial<Policy>;
}

/** The app's backend asks this user to call somebody: `client.dial(to, media, call)`. Nobody has to. */
export interface Placement {
  call: string;
  to: string;
  media: MediaKinds;
}

interface ClientEvents {
  incoming: [Call];
  place: [Placement];
  /** Another device has made this call. */
  placed_elsewhere: [call: string];
  state: [ConnectionState];
  log: [text: string, origin: LogOrigin];
  error: [CallError];
}

/** A signed-in user on this device. Warms socket, credentials and relay at once, so that calls connect at once. */
export class CallClient extends Emitter<ClientEvents> {
  readonly #environment: Environment;
  readonly #options: CallClientOptions;
  readonly #policy: Policy;
  readonly #log: Log;
  readonly #connection: Connection;
  readonly #servers: IceServers;
  readonly #warm: WarmConnection;
  readonly #permissions: Permissions;
  #stopWatchingNetwork: () => void = () => undefined;
  readonly #calls = new Map<string, Call>();
  /** Incoming calls from somebody whom we are dialling ourselves; the app hears of them if our own call comes to nothing. */
  readonly #held = new Set<Call>();
  readonly #groups = new Map<string, Group>();
  /** Calls between members of a group: the app hears of them from the group alone. */
  readonly #grouped = new Set<Call>();
  /** Calls that the backend asks for. */
  readonly #placed = new Set<string>();
  /** The last calls that have ended, as a new session tells of them. */
  readonly #over = new Map<string, Snapshot>();
  #ring_timeout_ms = default_ring_timeout_ms;
  #offline_timer: ReturnType<typeof setTimeout> | undefined;
  #user: string | null = null;
  readonly #blocks = new BlockChanges((message) => this.#connection.send(message));
  #asking: ((calls: TakeableCall[]) => void)[] = [];
  #closed = false;

  constructor(options: CallClientOptions, environment: Environment = browserEnvironment()) {
    super();
    this.#options = options;
    this.#environment = environment;
    this.#policy = { ...default_policy, ...options.policy };
    this.#log = new Log(options.debug ?? false);
    const { socket, credentials } = addressesOf(options.url ?? environment.origin);
    const token = new TokenSource(options.getToken, this.#policy.token_timeout_ms);
    this.#connection = new Connection({
      url: socket,
      token,
      policy: this.#policy,
      openSocket: environment.openSocket,
      warm_path: options.warmPath,
    });
    this.#permissions = new Permissions(environment.permissions);
    this.#servers = new IceServers({
      url: credentials,
      token,
      policy: this.#policy,
      fetch: environment.fetch,
      relayTransports: options.relayTransports,
    });
    this.#warm = new WarmConnection({
      servers: this.#servers,
      policy: this.#policy,
      iceTransportPolicy: options.iceTransportPolicy ?? 'all',
      createPeerConnection: environment.createPeerConnection,
    });
    this.#listen();
    this.#start();
  }

  /** Whether the server can be reached. */
  get state(): ConnectionState {
    return this.#connection.state;
  }

  /** Who this is, as the server says; null before the first connection. */
  get user(): string | null {
    return this.#user;
  }

  /** The calls that have not ended; those of groups are their members'. */
  get calls(): readonly Call[] {
    return [...this.#calls.values()].filter((call) => !this.#held.has(call) && !this.#grouped.has(call));
  }

  /**
   * Becomes a member of a room, which has four at most, and connects with all of them. Fulfilled as soon as we are one;
   * rejected with a CallError, `room_full` if there is no place. A room that we are in already is given back as it is.
   */
  async join(room: string, { media = { audio: true, video: true } }: { media?: Partial<MediaKinds> } = {}): Promise<Group> {
    if (!/^[\w.-]{1,64}$/.test(room)) throw new CallError('error', 'A room has a name of 1 to 64 letters, digits, "-", "_" and ".".', false);
    const known = this.#groups.get(room);
    if (known) return known.joined;
    if (this.#closed) this.#start();
    const group = new Group(this.#deps, { makeCall: (deps, init) => this.#makeGrouped(deps, init), ended: () => this.#groups.delete(room) }, room);
    this.#groups.set(room, group);
    this.#connection.probe();
    group.start({ audio: media.audio ?? false, video: media.video ?? false });
    return group.joined;
  }

  /**
   * Calls `user`. Returns at once; how it goes is told by the call. If `user` is calling us at this moment, that call is
   * answered and returned. `id` is that of a `place` event.
   */
  dial(user: string, media: Partial<MediaKinds> = { audio: true }, id = randomCallId()): Call {
    const kinds = { audio: media.audio ?? false, video: media.video ?? false };
    const incoming = this.calls.find((one) => one.peer === user && one.direction === 'incoming' && one.state === 'ringing');
    if (incoming) {
      incoming.accept(kinds);
      return incoming;
    }
    this.#placed.delete(id);
    const call = new Call(this.#deps, { id, peer: user, direction: 'outgoing', media: kinds });
    this.#track(call);
    if (this.#closed) this.#start();
    this.#connection.probe();
    this.#log.write(`dialling ${user}`, call.id);
    call.start();
    return call;
  }

  /** The answered calls that other devices of this user have, to be taken; none while the server cannot be reached. */
  callsElsewhere(): Promise<TakeableCall[]> {
    if (this.state !== 'online') return Promise.resolve([]);
    return new Promise((resolve) => {
      this.#asking.push(resolve);
      this.#connection.send({ type: 'elsewhere' });
    });
  }

  /** Goes on here with a call of another device of this user; there it ends with `answered_elsewhere`. Returns at once. */
  take({ call: id, peer, role }: TakeableCall, media: Partial<MediaKinds> = { audio: true }): Call {
    const kinds = { audio: media.audio ?? false, video: media.video ?? false };
    const call = new Call(this.#deps, { id, peer, direction: role === 'caller' ? 'outgoing' : 'incoming', media: kinds, takes: true });
    // Its end on this device, if it has been here before, is no news any more.
    this.#over.delete(id);
    this.#track(call);
    call.take();
    return call;
  }

  /**
   * No more calls between this user and that one, on any device: a dial of either ends with `blocked`, and nothing of it is
   * heard at the other end. A call that was answered goes on. Fulfilled once the server has it.
   */
  block(user: string): Promise<void> {
    return this.#changeBlock('block', user);
  }

  /** Takes that back. */
  unblock(user: string): Promise<void> {
    return this.#changeBlock('unblock', user);
  }

  #changeBlock(type: 'block' | 'unblock', user: string): Promise<void> {
    if (this.#closed) this.#start();
    return this.#blocks.make(type, user);
  }

  /** Ends all calls and the session. A dial begins a new one. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#offline_timer);
    this.#offline_timer = undefined;
    this.#held.clear();
    for (const group of this.#groups.values()) group.leave();
    for (const call of this.calls) call.end();
    globalThis.removeEventListener?.('pagehide', this.#handlePageHide);
    this.#stopWatchingNetwork();
    globalThis.document?.removeEventListener('visibilitychange', this.#handleVisibility);
    this.#connection.close();
    this.#blocks.handleSessionLost(new CallError('signaling_lost'));
    this.#servers.stop();
    this.#warm.stop();
  }

  #start(): void {
    this.#closed = false;
    globalThis.addEventListener?.('pagehide', this.#handlePageHide);
    this.#stopWatchingNetwork = this.#environment.watchNetwork((certain) => this.#handleNetworkChange(certain));
    globalThis.document?.addEventListener('visibilitychange', this.#handleVisibility);
    this.#connection.start();
    this.#servers.start();
    this.#warm.start();
  }

  #listen(): void {
    this.#log.on('line', (text, origin) => this.emit('log', text, origin));
    for (const part of [this.#connection, this.#servers, this.#warm] as Emitter<{ log: [string] }>[]) {
      part.on('log', (text) => this.#log.write(text));
    }
    this.#connection.on('state', (state) => this.#handleConnectionState(state));
    this.#connection.on('welcome', (welcome) => {
      this.#user = welcome.user;
      this.#ring_timeout_ms = welcome.ring_timeout_ms || default_ring_timeout_ms;
      this.#servers.handleWelcome();
      if (welcome.resumed) for (const call of this.#calls.values()) call.handleResumed();
    });
    this.#connection.on('credentials', (frame) => this.#servers.handlePushed(frame));
    this.#connection.on('message', (message) => this.#handleMessage(message));
    this.#connection.on('error', (error) => this.#handleError(error));
    this.#connection.on('session_lost', (cause) => {
      for (const resolve of this.#asking.splice(0)) resolve([]);
      this.#blocks.handleSessionLost(cause);
      // Held calls go first, as the end of our own would show them to the app.
      if (!cause) {
        // Its relay address may have gone with the server's process.
        this.#warm.renew();
        for (const group of this.#groups.values()) group.handleSessionLost();
        for (const over of this.#over.values()) this.#connection.send(over);
      }
      for (const call of [...this.#held, ...this.#calls.values()]) call.handleSessionLost(cause);
      if (cause) for (const group of this.#groups.values()) group.finish(cause);
    });
  }

  #handleConnectionState(state: ConnectionState): void {
    if (state === 'online' || state === 'closed') {
      clearTimeout(this.#offline_timer);
      this.#offline_timer = undefined;
    } else if (!this.#closed) {
      this.#offline_timer ??= setTimeout(() => this.#handleLongOffline(), this.#policy.session_lifetime_ms);
    }
    if (state === 'online') {
      for (const call of this.#calls.values()) call.handleOnline();
      this.#heedSetUp();
    }
    this.emit('state', state);
  }

  #handleLongOffline(): void {
    for (const call of [...this.#held, ...this.#calls.values()]) call.handleLongOffline();
  }

  #handleMessage(message: ServerMessage): void {
    const call = message.call === undefined ? undefined : this.#calls.get(message.call);
    if (call) return call.handleMessage(message);
    if ('room' in message && message.room !== undefined) return this.#groups.get(message.room)?.handleMessage(message);
    if ('user' in message) this.#blocks.handleAnswer(message);
    if (message.type === 'incoming') this.#handleIncoming(message);
    if (message.type === 'place' && (message.age_ms || 0) < this.#ring_timeout_ms) this.#handlePlace(message);
    if (message.type === 'ended' && this.#placed.delete(message.call)) this.emit('placed_elsewhere', message.call);
    if (message.type === 'elsewhere') this.#asking.shift()?.(message.calls);
    if (message.type === 'error' && message.call === undefined) this.#log.write(`the server refused a message: ${message.code}: ${message.message}`);
  }

  #handleIncoming(message: ServerMessage & { type: 'incoming' }): void {
    if (this.#over.has(message.call)) return;
    this.#log.write(`${message.from} calls`, message.call);
    const own = this.#dialled(message.from);
    if (own && message.call < own.id) return this.#replaceOwn(own, message);
    const call = new Call(this.#deps, { id: message.call, peer: message.from, direction: 'incoming', media: message.media, warm_path: message.warm_path });
    if (!own && this.#busy()) return call.reject('busy');
    this.#track(call);
    call.ring(message.age_ms || 0);
    if (own) this.#held.add(call);
    else this.#show(call);
  }

  #handlePlace({ call, to, media }: Placement): void {
    this.#log.write(`the backend asks for a call to ${to}`, call);
    this.#placed.add(call);
    this.emit('place', { call, to, media });
  }

  #show(call: Call): void {
    call.warmUp();
    this.emit('incoming', call);
  }

  /**
   * Two users dial each other. Both sides know both ids, and of the two calls the one with the lower id goes on: our own,
   * higher one becomes it, and is answered, as our person wants to talk. The side that dialled it keeps dialling and holds
   * the other one back.
   */
  #replaceOwn(own: Call, message: ServerMessage & { type: 'incoming' }): void {
    this.#calls.delete(own.id);
    this.#calls.set(message.call, own);
    own.become(message);
  }

  /** Our own unanswered call to `user`. */
  #dialled(user: string): Call | undefined {
    return this.calls.find((call) => call.peer === user && call.direction === 'outgoing' && isUnanswered(call));
  }

  /** Our own call has come to nothing: what was held back for it rings now. */
  #releaseHeld(): void {
    for (const call of [...this.#held]) {
      if (this.#dialled(call.peer)) continue;
      this.#held.delete(call);
      if (this.#busy()) call.reject('busy');
      else this.#show(call);
    }
  }

  #busy(): boolean {
    return this.#policy.busy_in_call && (this.#groups.size > 0 || this.calls.some(isAnswered));
  }

  #handleError(error: CallError): void {
    this.#log.write(`error: ${error.verdict}`);
    this.emit('error', error);
  }

  #track(call: Call): void {
    this.#calls.set(call.id, call);
    call.on('state', (state) => {
      if (state === 'ended') {
        this.#calls.delete(call.id);
        this.#held.delete(call);
        this.#grouped.delete(call);
        this.#remember(call);
        this.#releaseHeld();
      }
      if (state === 'ended' || state === 'connected') this.#warm.refill();
      this.#heedSetUp();
    });
    this.#heedSetUp();
  }

  #makeGrouped(deps: CallDeps, init: Omit<CallInit, 'id'> & { id?: string }): Call {
    const call = new Call(deps, { id: randomCallId(), ...init });
    this.#grouped.add(call);
    this.#track(call);
    return call;
  }

  /** Should the server lose the word that this call is over, it is told again. */
  #remember(call: Call): void {
    this.#over.set(call.id, call.snapshot());
    for (const oldest of this.#over.keys()) if (this.#over.size > max_over) this.#over.delete(oldest);
  }

  /** While a call is made or repaired, everything hangs on the server being reached. */
  #heedSetUp(): void {
    const calls = [...this.#calls.values()];
    // Of a call that has ended without the server, the other side waits to hear.
    const untold = this.#over.size > 0 && this.#connection.state !== 'online';
    this.#connection.setUrgent(calls.some((call) => call.state !== 'connected'), calls.length > 0 || untold);
  }

  get #deps(): CallDeps {
    return {
      send: (message) => this.#connection.send(message),
      takeConnection: (anew) => this.#warm.take(anew),
      iceServers: () => this.#servers.servers,
      mayWarm: () => [...this.#calls.values()].filter((call) => call.warming).length < this.#policy.warm_ringing_limit,
      devicesAllowed: () => this.#permissions.allowed,
      suspectSocket: () => this.#connection.suspect(),
      online: () => this.#connection.state === 'online',
      getUserMedia: this.#environment.getUserMedia,
      getDisplayMedia: this.#environment.getDisplayMedia,
      devices: this.#options.devices ?? {},
      playAudio: this.#options.playAudio ?? true,
      policy: this.#policy,
      log: (text, call) => this.#log.write(text, call),
      ringTimeout: () => this.#ring_timeout_ms,
      error: (error) => this.#handleError(error),
      accepted: (accepted) => this.#rejectOthersFrom(accepted),
    };
  }

  /** We talk to them: what else comes from them is of no use. */
  #rejectOthersFrom(accepted: Call): void {
    for (const call of [...this.#calls.values()]) if (call !== accepted && call.peer === accepted.peer) call.reject('busy');
  }

  readonly #handlePageHide = (event: PageTransitionEvent): void => {
    this.close();
    // The browser may show the page again from its memory.
    if (event.persisted) globalThis.addEventListener('pageshow', () => this.#start(), { once: true });
  };

  #handleNetworkChange(certain: boolean): void {
    this.#log.write(`the network ${certain ? 'has changed' : 'may have changed'}`);
    if (certain) {
      this.#connection.renew();
      this.#warm.renew();
    } else this.#connection.probe();
    for (const call of this.#calls.values()) call.handleNetworkChange(certain);
  }

  /** A page that was in the background may come back with a dead socket. */
  readonly #handleVisibility = (): void => {
    if (document.visibilityState === 'visible') this.#connection.probe();
  };
}

function isAnswered(call: Call): boolean {
  return call.state === 'connecting' || call.state === 'connected' || call.state === 'reconnecting';
}

function isUnanswered(call: Call): boolean {
  return call.state === 'dialing' || call.state === 'ringing';
}

/** `c_` and 128 bits of chance as 22 letters of base64url (docs/protocol.md). */
function randomCallId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `c_${btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')}`;
}
