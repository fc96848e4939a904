#!/usr/bin/env node
// tools/sim --mutants [NAME ...]: builds the simulation with each mutant of list.mjs, runs seeds until a rule is
// broken, and prints a table. The mutated file is compiled beside the tree and linked in the place of the right one.
// Exit status: 0 all are caught, 1 one is not, 2 bad usage.

import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { mutants } from './list.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
const build = path.join(root, 'build/dev');
const folder = path.join(root, 'build/mutants');
/** What a mutant may live through before it counts as not caught. */
const seeds = 20_000;

const wanted = process.argv.slice(2);
for (const name of wanted) {
  if (mutants.some((mutant) => mutant.name === name)) continue;
  console.error(`tools/sim: no mutant '${name}'; there are: ${mutants.map((mutant) => mutant.name).join(' ')}`);
  process.exit(2);
}

/** The last command by which ninja makes `target`, without the wrapper that keeps results. */
function commandOf(target) {
  const lines = execFileSync('ninja', ['-C', build, '-t', 'commands', target], { encoding: 'utf8' }).trim().split('\n');
  return lines.at(-1).replace(/^ninja: .*\n/, '').replace(/\S*ccache /, '');
}

const link = commandOf('tests/sim');

function mutated({ name, file, edits }) {
  let text = fs.readFileSync(path.join(root, file), 'utf8');
  for (const [from, to] of edits) {
    const count = text.split(from).length - 1;
    if (count !== 1) throw new Error(`mutant ${name}: its text stands ${count} times in ${file}`);
    text = text.replace(from, () => to);
  }
  return text;
}

function run(command) {
  const done = spawnSync('bash', ['-c', command], { cwd: build, encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`${command}\n${done.stdout}${done.stderr}`);
}

/** The program with the mutant in it. */
function make(mutant) {
  const own = path.join(folder, mutant.name);
  fs.mkdirSync(own, { recursive: true });
  const source = path.join(own, path.basename(mutant.file));
  fs.writeFileSync(source, mutated(mutant));
  const room = mutant.file.split('/').slice(1, 3).join('_');
  const compile = commandOf(`CMakeFiles/${room}.dir/${mutant.file}.o`)
    .replace(path.join(root, mutant.file), source)
    .replace(/ -MD -MT \S+ -MF \S+/, '')
    .replace(/ -o \S+/, ` -w -o ${source}.o`);
  run(compile);
  const program = path.join(own, 'sim');
  // In front of the libraries: the linker then leaves the right one in its archive.
  run(link.replace(' -o tests/sim ', ` ${source}.o -o ${program} `));
  return program;
}

fs.mkdirSync(folder, { recursive: true });
const chosen = mutants.filter((mutant) => wanted.length === 0 || wanted.includes(mutant.name));
let caught = 0;
console.log('| mutant | what is wrong | first seed | by the rule |\n|---|---|---|---|');
for (const mutant of chosen) {
  const done = spawnSync(make(mutant), ['--seeds', String(seeds), '--quiet', '--jobs', '1'], { encoding: 'utf8' });
  const found = /^seed (\d+) breaks: (.*)$/m.exec(done.stdout);
  if (found) caught += 1;
  console.log(`| ${mutant.name} | ${mutant.what} | ${found ? found[1] : `none of ${seeds}`} | ${found ? found[2] : 'NOT CAUGHT'} |`);
}
console.log(`\n${caught} of ${chosen.length} mutants caught`);
process.exit(caught === chosen.length ? 0 : 1);
