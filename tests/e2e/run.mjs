#!/usr/bin/env node
// Two browsers call each other through a server of our own: every scenario, in real Chromium with fake devices.

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { byHandAndPictures } from './scenarios/by_hand.mjs';
import { crashes } from './scenarios/crashes.mjs';
import { cuts } from './scenarios/cuts.mjs';
import { endReasons } from './scenarios/end_reasons.mjs';
import { endings } from './scenarios/endings.mjs';
import { groups } from './scenarios/groups.mjs';
import { modes } from './scenarios/modes.mjs';
import { talking } from './scenarios/talking.mjs';
import { waking } from './scenarios/waking.mjs';
import { warm } from './scenarios/warm.mjs';
import { worstOrders } from './scenarios/worst_orders.mjs';
import { Stage } from './stage.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const scenarios = [...modes, ...endings, ...endReasons, ...cuts, ...crashes, ...warm, ...waking, ...worstOrders, ...talking, ...groups, ...byHandAndPictures];

/** A scenario that hangs ends here: a base, and so much for each of its repetitions. */
const scenario_limit_ms = 120_000;
const repetition_limit_ms = 30_000;

const usage = `usage: node tests/e2e/run.mjs [--scenario NAME]... [--repeat N] [--list] [--report FILE] [--binary PATH]

Runs every scenario, or the named ones, and closes with the line "N passed, N failed".
  --scenario NAME  this one alone; repeatable
  --repeat N       so many repetitions (calls) instead of each scenario's own number
  --list           names and titles
  --report FILE    figures as JSON (default build/e2e/report.json)
  --binary PATH    the server (default build/release/offhook)`;

const options = {
  scenario: { type: 'string', multiple: true },
  repeat: { type: 'string' },
  list: { type: 'boolean' },
  report: { type: 'string', default: path.join(root, 'build/e2e/report.json') },
  binary: { type: 'string', default: path.join(root, 'build/release/offhook') },
  help: { type: 'boolean', short: 'h' },
};

function badUsage(problem) {
  console.error(`${problem}\n\n${usage}`);
  process.exit(2);
}

function readArguments() {
  let values;
  try {
    ({ values } = parseArgs({ options }));
  } catch (error) {
    badUsage(error.message);
  }
  if (values.help) {
    console.log(usage);
    process.exit(0);
  }
  if (values.list) {
    for (const { name, repeat, title } of scenarios) console.log(`${name.padEnd(32)} ${String(repeat).padStart(2)} × ${title}`);
    process.exit(0);
  }
  const unknown = (values.scenario ?? []).find((name) => !scenarios.some((one) => one.name === name));
  if (unknown) badUsage(`no scenario '${unknown}'; --list names them`);
  if (values.repeat !== undefined && !(Number.isInteger(+values.repeat) && +values.repeat > 0)) badUsage('--repeat takes a number above 0');
  if (!fs.existsSync(values.binary)) badUsage(`no server at ${values.binary}; make it with: tools/build release offhook`);
  return values;
}

function within(limit_ms, promise) {
  let timer;
  const limit = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`the scenario was not over after ${limit_ms / 1000} s`)), limit_ms);
  });
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}

/** Plays one scenario on a stage of its own. Returns what it measured, and its error if it failed. */
async function play(scenario, { binary, repeat }) {
  const directory = path.join(root, 'build/e2e', scenario.name);
  const stage = new Stage({ binary, directory });
  const figures = {};
  const begin = Date.now();
  const tools = {
    repeat,
    directory: path.dirname(directory),
    note: (text) => console.log(text.replace(/^/gm, '    ')),
    figure: (name, value) => (figures[name] = value),
    progress: (done) => (done % 10 === 0 || done === repeat) && console.log(`    ${done} of ${repeat}, ${((Date.now() - begin) / 1000).toFixed(1)} s`),
  };
  let failure = null;
  try {
    await within(scenario_limit_ms + repeat * repetition_limit_ms, scenario.run(stage, tools));
    stage.checkPages();
  } catch (error) {
    failure = error;
    const pages = stage.problems.map((problem) => `${problem}\n`).join('');
    console.log(`    FAILED: ${pages}${error.stack}\n${await stage.describe()}`.replace(/^/gm, '    '));
  }
  try {
    await stage.close();
  } catch (error) {
    failure ??= error;
    console.log(`    FAILED at the end: ${error.stack}`);
  }
  return { seconds: (Date.now() - begin) / 1000, repeat, passed: failure === null, failure: failure?.message ?? null, ...figures };
}

async function main() {
  const { scenario: wanted, repeat, report, binary } = readArguments();
  const chosen = wanted ? scenarios.filter(({ name }) => wanted.includes(name)) : scenarios;
  const results = {};
  const begin = Date.now();
  for (const scenario of chosen) {
    console.log(`${scenario.name}: ${scenario.title}`);
    const result = await play(scenario, { binary: path.resolve(binary), repeat: Number(repeat ?? scenario.repeat) });
    results[scenario.name] = result;
    console.log(`${result.passed ? 'ok    ' : 'FAILED'} ${scenario.name} (${result.seconds.toFixed(1)} s)`);
  }
  fs.mkdirSync(path.dirname(report), { recursive: true });
  fs.writeFileSync(report, `${JSON.stringify(results, null, 2)}\n`);
  const passed = Object.values(results).filter((result) => result.passed).length;
  console.log(`${((Date.now() - begin) / 1000).toFixed(0)} s in all; figures: ${path.relative(process.cwd(), report)}`);
  console.log(`${passed} passed, ${chosen.length - passed} failed`);
  return passed === chosen.length ? 0 : 1;
}

process.exit(await main());
