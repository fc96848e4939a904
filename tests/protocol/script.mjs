// The scripts, as they lie in scripts/: read, checked for their form, and written out.

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = path.join(path.dirname(fileURLToPath(import.meta.url)), 'scripts');

/** The one key that says what a step is, beside `client`. */
const acts = ['signs_in', 'connects', 'cuts', 'resumes', 'sends', 'loses', 'sends_text', 'receives', 'is_closed', 'does', 'sees', 'says', 'hears'];
const others = ['any_order', 'repeat', 'server', 'backend'];
const script_keys = ['title', 'serve', 'patience_ms', 'clients', 'sdk', 'steps'];

export function scriptNames() {
  return fs.readdirSync(folder).filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -5)).sort();
}

/** Throws with the place if the script is not of the form of docs/protocol-scripts.md. */
export function readScript(name) {
  const script = JSON.parse(fs.readFileSync(path.join(folder, `${name}.json`), 'utf8'));
  const wrong = Object.keys(script).find((key) => !script_keys.includes(key));
  if (wrong) throw new Error(`${name}: there is no '${wrong}' in a script`);
  for (const sdk of script.sdk ?? []) if (!script.clients[sdk]) throw new Error(`${name}: no client '${sdk}' to be played by an SDK`);
  return { name, serve: [], sdk: [], patience_ms: 30_000, ...script, steps: numbered(name, script, script.steps, '') };
}

/** The steps with their places ("7", "7.2"), repetitions written out. */
function numbered(name, script, steps, before) {
  return steps.flatMap((step, i) => {
    const place = `${before}${i + 1}`;
    checkForm(`${name}: step ${place}`, script, step);
    if (step.any_order) return { place, any_order: numbered(name, script, step.any_order, `${place}.`) };
    if (step.repeat === undefined) return { place, ...step };
    return Array.from({ length: step.repeat }, (_, n) => numbered(name, script, withNumber(step.steps, n), `${place}.${n + 1}.`)).flat();
  });
}

function checkForm(where, script, step) {
  const given = Object.keys(step);
  const kinds = given.filter((key) => acts.includes(key) || others.includes(key));
  if (kinds.length !== 1) throw new Error(`${where} is to have one of ${[...acts, ...others].join(', ')}`);
  const [kind] = kinds;
  const fits = kind === 'repeat' ? ['repeat', 'steps'] : acts.includes(kind) ? ['client', kind] : [kind];
  const stranger = [...given.filter((key) => !fits.includes(key)), ...fits.filter((key) => !given.includes(key))][0];
  if (stranger) throw new Error(`${where} (${kind}) has '${stranger}' too much, or too little`);
  if (step.client && !script.clients[step.client]) throw new Error(`${where} is of '${step.client}', who is no client`);
}

/** "{n}" in a text becomes the number of the repetition, from 0; a text that is "{n+3}" becomes a number, three more. */
function withNumber(value, n) {
  const alone = /^\{n\+(\d+)\}$/.exec(value);
  if (alone) return n + Number(alone[1]);
  if (typeof value === 'string') return value.replaceAll('{n}', String(n).padStart(3, '0'));
  if (Array.isArray(value)) return value.map((one) => withNumber(one, n));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withNumber(one, n)]));
}
