// What a test sees of a page's media, counted by the test itself: the SDK's own word is not taken for it.
// Runs inside each page before any script of the page; the block keeps its names to itself.
if (window === top) {
  const poll_ms = 20;
  const counters = ['frames', 'samples', 'energy', 'audio_packets', 'video_packets'];

  /** RTCPeerConnections that are not closed. */
  const open = new Set();
  /** Tracks that getUserMedia gave, and their clones. */
  const captured = new Set();

  const witness = (window.__witness = {
    /** Clicks, and the first decoded sample and frame, of the newest call, by Date.now(). */
    dialed_at: 0,
    accepted_at: 0,
    audio_at: 0,
    video_at: 0,
    instant_accept: false,
    /** When a connection first stood, ICE and DTLS, by Date.now(). */
    path_at: 0,
    /** What getUserMedia was asked for. */
    asked: [],
    /** Frames that came over WebSockets, since the page began. */
    frames: [],
    /** Requests for credentials, since the page began. */
    credential_requests: 0,
    /** The SDK's newest call, for its state and report; nothing is counted by it. */
    call: null,

    /** Begins a new call. */
    reset() {
      witness.dialed_at = witness.accepted_at = witness.audio_at = witness.video_at = witness.path_at = 0;
      witness.asked = [];
      witness.call = null;
    },

    /** Everything that is counted now, over all open connections. */
    async count() {
      const total = { ...Object.fromEntries(counters.map((name) => [name, 0])), pair: null };
      for (const connection of [...open]) {
        const one = countOf(await statsOf(connection));
        for (const name of counters) total[name] += one[name];
        total.pair ??= one.pair;
      }
      const { dialed_at, accepted_at, audio_at, video_at } = witness;
      const live = [...captured].filter((track) => track.readyState === 'live').length;
      const connected = [...open].filter((connection) => connection.connectionState !== 'new').length;
      return { ...total, dialed_at, accepted_at, audio_at, video_at, open: open.size, connected, live };
    },
  });

  /** RTP of all open connections, and the kinds of candidates that they know of the other side. */
  witness.wire = async () => {
    const wire = { sent: 0, received: 0, lost: 0, remote_types: [] };
    for (const connection of [...open]) {
      for (const row of (await statsOf(connection)).values()) {
        if (row.type === 'outbound-rtp') wire.sent += row.packetsSent ?? 0;
        if (row.type === 'inbound-rtp') wire.received += row.packetsReceived ?? 0;
        if (row.type === 'inbound-rtp') wire.lost += row.packetsLost ?? 0;
        if (row.type === 'remote-candidate') wire.remote_types.push(row.candidateType);
      }
    }
    return { ...wire, remote_types: [...new Set(wire.remote_types)].sort() };
  };

  /** From now on the longest time without a new packet is kept in `longest_gap_ms`. */
  witness.watchGaps = async () => {
    const watch = (witness.gap_watch = {});
    witness.longest_gap_ms = 0;
    let last = (await witness.wire()).received;
    let last_at = performance.now();
    while (witness.gap_watch === watch) {
      await new Promise((resolve) => setTimeout(resolve, poll_ms));
      const { received } = await witness.wire();
      const now = performance.now();
      witness.longest_gap_ms = Math.max(witness.longest_gap_ms, now - last_at);
      // It falls when a connection is closed.
      if (received > last) last_at = now;
      last = received;
    }
  };

  window.WebSocket = class WebSocket extends window.WebSocket {
    constructor(...args) {
      super(...args);
      this.addEventListener('message', (event) => witness.frames.push(JSON.parse(event.data)));
    }
  };

  const { fetch } = window;
  window.fetch = (input, init) => {
    if (String(input).includes('/api/turn/credentials')) witness.credential_requests += 1;
    return fetch(input, init);
  };

  /** Its counters; none if it is closed meanwhile: of one whose frame has gone the browser never answers. */
  function statsOf(connection) {
    return Promise.race([connection.getStats(), connection.gone]);
  }

  function countOf(stats) {
    const count = { ...Object.fromEntries(counters.map((name) => [name, 0])), pair: null };
    for (const row of stats.values()) {
      if (row.type === 'inbound-rtp' && row.kind === 'video') {
        count.frames += row.framesDecoded ?? 0;
        count.video_packets += row.packetsReceived ?? 0;
      }
      if (row.type === 'inbound-rtp' && row.kind === 'audio') {
        count.samples += row.totalSamplesReceived ?? 0;
        count.energy += row.totalAudioEnergy ?? 0;
        count.audio_packets += row.packetsReceived ?? 0;
      }
      if (row.type === 'transport' && row.selectedCandidatePairId) count.pair = pairOf(stats, row.selectedCandidatePairId);
    }
    return count;
  }

  function pairOf(stats, id) {
    const pair = stats.get(id);
    const local = stats.get(pair?.localCandidateId);
    const remote = stats.get(pair?.remoteCandidateId);
    if (!local || !remote) return null;
    const { candidateType, protocol, relayProtocol } = local;
    return { local: candidateType, remote: remote.candidateType, protocol, relay_protocol: relayProtocol ?? null };
  }

  /** Polls from the moment the connection stands until both kinds are decoded. Chromium renews these counts every 50 ms. */
  async function timeFirstMedia(connection) {
    while (open.has(connection) && !(witness.audio_at && witness.video_at)) {
      const { samples, frames } = countOf(await statsOf(connection));
      if (samples > 0) witness.audio_at ||= Date.now();
      if (frames > 0) witness.video_at ||= Date.now();
      await new Promise((resolve) => setTimeout(resolve, poll_ms));
    }
  }

  /** The same with the relay at the port that the test has named, if it has. */
  const throughGate = (configuration) => {
    const port = window.__relay_port;
    if (!port || !configuration?.iceServers) return configuration;
    const moved = (uri) => uri.replace(/^(turn:[^?]*):\d+/, `$1:${port}`);
    return { ...configuration, iceServers: configuration.iceServers.map((server) => ({ ...server, urls: [server.urls].flat().map(moved) })) };
  };

  const watched = (Original) => class RTCPeerConnection extends Original {
    constructor(configuration, ...args) {
      super(throughGate(configuration), ...args);
      this.gone = new Promise((resolve) => (this.leave = () => resolve(new Map())));
      open.add(this);
      this.addEventListener('connectionstatechange', () => {
        if (this.connectionState !== 'connected') return;
        witness.path_at ||= Date.now();
        timeFirstMedia(this);
      });
    }

    setConfiguration(configuration) {
      super.setConfiguration(throughGate(configuration));
    }

    close() {
      open.delete(this);
      this.leave();
      super.close();
    }
  };
  window.__watchConnections(watched);

  /**
   * The same with the microphone as it is, if the test wants that: all fake microphones beep in time, and where pages
   * run late the echo canceller takes the own beep for the echo of the other's and removes it.
   */
  const withRawAudio = (constraints) => {
    if (!window.__raw_audio || !constraints.audio) return constraints;
    const asked = constraints.audio === true ? {} : constraints.audio;
    return { ...constraints, audio: { ...asked, echoCancellation: false, noiseSuppression: false, autoGainControl: false } };
  };

  const { getUserMedia } = MediaDevices.prototype;
  MediaDevices.prototype.getUserMedia = async function getAndKeep(constraints) {
    witness.asked.push(['audio', 'video'].filter((kind) => constraints[kind]).join('+'));
    const stream = await getUserMedia.call(this, withRawAudio(constraints));
    for (const track of stream.getTracks()) captured.add(track);
    return stream;
  };

  const { clone } = MediaStreamTrack.prototype;
  MediaStreamTrack.prototype.clone = function cloneAndKeep() {
    const copy = clone.call(this);
    if (captured.has(this)) captured.add(copy);
    return copy;
  };

  /** From now on `call` is the newest call of `client`, either way, however soon it comes or ends. */
  function follow(client) {
    client.on('incoming', (call) => (witness.call = call));
    const dial = client.dial.bind(client);
    client.dial = (...args) => (witness.call = dial(...args));
    const take = client.take.bind(client);
    client.take = (...args) => (witness.call = take(...args));
  }

  // The page lays its live objects open as window.offhook; the client is followed from the moment it is put there.
  let live_objects;
  Object.defineProperty(window, 'offhook', {
    get: () => live_objects,
    set(value) {
      live_objects = value;
      let client = value.client;
      const put = (made) => {
        client = made;
        if (made) follow(made);
      };
      Object.defineProperty(value, 'client', { get: () => client, set: put });
    },
  });

  /** The moment of the click itself, not of the driver's command that leads to it. */
  function noteClick(event) {
    const id = event.target.closest?.('[data-testid]')?.dataset.testid ?? '';
    if (id.startsWith('dial-')) witness.dialed_at = Date.now();
    if (id === 'accept') witness.accepted_at = Date.now();
  }
  document.addEventListener('click', noteClick, true);

  /** A person who answers in the same moment: the driver's own round trip is no part of the time to connect. */
  function answerInstantly() {
    if (!witness.instant_accept || witness.accepted_at) return;
    const button = document.querySelector('[data-testid="accept"]');
    if (button && !button.disabled && button.getClientRects().length > 0) button.click();
  }
  const attributeFilter = ['hidden', 'class', 'style', 'disabled', 'open', 'data-state'];
  new MutationObserver(answerInstantly).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter });
}
