// The laboratory's one command: plays scenarios in order, writes each call down as it ends, and closes with a report.

import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { playCall } from './call.mjs';
import { Capabilities, newestBinary } from './capabilities.mjs';
import { playInLanes } from './lanes.mjs';
import { Load } from './load.mjs';
import { SAME_NAT, kinds } from './network/kinds.mjs';
import { Progress } from './progress.mjs';
import { aboutRun, keepReport, writeReport } from './report/write.mjs';
import { Results, readRows } from './results.mjs';
import { cutCells, scenarios } from './scenarios/index.mjs';
import { Stage } from './stage.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

const usage = `usage: lab/run [--scenario S]... [--pairs A:B]... [--repeat N] [--report DIR] [--resume]
       lab/run --cut | --full [--hours H] | --list | --render DIR

Two browsers call each other through emulated networks, ours and the baselines'. Every call is a line of DIR/calls.jsonl;
DIR/index.html and DIR/report.json are written at the end, and every ten minutes.
  --scenario NAME  this one alone; repeatable (without: all)
  --pairs A:B      these networks alone, caller's and callee's; repeatable
  --repeat N       so many rounds (1)
  --lanes N        so many calls at a time (1); times of calls that found the processors full are left out, as always
  --media KIND     audio or video (which has audio too), instead of each scenario's own
  --product NAME   offhook, peerjs, origin-after or origin-before alone; repeatable
  --cut            one of each mechanism, at most six minutes; the one that ./test plays
  --full           all scenarios, as many rounds as --hours (8) hold
  --report DIR     where to (build/lab)
  --keep DIR       also copy page and figures there (docs/lab: the last full run)
  --resume         go on in DIR where a run was cut off
  --evidence WHICH of which calls logs, candidates and pictures are kept: failed (default) or all
  --render DIR     only write the report of DIR again
  --binary PATH    the server (the newest of build/release and build/dev)
  --list           scenarios, networks and how many cells each has
Exit status: 0 all that was run succeeded, 1 something failed (the laboratory itself, too), 2 bad usage, 77 nothing could be run here.`;

const options = {
  scenario: { type: 'string', multiple: true },
  pairs: { type: 'string', multiple: true },
  product: { type: 'string', multiple: true },
  repeat: { type: 'string', default: '1' },
  lanes: { type: 'string', default: '1' },
  media: { type: 'string' },
  cut: { type: 'boolean' },
  full: { type: 'boolean' },
  hours: { type: 'string', default: '8' },
  report: { type: 'string', default: path.join(root, 'build/lab') },
  keep: { type: 'string' },
  resume: { type: 'boolean' },
  evidence: { type: 'string', default: 'failed' },
  render: { type: 'string' },
  binary: { type: 'string' },
  list: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
};

