// bench/relay-matrix: see `usage`. One bench/relay after the other, a cell each.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Problem, coresOf, find, numberOf } from './checks.mjs';
import { argumentsOf, cells, expectedSeconds, resultOf, verdictsOf } from './matrix_cells.mjs';
import { markdown } from './matrix_figures.mjs';
import { delaysSvg, timesSvg } from './matrix_plots.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

const usage = `usage: bench/relay-matrix [options]        (as root: bench/relay makes network namespaces)

Packets relayed per server CPU-second, added delay, set-up and memory, offhook beside coturn: payloads, bursts, transports,
numbers of allocations, relay to relay and the fast path, with the goals of each. One bench/relay after the other.

  --only NAME[,NAME]   these cells alone; others that --output holds stay in the tables
  --resume             keep what has been measured with the same flags; measure what is missing or failed
  --list               name the cells, and end
  --rounds N           rounds of each cell, of which the first is a warm-up          (default 3)
  --seconds S          length of each measurement                                    (default 1)
  --cores S,G          core of the server, core of the generator                     (default 1,0)
  --coturn PROGRAM     (default turnserver)      --offhook PROGRAM  (default build/release/offhook)
  --load-program FILE  (default build/release/bench/bench_relay_load, built if missing)
  --output DIR         for matrix.json, matrix.md, matrix.svg and delays.svg, and a folder for each cell with
                       what bench/relay writes and says                              (default build/bench/matrix)

examples:
  nice -n -20 bench/relay-matrix                             everything, about MINUTES minutes on a quiet machine
  bench/relay-matrix --resume                                go on after it was cut off
  bench/relay-matrix --only tls-172,tls-1100 --rounds 6      these two anew, the others as they are
  bench/relay-matrix --rounds 2 --seconds 0.5 --output build/bench/quick

Exit status: 0 every cell was measured, whether its goals hold or not; 1 a cell failed, or a packet came twice, damaged or
at the wrong place; 2 bad usage or something missing.
`;

const options = {
  only: { type: 'string' },
  resume: { type: 'boolean' },
  list: { type: 'boolean' },
  rounds: { type: 'string', default: '3' },
  seconds: { type: 'string', default: '1' },
  cores: { type: 'string', default: '1,0' },
  coturn: { type: 'string', default: 'turnserver' },
  offhook: { type: 'string', default: join(root, 'build/release/offhook') },
  'load-program': { type: 'string' },
  output: { type: 'string', default: join(root, 'build/bench/matrix') },
  help: { type: 'boolean', short: 'h' },
};

const say = text => console.error(`bench/relay-matrix: ${text}`);
const minutes = seconds => Math.max(1, Math.round(seconds / 60));
const total = values => values.reduce((sum, value) => sum + value, 0);

function chosenOf(only) {
  if (only === undefined) return cells;
  const names = only.split(',');
  for (const name of names) {
    if (!cells.some(cell => cell.name === name)) throw new Problem(`--only ${only}: there is no cell '${name}' (bench/relay-matrix --list)`);
  }
  return cells.filter(cell => names.includes(cell.name));
}

function planOf() {
  let values;
  try {
    ({ values } = parseArgs({ options, allowPositionals: false }));
  } catch (error) {
    throw new Problem(`${error.message} (bench/relay-matrix --help)`);
  }
  coresOf(values.cores);
  return {
    help: values.help ?? false,
    list: values.list ?? false,
    resume: values.resume ?? false,
    chosen: chosenOf(values.only),
    rounds: numberOf(values, 'rounds', 2, 100),
    seconds: numberOf(values, 'seconds', 0.5, 30, false),
    cores: values.cores,
    programs: { coturn: values.coturn, offhook: values.offhook },
    loadProgram: values['load-program'],
    output: resolve(values.output),
  };
}

function checkMachine(plan) {
  if (process.getuid() !== 0) throw new Problem('root is needed, to make network namespaces: sudo bench/relay-matrix');
  if (!find('setpriv')) throw new Problem('setpriv is missing: apt-get install util-linux');
  const advice = { coturn: 'apt-get install coturn, or --coturn PROGRAM', offhook: 'tools/build release, or --offhook PROGRAM' };
  for (const [name, program] of Object.entries(plan.programs)) {
    const found = find(program);
    if (!found) throw new Problem(`${name}: no program ${program}; ${advice[name]}`);
    plan.programs[name] = found;
  }
}

function listText() {
  const goalsOf = goals => Object.entries(goals).map(([load, goal]) => `${goal} (${load === 'every' ? 'every load' : load})`).join(', ');
  const width = Math.max(...cells.map(cell => cell.name.length));
  return cells.map(cell => `${cell.name.padEnd(width)}  ${cell.what}; at ${cell.flags.rate.join(', ')} a second and saturated; times coturn: ${goalsOf(cell.goals)}\n`).join('');
}

