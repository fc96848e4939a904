// Whether the scripts name everything that docs/protocol.md does: types of messages, end reasons, error codes, close codes.

import fs from 'node:fs';

const section = (text, title) => text.split(`\n## ${title}\n`)[1]?.split('\n## ')[0] ?? '';
const rows = (text, header) => {
  const [, table] = text.split(`| ${header} |`);
  return table.split('\n').slice(2).filter((line, i, lines) => lines.slice(0, i + 1).every((one) => one.startsWith('|'))).map((line) => line.split('|')[1]);
};
const quoted = (cells) => cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name));
const words = (text) => text.replace(/\([^)]*\)/g, '').split(/\.\s|\.$/)[0].split(',').map((word) => word.trim());

/** The end reasons that this text of the document names. */
export const endReasonsOf = (text) => words(section(text, 'End reasons').trim());

/** What the document names, by kind. */
function named(file) {
  const text = fs.readFileSync(file, 'utf8');
  return {
    'message of a client': quoted(rows(text, 'client → server | fields')),
    'message of the server': quoted(rows(text, 'server → client | fields')),
    'end reason': endReasonsOf(text),
    'error code': words(section(text, 'Error codes').trim()),
    'close code': rows(section(text, 'Close codes'), 'code | reason').map((cell) => Number(cell)),
  };
}

function* stepsOf(script) {
  for (const step of script.steps) yield* step.any_order ?? [step];
}

/** What the scripts show, by the same kinds. */
function shown(scripts) {
  const steps = scripts.flatMap((script) => [...stepsOf(script)]);
  const sent = steps.flatMap(({ sends }) => (sends ? [sends] : []));
  const received = steps.flatMap(({ receives }) => (typeof receives === 'object' ? [receives] : []));
  const seen = steps.flatMap(({ sees }) => (sees ? [sees.reason] : []));
  return {
    'message of a client': sent.map(({ type }) => type),
    'message of the server': received.map(({ type }) => type),
    'end reason': [...seen, ...received.filter(({ type }) => type === 'ended').map(({ reason }) => reason)],
    'error code': received.filter(({ type }) => type === 'error').map(({ code }) => code),
    'close code': steps.flatMap(({ is_closed }) => (is_closed ? [is_closed.code] : [])),
  };
}

/** A line for each thing that the document names and no script shows. */
export function gaps(file, scripts) {
  const has = shown(scripts);
  return Object.entries(named(file)).flatMap(([kind, names]) => {
    if (names.length === 0) return [`${file} names no ${kind}: has its form changed?`];
    return names.filter((name) => !has[kind].includes(name)).map((name) => `no script shows the ${kind} ${name}`);
  });
}
