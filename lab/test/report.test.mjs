// What the report computes from rows, and how results survive a run that is cut off.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';

import { Progress } from '../progress.mjs';
import { figuresOf, pathOf } from '../report/figures.mjs';
import { pageOf } from '../report/page.mjs';
import { lowerBound, quantile, summary } from '../report/statistics.mjs';
import { Results, readRows } from '../results.mjs';
import { cutCells, scenarios } from '../scenarios/index.mjs';
import { makeCell, networkClass } from '../scenarios/cell.mjs';

const near = (value, wanted, by) => assert.ok(Math.abs(value - wanted) < by, `${value} is not ${wanted}`);

test('the bound of a rate is the exact one', () => {
  near(lowerBound(3000, 3000), 0.999, 0.00001 + 0.0000021);
  near(lowerBound(9, 10), 0.6058, 0.0001); // Clopper and Pearson's tables
  near(lowerBound(95, 100), 0.8977, 0.0005);
  assert.equal(lowerBound(0, 10), 0);
  assert.equal(lowerBound(0, 0), 0);
  assert.ok(lowerBound(2999, 3000) < lowerBound(3000, 3000));
});

test('quantiles are values that were measured', () => {
  const sorted = Array.from({ length: 100 }, (_nothing, i) => i + 1);
  assert.deepEqual([0.5, 0.95, 0.99, 1].map((share) => quantile(sorted, share)), [50, 95, 99, 100]);
  assert.equal(quantile([], 0.5), null);
  assert.deepEqual(summary([3, null, 1, 2]), { n: 3, p50: 2, p95: 3, p99: 3, least: 1, most: 3 });
});

function rowOf(cell, own = {}) {
  return {
    ...cell.told,
    cell: cell.id,
    repetition: 1,
    outcome: 'ok',
    ring_ms: 2000,
    saturated: false,
    times: { accept_to_audio: { caller: 90, callee: 120 }, accept_to_video: { caller: 300, callee: 310 }, dial_to_rung: 50, dial_to_ringing: 90 },
    pair: { caller: { local: 'relay', remote: 'relay', relay_protocol: 'tcp' }, callee: { local: 'relay', remote: 'relay', relay_protocol: 'udp' } },
    ...own,
  };
}

test('a promised call that fails counts; one beyond the promise, of a baseline, or not run does not', () => {
  const cell = makeCell({ scenario: 'matrix', pair: ['open', 'open'] });
  const beyond = makeCell({ scenario: 'loss-20', pair: ['open', 'open'], link: { loss: 0.2 } });
  const other = makeCell({ scenario: 'baselines', pair: ['open', 'open'], product: 'peerjs' });
  const failed = { outcome: 'failed', times: undefined, where: 'connecting', reason: 'no sound' };
  const rows = [rowOf(cell), rowOf(cell, failed), rowOf(beyond, failed), rowOf(other, failed), rowOf(cell, { outcome: 'not_run', reason: 'no tun' })];
  const figures = figuresOf(rows);
  assert.deepEqual([figures.first_attempt.calls, figures.first_attempt.successes, figures.first_attempt.failures], [2, 1, 1]);
  assert.deepEqual(figures.not_run, { 'no tun': 1 });
  assert.equal(figures.failures.length, 3);
  assert.match(pageOf({ about: {}, ...figures }, rows), /no sound/);
});

test('times of a full machine, of a first call in a browser and of calls answered at once stay out of the times', () => {
  const cell = makeCell({ scenario: 'matrix', pair: ['open', 'open'] });
  const slow = { accept_to_audio: { caller: 900, callee: 900 }, accept_to_video: { caller: 900, callee: 900 }, dial_to_rung: 900, dial_to_ringing: 900 };
  const rows = [rowOf(cell), rowOf(cell, { saturated: true, times: slow }), rowOf(cell, { fresh_browser: true, times: slow }), rowOf(cell, { ring_ms: 0, times: slow })];
  const { calls, times, at_once } = figuresOf(rows).scenarios.matrix;
  assert.equal(calls, 4);
  assert.deepEqual([times.accept_to_audio.caller.n, times.accept_to_audio.caller.most, at_once.accept_to_audio.caller.p50], [1, 90, 900]);
});