// Tells builds apart, for a run that goes on after a change.
const buildOf = program => createHash('sha256').update(readFileSync(program)).digest('hex').slice(0, 12);

// The last message of bench/relay, for which its lines all begin alike.
const lastMessage = text => text.trim().split(/^bench\/relay: /m).at(-1).trim();

function parsed(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    throw new Error('no complete JSON');
  }
}

class Matrix {
  constructor(plan) {
    this.plan = plan;
    this.file = join(plan.output, 'matrix.json');
    this.running = null;
    this.stopped = null;
    const before = this.before();
    const isChosen = ({ name }) => plan.chosen.some(cell => cell.name === name);
    const isKept = record => cells.some(cell => cell.name === record.name) && (!isChosen(record) || (plan.resume && this.isSame(record)));
    this.finished = before.cells.filter(isKept);
    this.failed = before.failed.filter(record => !isChosen(record));
    try {
      mkdirSync(plan.output, { recursive: true });
      this.write(); // without what is measured anew, which --resume must not take for finished
    } catch (error) {
      throw new Problem(`--output: ${error.message}`);
    }
  }

  before() {
    if (!existsSync(this.file)) return { cells: [], failed: [] };
    try {
      const { cells: records, failed } = parsed(readFileSync(this.file, 'utf8'));
      if (Array.isArray(records) && Array.isArray(failed)) return { cells: records, failed };
    } catch (error) {
      throw new Problem(`${this.file}: ${error.message}: remove it, or choose another --output`);
    }
    throw new Problem(`${this.file} is no matrix of an earlier run: remove it, or choose another --output`);
  }

  flagsOf(cell) {
    const { rounds, seconds, cores, programs, loadProgram } = this.plan;
    return argumentsOf(cell, { rounds, seconds, cores, ...programs, ...(loadProgram ? { 'load-program': loadProgram } : {}) });
  }

  isSame(record) {
    const cell = cells.find(({ name }) => name === record.name);
    return JSON.stringify(record.arguments) === JSON.stringify(this.flagsOf(cell));
  }

  async run() {
    const { chosen } = this.plan;
    const isToDo = cell => !this.finished.some(({ name }) => name === cell.name);
    const kept = chosen.filter(cell => !isToDo(cell)).length;
    if (kept > 0) say(`${kept} of ${chosen.length} cells are kept from before`);
    const done = { took_s: 0, expected_s: 0 };
    for (const [index, cell] of chosen.entries()) {
      if (!isToDo(cell)) continue;
      const left_s = total(chosen.slice(index).filter(isToDo).map(each => expectedSeconds(each, this.plan)))
        * (done.expected_s > 0 ? done.took_s / done.expected_s : 1);
      say(`cell ${index + 1} of ${chosen.length}: ${cell.name} (${cell.what}); about ${minutes(left_s)} min left`);
      const began = Date.now();
      await this.measure(cell);
      if (this.stopped) return this.stopped;
      done.took_s += (Date.now() - began) / 1000;
      done.expected_s += expectedSeconds(cell, this.plan);
      this.write();
    }
    return this.tell();
  }

  async measure(cell) {
    const began = new Date();
    try {
      const build = buildOf(this.plan.programs.offhook);
      const result = resultOf(cell, await this.measured(cell));
      const took_s = Math.round((Date.now() - began) / 1000);
      this.finished.push({ name: cell.name, what: cell.what, arguments: this.flagsOf(cell), build, began: began.toISOString(), took_s, ...result });
      const saturated = result.lines.filter(line => line.load === 'saturated').map(line => `${line.direction} ${line.times.toFixed(2)}`).join(', ');
      say(`  saturated ${saturated} times coturn, after ${took_s} s${result.noisy ? '; NOISY: others used the server\'s core' : ''}`);
    } catch (error) {
      if (this.stopped) return;
      this.failed.push({ name: cell.name, what: cell.what, arguments: this.flagsOf(cell), began: began.toISOString(), why: error.message });
      say(`  FAILED: ${error.message.split('\n')[0]} (${join(this.plan.output, cell.name, 'relay.log')})`);
    }
  }

