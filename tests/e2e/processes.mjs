// Child processes of a test, each with a log of its own, and its directories: none outlives the test, however it ends.

import { spawn } from 'node:child_process';
import dgram from 'node:dgram';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

const live = new Set();
const scratch = new Set();

process.on('exit', () => {
  for (const child of live) child.process.kill('SIGKILL');
  for (const directory of scratch) fs.rmSync(directory, { recursive: true, force: true });
});
for (const [signal, status] of [['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]]) {
  process.on(signal, () => process.exit(status));
}

/** A new directory that goes when the test ends. */
export function scratchDirectory() {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'offhook-test-'));
  scratch.add(directory);
  return directory;
}

export class Child {
  /** Starts `command`; everything that it prints goes to the file `log`. */
  constructor(command, args, { log, env = process.env }) {
    this.name = command.split('/').pop();
    this.log = log;
    const out = fs.openSync(log, 'a');
    this.process = spawn(command, args, { stdio: ['ignore', out, out], env });
    fs.closeSync(out);
    live.add(this);
    this.ended = new Promise((resolve) => {
      this.process.once('error', (error) => resolve({ error, code: null, signal: null }));
      this.process.once('exit', (code, signal) => resolve({ code, signal }));
    }).then((end) => {
      live.delete(this);
      this.end = end;
      return end;
    });
  }

  get running() {
    return this.end === undefined;
  }

  /** Asks it to end, and ends it by force after `patience_ms`. Returns how it ended. */
  async stop(patience_ms = 8000) {
    if (!this.running) return this.end;
    this.process.kill('SIGTERM');
    const timer = setTimeout(() => this.process.kill('SIGKILL'), patience_ms);
    const end = await this.ended;
    clearTimeout(timer);
    return end;
  }

  printed() {
    return fs.readFileSync(this.log, 'utf8');
  }

  tail(lines = 40) {
    return this.printed().trimEnd().split('\n').slice(-lines).join('\n');
  }
}

/** Runs a command to its end, or kills it after `limit_ms` (then `timed_out` is set). */
export async function runToEnd(command, args, { log, limit_ms, env }) {
  const child = new Child(command, args, { log, env });
  let timed_out = false;
  const timer = setTimeout(() => {
    timed_out = true;
    child.process.kill('SIGKILL');
  }, limit_ms);
  const end = await child.ended;
  clearTimeout(timer);
  return { ...end, timed_out, printed: child.printed() };
}

// Below the kernel's ephemeral ports (32768 and up), so that no outgoing connection takes one between probe and use.
const lowest_port = 20_000;
const highest_port = 32_000;
const given = new Set();

/** A port that is free for UDP and TCP on both loopback addresses, given once in this process. */
export async function freePort() {
  for (;;) {
    const port = lowest_port + Math.floor(Math.random() * (highest_port - lowest_port));
    if (given.has(port)) continue;
    given.add(port);
    const probes = ['127.0.0.1', '::1'].flatMap((host) => [tcpFree(host, port), udpFree(host, port)]);
    if ((await Promise.all(probes)).every(Boolean)) return port;
  }
}

function tcpFree(host, port) {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen({ host, port }, () => server.close(() => resolve(true)));
  });
}

function udpFree(host, port) {
  return new Promise((resolve) => {
    const socket = dgram.createSocket(host.includes(':') ? 'udp6' : 'udp4');
    socket.once('error', () => resolve(false));
    socket.bind(port, host, () => socket.close(() => resolve(true)));
  });
}

/** Waits `ms`; for polls of other processes, which give no event. */
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Calls `probe` until it returns something true; throws `what` after `limit_ms`. */
export async function until(what, probe, { limit_ms, every_ms = 50 }) {
  const deadline = Date.now() + limit_ms;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`not within ${limit_ms} ms: ${typeof what === 'function' ? what() : what}`);
    await pause(every_ms);
  }
}
