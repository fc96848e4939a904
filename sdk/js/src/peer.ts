import type { AppChannel } from './app_channel.js';
import { Emitter } from './events.js';
import { candidateType } from './log.js';
import type { IceCandidate } from './protocol.js';

/** Candidates that may wait for one description; the server passes no more of a generation (docs/protocol.md). */
const max_queued = 100;

export type Kind = 'audio' | 'video';

interface PeerEvents {
  /** To be sent to the other side. */
  description: [type: 'offer' | 'answer', generation: number, sdp: string];
  candidate: [generation: number, candidate: IceCandidate];
  /** Both descriptions of the newest generation are set. */
  described: [];
  ice: [RTCIceConnectionState];
  track: [kind: Kind, track: MediaStreamTrack];
  /** What the other side says over the data channel. */
  word: [text: string];
  /** An offer of the other side stays without an answer, for the browser has refused a step of it. */
  unanswered: [];
  /** The browser refused a step; the call cannot go on. */
  broken: [unknown];
  log: [string];
}

export interface PeerOptions {
  /** The stream under which the other side sees our tracks. */
  stream: MediaStream;
  /** The newest generation of the call, over all its connections; -1 before the first. */
  generation: () => number;
  /** What takes the app's messages over this connection. */
  app: AppChannel;
  /** The newest relay credentials; null if there are none. */
  iceServers: () => RTCIceServer[] | null;
}

/** One RTCPeerConnection for one call. Takes descriptions and candidates in, gives descriptions and candidates out. */
export class Peer extends Emitter<PeerEvents> {
  readonly #pc: RTCPeerConnection;
  readonly #options: PeerOptions;
  readonly #channel: RTCDataChannel;
  readonly #app_channel: RTCDataChannel;
  #steps: Promise<void> = Promise.resolve();
  #closed = false;
  /** The newest generation that either side has begun; one of ours that was refused is never used again. */
  #generation: number;
  #local_offer = -1;
  /** Of our newest description. */
  #local_generation = -1;
  /** The generation whose remote description is set. */
  #remote_generation = -1;
  /** Local candidates name their description by its ufrag (RFC 8839 section 5.4). */
  #generation_by_ufrag = new Map<string, number>();
  #ended_generations = new Set<number>();
  #queued: { generation: number; candidate: IceCandidate }[] = [];
  #tracks = new Map<Kind, MediaStreamTrack | null>();
  /** What the other side is told as soon as the data channel is open. */
  #word: string | null = null;
  readonly types = { local: new Set<string>(), remote: new Set<string>() };

