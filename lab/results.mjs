// Results as JSON lines, written as they come: a run that is cut off keeps them, and goes on from them.

import fs from 'node:fs';
import path from 'node:path';

const file_name = 'calls.jsonl';

export class Results {
  #file;
  rows;

  /** The directory is made; with `resume` what is in it is kept, else it must hold no results. */
  constructor(directory, { resume = false } = {}) {
    fs.mkdirSync(directory, { recursive: true });
    this.directory = directory;
    this.#file = path.join(directory, file_name);
    // What could not be run before is tried again.
    this.rows = resume ? readRows(this.#file).filter(({ outcome }) => outcome !== 'not_run') : [];
    // Without the line that was being written when the run was cut off.
    fs.writeFileSync(this.#file, this.rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    this.#done = new Set(this.rows.map(({ cell, repetition }) => `${cell} ${repetition}`));
  }

  #done;

  has(cell, repetition) {
    return this.#done.has(`${cell} ${repetition}`);
  }

  add(row) {
    this.rows.push(row);
    this.#done.add(`${row.cell} ${row.repetition}`);
    fs.appendFileSync(this.#file, `${JSON.stringify(row)}\n`);
  }
}

/** A line that was being written when the run ended is left out. */
export function readRows(file) {
  if (fs.statSync(file, { throwIfNoEntry: false })?.isDirectory()) return readRows(path.join(file, file_name));
  if (!fs.existsSync(file)) return [];
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  const whole = lines.slice(0, -1);
  return whole.map((line) => JSON.parse(line));
}
