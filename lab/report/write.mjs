// Writes report.json and index.html of a run.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { figuresOf } from './figures.mjs';
import { pageOf } from './page.mjs';

/** `about` as of the beginning of the run (aboutRun); without it what the last report said. */
export function writeReport(directory, rows, { about: begun } = {}) {
  const file = path.join(directory, 'report.json');
  const about = { ...(fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')).about : {}), ...(begun ? { ...begun, written_at: new Date().toISOString() } : {}) };
  const figures = figuresOf(rows);
  const page = path.join(directory, 'index.html');
  fs.writeFileSync(file, `${JSON.stringify({ about, ...figures }, null, 1)}\n`);
  fs.writeFileSync(page, pageOf({ about, ...figures }, rows));
  const count = (outcome) => rows.filter((row) => row.outcome === outcome).length;
  const bad = rows.filter(({ outcome, promised }) => outcome === 'failed' && promised).length;
  return { passed: count('ok'), failed: bad, beyond: count('failed') - bad, not_run: count('not_run'), page };
}

/** Page and figures without the calls themselves. */
export function keepReport(directory, kept) {
  fs.mkdirSync(kept, { recursive: true });
  for (const name of ['index.html', 'report.json']) fs.copyFileSync(path.join(directory, name), path.join(kept, name));
}

/** What is run, and on what. */
export function aboutRun(command) {
  return {
    command,
    commit: tryToRun('git', ['rev-parse', '--short', 'HEAD']),
    changed: tryToRun('git', ['status', '--porcelain']) !== '',
    machine: `${os.cpus().length} × ${os.cpus()[0]?.model ?? 'processor'}, Linux ${os.release()}`,
    chromium: tryToRun('chromium', ['--version']),
    firefox: tryToRun('firefox-esr', ['--version']),
  };
}

/** What a program prints, or null where it is not there: the report does without. */
function tryToRun(program, args) {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return null;
  }
}
