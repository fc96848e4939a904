// bench/relay: see `usage`. Servers take turns round by round under the same load; the first round is a warm-up.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Problem, coresOf, find, numberOf, numbersOf } from './checks.mjs';
import { curve, disturbed, highestOf, markdown, ratiosOf, rowsOf, setUpsOf, svg } from './figures.mjs';
import { Network, addresses } from './network.mjs';
import { Server, buildPion, inKernel, kinds, makeCertificate, modes, ofForwarding, port, programOf, secret, tlsPort, transports } from './servers.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

const usage = `usage: bench/relay [options]        (as root: it makes network namespaces)

Packets relayed per server CPU-second, kernel work included, for the same load on each server.

  --server WHICH       coturn, offhook, both, or a list such as coturn,coturn        (default both)
                       pion: made of Debian's golang-github-pion-turn.v2-dev;
                       offhook-xdp, offhook-tc: with the fast path, which needs ethtool;
                       nat: the kernel's forwarding with NAT, as a yardstick, with --frames
  --mode WHICH         relay: up, and down; calls: both at the same time, half of the packets
                       each way; relay-to-relay: the clients in pairs, each the other's
                       peer, both behind this server                                 (default relay)
  --transport WHICH    udp, tcp or tls: how the clients reach the server; a TCP or TLS
                       connection each (tls needs openssl)                           (default udp)
  --rounds N           rounds, of which the first is a warm-up and is dropped        (default 6)
  --seconds S          length of each measurement of a run: up and down, at each
                       rate and saturated                                            (default 4)
  --allocations N      allocations, each with one channel; a list, such as
                       1,100,10000, shows how the cost grows                         (default 1000)
  --payload BYTES      bytes in a ChannelData message, 24 to 1400                    (default 172)
  --rate PPS           offered rate of the paced measurements, or a list of rates    (default 60000)
  --window N           packets under way in the saturated measurements               (default 256)
  --burst N            packets of one flow in a row, 1 to 64 (> 1 needs ethtool)     (default 1)
  --merged             a burst over UDP arrives as one, as a network card's driver merges what came
                       together for a program that takes it so (GRO); with --burst
  --frames             for servers whose packets the kernel relays: frames as from a
                       network card, not packets of sockets; UDP alone, Linux 5.18,
                       ethtool (network.mjs says more)
  --threads N          relay threads of the server, on its one core                  (default 1)
  --cores S,G          core of the server, core of the generator                     (default 1,0)
  --steering           each core receives its own packets, interrupts between cores included (network.mjs says more)
  --coturn PROGRAM     (default turnserver)      --offhook PROGRAM  (default build/release/offhook)
  --load-program FILE  (default build/release/bench/bench_relay_load, built if missing)
  --output DIR         for relay.json, relay.md, relay.svg, and curve.svg of a list
                       of allocations                                                (default build/bench)

examples:
  bench/relay                                    offhook against coturn, about four minutes
  bench/relay --server coturn,coturn --rounds 4  coturn against itself: the noise of this machine
  bench/relay --server coturn,pion,offhook       pion's library as well
  bench/relay --mode relay-to-relay              both clients behind this relay
  bench/relay --mode calls --transport tcp       who sends and receives acknowledges along with it
  bench/relay --burst 16 --merged                bursts as a network card brings them
  bench/relay --transport tls --rate 20000       clients behind a firewall that lets out TLS alone
  bench/relay --rounds 3 --seconds 2 --allocations 1,10,100,1000,10000
  bench/relay --rate 80000,100000,120000,140000,160000,180000,200000,220000,240000   the highest rate
  bench/relay --frames --server coturn,nat,offhook-xdp --allocations 2000
  bench/relay --server offhook --rounds 2 --seconds 2 --allocations 100

Exit status: 0 good; 1 a packet came twice, damaged or at the wrong place, or the last server relays fewer packets per
CPU-second at saturation than another; 2 bad usage or something missing.
`;

const options = {
  server: { type: 'string', default: 'both' },
  mode: { type: 'string', default: 'relay' },
  transport: { type: 'string', default: 'udp' },
  rounds: { type: 'string', default: '6' },
  seconds: { type: 'string', default: '4' },
  allocations: { type: 'string', default: '1000' },
  payload: { type: 'string', default: '172' },
  rate: { type: 'string', default: '60000' },
  window: { type: 'string', default: '256' },
  burst: { type: 'string', default: '1' },
  threads: { type: 'string', default: '1' },
  cores: { type: 'string', default: '1,0' },
  steering: { type: 'boolean' },
  merged: { type: 'boolean' },
  frames: { type: 'boolean' },
  coturn: { type: 'string', default: 'turnserver' },
  offhook: { type: 'string', default: join(root, 'build/release/offhook') },
  'load-program': { type: 'string' },
  output: { type: 'string', default: join(root, 'build/bench') },
  help: { type: 'boolean', short: 'h' },
};

