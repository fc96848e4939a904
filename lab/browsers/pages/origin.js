// The hand-written client of the field report that offhook began with, twice, with the devices already open.
// `before`: candidates in batches of 200 ms, descriptions sent after up to 5 s of gathering.
// `after`: descriptions at once, each candidate as it is found. Both keep early remote candidates in a queue.
{
  const batch_ms = 200;
  const gathering_limit_ms = 5000;
  const witness = window.__witness;
  const log = [];
  let socket = null;
  let settings = null;
  let stream = null;
  let connection = null;
  let peer = null;
  let offer = null;
  let early = [];
  let answer = null;
  const elements = [];

  const send = (type, body = {}) => socket.send(JSON.stringify({ to: peer, type, ...body }));

  function makeConnection() {
    connection = new RTCPeerConnection({ iceServers: settings.ice_servers });
    for (const track of stream.getTracks()) connection.addTrack(track, stream);
    connection.addEventListener('track', ({ streams: [remote] }) => play(remote));
    if (settings.variant === 'after') {
      connection.addEventListener('icecandidate', ({ candidate }) => candidate && send('ice-candidate', { candidates: [candidate] }));
    } else {
      batchCandidates();
    }
  }

  function batchCandidates() {
    let batch = [];
    let timer = null;
    connection.addEventListener('icecandidate', ({ candidate }) => {
      if (!candidate) return;
      batch.push(candidate);
      timer ??= setTimeout(() => {
        send('ice-candidate', { candidates: batch });
        batch = [];
        timer = null;
      }, batch_ms);
    });
  }

  /** The local description, when this variant sends it. */
  async function describeLocally(type) {
    await connection.setLocalDescription();
    if (settings.variant === 'before') await gathered();
    send(type, { sdp: connection.localDescription });
  }

  function gathered() {
    return new Promise((resolve) => {
      const done = () => connection.iceGatheringState === 'complete' && resolve();
      connection.addEventListener('icegatheringstatechange', done);
      setTimeout(resolve, gathering_limit_ms);
      done();
    });
  }

  function play(remote) {
    const element = elements.find(({ srcObject }) => srcObject === remote) ?? document.createElement('video');
    if (element.srcObject) return;
    element.autoplay = true;
    element.srcObject = remote;
    element.play().catch((error) => log.push(`${Date.now()} play: ${error.message}`));
    elements.push(element);
  }

  async function takeEarly() {
    for (const candidate of early.splice(0)) await connection.addIceCandidate(candidate);
  }

  async function handle(message) {
    log.push(`${Date.now()} got ${message.type}`);
    if (message.type === 'offer') {
      peer = message.from;
      offer = message.sdp;
      witness.mark('rung');
      if (answer) setTimeout(() => window.__lab.accept(), answer.ring_ms);
    }
    if (message.type === 'answer') {
      await connection.setRemoteDescription(message.sdp);
      await takeEarly();
    }
    if (message.type === 'ice-candidate') {
      if (!connection?.remoteDescription) early.push(...message.candidates);
      else for (const candidate of message.candidates) await connection.addIceCandidate(candidate);
    }
    if (message.type === 'bye') window.__lab.close();
  }

  window.__lab = {
    async signIn({ user, kinds, devices, server, ice_servers, variant }) {
      settings = { ice_servers, variant };
      stream = await navigator.mediaDevices.getUserMedia({ audio: kinds.audio, video: kinds.video && (devices.video ?? true) });
      socket = new WebSocket(`ws://${server.host_in_url}:${server.port}/origin?user=${user}`);
      socket.onmessage = ({ data }) => handle(JSON.parse(data)).catch((error) => log.push(`${Date.now()} ${error.message}`));
      await new Promise((resolve, reject) => {
        socket.onopen = resolve;
        socket.onerror = () => reject(new Error('the signalling socket did not open'));
      });
    },

    answerAfter(ring_ms) {
      answer = ring_ms === null ? null : { ring_ms };
    },

    dial(user) {
      witness.mark('dialed');
      peer = user;
      makeConnection();
      describeLocally('offer').catch((error) => log.push(`${Date.now()} offer: ${error.message}`));
    },

    accept() {
      witness.mark('accepted');
      makeConnection();
      const answering = async () => {
        await connection.setRemoteDescription(offer);
        await takeEarly();
        await describeLocally('answer');
      };
      answering().catch((error) => log.push(`${Date.now()} answer: ${error.message}`));
    },

    hangUp() {
      if (peer) send('bye');
      window.__lab.close();
    },

    close() {
      connection?.close();
      connection = null;
    },

    state() {
      return connection?.connectionState ?? null;
    },

    describe() {
      return { state: socket?.readyState ?? null, report: null, log };
    },

    leave() {
      window.__lab.close();
      socket?.close();
      for (const track of stream?.getTracks() ?? []) track.stop();
    },
  };
}
