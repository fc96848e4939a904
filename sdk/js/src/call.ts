import type { CallDeps, CallInit } from './call_deps.js';
import { CallError, causeOf } from './errors.js';
import { Emitter } from './events.js';
import { LocalMedia } from './local_media.js';
import { Path } from './path.js';
import { Peer, type Kind } from './peer.js';
import type { HangupReason, MediaKinds, RejectReason, ServerMessage } from './protocol.js';
import { RemoteMedia } from './remote_media.js';
import { Timeline, type CallReport, type CallState, type Direction } from './report.js';
import type { Reading, SelectedPair } from './stats.js';
import { Watch } from './watch.js';

interface CallEvents {
  state: [CallState];
  /** Once; the call is over and everything it held is given back. */
  ended: [CallError];
  /** The other side's media; again when a kind is added to it. */
  remotestream: [MediaStream];
  /** Our own media, as soon as a device is open; again when a device is added to it. */
  localstream: [MediaStream];
}

/** What is said here when this side does not take a call. */
const own_rejections: Readonly<Record<RejectReason, string | undefined>> = {
  declined: 'You declined the call.',
  busy: 'You were in another call.',
  media_denied: undefined,
};

/** Errors that say that the server has no such call of ours; the others concern one message of it. */
const fatal_errors = ['self_call', 'too_many_calls', 'bad_call_id', 'unknown_call', 'not_in_call'];

/** One call with one party. Its verbs may be called in any state, and twice; those that make no sense do nothing. */
export class Call extends Emitter<CallEvents> {
  /** The user on the other side. */
  readonly peer: string;
  readonly direction: Direction;
  /**
   * Fulfilled when what the other side promised is decoded here (its sound played or received, its picture decoded) and
   * packets of ours have left on the path that ICE has checked in both directions. It says nothing about what the other
   * side decodes: its own `connected` does; hearing of it would take a report (RTCP) of up to seconds. Rejected with a
   * CallError if the call ends before.
   */
  readonly connected: Promise<void>;
  readonly #deps: CallDeps;
  readonly #timeline = new Timeline();
  readonly #local: LocalMedia;
  #path: Path;
  readonly #remote: RemoteMedia;
  #id: string;
  /** Whether the server knows this side as the caller, which makes the first offer and repairs the path. */
  #calling: boolean;
  #media: { local: MediaKinds; remote: MediaKinds };
  #state: CallState;
  #peer: Peer | null = null;
  #watch: Watch | null = null;
  /** What came from the other side before there was a connection to take it. */
  #early: ServerMessage[] = [];
  #pair: SelectedPair | null = null;
  #end: CallError | null = null;
  #resolve: () => void = () => undefined;
  #reject: (error: CallError) => void = () => undefined;
  #dial_timer: ReturnType<typeof setInterval> | undefined;
  #ring_timer: ReturnType<typeof setTimeout> | undefined;
  #media_timer: ReturnType<typeof setTimeout> | undefined;