function slotsOf(text) {
  const names = text === 'both' ? ['coturn', 'offhook'] : text.split(',');
  for (const name of names) {
    if (!kinds.includes(name)) throw new Problem(`--server ${name}: there are ${kinds.join(', ')} and both`);
  }
  return names.map((kind, index) => ({ kind, name: names.indexOf(kind) === index ? kind : `${kind} (${index + 1})` }));
}

function planOf() {
  let values;
  try {
    ({ values } = parseArgs({ options, allowPositionals: false }));
  } catch (error) {
    throw new Problem(`${error.message} (bench/relay --help)`);
  }
  if (values.help) return null;
  if (!modes.includes(values.mode)) {
    throw new Problem(`--mode ${values.mode}: there are ${modes.join(', ')}`);
  }
  if (values.mode === 'calls' && values.frames) throw new Problem('--mode calls goes without --frames');
  if (!transports.includes(values.transport)) {
    throw new Problem(`--transport ${values.transport}: there are ${transports.join(', ')}`);
  }
  if (values.frames && (values.transport !== 'udp' || values.steering)) {
    throw new Problem('--frames goes with --transport udp, and without --steering');
  }
  if (values.merged && (numberOf(values, 'burst', 1, 64) === 1 || values.frames)) {
    throw new Problem('--merged goes with --burst above 1, and without --frames');
  }
  const slots = slotsOf(values.server);
  if (slots.some(slot => slot.kind === 'nat') && !(values.frames && values.mode === 'relay')) {
    throw new Problem('--server nat goes with --frames and --mode relay');
  }
  return {
    slots,
    frames: values.frames ?? false,
    merged: values.merged ?? false,
    kernelPath: values.frames || slots.some(slot => inKernel(slot.kind)),
    rounds: numberOf(values, 'rounds', 2, 100),
    allocations: numbersOf(values, 'allocations', 1, 20000),
    load: {
      mode: values.mode,
      transport: values.transport,
      seconds: numberOf(values, 'seconds', 0.5, 30, false),
      payload: numberOf(values, 'payload', 24, 1400),
      rate: numbersOf(values, 'rate', 100, 10000000),
      window: numberOf(values, 'window', 1, 65536),
      burst: numberOf(values, 'burst', 1, 64),
    },
    threads: numberOf(values, 'threads', 1, 64),
    cores: coresOf(values.cores),
    steering: values.steering ?? false,
    programs: { coturn: values.coturn, offhook: values.offhook, nft: 'nft', pion: join(root, 'build/bench/pion') },
    loadProgram: values['load-program'] ?? join(root, 'build/release/bench/bench_relay_load'),
    mayBuild: values['load-program'] === undefined,
    output: resolve(values.output),
  };
}

function checkMachine(plan) {
  if (process.getuid() !== 0) throw new Problem('root is needed, to make network namespaces: sudo bench/relay');
  const tools = { ip: 'iproute2', taskset: 'util-linux', ...(plan.load.transport === 'tls' ? { openssl: 'openssl' } : {}), ...(plan.load.burst > 1 || plan.kernelPath ? { ethtool: 'ethtool' } : {}) };
  for (const [tool, packageName] of Object.entries(tools)) {
    if (!find(tool)) throw new Problem(`${tool} is missing: apt-get install ${packageName}`);
  }
  if (plan.slots.some(slot => slot.kind === 'pion')) makePion(plan.programs.pion);
  const advice = { nft: 'apt-get install nftables', coturn: 'apt-get install coturn, or --coturn PROGRAM', offhook: 'tools/build release, or --offhook PROGRAM' };
  for (const { kind } of plan.slots) {
    const name = programOf(kind);
    const found = find(plan.programs[name]);
    if (!found) throw new Problem(`${kind}: no program ${plan.programs[name]}; ${advice[name]}`);
    plan.programs[name] = found;
  }
  if (!find(plan.loadProgram)) {
    if (!plan.mayBuild) throw new Problem(`no program ${plan.loadProgram}`);
    say('building bench_relay_load ...');
    execFileSync(join(root, 'tools/build'), ['release', 'bench_relay_load'], { stdio: ['ignore', 'ignore', 'inherit'] });
  }
  if (loadavg()[0] > 0.5) say(`the machine is busy (load ${loadavg()[0].toFixed(1)}): figures will be noisy`);
}

function makePion(program) {
  const packages = 'apt-get install golang-go golang-github-pion-turn.v2-dev';
  const go = find('go');
  if (!go) throw new Problem(`pion: go is missing: ${packages}`);
  try {
    buildPion(go, join(root, 'bench/pion'), program);
  } catch (error) {
    throw new Problem(`pion: it cannot be built: ${String(error.stderr ?? error.message).trim()}\n  ${packages}`);
  }
}

