// Drives offhook's SDK in the page of its own server, as an app would: sign in, dial, answer, hang up.
{
  const witness = window.__witness;
  witness.warms = true;
  const log = [];
  let client = null;
  let call = null;
  let answer = null;

  function follow(next, kinds) {
    call = next;
    call.on('state', (state) => {
      log.push(`${Date.now()} state ${state}`);
      if (state === 'ringing' && call.direction === 'outgoing') witness.mark('ringing');
      if (state === 'connecting' && call.direction === 'outgoing') witness.mark('heard_accept');
      if (state === 'connected') witness.mark('said_connected');
    });
    // The report tells why; nobody waits for it here.
    call.connected.catch(() => undefined);
    return kinds;
  }

  window.__lab = {
    /** Resolves when the person could dial. */
    async signIn({ token, kinds, devices, options = {} }) {
      const { CallClient } = await import('/sdk/offhook.js');
      client = new CallClient({ getToken: () => token, devices, ...options });
      client.on('log', (text) => log.push(`${Date.now()} ${text}`));
      client.on('error', (error) => log.push(`${Date.now()} error ${error.code}: ${error.verdict}`));
      client.on('incoming', (incoming) => {
        witness.mark('rung');
        follow(incoming, kinds);
        if (answer) answer.timer = setTimeout(() => window.__lab.accept(), answer.ring_ms);
      });
      window.__lab.kinds = kinds;
      if (client.state !== 'online') await new Promise((resolve) => client.on('state', (state) => state === 'online' && resolve()));
    },

    /** Incoming calls are answered after `ring_ms`; null: by hand. */
    answerAfter(ring_ms) {
      answer = ring_ms === null ? null : { ring_ms };
    },

    dial(user) {
      witness.mark('dialed');
      follow(client.dial(user, window.__lab.kinds));
    },

    accept() {
      witness.mark('accepted');
      call.accept(window.__lab.kinds);
    },

    hangUp() {
      call?.end();
    },

    state() {
      return call?.state ?? null;
    },

    describe() {
      return { state: client?.state ?? null, report: call ? JSON.parse(JSON.stringify(call.report())) : null, log };
    },

    leave() {
      client?.close();
    },
  };
}
