// One offhook server on loopback, with a state directory and ports of its own.

import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';

import { Child, freePort, scratchDirectory, until } from './processes.mjs';

const start_limit_ms = 20_000;

export class Offhook {
  #spawn;

  /** Starts `binary serve` with `flags` beside the ports and waits until /readyz answers 200. */
  static async start(binary, { flags = ['--dev'], addresses = ['127.0.0.1'], log }) {
    const server = new Offhook();
    server.directory = scratchDirectory();
    server.port = await freePort();
    server.http_port = await freePort();
    server.origin = `http://127.0.0.1:${server.http_port}`;
    const listen = addresses.flatMap((address) => ['--listen-address', address]);
    const ports = ['--port', String(server.port), '--http-port', String(server.http_port)];
    // With --dev it makes a certificate of its own, unless one is given.
    if (flags.includes('--dev') || flags.includes('--cert')) {
      server.tls_port = await freePort();
      server.tls_origin = `https://127.0.0.1:${server.tls_port}`;
      ports.push('--tls-port', String(server.tls_port));
    }
    const args = ['serve', '--state-dir', server.directory, ...listen, ...ports, ...flags];
    server.#spawn = () => new Child(binary, args, { log: log ?? path.join(server.directory, 'log') });
    await server.restart();
    return server;
  }

  /** Starts it, with the ports and the state that it had. */
  async restart() {
    this.child = this.#spawn();
    await this.#untilReady();
  }

  /** It is gone between two instructions. */
  async crash() {
    this.child.process.kill('SIGKILL');
    await this.child.ended;
  }

  async #untilReady() {
    let last = 'no answer yet';
    const ready = async () => {
      if (!this.child.running) throw new Error(`offhook ended at start: ${JSON.stringify(this.child.end)}\n${this.child.tail()}`);
      last = await statusOf(`${this.origin}/readyz`);
      return last === 200;
    };
    try {
      await until(() => `/readyz answers 200 (last: ${last})\n${this.child.tail()}`, ready, { limit_ms: start_limit_ms });
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Ends it; the state directory goes with it. Returns {code, signal}. */
  async stop() {
    const end = await this.child.stop();
    fs.rmSync(this.directory, { recursive: true, force: true });
    return end;
  }
}

/** The status of GET `url`, or the error's code while nobody listens. */
function statusOf(url) {
  return new Promise((resolve) => {
    const request = http.get(url, { agent: false, timeout: 2000 }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.once('timeout', () => request.destroy(new Error('timeout')));
    request.once('error', (error) => resolve(error.code ?? error.message));
  });
}
