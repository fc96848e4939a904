// bench/signal: see `usage`. A fresh server for each run; scenarios and servers take turns round by round.
import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { markdown, misses, rowsOf } from './figures.mjs';
import { Generators, mostSessions } from './load.mjs';
import { scenarios } from './scenarios.mjs';
import { Server, kinds } from './servers.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

const usage = `usage: bench/signal [options]

What one core does for signalling: sessions, call set-ups a second, how soon it rings. On loopback, in the clear; PeerJS's
server beside ours with what it knows: sockets, and relaying offers, answers and candidates.

  --scenario LIST      ${Object.keys(scenarios).join(', ')}   (default: all)
  --server LIST        ${kinds.join(', ')}                                  (default: both)
  --rounds N           rounds; the table has least, median and most          (default 3)
  --seconds S          length of each measurement of calls                   (default 5)
  --sessions N         of memory, or as many as a process may open files     (default 20000)
  --hold S             how long they stay; a ping each comes every 10 s      (default 20)
  --window N           calls under way in rate                               (default 64)
  --rate N             calls a second in latency                             (default 1000)
  --callers N          devices in rate and latency, half of them called      (default 4000)
  --slow N             slow readers                                          (default 1000)
  --slow-rate N        calls a second of the others beside them              (default 300)
  --cores S,G          core of the server, core of the generators            (default 1,0)
  --offhook PROGRAM    (default build/release/offhook)
  --load-program FILE  (default build/release/bench/bench_signal_load, built if missing)
  --output DIR         for signal.json and signal.md                         (default build/bench)

examples:
  bench/signal                                       everything, about seven minutes
  bench/signal --scenario rate,latency --server offhook
  bench/signal --scenario memory --sessions 2000 --rounds 1

Exit status: 0 good; 1 a message was lost, came twice, out of order or changed, or a median misses its goal; 2 bad usage or
something missing.
`;

class Problem extends Error {} // said in one line, exit status 2
class Fault extends Error {} // of a server under test, exit status 1

const options = {
  scenario: { type: 'string', default: Object.keys(scenarios).join(',') },
  server: { type: 'string', default: kinds.join(',') },
  rounds: { type: 'string', default: '3' },
  seconds: { type: 'string', default: '5' },
  sessions: { type: 'string', default: '20000' },
  hold: { type: 'string', default: '20' },
  window: { type: 'string', default: '64' },
  rate: { type: 'string', default: '1000' },
  callers: { type: 'string', default: '4000' },
  slow: { type: 'string', default: '1000' },
  'slow-rate': { type: 'string', default: '300' },
  cores: { type: 'string', default: '1,0' },
  offhook: { type: 'string', default: join(root, 'build/release/offhook') },
  'load-program': { type: 'string' },
  output: { type: 'string', default: join(root, 'build/bench') },
  help: { type: 'boolean', short: 'h' },
};

const say = text => console.error(`bench/signal: ${text}`);

function numberOf(values, flag, least, most, whole = true) {
  const value = Number(values[flag]);
  if (!(value >= least && value <= most) || (whole && !Number.isInteger(value))) {
    throw new Problem(`--${flag} ${values[flag]}: a ${whole ? 'whole ' : ''}number from ${least} to ${most} is needed`);
  }
  return value;
}

function namesOf(values, flag, known) {
  const names = values[flag].split(',');
  for (const name of names) {
    if (!known.includes(name)) throw new Problem(`--${flag} ${name}: there are ${known.join(', ')}`);
  }
  return names;
}

function coresOf(text) {
  const match = /^(\d+),(\d+)$/.exec(text);
  const [server, generators] = match ? [Number(match[1]), Number(match[2])] : [NaN, NaN];
  if (!(server < cpus().length && generators < cpus().length) || server === generators) {
    throw new Problem(`--cores ${text}: two different cores of the ${cpus().length} here are needed, such as 1,0`);
  }
  return { server, generators };
}

function valuesOf() {
  try {
    return parseArgs({ options, allowPositionals: false }).values;
  } catch (error) {
    throw new Problem(`${error.message} (bench/signal --help)`);
  }
}

