// What bench/relay and bench/relay-matrix check before they start.
import { accessSync, constants } from 'node:fs';
import { cpus } from 'node:os';
import { delimiter, join, resolve } from 'node:path';

export class Problem extends Error {} // said in one line, exit status 2

export function numberOf(values, flag, least, most, whole = true) {
  const value = Number(values[flag]);
  if (!(value >= least && value <= most) || (whole && !Number.isInteger(value))) {
    throw new Problem(`--${flag} ${values[flag]}: a ${whole ? 'whole ' : ''}number from ${least} to ${most} is needed`);
  }
  return value;
}

export function numbersOf(values, flag, least, most) {
  const numbers = values[flag].split(',').map(text => numberOf({ [flag]: text }, flag, least, most));
  if (new Set(numbers).size !== numbers.length) throw new Problem(`--${flag} ${values[flag]}: one of them stands there twice`);
  return numbers;
}

export function coresOf(text) {
  const match = /^(\d+),(\d+)$/.exec(text);
  const count = cpus().length;
  const [server, generator] = match ? [Number(match[1]), Number(match[2])] : [NaN, NaN];
  if (!(server < count && generator < count) || server === generator) {
    throw new Problem(`--cores ${text}: two different cores of the ${count} here are needed, such as 1,0`);
  }
  return { server, generator };
}

export function find(program) {
  const candidates = program.includes('/') ? [resolve(program)]
    : [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'].map(directory => join(directory, program));
  return candidates.find(candidate => {
    try {
      accessSync(candidate, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