const say = text => console.error(`bench/relay: ${text}`);

class Comparison {
  constructor(plan) {
    this.plan = plan;
    this.directory = mkdtempSync(join(tmpdir(), 'offhook-bench-'));
    this.certificate = plan.load.transport === 'tls' ? makeCertificate(this.directory) : null;
    this.server = null;
    this.generator = null;
    this.network = null;
  }

  async run() {
    const { rounds, slots, cores, load } = this.plan;
    this.network = new Network(cores.server, cores.generator, this.plan.steering, load.burst > 1 || this.plan.frames,
      this.plan.kernelPath);
    const runs = [];
    for (let round = 0; round < rounds; ++round) {
      for (const allocations of this.plan.allocations) {
        for (const slot of slots) runs.push({ round, slot: slot.name, allocations, result: await this.told(slot, round, allocations) });
      }
    }
    return runs;
  }

  async told(slot, round, allocations) {
    const result = await this.undisturbed(slot, round, allocations);
    const saturated = result.phases.filter(phase => phase.load === 'saturated')
      .map(({ direction, measured_received, cpu }) => `${direction} ${(measured_received / cpu.core_s / 1000).toFixed(0)} k`);
    const many = this.plan.allocations.length > 1 ? `, ${allocations} allocations` : '';
    say(`round ${round + 1}/${this.plan.rounds}${round === 0 ? ' (warm-up)' : ''}, ${slot.name}${many}: ${saturated.join(', ')} packets / CPU-s`);
    return result;
  }

  // A run that others disturbed is repeated, twice at most; then it counts, and is marked.
  async undisturbed(slot, round, allocations) {
    for (let attempt = 0; ; ++attempt) {
      const result = await this.once(slot, `${round}-${allocations}-${attempt}`, allocations);
      result.disturbed = disturbed(result);
      if (!result.disturbed || attempt === 2) return result;
      say(`others used the server's core while ${slot.name} ran; once more`);
    }
  }

  async once(slot, label, allocations) {
    const { plan, network } = this;
    const directory = join(this.directory, `${slot.name.replace(/\W+/g, '-')}-${label}`);
    if (plan.kernelPath) network.queueInServer(['nat', 'offhook-tc'].includes(slot.kind));
    if (plan.kernelPath) network.pollBySender();
    this.server = new Server(slot.kind, network.server, plan.cores.server, {
      program: plan.programs[programOf(slot.kind)], directory, transport: plan.load.transport, certificate: this.certificate,
      allocations, threads: plan.threads,
    });
    try {
      if (inKernel(slot.kind)) {
        await this.server.kernelServes();
        network.pollBySides(plan.cores.server, plan.cores.generator);
      }
      return await this.generate(slot.kind, allocations);
    } catch (error) {
      throw new Problem(`${slot.name}: ${error.message}\n  its last words:\n${this.server.lastWords()}`);
    } finally {
      await this.server.stop();
      this.server = null;
    }
  }

  async generate(kind, allocations) {
    const { plan, network } = this;
    const flags = Object.entries({
      server: `${addresses.serverForClients}:${port}`, secret, 'tls-port': tlsPort, 'server-pid': this.server.pid,
      'server-core': plan.cores.server, 'client-netns': `/run/netns/${network.clients}`,
      'peer-netns': `/run/netns/${network.peers}`, allocations, ...plan.load,
      ...(kind === 'nat' ? { mode: 'forward', 'forward-port': ofForwarding.port, 'forward-from': ofForwarding.from } : {}),
    }).flatMap(([flag, value]) => [`--${flag}`, String(value)]);
    if (plan.frames && inKernel(kind)) flags.push('--frames');
    if (plan.merged) flags.push('--merged');
    const generator = spawn('taskset', ['-c', String(plan.cores.generator), plan.loadProgram, ...flags],
      { stdio: ['ignore', 'pipe', 'pipe'] });
    this.generator = generator;
    let [output, errors] = ['', ''];
    generator.stdout.on('data', text => { output += text; });
    generator.stderr.on('data', text => { errors += text; });
    const done = new Promise((resolveDone, reject) => {
      generator.once('error', reject);
      generator.once('close', code => {
        if (code === 0) resolveDone(JSON.parse(output));
        else reject(new Error(errors.trim() || `the generator ended with status ${code}`));
      });
    });
    const ended = this.server.ended.then(how => { throw new Error(`the server ended (${how})`); });
    try {
      return await Promise.race([done, ended]);
    } finally {
      done.catch(() => {}); // the loser of the race
      ended.catch(() => {});
      if (generator.exitCode === null) generator.kill('SIGKILL');
      this.generator = null;
    }
  }