  // Its relay.json. Status 1 is bench/relay's verdict on figures, which are there nevertheless.
  async measured(cell) {
    const directory = join(this.plan.output, cell.name);
    const [json, log] = ['relay.json', 'relay.log'].map(name => join(directory, name));
    mkdirSync(directory, { recursive: true });
    rmSync(json, { force: true });
    const output = openSync(log, 'w');
    // Whatever ends this process: none of them stays, with which the next would share its cores.
    const command = ['--pdeathsig', 'TERM', join(root, 'bench/relay'), ...this.flagsOf(cell), '--output', directory];
    const child = spawn('setpriv', command, { stdio: ['ignore', output, output] });
    closeSync(output);
    this.running = child;
    const how = await new Promise((resolveEnd, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolveEnd(signal ?? code));
    });
    this.running = null;
    if ((how === 0 || how === 1) && existsSync(json)) return parsed(readFileSync(json, 'utf8'));
    throw new Error(lastMessage(readFileSync(log, 'utf8')) || `bench/relay ended with ${typeof how === 'string' ? how : `status ${how}`}`);
  }

  // Ends once the cell's network is taken down.
  stop(signal, status) {
    if (this.stopped !== null) return; // what is said of it may be the second reason
    this.stopped = status;
    if (this.running === null) process.exit(status);
    say(`${signal}: stopping; --resume goes on from here`);
    this.running.kill('SIGTERM');
  }

  remarks() {
    const marks = [];
    const differ = of => new Set(this.finished.map(of)).size > 1;
    if (differ(record => record.build)) marks.push('The cells were measured with different builds of offhook.');
    if (differ(record => record.arguments.slice(record.arguments.indexOf('--rounds')).join(' '))) {
      marks.push('The cells were measured with different rounds, seconds, cores or programs: matrix.json says which.');
    }
    const noisy = this.finished.filter(record => record.noisy);
    if (noisy.length > 0) marks.push(`NOISY: others used the server's core while ${noisy.map(record => record.name).join(', ')} ran. Repeat on a quiet machine.`);
    for (const { name, faults } of this.finished.filter(record => record.faults > 0)) {
      marks.push(`FAULT: ${faults} packets of ${name} came twice, damaged or at the wrong place.`);
    }
    const verdicts = this.finished.flatMap(verdictsOf);
    if (verdicts.length > 0) marks.push(`${verdicts.filter(holds => holds).length} of ${verdicts.length} goals hold.`);
    return marks;
  }

  // After every cell, so that whatever cuts it off leaves what is finished.
  write() {
    const { output, rounds, seconds } = this.plan;
    const order = cells.map(cell => cell.name);
    for (const records of [this.finished, this.failed]) records.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
    const [machine] = this.finished.map(record => record.machine);
    const machineText = machine ? `${machine.processor}, ${machine.cores} cores, Linux ${machine.kernel}` : 'no cell finished';
    const missing = order.filter(name => ![...this.finished, ...this.failed].some(record => record.name === name));
    this.text = markdown(this.finished, { machine: machineText, rounds, seconds, remarks: this.remarks(), failed: this.failed, missing });
    writeFileSync(`${this.file}.new`, `${JSON.stringify({ machine: machine ?? null, cells: this.finished, failed: this.failed, missing }, null, 1)}\n`);
    renameSync(`${this.file}.new`, this.file);
    writeFileSync(join(output, 'matrix.md'), this.text);
    this.written = ['matrix.json', 'matrix.md'];
    for (const [name, svg] of [['matrix.svg', timesSvg], ['delays.svg', delaysSvg]]) {
      const figure = svg(this.finished, machineText);
      if (figure) writeFileSync(join(output, name), figure);
      else rmSync(join(output, name), { force: true });
      if (figure) this.written.push(name);
    }
  }

  tell() {
    console.log(`${this.text}\nwritten: ${join(this.plan.output, this.written[0])}, ${this.written.slice(1).join(', ')}`);
    const chosenFailed = this.failed.filter(({ name }) => this.plan.chosen.some(cell => cell.name === name));
    return chosenFailed.length > 0 || this.finished.some(record => record.faults > 0) ? 1 : 0;
  }
}

async function main() {
  const plan = planOf();
  if (plan.help || plan.list) {
    const all_s = total(cells.map(cell => expectedSeconds(cell, { rounds: 3, seconds: 1 })));
    process.stdout.write(plan.help ? usage.replace('MINUTES', minutes(all_s)) : listText());
    return 0;
  }
  checkMachine(plan);
  const matrix = new Matrix(plan);
  for (const [signal, status] of [['SIGINT', 130], ['SIGTERM', 143]]) process.on(signal, () => matrix.stop(signal, status));
  // Who read what is written here has gone, as behind `| head`.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => matrix.stop('SIGTERM', 141));
  return matrix.run();
}

main().then(status => { process.exitCode = status; }, error => {
  say(error instanceof Problem ? error.message : error.stack);
  process.exitCode = 2;
});
