// The load generators: processes on the other core that say in JSON what came of it.
import { spawn } from 'node:child_process';

// Of the files that one process may open, those that are no sessions: the server keeps 256 for all else.
const other_files = 300;

export class Generators {
  #running = new Set();

  constructor(program, core) {
    this.program = program;
    this.core = core;
  }

  // Starts one; `flags` are its own, by name. `connected` and `done` are promises; an error if it finds a fault.
  start(server, flags) {
    const all = { server: `127.0.0.1:${server.port}`, 'server-kind': server.kind, 'server-pid': server.pid, 'server-core': server.core,
      ...(server.kind === 'offhook' && { 'token-secret-file': server.secretFile }), ...flags };
    const child = spawn('taskset', ['-c', String(this.core), this.program, ...Object.entries(all).flatMap(([flag, value]) => [`--${flag}`, String(value)])],
      { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#running.add(child);
    let [output, errors] = ['', ''];
    let isConnected;
    const connected = new Promise(resolve => { isConnected = resolve; });
    child.stdout.on('data', text => {
      output += text;
      if (output.startsWith('connected\n')) isConnected();
    });
    child.stderr.on('data', text => { errors += text; });
    const done = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', code => {
        this.#running.delete(child);
        if (code === 0) resolve(JSON.parse(output.replace('connected\n', '')));
        else reject(new Error(errors.trim() || `the generator ended with status ${code}`));
      });
    });
    const ready = Promise.race([connected, done]);
    for (const promise of [done, ready]) promise.catch(() => {}); // whoever awaits one of them hears of it
    return { connected: ready, done, end: () => child.stdin.end() };
  }

  kill() {
    for (const child of this.#running) child.kill('SIGKILL');
  }
}

// How `sessions` are spread over processes that may open `limit` files each.
export function spread(sessions, limit) {
  const most = limit - other_files;
  const count = Math.ceil(sessions / Math.min(most, 10_000));
  const shares = [];
  for (let first = 0; first < sessions; first += Math.ceil(sessions / count)) {
    shares.push({ 'first-number': first, sessions: Math.min(Math.ceil(sessions / count), sessions - first), 'first-source': `127.0.${shares.length + 1}.1` });
  }
  return shares;
}

export const mostSessions = limit => limit - other_files;
