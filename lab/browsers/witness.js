// What the laboratory sees of a page's calls, counted by itself and the same way for every product. It only looks: it
// asks receivers for their sources and connections for their statistics, and adds nothing to what is played or sent.
// Runs inside each page before any script of the page; the block keeps its names to itself. Clock: Date.now(), which all
// browsers of one machine share.
if (window === top) {
  const look_ms = 5;
  /** Silence that is longer is kept: audio comes in packets of 20 ms, video in frames of up to 100 ms. */
  const gap_ms = { audio: 150, video: 400 };
  /** A tick of the timer that is so late says that the page had no processor. */
  const late_ms = 30;
  const kept_events = 400;

  const options = window.__lab_options ?? {};
  const open = new Set();
  const all = [];
  /** What each watched receiver showed last. */
  const receivers = new Map();

  const witness = (window.__witness = {
    /** dialed, rung, ringing, accepted, heard_accept: by the page's driver, at the verb or event itself. */
    marks: {},
    /** First decoded packet of each kind, by the clock. */
    first: {},
    last: {},
    gaps: { audio: [], video: [] },
    late: [],
    events: [],
    problems: [],
    /** Whether tracks come while it rings: set by the page's driver. */
    warms: false,

    mark(name) {
      witness.marks[name] ??= Date.now();
    },

    reset() {
      witness.marks = {};
      witness.first = {};
      witness.last = {};
      witness.gaps = { audio: [], video: [] };
      witness.late = [];
      witness.events = [];
    },

    /** Whether all of `names` in `of` (marks or first) are there within `limit_ms`. */
    until(of, names, limit_ms) {
      const deadline = Date.now() + limit_ms;
      return new Promise((resolve) => {
        const timer = setInterval(() => {
          const there = names.every((name) => witness[of][name] !== undefined);
          if (!there && Date.now() < deadline) return;
          clearInterval(timer);
          resolve(there);
        }, 20);
      });
    },

    /** Everything that is known of the call now. */
    async snapshot() {
      const { marks, first, last, gaps, late } = witness;
      const connections = await Promise.all([...open].map(async (connection) => countOf(await connection.getStats())));
      const carrying = connections.filter((one) => one.pair);
      const sum = (name) => connections.reduce((total, one) => total + one[name], 0);
      return {
        marks,
        first,
        last,
        gaps,
        late,
        samples: sum('samples'),
        frames: sum('frames'),
        lost: sum('lost'),
        received: sum('received'),
        pair: carrying.find((one) => one.received > 0)?.pair ?? carrying[0]?.pair ?? null,
        open: open.size,
        problems: witness.problems,
        now: Date.now(),
      };
    },

    /** For a failure: what happened to every connection, and all its candidates and pairs. */
    async evidence() {
      const connections = await Promise.all(all.map(async (connection) => ({
        state: connection.connectionState,
        ice: connection.iceConnectionState,
        signaling: connection.signalingState,
        // One that is closed may never answer: its frame is gone.
        stats: connection.signalingState === 'closed' ? [] : [...(await connection.getStats()).values()].filter(({ type }) => told.has(type)),
      })));
      return { events: witness.events, connections };
    },
  });

  const told = new Set(['local-candidate', 'remote-candidate', 'candidate-pair', 'transport', 'inbound-rtp', 'outbound-rtp']);

  function note(connection, event) {
    if (witness.events.length < kept_events) witness.events.push({ at: Date.now(), connection: all.indexOf(connection), event });
  }

  function countOf(stats) {
    const count = { samples: 0, frames: 0, lost: 0, received: 0, pair: null };
    let pair = null;
    for (const row of stats.values()) {
      if (row.type === 'inbound-rtp') {
        count.received += row.packetsReceived ?? 0;
        count.lost += row.packetsLost ?? 0;
        if (row.kind === 'video') count.frames += row.framesDecoded ?? 0;
        // Only what came out of packets, not what was invented in their place.
        if (row.kind === 'audio') count.samples += Math.max(0, (row.totalSamplesReceived ?? 0) - (row.concealedSamples ?? 0));
      }
      if (row.type === 'transport' && row.selectedCandidatePairId) pair = stats.get(row.selectedCandidatePairId);
    }
    // Firefox marks the pair itself.
    for (const row of stats.values()) if (row.type === 'candidate-pair' && row.selected) pair ??= row;
    count.pair = pair && pairOf(stats, pair);
    return count;
  }

  function pairOf(stats, pair) {
    const local = stats.get(pair.localCandidateId);
    const remote = stats.get(pair.remoteCandidateId);
    if (!local || !remote) return null;
    const { candidateType, protocol, relayProtocol, address } = local;
    return {
      local: candidateType,
      remote: remote.candidateType,
      protocol,
      relay_protocol: relayProtocol ?? null,
      family: (address ?? remote.address ?? '').includes(':') ? 'ipv6' : 'ipv4',
      rtt_ms: pair.currentRoundTripTime === undefined ? null : Math.round(pair.currentRoundTripTime * 1000),
    };
  }

  function see(kind, now) {
    witness.first[kind] ??= now;
    const before = witness.last[kind];
    if (before !== undefined && now - before > gap_ms[kind]) witness.gaps[kind].push({ from: before, to: now });
    witness.last[kind] = now;
  }

  /** A source shows a new RTP timestamp when a packet of it has been decoded and given to the track. */
  function look(receiver, shown) {
    const { kind } = receiver.track;
    const [source] = receiver.getSynchronizationSources();
    if (!source || source.rtpTimestamp === shown.rtp_timestamp) return;
    shown.rtp_timestamp = source.rtpTimestamp;
    see(kind, Date.now());
  }

  let tick = 0;
  let ticked_at = Date.now();
  const watch = () => {
    const now = Date.now();
    if (now - ticked_at > late_ms) witness.late.push({ from: ticked_at, to: now });
    if (witness.late.length > 200) witness.late.shift();
    ticked_at = now;
    tick += 1;
    // Each look waits for another thread. Between the answer and the first packet every tick counts; afterwards only gaps do,
    // and before it nothing is to come.
    const answered = !witness.warms || witness.marks.accepted !== undefined || witness.marks.heard_accept !== undefined;
    for (const [receiver, shown] of receivers) {
      if (shown.connection.signalingState === 'closed') receivers.delete(receiver);
      else if ((shown.rtp_timestamp === null && answered) || tick % 4 === 0) look(receiver, shown);
    }
  };
  // Browsers that wait for their next call show an empty page: thirty of them, each looking so often, fill half a processor.
  if (location.href !== 'about:blank') setInterval(watch, look_ms);

  function configured(configuration = {}) {
    const extra = options.extra_ice_servers;
    return extra ? { ...configuration, iceServers: [...extra, ...(configuration.iceServers ?? [])] } : configuration;
  }

  const watched = (Original) => class RTCPeerConnection extends Original {
    constructor(configuration, ...rest) {
      super(configured(configuration), ...rest);
      open.add(this);
      all.push(this);
      note(this, 'made');
      this.addEventListener('track', ({ receiver }) => {
        note(this, `track ${receiver.track.kind}`);
        if (options.kinds && !options.kinds.includes(receiver.track.kind)) return;
        receivers.set(receiver, { connection: this, rtp_timestamp: null });
      });
      for (const name of ['signaling', 'iceGathering', 'iceConnection', 'connection']) {
        this.addEventListener(`${name.toLowerCase()}statechange`, () => note(this, `${name} ${this[`${name}State`]}`));
      }
      this.addEventListener('icecandidate', ({ candidate }) => note(this, candidate ? `local ${candidate.candidate}` : 'local end'));
      this.addEventListener('icecandidateerror', ({ errorCode, errorText, url, address }) => note(this, `ICE error ${errorCode} ${errorText} ${url} ${address}`));
    }

    setConfiguration(configuration) {
      super.setConfiguration(configured(configuration));
    }

    setLocalDescription(...args) {
      note(this, `setLocalDescription ${args[0]?.type ?? ''}`);
      return super.setLocalDescription(...args);
    }

    setRemoteDescription(description, ...rest) {
      note(this, `setRemoteDescription ${description?.type}`);
      return super.setRemoteDescription(description, ...rest);
    }

    addIceCandidate(candidate, ...rest) {
      note(this, `remote ${candidate?.candidate ?? 'end'}`);
      return super.addIceCandidate(candidate, ...rest);
    }

    restartIce() {
      note(this, 'restartIce');
      super.restartIce();
    }

    close() {
      note(this, 'closed');
      open.delete(this);
      super.close();
    }
  };
  window.__watchConnections(watched);

  addEventListener('error', ({ message }) => witness.problems.push(`error: ${message}`));
  addEventListener('unhandledrejection', ({ reason }) => witness.problems.push(`rejection: ${reason?.message ?? reason}`));
}