test('others are told as multiples of ours, and the slowest calls have a limit', () => {
  const cellOf = (product) => makeCell({ scenario: 'baselines', pair: ['open', 'open'], product, variant: 'clean' });
  const slow = { accept_to_audio: { caller: 270, callee: 120 }, accept_to_video: { caller: null, callee: null } };
  const lossy = makeCell({ scenario: 'loss-5', pair: ['open', 'open'], link: { loss: 0.05 } });
  const late = { accept_to_audio: { caller: 1001, callee: 120 }, accept_to_video: { caller: null, callee: null } };
  const rows = [rowOf(cellOf('offhook')), rowOf(cellOf('peerjs'), { times: slow }), rowOf(lossy, { times: late, ring_ms: 0 })];
  const figures = figuresOf(rows);
  const theirs = figures.ratios.find(({ product }) => product === 'peerjs');
  assert.deepEqual([theirs.caller_ratio, theirs.callee_ratio, theirs.silence_ratio], [3, 1, null]);
  assert.deepEqual(figures.worst.map(({ holds, caller }) => [caller.n, holds]), [[1, false], [0, false]]);
  assert.match(pageOf({ about: {}, ...figures }, rows), /3 ×/);
});

test('a path is named by its relays', () => {
  assert.equal(pathOf(rowOf(makeCell({ scenario: 'matrix', pair: ['open', 'open'] }))), 'relay tcp+udp');
  assert.equal(pathOf({ pair: { caller: { local: 'host', remote: 'srflx' }, callee: { local: 'srflx', remote: 'host' } } }), 'direct');
  assert.equal(pathOf({ pair: { caller: { local: 'prflx', remote: 'relay' }, callee: null } }), 'relay');
  assert.equal(pathOf({ pair: null }), 'unknown');
});

test('networks are classed by the harder end', () => {
  assert.equal(networkClass('open', 'tcp443_only'), '443 only');
  assert.equal(networkClass('udp_blocked', 'symmetric'), 'UDP blocked');
  assert.equal(networkClass('double_symmetric', 'open'), 'symmetric NAT');
  assert.equal(networkClass('open', 'open'), 'open');
  assert.equal(networkClass('same_nat', 'same_nat'), 'one NAT');
});

test('a run that was cut off in the middle of a line goes on after the last whole one', () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'offhook-lab-test-'));
  try {
    const results = new Results(directory);
    results.add({ cell: 'a', repetition: 1, outcome: 'ok' });
    fs.appendFileSync(path.join(directory, 'calls.jsonl'), '{"cell":"b","repe');
    const again = new Results(directory, { resume: true });
    assert.deepEqual([again.has('a', 1), again.has('b', 1), again.rows.length], [true, false, 1]);
    again.add({ cell: 'b', repetition: 1, outcome: 'ok' });
    assert.deepEqual(readRows(directory).map(({ cell }) => cell), ['a', 'b']);
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
});

test('every cell has a name of its own, and the cut is made of them', () => {
  const ids = scenarios.flatMap(({ cells }) => cells()).map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  for (const { id } of cutCells()) assert.ok(ids.includes(id), id);
});

test('a run with a moment to end at begins a round only if most of it fits', () => {
  const begun = { calls: 100, guess_ms: 1000, before: 0 };
  assert.equal(new Progress({ ...begun, rounds: { until: Date.now() + 60_000 } }).goesOn(2), true);
  assert.equal(new Progress({ ...begun, rounds: { until: Date.now() + 40_000 } }).goesOn(2), false);
  assert.equal(new Progress({ ...begun, rounds: { until: 0 } }).goesOn(1), true);
  const counted = new Progress({ ...begun, rounds: { count: 2 } });
  assert.deepEqual([counted.goesOn(2), counted.goesOn(3)], [true, false]);
});
