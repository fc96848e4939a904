// A way to the relay over TCP that a test can close: the path of a call that has no other is lost then, as a network loses it.

import net from 'node:net';
import { once } from 'node:events';

import { freePort } from './processes.mjs';

export class RelayGate {
  #sockets = new Set();
  #is_open = true;

  /** Passes on to the TURN port of this machine's server. */
  static async start(relay_port) {
    const gate = new RelayGate();
    gate.server = net.createServer((socket) => gate.#pass(socket, relay_port));
    gate.port = await freePort();
    gate.server.listen(gate.port, '127.0.0.1');
    await once(gate.server, 'listening');
    return gate;
  }

  /** What stands is cut, and nothing new passes. */
  shut() {
    this.#is_open = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  async close() {
    this.shut();
    await new Promise((resolve) => this.server.close(resolve));
  }

  #pass(client, relay_port) {
    if (!this.#is_open) return client.destroy();
    const relay = net.connect(relay_port, '127.0.0.1');
    for (const [one, other] of [[client, relay], [relay, client]]) {
      this.#sockets.add(one);
      one.pipe(other);
      // A socket that fails also closes; what matters follows there.
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
  }
}
