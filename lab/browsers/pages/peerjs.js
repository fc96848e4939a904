// Drives PeerJS as its own documentation does, with the devices already open. `Peer` is put into the page before this.
{
  const witness = window.__witness;
  const log = [];
  let peer = null;
  let call = null;
  let stream = null;
  let answer = null;
  const elements = [];

  function play(remote) {
    const element = document.createElement('video');
    element.autoplay = true;
    element.srcObject = remote;
    element.play().catch((error) => log.push(`${Date.now()} play: ${error.message}`));
    elements.push(element);
  }

  function follow(next) {
    call = next;
    call.on('stream', play);
    call.on('close', () => log.push(`${Date.now()} closed`));
    call.on('error', (error) => log.push(`${Date.now()} error ${error.type}: ${error.message}`));
  }

  window.__lab = {
    async signIn({ user, kinds, devices, server, ice_servers }) {
      stream = await navigator.mediaDevices.getUserMedia({ audio: kinds.audio, video: kinds.video && (devices.video ?? true) });
      peer = new window.peerjs.Peer(user, { host: server.host, port: server.port, path: '/peerjs', secure: false, config: { iceServers: ice_servers } });
      peer.on('error', (error) => log.push(`${Date.now()} error ${error.type}: ${error.message}`));
      peer.on('disconnected', () => log.push(`${Date.now()} disconnected`));
      peer.on('call', (incoming) => {
        witness.mark('rung');
        follow(incoming);
        if (answer) setTimeout(() => window.__lab.accept(), answer.ring_ms);
      });
      await new Promise((resolve) => peer.on('open', resolve));
    },

    answerAfter(ring_ms) {
      answer = ring_ms === null ? null : { ring_ms };
    },

    dial(user) {
      witness.mark('dialed');
      follow(peer.call(user, stream));
    },

    accept() {
      witness.mark('accepted');
      call.answer(stream);
    },

    hangUp() {
      call?.close();
    },

    state() {
      return call === null ? null : call.open ? 'open' : 'closed';
    },

    describe() {
      return { state: peer?.open ?? null, report: null, log };
    },

    leave() {
      peer?.destroy();
      for (const track of stream?.getTracks() ?? []) track.stop();
    },
  };
}
