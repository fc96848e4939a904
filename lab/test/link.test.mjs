// Links do to packets what they are told, and networks change when told.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { createNetwork, supported } from '../network/index.mjs';
import { median, ran, traffic } from './stage.mjs';

const { ok, missing } = await supported();
const options = { skip: ok ? false : `no networks here: ${missing.join(', ')}` };
// What is not the link's may take this long, for the quickest tenth: on a busy machine receivers are late.
const OVERHEAD_MS = 2;
// A link sends what is due within this time along (kTogether of lab/link/main.cc).
const TOGETHER_MS = 0.05;
const plain = { delay_ms: 0, jitter_ms: 0, loss: 0, rate_kbit: 0, queue_ms: 200, cut: false, reorder: false, rules: [] };
let network;

before(async () => {
  if (ok) network = await createNetwork({ caller: { kind: 'open' }, callee: { kind: 'dual_stack' }, name_prefix: 'link' });
});
beforeEach(() => (ok ? network.setLink('caller', plain) : null));
after(() => network?.close());

const up = (more) => ({ from: network.caller.ns, to: network.server.ns, address: network.server.v4, port: 5000, ...more });
const down = (more) => ({ from: network.server.ns, to: network.caller.ns, address: network.caller.addresses.v4, port: 5000, ...more });
const delays = (arrived) => arrived.map((one) => one.delay_ms);

const quickestTenth = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 10)];

function isAsSlow(arrived, wanted_ms) {
  const earliest = Math.min(...delays(arrived));
  assert.ok(earliest >= wanted_ms - TOGETHER_MS, `${earliest} ms is less than the delay of ${wanted_ms} ms`);
  return quickestTenth(delays(arrived)) <= wanted_ms + OVERHEAD_MS;
}

// A link that is wrong is wrong every time.
async function assertDelays(flows, wanted_ms) {
  let arrived;
  for (let attempt = 0; attempt < 3; ++attempt) {
    arrived = await traffic(network, flows);
    if (flows.every(({ port }, i) => isAsSlow(arrived.filter((one) => one.port === port), wanted_ms[i]))) return;
  }
  assert.fail(`three runs are slower than ${wanted_ms.join(', ')} ms; the last: median ${median(delays(arrived))} ms over all`);
}

test('delay, each direction its own', options, async () => {
  await network.setLink('caller', { up: { delay_ms: 30 }, down: { delay_ms: 80 } });
  await assertDelays([up()], [30]);
  await assertDelays([down()], [80]);
});

test('delay over IPv6', options, async () => {
  await network.setLink('callee', { ...plain, delay_ms: 25 });
  const flow = { from: network.callee.ns, to: network.server.ns, address: network.server.v6, port: 5000 };
  await assertDelays([flow], [25]);
});

test('jitter stays within its bounds and keeps the order', options, async () => {
  await network.setLink('caller', { delay_ms: 60, jitter_ms: 25 });
  const arrived = await traffic(network, [up({ count: 200 })]);
  assert.equal(arrived.length, 200);
  assert.deepEqual(arrived.map((one) => one.number), arrived.map((_, i) => i));
  assert.ok(Math.min(...delays(arrived)) >= 35 - TOGETHER_MS);
  assert.ok(new Set(delays(arrived).map((ms) => Math.round(ms / 10))).size >= 3, 'delays differ');
});

test('jitter changes the order when asked', options, async () => {
  await network.setLink('caller', { delay_ms: 60, jitter_ms: 25, reorder: true });
  const arrived = await traffic(network, [up({ count: 200 })]);
  assert.equal(arrived.length, 200);
  assert.ok(arrived.some((one, i) => one.number < i), 'some packet came late');
});

