// The servers under test, each pinned to one core, and what Linux says that they use.
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const start_ms = 15000;
const end_ms = 10000;
const ticks_per_s = 100; // USER_HZ, which is this on every Linux that runs here

export const kinds = ['offhook', 'peerjs'];

async function freePort() {
  const listener = createServer();
  await new Promise(resolve => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address();
  await new Promise(resolve => listener.close(resolve));
  return port;
}

const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

export class Server {
  // Starts it on the core and waits until it serves. `directory` is its own and empty.
  static async start(kind, { program, core, directory, flags = [] }) {
    mkdirSync(directory, { recursive: true });
    const server = new Server();
    server.kind = kind;
    server.core = core;
    server.port = await freePort();
    server.secretFile = join(directory, 'state', 'token-secret');
    server.output = join(directory, 'output.log');
    const command = kind === 'peerjs' ? [process.execPath, join(here, 'peerjs_server.mjs'), String(server.port)]
      : [program, 'serve', '--listen-address', '127.0.0.1', '--port', String(await freePort()), '--http-port', String(server.port),
        '--shards', '1', '--state-dir', join(directory, 'state'), ...flags];
    const output = openSync(server.output, 'w');
    // exec all the way: the pid that we hold is the server's own.
    server.child = spawn('taskset', ['-c', String(core), 'sh', '-c', 'ulimit -n "$(ulimit -Hn)"; exec "$@"', 'sh', ...command],
      { stdio: ['ignore', output, output] });
    closeSync(output);
    server.ended = new Promise(resolve => {
      server.child.once('exit', (code, signal) => resolve(signal ?? `status ${code}`));
      server.child.once('error', error => resolve(error.message));
    });
    await server.serves();
    return server;
  }

  get pid() { return this.child.pid; }
  get running() { return this.pid !== undefined && this.child.exitCode === null && this.child.signalCode === null; }

  async serves() {
    const path = this.kind === 'peerjs' ? '/' : '/readyz';
    for (const until = Date.now() + start_ms; this.running && Date.now() < until;) {
      const answer = await fetch(`http://127.0.0.1:${this.port}${path}`).catch(() => null);
      if (answer?.status === 200) return;
      await pause(50);
    }
    this.kill();
    throw new Error(`${this.kind} does not start:\n${this.lastWords()}`);
  }

  // KiB of resident memory, now and at most.
  memory() {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    const kib = name => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)[1]);
    return { now: kib('VmRSS'), peak: kib('VmHWM') };
  }

  // Seconds of CPU that the process has used, and that its core was not idle.
  cpu() {
    const stat = readFileSync(`/proc/${this.pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const line = readFileSync('/proc/stat', 'utf8').split('\n').find(text => text.startsWith(`cpu${this.core} `));
    const [user, nice, system, , , irq, softirq] = line.split(/\s+/).slice(1).map(Number);
    return { process_s: (Number(fields[11]) + Number(fields[12])) / ticks_per_s, core_s: (user + nice + system + irq + softirq) / ticks_per_s };
  }

  lastWords() {
    const said = readFileSync(this.output, 'utf8').trim() || '(it said nothing)';
    return said.split('\n').slice(-10).map(line => `    ${line}`).join('\n');
  }

  async stop() {
    if (this.running) this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.kill(), end_ms);
    await this.ended;
    clearTimeout(timer);
  }

  kill() {
    if (this.running) this.child.kill('SIGKILL');
  }
}