function planOf(values) {
  return {
    scenarios: namesOf(values, 'scenario', Object.keys(scenarios)),
    servers: namesOf(values, 'server', kinds),
    rounds: numberOf(values, 'rounds', 1, 100),
    seconds: numberOf(values, 'seconds', 1, 60, false),
    sessions: numberOf(values, 'sessions', 1, 50000),
    hold: numberOf(values, 'hold', 1, 600, false),
    window: numberOf(values, 'window', 1, 10000),
    rate: numberOf(values, 'rate', 1, 100000),
    callers: numberOf(values, 'callers', 2, 18000),
    slow: numberOf(values, 'slow', 2, 8000),
    slowRate: numberOf(values, 'slow-rate', 1, 100000),
    cores: coresOf(values.cores),
    offhook: resolve(values.offhook),
    loadProgram: values['load-program'] ?? join(root, 'build/release/bench/bench_signal_load'),
    mayBuild: values['load-program'] === undefined,
    output: resolve(values.output),
    openFiles: Number(/^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? Infinity),
  };
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function checkMachine(plan) {
  if (!isProgram('/usr/bin/taskset')) throw new Problem('taskset is missing: apt-get install util-linux');
  if (plan.servers.includes('offhook') && !isProgram(plan.offhook)) {
    throw new Problem(`no program ${plan.offhook}; tools/build release, or --offhook PROGRAM`);
  }
  if (plan.servers.includes('peerjs') && !existsSync(join(root, 'node_modules/peer'))) {
    throw new Problem('PeerJS\'s server is missing: npm ci, or --server offhook');
  }
  if (!isProgram(plan.loadProgram)) {
    if (!plan.mayBuild) throw new Problem(`no program ${plan.loadProgram}`);
    say('building bench_signal_load ...');
    execFileSync(join(root, 'tools/build'), ['release', 'bench_signal_load'], { stdio: ['ignore', 'ignore', 'inherit'] });
  }
  if (plan.scenarios.includes('memory') && plan.sessions > mostSessions(plan.openFiles)) {
    say(`a process may open ${plan.openFiles} files here (ulimit -Hn): ${mostSessions(plan.openFiles)} sessions are measured, not ${plan.sessions}`);
  }
  if (loadavg()[0] > 0.5) say(`the machine is busy (load ${loadavg()[0].toFixed(1)}): figures will be noisy`);
  // This process sleeps while a server is measured, and wakes up beside the generators.
  execFileSync('taskset', ['-cp', String(plan.cores.generators), String(process.pid)], { stdio: 'ignore' });
}

// Work of others on the server's core, or of the host, that makes a run worthless.
const disturbedShare = 0.05;
const disturbed = result => result.foreign_s + result.steal_s > disturbedShare * result.wall_s;

class Bench {
  constructor(plan) {
    this.plan = plan;
    this.directory = mkdtempSync(join(tmpdir(), 'offhook-bench-'));
    this.generators = new Generators(plan.loadProgram, plan.cores.generators);
    this.server = null;
    this.started = 0;
  }

  async run() {
    const runs = [];
    for (let round = 1; round <= this.plan.rounds; ++round) {
      for (const scenario of this.plan.scenarios) {
        for (const server of (scenarios[scenario].servers ?? kinds).filter(kind => this.plan.servers.includes(kind))) {
          const result = await this.undisturbed(scenario, server);
          runs.push({ round, scenario, server, result });
          this.tell(runs.at(-1));
        }
      }
    }
    return runs;
  }

  tell({ round, scenario, server, result }) {
    const shown = rowsOf([{ scenario, server, result }]).map(row => `${row.name} ${row.median.toFixed(row.digits)} ${row.unit}`.trim());
    say(`round ${round}/${this.plan.rounds}, ${scenario}, ${server}: ${shown.join(', ')}${result.disturbed ? ' (disturbed)' : ''}`);
  }

  // A run that others disturbed is repeated, twice at most; then it counts, and is marked.
  async undisturbed(scenario, server) {
    for (let attempt = 0; ; ++attempt) {
      const result = await this.once(scenario, server);
      if (!scenarios[scenario].disturbable) return result;
      result.disturbed = disturbed(result);
      if (!result.disturbed || attempt === 2) return result;
      say(`others used the server's core while ${scenario} ran; once more`);
    }
  }

  async once(scenario, kind) {
    const { plan } = this;
    const directory = join(this.directory, String(++this.started));
    this.server = await Server.start(kind, { program: plan.offhook, core: plan.cores.server, directory, flags: scenarios[scenario].flags });
    try {
      const over = this.server.ended.then(how => { throw new Error(`the server ended (${how})`); });
      over.catch(() => {}); // the loser of the race
      return await Promise.race([scenarios[scenario].run(this.server, this.generators, plan), over]);
    } catch (error) {
      throw new Fault(`${scenario}, ${kind}: ${error.message}\n  the server's last words:\n${this.server.lastWords()}`);
    } finally {
      await this.server.stop();
      this.server = null;
      rmSync(directory, { recursive: true, force: true });
    }
  }

  // Leaves nothing behind, on every way out.
  close() {
    this.generators.kill();
    this.server?.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function report(plan, runs) {
  const rows = rowsOf(runs);
  const text = markdown(rows);
  const machine = { processor: cpus()[0].model, cores: cpus().length, kernel: release(), open_files: plan.openFiles };
  mkdirSync(plan.output, { recursive: true });
  writeFileSync(join(plan.output, 'signal.json'), `${JSON.stringify({ machine, plan, rows, runs }, null, 1)}\n`);
  writeFileSync(join(plan.output, 'signal.md'), `${text}\n`);
  console.log(`${plan.rounds} rounds; ${machine.processor}, ${machine.cores} cores, Linux ${machine.kernel}\n\n${text}\n`);
  const noisy = runs.filter(run => run.result.disturbed).length;
  if (noisy > 0) console.log(`NOISY: others used the server's core in ${noisy} of ${runs.length} runs. Repeat on a quiet machine.`);
  const behind = rows.filter(misses);
  for (const row of behind) console.log(`BEHIND: ${row.scenario}, ${row.name}: ${row.median.toFixed(row.digits)} ${row.unit}`.trimEnd());
  console.log(`written: ${join(plan.output, 'signal.json')}, signal.md`);
  return behind.length > 0 ? 1 : 0;
}

async function main() {
  const values = valuesOf();
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const plan = planOf(values);
  checkMachine(plan);
  const bench = new Bench(plan);
  for (const [signal, status] of [['SIGINT', 130], ['SIGTERM', 143]]) {
    process.once(signal, () => {
      bench.close();
      process.exit(status);
    });
  }
  try {
    return report(plan, await bench.run());
  } finally {
    bench.close();
  }
}

main().then(status => { process.exitCode = status; }, error => {
  say(error instanceof Problem || error instanceof Fault ? error.message : error.stack);
  process.exitCode = error instanceof Fault ? 1 : 2;
});
