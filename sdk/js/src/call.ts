import type { CallDeps, CallInit } from './call_deps.js';
import { CallError, causeOf, fatal_errors, own_rejections, refusal } from './errors.js';
import { Emitter } from './events.js';
import { Flow } from './flow.js';
import type { NegotiationMessage } from './link.js';
import { Links } from './links.js';
import type { Kind } from './peer.js';
import type { HangupReason, MediaKinds, MediaState, RejectReason, ServerMessage, Snapshot, WarmPath } from './protocol.js';
import { reportOf, Timeline, type CallReport, type CallState, type Direction } from './report.js';
import type { Reading } from './stats.js';
import { Talk, type TalkEvents } from './talk.js';
import { acceptWord, readAcceptWord } from './word.js';

interface CallEvents extends TalkEvents {
  state: [CallState];
  /** Once; the call is over and everything it held is given back. */
  ended: [CallError];
}

/** How long a tone lasts and the pause after it, if the app does not say (RFC 4733 leaves both to the sender). */
const default_tone_ms = { duration_ms: 100, gap_ms: 70 };

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
  readonly #talk: Talk;
  readonly #flow: Flow;
  #id: string;
  /** Whether the server knows this side as the caller, which makes the first offer. */
  #calling: boolean;
  readonly #warm_path: WarmPath;
  #media: { local: MediaKinds; remote: MediaKinds };
  #state: CallState;
  readonly #links: Links;
  #warm = false;
  #accept_via: CallReport['accept_via'] = null;
  #end: CallError | null = null;
  #declined_here = false;
  /** With the session, until the server knows the call again. */
  #state_lost = false;
  #resolve: () => void = () => undefined;
  #reject: (error: CallError) => void = () => undefined;
  #dial_timer: ReturnType<typeof setInterval> | undefined;
  #ring_timer: ReturnType<typeof setTimeout> | undefined;

  /** @internal */
  constructor(deps: CallDeps, init: CallInit) {
    super();
    this.#deps = deps;
    this.#id = init.id;
    this.peer = init.peer;
    this.direction = init.direction;
    this.#calling = init.direction === 'outgoing';
    // A server that says nothing of it takes no answer before the accept.
    this.#warm_path = init.warm_path ?? 'off';
    this.#state = init.takes ? 'connecting' : init.direction === 'outgoing' ? 'dialing' : 'ringing';
    const none = { audio: false, video: false };
    const is_ours = init.direction === 'outgoing' || init.takes === true;
    this.#media = is_ours ? { local: init.media, remote: none } : { local: none, remote: init.media };
    this.connected = new Promise((resolve, reject) => ([this.#resolve, this.#reject] = [resolve, reject]));
    this.connected.catch(() => undefined);
    this.#talk = new Talk(deps, this.#media.remote);
    this.#listenToTalk(this.#talk);
    this.#flow = new Flow({ policy: deps.policy, timeline: this.#timeline, talk: this.#talk, promised: () => this.#media });
    this.#flow.on('late', () => this.#handleLateMedia());
    this.#flow.on('log', (text) => this.#log(text));
    const { local, app } = this.#talk;
    this.#links = new Links({ deps, stream: local.stream, app, calling: () => this.#calling, promised: () => this.#talk.expected(this.#media.remote) });
    this.#listen(this.#links);
  }

  /** Changes once if both have dialled each other and the other side's call is the one that goes on. */
  get id(): string {
    return this.#id;
  }

  get state(): CallState {
    return this.#state;
  }

  /** What the other side sends now, by its switches, and whether it has put the call on hold. */
  get remoteMedia(): MediaState {
    return this.#talk.heard;
  }

  /** The same of this side. */
  get localMedia(): MediaState {
    return this.#talk.local.state;
  }

  /** Null until a device is open. */
  get localStream(): MediaStream | null {
    const { stream } = this.#talk.local;
    return stream.getTracks().length > 0 ? stream : null;
  }

  /** Null until the other side's media is announced. */
  get remoteStream(): MediaStream | null {
    return this.#talk.remote.stream;
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
    this.#talk.announce();
    this.#links.open();
  }

  /** Declines an incoming call: for all devices of this user, or with `here` for this one, and the others ring on. */
  reject(reason: RejectReason = 'declined', { here = false } = {}): void {
    if (this.direction !== 'incoming' || this.#state !== 'ringing') return;
    this.#deps.send({ type: 'reject', call: this.id, reason, ...(here ? { here } : {}) });
    this.#declined_here = here;
    this.#finish(new CallError(reason, own_rejections[reason], false));
  }

  /** Lets it ring: here it is over, and nobody is told. The caller and other devices of this user notice nothing. */
  ignore(): void {
    if (this.direction !== 'incoming' || this.#state !== 'ringing') return;
    this.#finish(new CallError('no_answer', 'You let it ring.', false));
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

  /**
   * Shows a screen or window that the person chooses in the place of the camera, which comes back afterwards. Resolves to
   * whether one is shown; failures are reported as the client's `error`. The browser's own button ends it, too: `localmedia`.
   */
  setScreen(on: boolean): Promise<boolean> {
    return this.#state === 'ended' ? Promise.resolve(false) : this.#talk.setScreen(on);
  }

  /** On hold nothing is sent and nothing is played; afterwards everything is as it was. The other side is told. */
  setHold(on: boolean): void {
    if (this.#state !== 'ended') this.#talk.setHold(on);
  }

  /**
   * Sends tones (0-9, A-D, #, *; a comma is a pause of two seconds) after those that are on their way. Returns why that
   * cannot be; null if all is well.
   */
  sendDtmf(tones: string, times: Partial<typeof default_tone_ms> = {}): CallError | null {
    if (!/^[0-9A-D#*,]*$/i.test(tones)) return new CallError('error', 'Tones are 0 to 9, A to D, #, * and the comma.', false);
    const { duration_ms, gap_ms } = { ...default_tone_ms, ...times };
    const sent = this.#answered && !this.localMedia.hold && this.#links.sendDtmf(tones, duration_ms, gap_ms);
    return sent ? null : new CallError('error', 'This call takes no tones: it is not answered, on hold, or the other side knows none.');
  }

  /**
   * Sends a message to the other side's app, which gets it as `message`, in order and once, also over a change of the network
   * or of the device. It waits for the answer and for a path. Returns why it cannot be sent; null if all is well.
   */
  send(data: string | ArrayBuffer): CallError | null {
    return this.#end ?? this.#talk.app.send(data);
  }

  /** How the call goes or went; at any time. */
  report(): CallReport {
    return reportOf(this.#timeline, {
      call: this.id,
      peer: this.peer,
      direction: this.direction,
      state: this.#state,
      media: { local: { ...this.#media.local }, remote: { ...this.#media.remote } },
      selected_pair: this.#flow.pair && { ...this.#flow.pair },
      warm: this.#warm,
      accept_via: this.#accept_via,
      restarts: this.#links.restarts,
      candidate_types: this.#links.candidate_types,
      end_reason: this.#end?.code ?? null,
      verdict: this.#end?.verdict ?? null,
    });
  }

  /** @internal An outgoing call begins. */
  start(): void {
    this.#timeline.mark('dialed');
    this.#deps.send({ type: 'dial', call: this.id, to: this.peer, media: this.#media.local });
    this.#openDevices();
    this.#links.open();
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

  /** @internal Goes on with the call of another device of this user. */
  take(): void {
    this.#timeline.mark('dialed');
    this.#deps.send({ type: 'take', call: this.id, media: this.#media.local });
    this.#openDevices();
  }

  /** @internal The app hears of this incoming call: it connects while it rings, if it may, and opens no device for that. */
  warmUp(): void {
    if (this.#state !== 'ringing' || this.#links.is_open || this.#warm_path === 'off') return;
    if (this.#deps.mayWarm()) this.#links.open();
  }

  /** @internal Whether it connects, or is connected, while it rings. */
  get warming(): boolean {
    return this.direction === 'incoming' && this.#state === 'ringing' && this.#links.is_open;
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
    this.#log('both have dialled: the other call goes on');
    this.#links.forget();
    this.#answer();
    this.#talk.announce();
    this.#links.open();
  }

  /** @internal */
  handleMessage(message: ServerMessage): void {
    if (this.#state === 'ended') return;
    switch (message.type) {
      case 'incoming':
        // After a restart of the server; here it rings already.
        if (this.#state === 'ringing') this.#deps.send({ type: 'ringing', call: this.id });
        return;
      case 'place':
        return;
      case 'restored':
        this.#tellStateAgain();
        return this.#links.handleRestored(message.generation);
      case 'ringing':
        return this.#handleRinging();
      case 'accepted':
        return this.#handleAccepted(message.media, 'websocket', message.fresh ?? false);
      case 'offer':
      case 'answer':
      case 'ice-candidate':
        return this.#handleNegotiation(message);
      case 'state':
        return this.#talk.handleState({ ...message.media, hold: message.hold });
      case 'taken':
        return this.#handleTaken(message);
      case 'elsewhere':
        return;
      case 'ended':
        return this.#finish(new CallError(message.reason, message.verdict || undefined, message.retryable));
      case 'error':
        return this.#handleError(message);
    }
  }

  /** @internal The session is another one, and its server may know nothing of this call; or for `cause` there will be none. */
  handleSessionLost(cause: CallError | null): void {
    if (cause) return this.#finish(cause);
    // Also of one that rings: it may be answered before the server knows it again.
    this.#state_lost = true;
    this.#deps.send(this.snapshot());
    // No media is interrupted, and what stood while it rang may have been relayed by a process that is gone.
    if (this.#calling && !this.#answered) this.#links.openAnew();
  }

  /** @internal */
  snapshot(): Snapshot {
    const been = (event: string): boolean => this.#timeline.at(event) !== null;
    const { generation } = this.#links;
    return {
      type: 'snapshot',
      call: this.id,
      peer: this.peer,
      role: this.#calling ? 'caller' : 'callee',
      ...(this.#end
        ? // Declined for this device alone: what takes it out, and ends nothing for the others.
          { state: 'ended', reason: this.#declined_here ? 'busy' : this.#end.code, accepted: been('accepted') }
        : {
            state: !this.#answered ? 'ringing' : been('connected') ? 'connected' : 'accepted',
            media: this.#media.local,
            age_ms: Math.round(this.#timeline.elapsedSince('dialed')),
            ...(generation < 0 ? {} : { generation }),
          }),
    };
  }

  /** @internal No connection for so long that the server has given up this session. */
  handleLongOffline(): void {
    if (this.#state === 'ringing') this.#giveUpRinging(new CallError('signaling_lost'));
  }

  /** @internal The network is another, or may be. */
  handleNetworkChange(certain: boolean): void {
    this.#links.handleNetworkChange(certain);
  }

  /** @internal The server is reached again. */
  handleOnline(): void {
    this.#links.handleOnline();
  }

  /** @internal The session goes on over another socket. */
  handleResumed(): void {
    this.#links.handleResumed();
  }

  #answer(): void {
    const media = this.#media.local;
    this.#deps.send({ type: 'accept', call: this.id, media });
    // The same over the path that stands already: it is shorter, and stands when the server cannot be reached.
    this.#links.say(acceptWord({ call: this.id, media }));
    this.#handleAnswered();
  }

  /** Both sides want to talk: from now on, and not before, tracks are sent. */
  #handleAnswered(): void {
    this.#warm = this.#links.ready;
    this.#timeline.mark('accepted');
    this.#setState('connecting');
    // By the app, as it hears of it.
    if (this.#end) return;
    // Whether there is a path or not: one that is interrupted now only comes back, and does not come.
    this.#flow.limit();
    for (const kind of ['audio', 'video'] as const) this.#links.setTrack(kind, this.#talk.local.sending(kind));
    this.#talk.handleAnswered(this.#media.local, this.#media.remote);
    this.#links.handleAnswered();
    this.#deps.accepted(this);
  }

  get #answered(): boolean {
    return this.#state === 'connecting' || this.#state === 'connected' || this.#state === 'reconnecting';
  }

  #handleRinging(): void {
    if (this.#state !== 'dialing') return;
    this.#timeline.mark('ringing');
    this.#limitRinging(0);
    this.#setState('ringing');
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

  /** The word comes over two ways; the first counts. `fresh`: another device than the one we are connected with has won. */
  #handleAccepted(media: MediaKinds, via: CallReport['accept_via'], fresh: boolean): void {
    if (!this.#calling || this.#state === 'ended') return;
    if (fresh) this.#beginAnew(media);
    if (this.#answered) return;
    this.#media.remote = media;
    this.#accept_via = via;
    this.#handleAnswered();
    this.#talk.announce();
  }

  #handleWord(text: string): void {
    const word = readAcceptWord(text);
    if (word?.call === this.id) this.#handleAccepted(word.media, 'data_channel', false);
    else this.#log('the other side said something over the data channel that is no answer');
  }

  /** The device that has won gets a connection of its own. */
  #beginAnew(media: MediaKinds): void {
    this.#log('another device has answered: a new connection');
    this.#media.remote = media;
    // The path comes back with it.
    if (this.#state === 'connected') this.#handleInterrupted();
    this.#links.openAnew();
    this.#talk.handleAnswered(this.#media.local, media);
    if (this.#answered) this.#talk.announce();
  }

  /** The call is ours from now on. Of the two sides the caller's makes the new connection. */
  #handleTaken({ media, hold, generation }: ServerMessage & { type: 'taken' }): void {
    this.#media.remote = { audio: media.audio, video: media.video };
    this.#handleAnswered();
    if (this.#end) return;
    this.#talk.announce();
    this.#talk.handleState({ ...media, hold });
    this.#links.continueAfter(generation ?? -1);
  }

  #handleNegotiation(message: NegotiationMessage): void {
    // The accept that was told of counts, and nothing of what was said since then.
    if (message.type === 'offer' && this.#state_lost) this.#tellStateAgain();
    if (message.type === 'offer') this.#timeline.mark('offer_received');
    if (message.type === 'answer') this.#timeline.mark('answer_received');
    this.#links.handleMessage(message);
  }

  #tellStateAgain(): void {
    this.#state_lost = false;
    this.#talk.handleForgotten(this.#media.local);
  }

  #handleError(refused_message: ServerMessage & { type: 'error' }): void {
    const { code, message, refused } = refused_message;
    this.#log(`the server refused a message: ${code}: ${message}`);
    const error = refusal(refused_message);
    if (fatal_errors.includes(code) || refused?.type === 'dial' || refused?.type === 'take') return this.#finish(error);
    if (!refused) return;
    if (refused.generation === 0) return this.#hangUp('error', error);
    this.#links.handleRefusedOffer(refused.generation, code === 'stale_generation');
  }

  #listenToTalk(talk: Talk): void {
    for (const event of ['localstream', 'remotestream', 'localmedia', 'message'] as const) {
      talk.on(event, (...told: unknown[]) => this.emit(event, ...(told as never)));
    }
    talk.on('remotemedia', (state) => {
      this.#links.setHeld(state.hold);
      this.emit('remotemedia', state);
    });
    talk.on('track', (kind, track) => this.#answered && this.#links.setTrack(kind, track));
    talk.on('device', (kind) => this.#timeline.mark(`local_${kind}`));
    talk.on('state', ({ hold, ...media }) => this.#deps.send({ type: 'state', call: this.id, media, hold }));
    talk.on('log', (text) => this.#log(text));
  }

  #listen(links: Links): void {
    links.on('description', (type, generation, sdp, fresh) => {
      this.#timeline.mark(`${type}_sent`);
      this.#deps.send({ type, call: this.id, generation, sdp, ...(fresh ? { fresh } : {}) });
    });
    links.on('candidate', (generation, candidate) => this.#deps.send({ type: 'ice-candidate', call: this.id, generation, candidate }));
    links.on('track', (kind, track) => this.#talk.remote.handleTrack(kind, track));
    links.on('replacedtrack', (kind, track) => this.#talk.remote.replaceTrack(kind, track));
    links.on('reset', () => this.#talk.reset());
    links.on('word', (text) => this.#handleWord(text));
    links.on('up', () => this.#handleUp());
    links.on('interrupted', () => this.#handleInterrupted());
    links.on('restored', () => this.#handleRestored());
    links.on('reading', (reading) => this.#handleReading(reading));
    links.on('given_up', (reason) => this.#hangUp(reason, new CallError(reason)));
    links.on('failed', (error) => this.#hangUp('error', error));
    links.on('log', (text) => this.#log(text));
  }

  #openDevices(): void {
    this.#talk.local.open(this.#media.local).catch((error: unknown) => {
      this.#hangUp('media_denied', error instanceof CallError ? error : new CallError('media_denied', causeOf(error)));
    });
  }

  #setDevice(kind: Kind, on: boolean): Promise<boolean> {
    return this.#state === 'ended' ? Promise.resolve(false) : this.#talk.setDevice(kind, on);
  }

  #handleUp(): void {
    this.#timeline.mark('ice_connected');
    if (this.#answered) this.#flow.limit();
    // A connection in the place of one that was closed for it.
    if (this.#state === 'reconnecting' && this.#links.up) this.#handleRestored();
  }

  #handleLateMedia(): void {
    if (this.#state === 'connecting') this.#hangUp('ice_failed', new CallError('ice_failed', 'A path was found, but no sound or picture came over it.'));
  }

  #handleReading(reading: Reading): void {
    if (this.#flow.handleReading(reading) && this.#state === 'connecting' && this.#links.up) this.#handleConnected();
  }

  #handleConnected(): void {
    this.#flow.unlimit();
    this.#timeline.mark('connected');
    this.#links.slowDown();
    const { time_to_connect_ms, selected_pair: way } = this.report();
    const pair = way && { local: way.local, remote: way.remote, protocol: way.protocol };
    this.#deps.send({ type: 'connected', call: this.id, time_to_connect_ms: Math.round(time_to_connect_ms ?? 0), ...(pair ? { pair } : {}) });
    this.#log('call connected');
    this.#setState('connected');
    this.#resolve();
  }

  #handleInterrupted(): void {
    this.#timeline.mark('interrupted');
    if (this.#state === 'connected') this.#setState('reconnecting');
  }

  #handleRestored(): void {
    this.#timeline.mark('restored');
    if (this.#state === 'reconnecting') this.#setState('connected');
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
    this.#flow.unlimit();
    this.#links.close();
    this.#talk.dispose();
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
