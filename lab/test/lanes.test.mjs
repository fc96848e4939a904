// Which calls may be played beside each other.
import assert from 'node:assert/strict';
import test from 'node:test';

import { playInLanes } from '../lanes.mjs';
import { makeCell } from '../scenarios/cell.mjs';

const cell = (caller, callee, more = {}) => makeCell({ scenario: 'matrix', pair: [caller, callee], ...more });
const namesOf = (tasks) => tasks.map(({ name }) => name);

/** Plays `cells`, named by their places, and returns who was playing whenever one began. */
async function played(cells, lanes, stopped = () => false) {
  const tasks = cells.map((one, i) => ({ cell: one, name: i }));
  const playing = new Set();
  const seen = [];
  const order = [];
  await playInLanes(tasks, lanes, async (task) => {
    playing.add(task);
    order.push(task.name);
    seen.push(namesOf([...playing]));
    await new Promise((resolve) => setImmediate(resolve));
    playing.delete(task);
  }, stopped);
  return { seen, order };
}

test('one lane keeps the order', async () => {
  const { seen } = await played([cell('open', 'open'), cell('open', 'symmetric'), cell('symmetric', 'open')], 1);
  assert.deepEqual(seen, [[0], [1], [2]]);
});

test('calls of other networks are played beside each other, as many as there are lanes', async () => {
  const { seen } = await played([cell('open', 'open'), cell('symmetric', 'symmetric'), cell('full_cone', 'full_cone')], 2);
  assert.deepEqual(seen.slice(0, 2), [[0], [0, 1]]);
  assert.ok(seen[2].includes(2));
  assert.ok(seen.every((names) => names.length <= 2));
});

test('two calls never use one network at a time, and a later one may go first', async () => {
  const { seen, order } = await played([cell('open', 'symmetric'), cell('open', 'full_cone'), cell('symmetric', 'open')], 3);
  assert.deepEqual(order, [0, 2, 1]);
  assert.ok(seen.every((names) => !(names.includes(0) && names.includes(1))));
});

test('a call that wants another server, or filters there, waits until all others are over', async () => {
  const other = cell('symmetric', 'symmetric', { server_flags: ['--warm-path', 'off'] });
  const filtered = cell('full_cone', 'full_cone', { filters: [{ proto: 'udp', port: 3478, action: 'drop' }] });
  const { seen } = await played([cell('open', 'open'), other, filtered, cell('address_restricted', 'address_restricted')], 4);
  assert.deepEqual(seen.at(-1).length, 1);
  for (const names of seen) assert.ok(names.length === 1 || names.every((name) => name === 0 || name === 3), names.join());
});

test('a call that is to be alone is, before others or after them', async () => {
  const alone = cell('symmetric', 'symmetric', { alone: true });
  for (const cells of [[cell('open', 'open'), alone, cell('full_cone', 'full_cone')], [alone, cell('open', 'open'), cell('full_cone', 'full_cone')]]) {
    const { seen } = await played(cells, 3);
    const name = cells.indexOf(alone);
    for (const names of seen) assert.ok(names.length === 1 || !names.includes(name), names.join());
    assert.ok(seen.some((names) => names.length === 2));
  }
});

test('what is stopped begins nothing more, and ends what it began', async () => {
  let begun = 0;
  const { order } = await played([cell('open', 'open'), cell('symmetric', 'symmetric'), cell('full_cone', 'full_cone')], 1, () => begun++ >= 4);
  assert.ok(order.length < 3);
});

test('the failure of the laboratory is not kept back', async () => {
  const failing = playInLanes([{ cell: cell('open', 'open') }], 2, () => Promise.reject(new Error('gone')), () => false);
  await assert.rejects(failing, /gone/);
});