  // Leaves nothing behind, on every way out.
  close() {
    this.generator?.kill('SIGKILL');
    this.server?.kill();
    this.network?.remove();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

// Fewer quiet rounds than this a server make no median.
const quietRoundsNeeded = 3;

// Without the warm-up round, and without disturbed runs where enough quiet ones are left.
function countedRuns(runs, names) {
  const measured = runs.filter(run => run.round > 0);
  const quiet = measured.filter(run => !run.result.disturbed);
  const enough = names.every(name => quiet.filter(run => run.slot === name).length >= quietRoundsNeeded);
  return { counted: enough ? quiet : measured, disturbedRuns: measured.length - quiet.length, all: measured.length, enough };
}

// The figures of one number of allocations.
function figuresOf(runs, names) {
  const { counted, ...about } = countedRuns(runs, names);
  const rows = rowsOf(counted, names);
  return { rows, ratios: ratiosOf(rows, names), highest: highestOf(rows, names), setUps: setUpsOf(counted, names), counted: counted.length, ...about };
}

function report(plan, runs) {
  const names = plan.slots.map(slot => slot.name);
  const parts = plan.allocations.map(allocations => ({
    allocations, ...figuresOf(runs.filter(run => run.allocations === allocations), names),
  }));
  const isList = parts.length > 1;
  const text = parts.map(({ allocations, rows, setUps, ratios, highest }) =>
    `${isList ? `${allocations} allocations\n\n` : ''}${markdown(rows, setUps, ratios, highest)}`).join('\n\n');
  const machine = { processor: cpus()[0].model, cores: cpus().length, kernel: release() };
  mkdirSync(plan.output, { recursive: true });
  writeFileSync(join(plan.output, 'relay.json'),
    `${JSON.stringify({ machine, load: plan.load, programs: plan.programs, parts, runs }, null, 1)}\n`);
  writeFileSync(join(plan.output, 'relay.md'), `${text}\n`);
  writeFileSync(join(plan.output, 'relay.svg'), svg(parts.at(-1).rows, names));
  if (isList) writeFileSync(join(plan.output, 'curve.svg'), curve(parts, names));

  const sum = field => parts.reduce((total, part) => total + part[field], 0);
  const disturbedRuns = sum('disturbedRuns');
  const { payload, burst, transport } = plan.load;
  console.log(`${plan.allocations.join(', ')} allocations by ${transport}${plan.frames ? ', frames for the kernel' : ''}, ${payload} bytes, bursts of ${burst}${plan.merged ? ', merged' : ''}${plan.threads > 1 ? `, ${plan.threads} threads on one core` : ''}; ${sum('counted')} runs counted; ` +
    `${machine.processor}, ${machine.cores} cores, Linux ${machine.kernel}\n\n${text}\n`);
  if (disturbedRuns > 0) {
    const enough = parts.every(part => part.enough);
    console.log(`${disturbedRuns} of ${sum('all')} runs were disturbed by others on the server's core; ${enough ? 'they are left out.'
      : 'NOISY: too few quiet ones are left, so all are counted. Repeat on a quiet machine.'}`);
  }
  console.log(`written: ${join(plan.output, 'relay.json')}, relay.md, relay.svg${isList ? ', curve.svg' : ''}`);

  const faults = parts.flatMap(part => part.rows).reduce((total, row) => total + row.duplicated + row.corrupted + row.misrouted, 0);
  if (faults > 0) console.log(`FAULT: ${faults} packets came twice, damaged or at the wrong place.`);
  const behind = parts.flatMap(part => part.ratios).filter(ratio => ratio.load === 'saturated' && ratio.ratio < 1);
  for (const { of, to, direction, ratio } of behind) {
    console.log(`BEHIND: ${of} relays ${ratio.toFixed(2)} times the packets per CPU-second of ${to}, ${direction}.`);
  }
  return faults > 0 || behind.length > 0 ? 1 : 0;
}

async function main() {
  const plan = planOf();
  if (plan === null) {
    process.stdout.write(usage);
    return 0;
  }
  checkMachine(plan);
  const comparison = new Comparison(plan);
  const end = status => {
    comparison.close();
    process.exit(status);
  };
  // Not `once`: a second signal would end it in the middle of what the first has begun.
  process.on('SIGINT', () => end(130));
  process.on('SIGTERM', () => end(143));
  // Who read what is written here has gone, as behind `| head`.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => end(141));
  try {
    return report(plan, await comparison.run());
  } finally {
    comparison.close();
  }
}

main().then(status => { process.exitCode = status; }, error => {
  say(error instanceof Problem ? error.message : error.stack);
  process.exitCode = 2;
});