/** The exit status of a run that was asked to stop: it ends what it began and still writes its report. Asked twice, it goes at once. */
let interrupted = 0;
const interruption = new Promise((resolve) => {
  for (const [signal, status] of [['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]]) {
    process.on(signal, () => {
      if (interrupted) process.exit(status);
      interrupted = status;
      resolve();
    });
  }
});

/** A first guess of what a round of a cell takes, until calls have been timed. */
const first_guess_ms = 7000;
const report_every_ms = 600_000;

function badUsage(problem) {
  console.error(`lab/run: ${problem}; lab/run --help tells more`);
  process.exit(2);
}

function readArguments() {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return badUsage(error.message);
  }
}

const isNumber = (text, { above }) => Number.isFinite(Number(text)) && Number(text) > above;

function check(values) {
  const unknown = (values.scenario ?? []).find((name) => !scenarios.some((one) => one.name === name));
  if (unknown) badUsage(`no scenario '${unknown}'`);
  const names = [...kinds.map(({ name }) => name), SAME_NAT];
  for (const pair of values.pairs ?? []) {
    const two = pair.split(':');
    if (two.length !== 2 || !two.every((name) => names.includes(name))) badUsage(`no pair of networks '${pair}'`);
    if (two.includes(SAME_NAT) && two[0] !== two[1]) badUsage(`'${SAME_NAT}' is for both sides`);
  }
  for (const name of ['repeat', 'lanes']) {
    if (!isNumber(values[name], { above: 0 }) || !Number.isInteger(Number(values[name]))) badUsage(`--${name} takes a number above 0`);
  }
  if (!isNumber(values.hours, { above: 0 })) badUsage('--hours takes a number above 0');
  if (!['failed', 'all'].includes(values.evidence)) badUsage('--evidence is failed or all');
  if (values.media && !['audio', 'video'].includes(values.media)) badUsage('--media is audio or video');
}

function list() {
  for (const { name, title, cells } of scenarios) console.log(`${name.padEnd(24)} ${String(cells().length).padStart(3)} cells  ${title}`);
  console.log('\nnetworks');
  for (const { name, describe } of kinds) console.log(`${name.padEnd(24)} ${describe}`);
  console.log(`${SAME_NAT.padEnd(24)} both behind one port-restricted NAT (only with itself)`);
}

function chooseCells(values) {
  const pairs = values.pairs?.map((pair) => pair.split(':'));
  const wanted = values.scenario ? scenarios.filter(({ name }) => values.scenario.includes(name)) : scenarios;
  let cells = values.cut ? cutCells() : wanted.flatMap((one) => one.cells(pairs));
  if (values.product) cells = cells.filter(({ product }) => values.product.includes(product));
  if (values.media) {
    const media = values.media === 'audio' ? ['audio'] : ['audio', 'video'];
    cells = cells.map((cell) => ({ ...cell, media, told: { ...cell.told, media } }));
  }
  return cells;
}

/** Cells that share a server follow each other. */
function inOrder(cells) {
  const key = ({ product, server_flags }) => (product === 'offhook' ? JSON.stringify(server_flags) : 'baselines');
  const baseline_last = (cell) => (cell.scenario === 'baselines' ? 1 : 0);
  return [...cells].sort((one, other) => baseline_last(one) - baseline_last(other) || (one.scenario === 'baselines' ? 0 : key(one).localeCompare(key(other))));
}

async function playRounds(cells, { binary, capabilities, results, rounds, keeps_all, lanes, about }) {
  const load = new Load();
  const calls = callsARound(cells, rounds);
  const before = results.rows.filter(({ repetition }) => repetition > 0).length;
  const progress = new Progress({ calls, guess_ms: first_guess_ms, rounds, before });
  const used = [...new Set(cells.flatMap(({ caller, callee }) => [caller.kind, callee.kind]))].filter((kind) => kind !== SAME_NAT);
  const stage = await Stage.raise({ binary, kinds: used, tls: capabilities.tls });
  let reported_at = Date.now();
  // If it fails, the await below tells.
  interruption.then(() => stage.close()).catch(() => undefined);
  try {
    for (let round = 1; progress.goesOn(round); round += 1) {
      const tasks = tasksOf(cells, round).filter(({ cell, repetition }) => !results.has(cell.id, repetition));
      const play = async ({ cell, repetition }) => {
        const row = await playOne(stage, cell, { repetition, load, keeps_all, evidence_directory: path.join(results.directory, 'evidence') });
        // What was cut off says nothing.
        if (interrupted) return;
        results.add(row);
        progress.tell(row, round);
        if (Date.now() - reported_at < report_every_ms) return;
        reported_at = Date.now();
        writeReport(results.directory, results.rows, { about });
      };
      await playInLanes(tasks, lanes, play, () => interrupted !== 0);
      if (interrupted) return;
    }
  } finally {
    load.stop();
    await stage.close();
  }
}

/** On the average; the first round has all cells. */
function callsARound(cells, { count }) {
  if (count === undefined) return cells.reduce((sum, { repeat, every }) => sum + repeat / every, 0);
  let calls = 0;
  for (let round = 1; round <= count; round += 1) calls += tasksOf(cells, round).length;
  return calls / count;
}

function tasksOf(cells, round) {
  const due = cells.filter(({ every }) => (round - 1) % every === 0);
  return due.flatMap((cell) => Array.from({ length: cell.repeat }, (_, i) => ({ cell, repetition: (round - 1) * cell.repeat + i + 1 })));
}

async function playOne(stage, cell, settings) {
  try {
    await stage.prepare(cell);
    return await playCall(stage, cell, settings);
  } catch (error) {
    return { ...cell.told, cell: cell.id, repetition: settings.repetition, outcome: 'not_run', unexpected: true, reason: `the laboratory: ${error.message.split('\n')[0]}`, detail: error.stack };
  } finally {
    stage.tidy(cell);
  }
}

function commandLine() {
  return ['lab/run', ...process.argv.slice(2)].join(' ');
}

async function main() {
  const values = readArguments();
  if (values.help) return console.log(usage), 0;
  check(values);
  if (values.list) return list(), 0;
  if (values.render) {
    writeReport(values.render, readRows(values.render));
    if (values.keep) keepReport(values.render, values.keep);
    return 0;
  }
  const binary = values.binary ?? newestBinary();
  if (!binary) badUsage('no server is built: tools/build release offhook');

  const about = aboutRun(commandLine());
  const capabilities = await Capabilities.find(binary);
  const chosen = inOrder(chooseCells(values));
  if (chosen.length === 0) badUsage('no cell is chosen');
  const results = new Results(values.report, { resume: values.resume });
  const runnable = [];
  for (const cell of chosen) {
    const lacking = capabilities.lacking(cell);
    if (lacking === null) runnable.push(cell);
    else if (!results.has(cell.id, 0)) results.add({ ...cell.told, cell: cell.id, repetition: 0, outcome: 'not_run', reason: lacking });
  }
  const rounds = values.full ? { until: Date.now() + Number(values.hours) * 3_600_000 } : { count: Number(values.repeat) };
  console.log(`${runnable.length} cells, server ${path.relative(process.cwd(), binary)}, results in ${path.relative(process.cwd(), values.report)}`);
  for (const [reason, count] of tally(results.rows.filter(({ outcome, repetition }) => outcome === 'not_run' && repetition === 0))) {
    console.log(`not run: ${count} cells: ${reason}`);
  }
  if (runnable.length > 0) await playRounds(runnable, { binary, capabilities, results, rounds, keeps_all: values.evidence === 'all', lanes: Number(values.lanes), about });
  const { passed, failed, beyond, not_run, page } = writeReport(values.report, results.rows, { about });
  if (values.keep) keepReport(values.report, values.keep);
  console.log(`report: ${path.relative(process.cwd(), page)}`);
  if (beyond > 0) console.log(`${beyond} calls failed of which nothing is promised: the baselines', and those above 10 % loss`);
  console.log(`${passed} passed, ${failed} failed, ${not_run} not run`);
  if (interrupted) return interrupted;
  const unexpected = results.rows.filter((row) => row.unexpected);
  for (const { cell, reason, detail } of unexpected) console.log(`the laboratory failed: ${cell}: ${detail ?? reason}`);
  if (failed > 0 || unexpected.length > 0) return 1;
  return passed > 0 ? 0 : 77;
}

function tally(rows) {
  const counts = new Map();
  for (const { reason } of rows) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return counts;
}

process.exit(await main());