test('loss is as frequent as told, and counted', options, async () => {
  for (const loss of [0.05, 0.2]) {
    await network.setLink('caller', { up: { loss } });
    const earlier = (await network.counters('caller')).up;
    const count = 2000;
    const arrived = await traffic(network, [up({ count, interval_ms: 0.25 })]);
    const later = (await network.counters('caller')).up;
    assert.equal(later.lost - earlier.lost, count - arrived.length);
    const deviation = Math.sqrt(count * loss * (1 - loss));
    const lost = count - arrived.length;
    assert.ok(Math.abs(lost - count * loss) < 5 * deviation, `${lost} of ${count} lost at ${loss}`);
  }
});

test('rate: packets follow each other as fast as the line is, what is too much is dropped', options, async () => {
  await network.setLink('caller', { up: { rate_kbit: 2000, queue_ms: 300 } });
  const bytes = 972; // 1000 with the headers of IP and UDP: 4 ms each
  const arrived = await traffic(network, [up({ count: 200, interval_ms: 0, bytes })], { settle_ms: 800 });
  const { overflowed } = (await network.counters('caller')).up;
  assert.ok(arrived.length >= 75 && arrived.length < 200, `${arrived.length} passed a queue of 300 ms`);
  assert.equal(overflowed, 200 - arrived.length);
  const sent_ms = arrived[0].at_ms - arrived[0].delay_ms;
  const late = arrived.map((one, i) => one.at_ms - sent_ms - 4 * (i + 1));
  assert.ok(Math.min(...late) >= -TOGETHER_MS, `packets come ${-Math.min(...late)} ms earlier than the line can send them`);
});

test('cut: nothing passes, what was under way is gone; then all passes again', options, async () => {
  await network.setLink('caller', { cut: true });
  assert.equal((await traffic(network, [up({ count: 20 })])).length, 0);
  assert.equal((await traffic(network, [down({ count: 20 })])).length, 0);
  await network.setLink('caller', { cut: false });
  assert.equal((await traffic(network, [up({ count: 20 })])).length, 20);
});

test('a port may have a delay of its own', options, async () => {
  await network.setLink('caller', { delay_ms: 10, rules: [{ proto: 'udp', port: 5001, delay_ms: 90 }] });
  await assertDelays([up(), up({ port: 5001 })], [10, 90]);
});

test('what makes no sense is refused', options, async () => {
  await assert.rejects(network.setLink('caller', { loss: 5 }), /share from 0 to 1/);
  await assert.rejects(network.setLink('caller', { delay: 5 }), /no 'delay'/);
  await assert.rejects(network.setLink('caller', { delay_ms: -1 }), /not understood: delay_ms -1/);
  await assert.rejects(network.setLink('somebody', {}), /no side 'somebody'/);
  assert.throws(() => network.filter('caller', { proto: 'udp', port: 0 }), /no port 0/);
});

test('a filtered port is not reached, its neighbour is', options, async () => {
  for (const where of ['caller', 'server']) {
    network.filter(where, { proto: 'udp', port: 5000 });
    const arrived = await traffic(network, [up({ count: 10 }), up({ count: 10, port: 5001 })]);
    network.clearFilters(where);
    assert.deepEqual([...new Set(arrived.map((one) => one.port))], [5001]);
  }
  assert.equal((await traffic(network, [up({ count: 10 })])).length, 10);
});

test('a rejected TCP port says so at once, a dropped one never', options, async () => {
  const knock = `const s = require('net').connect({ host: '${network.server.v4}', port: 5002, timeout: 700 });
    s.on('timeout', () => { console.log('silence'); s.destroy(); }); s.on('error', (e) => console.log(e.code));`;
  const knocked = async () => (await ran(network, network.caller.ns, [process.execPath, '-e', knock])).out.trim();
  network.filter('caller', { proto: 'tcp', port: 5002, action: 'reject' });
  assert.equal(await knocked(), 'ECONNREFUSED');
  network.clearFilters('caller');
  network.filter('caller', { proto: 'tcp', port: 5002, action: 'drop' });
  assert.equal(await knocked(), 'silence');
  network.clearFilters('caller');
});