  /** @internal */
  constructor(deps: CallDeps, init: CallInit) {
    super();
    this.#deps = deps;
    this.#id = init.id;
    this.peer = init.peer;
    this.direction = init.direction;
    this.#calling = init.direction === 'outgoing';
    this.#state = init.direction === 'outgoing' ? 'dialing' : 'ringing';
    const none = { audio: false, video: false };
    this.#media = init.direction === 'outgoing' ? { local: init.media, remote: none } : { local: none, remote: init.media };
    this.connected = new Promise((resolve, reject) => ([this.#resolve, this.#reject] = [resolve, reject]));
    this.connected.catch(() => undefined);
    this.#local = new LocalMedia({ ...deps, camera_release_ms: deps.policy.camera_release_ms });
    this.#local.on('track', (kind, track) => this.#handleLocalTrack(kind, track));
    this.#local.on('log', (text) => this.#log(text));
    this.#remote = new RemoteMedia(deps.playAudio);
    this.#remote.on('stream', (stream) => this.emit('remotestream', stream));
    this.#remote.on('log', (text) => this.#log(text));
    this.#path = this.#makePath();
  }

  /** Changes once if both have dialled each other and the other side's call is the one that goes on. */
  get id(): string {
    return this.#id;
  }

  get state(): CallState {
    return this.#state;
  }

  /** What the other side said that it sends. */
  get remoteMedia(): MediaKinds {
    return { ...this.#media.remote };
  }

  /** Null until a device is open. */
  get localStream(): MediaStream | null {
    return this.#local.stream.getTracks().length > 0 ? this.#local.stream : null;
  }

  /** Null until the other side's media is announced. */
  get remoteStream(): MediaStream | null {
    return this.#remote.stream;
  }

  /** Why the call ended; null while it lives. */
  get end_cause(): CallError | null {
    return this.#end;
  }

  /** Answers an incoming call. Without `media`: with what the caller sends. */
  accept(media?: Partial<MediaKinds>): void {
    if (this.direction !== 'incoming' || this.#state !== 'ringing') return;
    this.#media.local = media ? { audio: media.audio ?? false, video: media.video ?? false } : { ...this.#media.remote };
    this.#answer();
    this.#openDevices();
    void this.#openPeer();
  }

  /** Declines an incoming call. */
  reject(reason: RejectReason = 'declined'): void {
    if (this.direction !== 'incoming' || this.#state !== 'ringing') return;
    this.#deps.send({ type: 'reject', call: this.id, reason });
    this.#finish(new CallError(reason, own_rejections[reason], false));
  }

  /** Hangs up, or gives up dialling, or declines. */
  end(): void {
    if (this.direction === 'incoming' && this.#state === 'ringing') return this.reject();
    if (this.#state === 'ended') return;
    const answered = this.#state !== 'dialing' && this.#state !== 'ringing';
    this.#hangUp('hangup', answered ? new CallError('hangup', 'You ended the call.') : new CallError('canceled', 'You gave up the call.'));
  }

  /** Opens or mutes the microphone. Resolves to whether it is on; failures are reported as the client's `error`. */
  setMicrophone(on: boolean): Promise<boolean> {
    return this.#setDevice('audio', on);
  }

  /** Switches the camera; off releases it. Resolves to whether it is on; failures are reported as the client's `error`. */
  setCamera(on: boolean): Promise<boolean> {
    return this.#setDevice('video', on);
  }

  /** How the call goes or went; at any time. */
  report(): CallReport {
    const relayed = this.#pair !== null && (this.#pair.local === 'relay' || this.#pair.remote === 'relay');
    return {
      call: this.id,
      peer: this.peer,
      direction: this.direction,
      state: this.#state,
      media: { local: { ...this.#media.local }, remote: { ...this.#media.remote } },
      timeline: this.#timeline.entries(),
      time_to_connect_ms: this.#timeline.between('accepted', 'connected'),
      dial_to_connect_ms: this.#timeline.at('connected'),
      selected_pair: this.#pair && { ...this.#pair },
      path: this.#pair === null ? null : relayed ? 'relay' : 'direct',
      candidate_types: { local: [...(this.#peer?.types.local ?? [])], remote: [...(this.#peer?.types.remote ?? [])] },
      end_reason: this.#end?.code ?? null,
      verdict: this.#end?.verdict ?? null,
    };
  }

  /** @internal An outgoing call begins. */
  start(): void {
    this.#timeline.mark('dialed');
    this.#deps.send({ type: 'dial', call: this.id, to: this.peer, media: this.#media.local });
    this.#openDevices();
    void this.#openPeer();
    this.#dial_timer = setInterval(() => {
      if (this.#state === 'dialing' && !this.#deps.online()) this.#giveUpRinging(new CallError('signaling_lost'));
    }, this.#deps.policy.dial_timeout_ms);
  }

  /** @internal An incoming call begins; it was dialled `age_ms` ago. */
  ring(age_ms: number): void {
    this.#timeline.mark('incoming');
    this.#deps.send({ type: 'ringing', call: this.id });
    this.#limitRinging(age_ms);
  }

  /**
   * @internal Both have dialled each other, and `incoming`, the other side's call, is the one that goes on: this one
   * becomes it. The person has said that they want to talk, so it is answered, with the devices that are open already.
   */
  become(incoming: ServerMessage & { type: 'incoming' }): void {
    this.#deps.send({ type: 'hangup', call: this.id, reason: 'hangup' });
    this.#id = incoming.call;
    this.#calling = false;
    this.#media.remote = incoming.media;
    this.#early = [];
    this.#path.stop();
    this.#path = this.#makePath();
    this.#log('both have dialled: the other call goes on');
    this.#answer();
    // A connection that is still awaited serves the answer as well; one that has offered does not.
    if (!this.#peer) return;
    this.#peer.close();
    this.#peer = null;
    void this.#openPeer();
  }

  /** @internal */
  handleMessage(message: ServerMessage): void {
    if (this.#state === 'ended') return;
    switch (message.type) {
      case 'incoming':
        return;
      case 'ringing':
        return this.#handleRinging();
      case 'accepted':
        return this.#handleAccepted(message.media);
      case 'offer':
      case 'answer':
      case 'ice-candidate':
        return this.#handleNegotiation(message);
      case 'ended':
        return this.#finish(new CallError(message.reason, message.verdict || undefined, message.retryable));
      case 'error':
        return this.#handleError(message);
    }
  }

  /** @internal The session is gone, and this call with it. */
  handleSignalingLost(cause: CallError | null): void {
    this.#finish(cause ?? new CallError('signaling_lost', 'The connection to the server was lost for too long.'));
  }

  /** @internal No connection for so long that the server has given up this session. */
  handleLongOffline(): void {
    if (this.#state === 'ringing') this.#giveUpRinging(new CallError('signaling_lost'));
  }

  #makePath(): Path {
    const path = new Path(this.#deps.policy, this.#calling);
    path.on('restart', () => this.#peer?.restart());
    path.on('interrupted', () => this.#handleInterrupted());
    path.on('restored', () => this.#handleRestored());
    path.on('given_up', (ever) => this.#giveUp(ever ? 'ice_lost' : 'ice_failed'));
    return path;
  }

  #answer(): void {
    this.#timeline.mark('accepted');
    this.#deps.send({ type: 'accept', call: this.id, media: this.#media.local });
    this.#setState('connecting');
    this.#path.start();
    this.#deps.accepted(this);
  }

  #handleRinging(): void {
    if (this.#state !== 'dialing') return;
    this.#timeline.mark('ringing');
    this.#setState('ringing');
    this.#limitRinging(0);
  }

  /** The server ends a call that nobody answers; without it, nobody else would. */
  #limitRinging(age_ms: number): void {
    const left_ms = Math.max(0, this.#deps.ringTimeout() - age_ms) + this.#deps.policy.ring_grace_ms;
    this.#ring_timer = setTimeout(() => {
      if (this.#state === 'ringing') this.#giveUpRinging(new CallError('no_answer'));
    }, left_ms);
  }

  /** Our own word that it is over: should the server still know the call, it must not ring on. */
  #giveUpRinging(error: CallError): void {
    if (this.#calling) return this.#hangUp('hangup', error);
    // Takes this device out of the call, and not the user's others.
    this.#deps.send({ type: 'reject', call: this.id, reason: 'busy' });
    this.#finish(error);
  }

  #handleAccepted(media: MediaKinds): void {
    if (this.#state !== 'dialing' && this.#state !== 'ringing') return;
    this.#media.remote = media;
    this.#timeline.mark('accepted');
    this.#setState('connecting');
    this.#path.start();
    this.#deps.accepted(this);
  }

  #handleNegotiation(message: ServerMessage): void {
    if (message.type === 'offer') this.#timeline.mark('offer_received');
    if (message.type === 'answer') this.#timeline.mark('answer_received');
    if (this.#peer) this.#passToPeer(this.#peer, message);
    else this.#early.push(message);
  }

  #passToPeer(peer: Peer, message: ServerMessage): void {
    if (message.type === 'offer') peer.handleOffer(message.generation, message.sdp);
    if (message.type === 'answer') peer.handleAnswer(message.generation, message.sdp);
    if (message.type === 'ice-candidate') peer.handleCandidate(message.generation, message.candidate);
  }

  #handleError({ code, message, refused }: ServerMessage & { type: 'error' }): void {
    this.#log(`the server refused a message: ${code}: ${message}`);
    if (code === 'stale_generation') return this.#peer?.handleStaleOffer();
    const error = new CallError('error', message, false);
    if (fatal_errors.includes(code) || refused === 'dial') return this.#finish(error);
    if (refused === 'offer') this.#hangUp('error', error);
  }

  async #openPeer(): Promise<void> {
    let connection: RTCPeerConnection | null;
    try {
      connection = await this.#deps.takeConnection();
    } catch (error) {
      return this.#handleBroken(error);
    }
    if (this.#state === 'ended') return connection?.close();
    if (!connection) {
      return this.#hangUp('error', new CallError('credentials', 'The server gave no relay credentials, and this call must use the relay.', true));
    }
    const peer = new Peer(connection, this.#local.stream);
    this.#peer = peer;
    peer.on('description', (type, generation, sdp) => {
      this.#timeline.mark(`${type}_sent`);
      this.#deps.send({ type, call: this.id, generation, sdp });
    });
    peer.on('candidate', (generation, candidate) => this.#deps.send({ type: 'ice-candidate', call: this.id, generation, candidate }));
    peer.on('ice', (state) => this.#handleIceState(state));
    peer.on('track', (kind, track) => this.#remote.handleTrack(kind, track, this.#media.remote));
    peer.on('broken', (error) => this.#handleBroken(error));
    peer.on('log', (text) => this.#log(text));
    for (const track of this.#local.stream.getTracks()) peer.setTrack(track.kind as Kind, track);
    if (this.#calling) peer.offer();
    for (const message of this.#early.splice(0)) this.#passToPeer(peer, message);
  }

  #openDevices(): void {
    this.#local.open(this.#media.local).catch((error: unknown) => {
      this.#hangUp('media_denied', error instanceof CallError ? error : new CallError('media_denied', causeOf(error)));
    });
  }

  async #setDevice(kind: Kind, on: boolean): Promise<boolean> {
    if (this.#state === 'ended') return false;
    try {
      await this.#local.set(kind, on);
    } catch (error) {
      if (error instanceof CallError) this.#deps.error(error);
    }
    return this.#local.sends(kind);
  }

  #handleLocalTrack(kind: Kind, track: MediaStreamTrack | null): void {
    this.#peer?.setTrack(kind, track);
    if (!track) return;
    this.#timeline.mark(`local_${kind}`);
    this.emit('localstream', this.#local.stream);
  }

  #handleIceState(state: RTCIceConnectionState): void {
    const was_up = this.#path.up;
    this.#path.handleIceState(state);
    if (!this.#path.up) {
      if (state === 'disconnected' || state === 'failed') this.#log(`ICE ${state}`);
      return;
    }
    if (was_up) return;
    this.#timeline.mark('ice_connected');
    this.#log('ICE connected');
    this.#watchMedia();
  }

  #watchMedia(): void {
    const peer = this.#peer;
    if (this.#watch || !peer) return;
    this.#watch = new Watch(() => peer.stats(), this.#deps.policy);
    this.#watch.on('reading', (reading) => this.#handleReading(reading));
    this.#watch.start();
    this.#media_timer = setTimeout(() => {
      if (this.#state === 'connecting') this.#giveUp('ice_failed', 'A path was found, but no sound or picture came over it.');
    }, this.#deps.policy.media_timeout_ms);
  }

  #handleReading(reading: Reading): void {
    if (reading.pair) this.#notePair(reading.pair);
    this.#remote.handleReading(reading);
    if (this.#state === 'connecting' && this.#path.up && this.#mediaFlows(reading)) this.#handleConnected();
  }

  /** Whether what the other side promised is decoded here, and what we promised is on its way. */
  #mediaFlows(reading: Reading): boolean {
    const { local, remote } = this.#media;
    if ((local.audio || local.video) && reading.packets_sent === 0) return false;
    const decoded = this.#remote.decoded(reading);
    if ((decoded.audio || !remote.audio) && (decoded.video || !remote.video)) return true;
    return (decoded.audio || decoded.video) && this.#timeline.elapsedSince('ice_connected') > this.#deps.policy.late_media_ms;
  }

  #handleConnected(): void {
    clearTimeout(this.#media_timer);
    this.#timeline.mark('connected');
    this.#watch?.slowDown();
    const { time_to_connect_ms } = this.report();
    const pair = this.#pair && { local: this.#pair.local, remote: this.#pair.remote, protocol: this.#pair.protocol };
    this.#deps.send({ type: 'connected', call: this.id, time_to_connect_ms: Math.round(time_to_connect_ms ?? 0), ...(pair ? { pair } : {}) });
    this.#log('call connected');
    this.#setState('connected');
    this.#resolve();
  }

  #notePair(pair: SelectedPair): void {
    const words = `${pair.local} to ${pair.remote} over ${pair.relay_protocol ?? pair.protocol}`;
    const before = this.#pair;
    if (before?.local === pair.local && before.remote === pair.remote && before.protocol === pair.protocol) return;
    this.#pair = pair;
    this.#timeline.mark(`pair ${words}`);
    this.#log(`path: ${words}`);
  }

  #handleInterrupted(): void {
    this.#timeline.mark('interrupted');
    if (this.#state === 'connected') this.#setState('reconnecting');
  }

  #handleRestored(): void {
    this.#timeline.mark('restored');
    if (this.#state === 'reconnecting') this.#setState('connected');
  }

  #handleBroken(error: unknown): void {
    this.#hangUp('error', new CallError('error', `The browser refused a step of the call: ${causeOf(error)}`));
  }

  #giveUp(reason: 'ice_failed' | 'ice_lost', verdict?: string): void {
    this.#hangUp(reason, new CallError(reason, verdict));
  }

  #hangUp(reason: HangupReason, error: CallError): void {
    if (this.#state === 'ended') return;
    this.#deps.send({ type: 'hangup', call: this.id, reason });
    this.#finish(error);
  }

  /** The one way out: whatever the reason, everything is given back here. */
  #finish(error: CallError): void {
    if (this.#state === 'ended') return;
    this.#end = error;
    this.#timeline.mark('ended');
    clearInterval(this.#dial_timer);
    clearTimeout(this.#ring_timer);
    clearTimeout(this.#media_timer);
    this.#watch?.stop();
    this.#path.stop();
    this.#peer?.close();
    this.#local.dispose();
    this.#remote.dispose();
    this.#early = [];
    this.#log(`call ended: ${error.code}`);
    this.#setState('ended');
    this.#reject(error);
    this.emit('ended', error);
    this.removeAllListeners();
  }

  #log(text: string): void {
    this.#deps.log(text, this.id);
  }

  #setState(state: CallState): void {
    this.#state = state;
    this.emit('state', state);
  }
}
