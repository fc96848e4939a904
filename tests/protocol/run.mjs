#!/usr/bin/env node
// The scripts of the protocol (docs/protocol-scripts.md), played against a real server over WebSockets.

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { Offhook } from '../e2e/offhook.mjs';
import { scratchDirectory } from '../e2e/processes.mjs';
import { Conversation, Mismatch } from './conversation.mjs';
import { gaps } from './coverage.mjs';
import { readScript, scriptNames } from './script.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

const usage = `usage: node tests/protocol/run.mjs [NAME]... [--binary PATH] [--jobs N] [--list]

Plays the scripts of tests/protocol/scripts, or the named ones, each against a server of its own, and closes with the line
"N passed, N failed". What differs is told with the number of the step. Without names it holds the scripts to docs/protocol.md:
what that names is to be shown by one of them.
  --binary PATH  the server (default build/release/offhook)
  --jobs N       so many at a time (default 4); most of the time a server is waited for
  --list         names and titles`;

const options = {
  binary: { type: 'string', default: path.join(root, 'build/release/offhook') },
  jobs: { type: 'string', default: '4' },
  list: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
};

function badUsage(problem) {
  console.error(`${problem}\n\n${usage}`);
  process.exit(2);
}

function readArguments() {
  let parsed;
  try {
    parsed = parseArgs({ options, allowPositionals: true });
  } catch (error) {
    badUsage(error.message);
  }
  const { values, positionals } = parsed;
  if (values.help) {
    console.log(usage);
    process.exit(0);
  }
  if (values.list) {
    for (const name of scriptNames()) console.log(`${name.padEnd(28)} ${readScript(name).title}`);
    process.exit(0);
  }
  const unknown = positionals.find((name) => !scriptNames().includes(name));
  if (unknown) badUsage(`no script '${unknown}'; --list names them`);
  if (!(Number.isInteger(+values.jobs) && +values.jobs > 0)) badUsage('--jobs takes a number above 0');
  if (!fs.existsSync(values.binary)) badUsage(`no server at ${values.binary}; make it with: tools/build release offhook`);
  return { binary: path.resolve(values.binary), jobs: +values.jobs, wanted: positionals };
}

/** Returns what went wrong, or null. */
async function play(script, binary) {
  const api_key = 'the-key-of-this-test';
  const log = path.join(scratchDirectory(), 'log');
  let server = null;
  try {
    server = await Offhook.start(binary, { flags: ['--dev', '--api-key', api_key, ...script.serve], log });
    await new Conversation(script, Object.assign(server, { api_key })).play();
    const end = await server.stop();
    return end.code === 0 ? null : `the server ended with ${JSON.stringify(end)}\n${server.child.tail()}`;
  } catch (error) {
    await server?.stop();
    return error instanceof Mismatch ? error.message : error.stack;
  }
}

async function main() {
  const { binary, jobs, wanted } = readArguments();
  const scripts = (wanted.length > 0 ? wanted : scriptNames()).map((name) => readScript(name));
  // Those that take long begin first.
  const waiting = [...scripts].sort((one, other) => other.patience_ms - one.patience_ms);
  let failed = 0;
  const work = async () => {
    for (let script = waiting.shift(); script !== undefined; script = waiting.shift()) {
      const problem = await play(script, binary);
      if (problem) failed += 1;
      console.log(problem ? `FAILED  ${script.name}: ${problem.replace(/\n/g, '\n        ')}` : `ok      ${script.name}`);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  const missing = wanted.length > 0 ? [] : gaps(path.join(root, 'docs/protocol.md'), scripts);
  for (const gap of missing) console.log(`FAILED  ${gap}`);
  console.log(`${scripts.length - failed} passed, ${failed + missing.length} failed`);
  return failed + missing.length === 0 ? 0 : 1;
}

process.exit(await main());
