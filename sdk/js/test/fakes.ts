// Stand-ins for what a browser gives: sockets, peer connections, devices. Each remembers what was done with it.
import type { Environment } from '../src/environment.js';

export class FakeTrack {
  enabled = true;
  stopped = false;
  onended: (() => void) | null = null;
  contentHint = '';
  readonly copies: FakeTrack[] = [];

  constructor(readonly kind: 'audio' | 'video') {}

  clone(): FakeTrack {
    const copy = new FakeTrack(this.kind);
    copy.enabled = this.enabled;
    this.copies.push(copy);
    return copy;
  }

  stop(): void {
    this.stopped = true;
  }
}

export class FakeStream {
  #tracks: FakeTrack[];

  constructor(tracks: FakeTrack[] = []) {
    this.#tracks = [...tracks];
  }

  addTrack(track: FakeTrack): void {
    if (!this.#tracks.includes(track)) this.#tracks.push(track);
  }

  removeTrack(track: FakeTrack): void {
    this.#tracks = this.#tracks.filter((one) => one !== track);
  }

  getTracks(): FakeTrack[] {
    return [...this.#tracks];
  }

  getVideoTracks(): FakeTrack[] {
    return this.#tracks.filter((track) => track.kind === 'video');
  }
}

/** An audio element that plays at once. */
export class FakeAudio {
  static playing = new Set<FakeAudio>();
  srcObject: unknown = null;

  play(): Promise<void> {
    FakeAudio.playing.add(this);
    return Promise.resolve();
  }

  pause(): void {
    FakeAudio.playing.delete(this);
  }
}

class FakeTransceiver {
  direction = 'recvonly';
  sender = {
    track: null as FakeTrack | null,
    dtmf: {
      canInsertDTMF: true,
      toneBuffer: '',
      times: [] as number[],
      insertDTMF: (tones: string, duration_ms: number, gap_ms: number): void => {
        Object.assign(this.sender.dtmf, { toneBuffer: tones, times: [duration_ms, gap_ms] });
      },
    },
    setStreams: (): void => undefined,
    replaceTrack: (track: FakeTrack | null): Promise<void> => {
      this.sender.track = track;
      return Promise.resolve();
    },
  };
  receiver: { track: FakeTrack };

  constructor(kind: 'audio' | 'video') {
    this.receiver = { track: new FakeTrack(kind) };
  }
}

export class FakeDataChannel {
  readyState = 'connecting';
  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  readonly sent: string[] = [];
  readonly frames: ArrayBuffer[] = [];

  constructor(
    readonly label: string,
    readonly options: RTCDataChannelInit,
  ) {}

  send(data: string | ArrayBuffer): void {
    if (typeof data === 'string') this.sent.push(data);
    else this.frames.push(data);
  }

  open(): void {
    this.readyState = 'open';
    this.onopen?.();
  }

  receive(data: unknown): void {
    this.onmessage?.({ data: typeof data === 'string' || data instanceof ArrayBuffer ? data : JSON.stringify(data) });
  }
}

export class FakePeerConnection {
  /** Whether it was asked for because the network has changed. */
  anew = false;
  signalingState = 'stable';
  iceConnectionState = 'new';
  connectionState = 'new';
  onicecandidate: ((event: { candidate: object | null }) => void) | null = null;
  oniceconnectionstatechange: (() => void) | null = null;
  onconnectionstatechange: (() => void) | null = null;
  ontrack: ((event: { track: FakeTrack }) => void) | null = null;
  closed = false;
  /** What was asked of it, in order. */
  readonly done: string[] = [];
  readonly transceivers: FakeTransceiver[] = [];
  readonly channels: FakeDataChannel[] = [];
  stats = new Map<string, object>();
  /** Provisional answers that were set, or refused. */
  readonly provisional: string[] = [];
  takes_provisional = true;
  /** A description that says this is refused, of either side: how a browser refuses a changed one, or one that it cannot follow. */
  refuses: RegExp | null = null;
  /** Set to hold setRemoteDescription back until it is called. */
  holdRemote = false;
  releaseRemote: () => void = () => undefined;
  #offers = 0;

  constructor(public configuration: RTCConfiguration = {}) {}

  get channel(): FakeDataChannel {
    const [channel] = this.channels;
    if (!channel) throw new Error('no data channel was made');
    return channel;
  }

  createDataChannel(label: string, options: RTCDataChannelInit): FakeDataChannel {
    const channel = new FakeDataChannel(label, options);
    this.channels.push(channel);
    return channel;
  }

  getConfiguration(): RTCConfiguration {
    return this.configuration;
  }

  setConfiguration(configuration: RTCConfiguration): void {
    this.configuration = configuration;
    this.done.push(`configured ${[configuration.iceServers?.[0]?.urls].flat()[0]}`);
  }

  addTransceiver(kind: 'audio' | 'video', init: { direction: string }): FakeTransceiver {
    const transceiver = new FakeTransceiver(kind);
    transceiver.direction = init.direction;
    this.transceivers.push(transceiver);
    return transceiver;
  }

  getTransceivers(): FakeTransceiver[] {
    return this.transceivers;
  }

  createOffer(options: RTCOfferOptions): Promise<RTCSessionDescriptionInit> {
    return Promise.resolve({ type: 'offer', sdp: `a=ice-ufrag:local${this.#offers++}\r\n${options.iceRestart ? 'restart' : ''}` });
  }

  createAnswer(): Promise<RTCSessionDescriptionInit> {
    return Promise.resolve({ type: 'answer', sdp: `a=ice-ufrag:local${this.#offers++}\r\na=setup:active\r\n` });
  }

  setLocalDescription(description: RTCSessionDescriptionInit): Promise<void> {
    if (this.refuses?.test(description.sdp ?? '')) return Promise.reject(new Error('changed description'));
    if (description.type === 'pranswer') {
      this.provisional.push(description.sdp ?? '');
      return this.takes_provisional ? Promise.resolve() : Promise.reject(new Error('no provisional answers'));
    }
    this.done.push(`local ${description.type}`);
    this.signalingState = description.type === 'offer' ? 'have-local-offer' : 'stable';
    return Promise.resolve();
  }

  async setRemoteDescription(description: RTCSessionDescriptionInit): Promise<void> {
    if (this.refuses?.test(description.sdp ?? '')) throw new Error('description refused');
    if (this.holdRemote) await new Promise<void>((resolve) => (this.releaseRemote = resolve));
    this.done.push(`remote ${description.sdp}`);
    this.signalingState = description.type === 'offer' ? 'have-remote-offer' : 'stable';
    if (description.type !== 'offer' || this.transceivers.length > 0) return;
    this.transceivers.push(new FakeTransceiver('audio'), new FakeTransceiver('video'));
  }

  addIceCandidate(candidate: { candidate: string }): Promise<void> {
    this.done.push(`candidate ${candidate.candidate}`);
    return Promise.resolve();
  }

  getStats(): Promise<Map<string, object>> {
    return Promise.resolve(this.stats);
  }

  close(): void {
    this.closed = true;
  }

  /** ICE has a path, and no media flows. */
  connectSilently(): void {
    for (const transceiver of this.transceivers) this.ontrack?.({ track: transceiver.receiver.track });
    this.setIce('connected');
    for (const channel of this.channels) channel.open();
  }

  /** So many packets have come over the transport by now. */
  receivePackets(count: number): void {
    this.stats.set('T', { id: 'T', type: 'transport', ...this.stats.get('T'), packetsReceived: count });
  }

  /** ICE has a path and media flows both ways. */
  connect(): void {
    for (const transceiver of this.transceivers) this.ontrack?.({ track: transceiver.receiver.track });
    this.flow();
    this.setIce('connected');
  }

  /** Media flows both ways. */
  flow(): void {
    this.stats = new Map<string, object>([
      ['T', { id: 'T', type: 'transport', selectedCandidatePairId: 'P' }],
      ['P', { id: 'P', type: 'candidate-pair', localCandidateId: 'L', remoteCandidateId: 'R' }],
      ['L', { id: 'L', type: 'local-candidate', candidateType: 'relay', protocol: 'udp', relayProtocol: 'tcp' }],
      ['R', { id: 'R', type: 'remote-candidate', candidateType: 'host', protocol: 'udp' }],
      ['A', { id: 'A', type: 'inbound-rtp', kind: 'audio', packetsReceived: 3, totalSamplesReceived: 960, concealedSamples: 0 }],
      ['V', { id: 'V', type: 'inbound-rtp', kind: 'video', packetsReceived: 3, framesDecoded: 1 }],
      ['O', { id: 'O', type: 'outbound-rtp', kind: 'audio', packetsSent: 3 }],
    ]);
  }

  setIce(state: string): void {
    this.iceConnectionState = state;
    if (state === 'connected') this.connectionState = state;
    this.oniceconnectionstatechange?.();
  }

  get listening(): boolean {
    return [this.onicecandidate, this.oniceconnectionstatechange, this.onconnectionstatechange, this.ontrack].some((one) => one !== null);
  }
}

export type Frame = Record<string, unknown> & { type: string };

export class FakeSocket {
  onopen: (() => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  closed = false;
  readonly sent: Frame[] = [];

  constructor(
    readonly url: string,
    readonly answers_pings: boolean,
  ) {}

  send(text: string): void {
    const frame = JSON.parse(text) as Frame;
    this.sent.push(frame);
    if (frame.type === 'ping' && this.answers_pings) this.receive({ type: 'pong' });
  }

  close(): void {
    this.closed = true;
  }

  receive(frame: object): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  drop(code = 1006, reason = ''): void {
    this.onclose?.({ code, reason });
  }

  ofType(type: string): Frame[] {
    return this.sent.filter((frame) => frame.type === type);
  }
}

/** A browser with all of these; `sockets`, `connections` and `tracks` are in the order in which they were made. */
export class FakeBrowser implements Environment {
  readonly origin = 'https://calls.example';
  readonly sockets: FakeSocket[] = [];
  readonly connections: FakePeerConnection[] = [];
  readonly tracks: FakeTrack[] = [];
  answers_pings = true;
  /** What getUserMedia was asked for, in order. */
  readonly asked: string[] = [];
  /** What the browser answers about microphone and camera. */
  permission: PermissionState = 'prompt';
  changeNetwork: (certain: boolean) => void = () => undefined;
  /** What getUserMedia rejects with. */
  denial: Error | null = null;
  credentials: { status: number; body: object } = {
    status: 200,
    body: { username: '1:alice', ttl: 3600, uris: ['turn:192.0.2.1:3478'], iceServers: [{ urls: ['turn:192.0.2.1:3478'], username: 'u', credential: 'c' }] },
  };
  readonly requests: { url: string; authorization: string | null }[] = [];

  readonly openSocket = (url: string): WebSocket => {
    const socket = new FakeSocket(url, this.answers_pings);
    this.sockets.push(socket);
    return socket as unknown as WebSocket;
  };

  readonly fetch = (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    this.requests.push({ url: String(input), authorization: new Headers(init?.headers).get('authorization') });
    const { status, body } = this.credentials;
    return Promise.resolve({ status, ok: status === 200, json: () => Promise.resolve(body) } as Response);
  };

  readonly createPeerConnection = (configuration: RTCConfiguration, anew: boolean): RTCPeerConnection => {
    const connection = new FakePeerConnection(configuration);
    connection.anew = anew;
    this.connections.push(connection);
    return connection as unknown as RTCPeerConnection;
  };

  readonly permissions = { query: (): Promise<PermissionStatus> => Promise.resolve({ state: this.permission } as PermissionStatus) };

  readonly getDisplayMedia = (): Promise<MediaStream> => {
    this.asked.push('screen');
    if (this.denial) return Promise.reject(this.denial);
    const screen = new FakeTrack('video');
    this.tracks.push(screen);
    return Promise.resolve(new FakeStream([screen]) as unknown as MediaStream);
  };

  readonly watchNetwork = (changed: (certain: boolean) => void): (() => void) => {
    this.changeNetwork = changed;
    return () => (this.changeNetwork = (): void => undefined);
  };

  readonly getUserMedia = (constraints: MediaStreamConstraints): Promise<MediaStream> => {
    this.asked.push((['audio', 'video'] as const).filter((kind) => constraints[kind]).join('+'));
    if (this.denial) return Promise.reject(this.denial);
    const tracks = (['audio', 'video'] as const).filter((kind) => constraints[kind]).map((kind) => new FakeTrack(kind));
    this.tracks.push(...tracks);
    return Promise.resolve(new FakeStream(tracks) as unknown as MediaStream);
  };

  /** The newest one that is not closed. */
  get socket(): FakeSocket {
    const socket = this.sockets.filter((one) => !one.closed).at(-1) ?? this.sockets.at(-1);
    if (!socket) throw new Error('no socket was opened');
    return socket;
  }
}

export function welcome(fields: object = {}): object {
  return { type: 'welcome', session: 's_1', resume_token: 'r_1', resumed: false, user: 'alice', ack: 0, ping_interval_ms: 10_000, ring_timeout_ms: 45_000, ...fields };
}

/** Lets everything happen that is only waiting for its turn. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 40; turn++) await Promise.resolve();
}

/** What the SDK takes from the global object of a page. */
export function installGlobals(): void {
  Object.assign(globalThis, { MediaStream: FakeStream, Audio: FakeAudio });
  FakeAudio.playing.clear();
}