  /** Takes over `pc`. */
  constructor(pc: RTCPeerConnection, options: PeerOptions) {
    super();
    this.#pc = pc;
    this.#options = options;
    this.#generation = options.generation();
    // Both sides make it alike, so it is open as soon as the path is (RFC 8831 section 6.4).
    this.#channel = pc.createDataChannel('offhook', { negotiated: true, id: 0, ordered: true });
    this.#channel.onopen = () => this.#sayWord();
    this.#channel.onmessage = (event) => typeof event.data === 'string' && this.emit('word', event.data);
    this.#app_channel = pc.createDataChannel('app', { negotiated: true, id: 1, ordered: true });
    options.app.attach(this.#app_channel);
    pc.onicecandidate = (event) => this.#handleLocalCandidate(event.candidate);
    pc.oniceconnectionstatechange = () => this.emit('ice', pc.iceConnectionState);
    // ICE may be well while DTLS is not; a restart is what can help then, too.
    pc.onconnectionstatechange = () => pc.connectionState === 'failed' && this.emit('ice', 'failed');
    pc.ontrack = (event) => this.emit('track', event.track.kind as Kind, event.track);
  }

  /** The newest generation that either side has begun; -1 before the first. */
  get generation(): number {
    return this.#generation;
  }

  /** The generation of our newest offer; -1 before. */
  get offered(): number {
    return this.#local_offer;
  }

  /** Whether the other side has described itself to this connection. */
  get met(): boolean {
    return this.#remote_generation >= 0;
  }

  /** Whether the other device is at the other end for certain: a check of ICE passes with any that knows our password. */
  get secure(): boolean {
    return this.#pc.connectionState === 'connected';
  }

  /**
   * Makes the first offer, at once and without tracks: both kinds are negotiated, so that devices that open later, and
   * a camera that is switched on in a voice call, need no further negotiation.
   */
  offer(): void {
    for (const kind of ['audio', 'video'] as const) {
      this.#pc.addTransceiver(kind, { direction: 'sendrecv', streams: [this.#options.stream] });
    }
    for (const [kind, track] of this.#tracks) this.#replace(kind, track);
    this.#run(() => this.#sendOffer({}));
  }

  /**
   * A new offer with new ICE credentials: the way to a new path (RFC 8445 section 2.4). It replaces one of ours that is
   * not answered yet. Nothing happens before the first description, which has to be made first.
   */
  restart(): void {
    this.#run(async () => {
      if (this.#local_offer < 0 && !this.met) return;
      this.#renewServers();
      await this.#sendOffer({ iceRestart: true });
    });
  }

  /** The server passes no offer that does not count: whatever we have offered without an answer, also above it, is refused. */
  handleOffer(generation: number, sdp: string): void {
    const answer = async (): Promise<void> => {
      this.#generation = Math.max(this.#generation, generation);
      const first = !this.met;
      if (!first) this.#renewServers();
      await this.#pc.setRemoteDescription({ type: 'offer', sdp });
      for (const transceiver of this.#pc.getTransceivers()) this.#makeTwoWay(transceiver);
      for (const [kind, track] of this.#tracks) this.#replace(kind, track);
      this.#flush(generation);
      const own = this.#own(await this.#pc.createAnswer(), generation);
      const { sdp: sent, set } = first ? await this.#setPassive(own) : { sdp: own.sdp, set: this.#pc.setLocalDescription(own) };
      this.emit('description', 'answer', generation, sent ?? '');
      this.emit('log', 'answer sent (trickle)');
      await set;
      this.emit('described');
    };
    this.#run(answer, () => this.emit('unanswered'));
  }

  handleAnswer(generation: number, sdp: string): void {
    this.#run(async () => {
      if (generation !== this.#local_offer || this.#pc.signalingState !== 'have-local-offer') return;
      await this.#pc.setRemoteDescription({ type: 'answer', sdp });
      this.emit('log', 'answer received');
      this.#flush(generation);
      this.emit('described');
    });
  }

  /** Keeps a candidate until the description of its generation is set; drops one of an older generation. */
  handleCandidate(generation: number, candidate: IceCandidate): void {
    if (this.#closed || generation < this.#remote_generation) return;
    if (generation === this.#remote_generation) this.#add(candidate);
    else if (this.#queued.length < max_queued) this.#queued.push({ generation, candidate });
  }

  /** Our offer of `generation` was refused: it lost against one of the other side, which comes or has come. */
  handleRefusedOffer(generation: number): void {
    this.#run(async () => {
      if (generation !== this.#local_offer || this.#pc.signalingState !== 'have-local-offer') return;
      await this.#pc.setLocalDescription({ type: 'rollback' });
    });
  }

  /** Sends `track` from now on, or nothing. */
  setTrack(kind: Kind, track: MediaStreamTrack | null): void {
    this.#tracks.set(kind, track);
    this.#replace(kind, track);
  }

  /** Tells the other side over the data channel, now or as soon as it is open. */
  say(text: string): void {
    this.#word = text;
    this.#sayWord();
  }

  /** Sends tones after those that are on their way. False if the other side takes none. */
  sendDtmf(tones: string, duration_ms: number, gap_ms: number): boolean {
    const dtmf = this.#transceiver('audio')?.sender.dtmf;
    if (!dtmf?.canInsertDTMF) return false;
    dtmf.insertDTMF(dtmf.toneBuffer + tones, duration_ms, gap_ms);
    return true;
  }

  stats(): Promise<RTCStatsReport> {
    return this.#pc.getStats();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const pc = this.#pc;
    pc.onicecandidate = pc.oniceconnectionstatechange = pc.onconnectionstatechange = pc.ontrack = null;
    this.#channel.onopen = this.#channel.onmessage = null;
    this.#options.app.detach(this.#app_channel);
    this.#queued = [];
    this.#tracks.clear();
    this.removeAllListeners();
    pc.close();
  }

  async #sendOffer(options: RTCOfferOptions): Promise<void> {
    const offer = await this.#pc.createOffer(options);
    const generation = Math.max(this.#generation, this.#options.generation()) + 1;
    this.#generation = this.#local_offer = generation;
    const set = this.#pc.setLocalDescription(this.#own(offer, generation));
    // The server keeps the order; there is nothing to wait for.
    this.emit('description', 'offer', generation, offer.sdp ?? '');
    this.emit('log', options.iceRestart ? `offer sent (trickle), ICE restart ${generation}` : 'offer sent (trickle)');
    await set;
  }

  /**
   * The first answer takes the passive role of DTLS (RFC 8842 section 5.3): the caller, who has the path first, then
   * begins the handshake, and the one who answers hears half a round trip sooner. It is provisional first: Chromium empties
   * its candidate pool before it gathers for an answer, and for a provisional one it takes what the pool has gathered.
   */
  async #setPassive(answer: RTCSessionDescriptionInit): Promise<{ sdp: string | undefined; set: Promise<void> }> {
    const sdp = (answer.sdp ?? '').replace(/a=setup:active/g, 'a=setup:passive');
    let refusal: unknown;
    for (const type of ['pranswer', 'answer'] as const) {
      try {
        await this.#pc.setLocalDescription({ type, sdp });
        return { sdp, set: type === 'answer' ? Promise.resolve() : this.#pc.setLocalDescription({ type: 'answer', sdp }) };
      } catch (error) {
        refusal = error;
      }
    }
    this.emit('log', `this browser keeps the active role: ${String(refusal)}`);
    return { sdp: answer.sdp, set: this.#pc.setLocalDescription(answer) };
  }

  /** What is gathered from now on is gathered with the newest credentials. */
  #renewServers(): void {
    const iceServers = this.#options.iceServers();
    if (!iceServers) return;
    try {
      this.#pc.setConfiguration({ ...this.#pc.getConfiguration(), iceServers });
    } catch (error) {
      this.emit('log', `the relay credentials stay as they are: ${String(error)}`);
    }
  }

  #own(description: RTCSessionDescriptionInit, generation: number): RTCSessionDescriptionInit {
    this.#local_generation = generation;
    // Of an offer of ours that was refused, if of any.
    this.#ended_generations.delete(generation);
    for (const [, ufrag] of (description.sdp ?? '').matchAll(/a=ice-ufrag:(\S+)/g)) {
      if (ufrag) this.#generation_by_ufrag.set(ufrag, generation);
    }
    return description;
  }

  #makeTwoWay(transceiver: RTCRtpTransceiver): void {
    if (transceiver.direction === 'sendrecv' || transceiver.direction === 'stopped') return;
    transceiver.direction = 'sendrecv';
    transceiver.sender.setStreams?.(this.#options.stream);
  }

  #transceiver(kind: Kind): RTCRtpTransceiver | undefined {
    return this.#pc.getTransceivers().find((one) => one.receiver.track.kind === kind);
  }

  #replace(kind: Kind, track: MediaStreamTrack | null): void {
    const transceiver = this.#transceiver(kind);
    if (!transceiver || transceiver.sender.track === track) return;
    transceiver.sender.replaceTrack(track).catch((error: unknown) => {
      if (!this.#closed) this.emit('broken', error);
    });
  }

  #sayWord(): void {
    if (this.#word === null || this.#channel.readyState !== 'open') return;
    this.#channel.send(this.#word);
    this.#word = null;
  }

  #handleLocalCandidate(candidate: RTCIceCandidate | null): void {
    const ufrag = candidate?.usernameFragment ?? undefined;
    const generation = (ufrag !== undefined ? this.#generation_by_ufrag.get(ufrag) : undefined) ?? this.#local_generation;
    if (!candidate || candidate.candidate === '') return this.#handleEndOfCandidates(generation, candidate);
    const type = candidateType(candidate.candidate);
    this.types.local.add(type.toLowerCase());
    this.emit('log', type === 'RELAY' ? 'ICE [RELAY] gathered - TURN works!' : `ICE [${type}] gathered`);
    this.emit('candidate', generation, {
      candidate: candidate.candidate,
      sdpMid: candidate.sdpMid,
      sdpMLineIndex: candidate.sdpMLineIndex,
      ...(ufrag === undefined ? {} : { usernameFragment: ufrag }),
    });
    this.emit('log', `ICE [${type}] sent at once`);
  }

  #handleEndOfCandidates(generation: number, candidate: RTCIceCandidate | null): void {
    if (this.#ended_generations.has(generation)) return;
    this.#ended_generations.add(generation);
    this.emit('candidate', generation, { candidate: '', sdpMid: candidate?.sdpMid ?? '0', sdpMLineIndex: candidate?.sdpMLineIndex ?? 0 });
    this.emit('log', 'ICE end of candidates');
  }

  #flush(generation: number): void {
    this.#remote_generation = generation;
    const queued = this.#queued;
    this.#queued = queued.filter((one) => one.generation > generation);
    for (const one of queued) if (one.generation === generation) this.#add(one.candidate);
  }

  #add(candidate: IceCandidate): void {
    if (candidate.candidate !== '') this.types.remote.add(candidateType(candidate.candidate).toLowerCase());
    this.#pc.addIceCandidate(candidate).catch((error: unknown) => {
      // One unusable candidate (a kind that this browser does not know) is no reason to end a call: others follow.
      if (!this.#closed) this.emit('log', `remote candidate not usable: ${String(error)}`);
    });
  }

  /** Steps of negotiation never overlap; after close() none is begun, and failures of the last one do not matter. */
  #run(step: () => Promise<void>, refused?: () => void): void {
    this.#steps = this.#steps
      .then(() => (this.#closed ? undefined : step()))
      .catch((error: unknown) => this.#handleRefusal(error, refused));
  }

  /** A connection that has met the other side once can go on without a step that repairs it; the next may succeed. */
  #handleRefusal(error: unknown, refused?: () => void): void {
    if (this.#closed) return;
    if (!this.met) return this.emit('broken', error);
    this.emit('log', `the browser refused a step: ${String(error)}`);
    refused?.();
  }
}
