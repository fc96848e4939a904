// A client moves from one network to another; names; and nothing stays behind.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { createNetwork, supported } from '../network/index.mjs';
import { ran, traffic } from './stage.mjs';

const { ok, missing } = await supported();
const options = { skip: ok ? false : `no networks here: ${missing.join(', ')}` };
let network;

before(async () => {
  if (!ok) return;
  network = await createNetwork({ caller: { kind: 'port_restricted' }, callee: { kind: 'dual_stack' }, name_prefix: 'move' });
});
after(() => network?.close());

const toServer = (from, local) => ({
  from: network[from].ns, local, to: network.server.ns, address: network.server.v4, port: 5000, count: 20,
});
const devicesUp = async (side) => {
  const { out } = await ran(network, network[side].ns, ['ip', '-o', 'address', 'show', 'scope', 'global', 'up']);
  return [...new Set(out.split('\n').filter(Boolean).map((line) => line.split(/\s+/)[1]))];
};

test('hard: the old network is gone, the new one is of the kind asked for', options, async () => {
  const old = network.caller.addresses;
  assert.deepEqual(await devicesUp('caller'), ['wlan0']);
  await network.handover('caller', { mode: 'hard', to_kind: 'symmetric' });
  assert.deepEqual(await devicesUp('caller'), ['wwan0']);
  assert.notEqual(network.caller.addresses.v4, old.v4);
  assert.equal(network.caller.can.udp, true);
  await network.world.prove([network.caller]); // as symmetric, at its public address
  const [first] = await traffic(network, [toServer('caller')]);
  assert.equal(first.from, network.caller.addresses.public_v4);
  assert.notEqual(first.from, old.public_v4);
});

test('what is filtered stays filtered on a network that is made later', options, async () => {
  network.filter('callee', { proto: 'udp', port: 5000 });
  await network.prepareHandover('callee', { to_kind: 'ipv6_only' });
  const flow = { from: network.callee.ns, to: network.server.ns, address: network.server.v6, count: 10 };
  await network.handover('callee');
  const arrived = await traffic(network, [{ ...flow, port: 5000 }, { ...flow, port: 5001 }]);
  await network.restore('callee');
  network.clearFilters('callee');
  assert.deepEqual([...new Set(arrived.map((one) => one.port))], [5001]);
});

test('back again', options, async () => {
  await network.restore('caller');
  assert.deepEqual(await devicesUp('caller'), ['wlan0']);
  await network.prove();
});

test('soft: both networks carry what is bound to them, then only the new one does', options, async () => {
  const old = network.caller.addresses;
  await network.prepareHandover('caller');
  const over = network.handover('caller', { mode: 'soft', overlap_ms: 1500 });
  // The new network comes up before the promise of the hand-over is kept.
  while (network.caller.addresses.v4 === old.v4) await new Promise((resolve) => setImmediate(resolve));
  const both = await devicesUp('caller');
  const [viaOld, viaNew] = await Promise.all([
    traffic(network, [toServer('caller', old.v4)], { settle_ms: 200 }),
    traffic(network, [{ ...toServer('caller', network.caller.addresses.v4), port: 5001 }], { settle_ms: 200 }),
  ]);
  await over;
  assert.deepEqual(both.sort(), ['wlan0', 'wwan0']);
  assert.deepEqual([...new Set(viaOld.map((one) => one.from))], [old.public_v4]);
  assert.deepEqual([...new Set(viaNew.map((one) => one.from))], [network.caller.addresses.public_v4]);
  assert.deepEqual(await devicesUp('caller'), ['wwan0']);
  const unbound = await traffic(network, [toServer('caller')]);
  assert.deepEqual([...new Set(unbound.map((one) => one.from))], [network.caller.addresses.public_v4]);
});

test('both families move, and the links of the two networks are their own', options, async () => {
  await network.handover('callee', { to_kind: 'ipv6_only' });
  await network.setLink('callee', { delay_ms: 70 });
  const flow = { from: network.callee.ns, to: network.server.ns, address: network.server.v6, port: 5000, count: 20 };
  const arrived = await traffic(network, [flow]);
  assert.equal(arrived.length, 20);
  assert.ok(Math.min(...arrived.map((one) => one.delay_ms)) >= 70);
  assert.equal(arrived[0].from, network.callee.addresses.v6);
  await network.restore('callee');
  const again = await traffic(network, [toServer('callee')]);
  assert.ok(Math.min(...again.map((one) => one.delay_ms)) < 70);
  await network.world.prove([network.callee]);
});

test('names: none, or those of the world, and no others', options, async () => {
  const resolved = (name) => ran(network, network.caller.ns, ['getent', 'ahostsv4', name]);
  const { name, v4, v6 } = network.server;
  network.setDns('caller', 'none');
  assert.equal((await resolved(name)).status, 2);
  network.setDns('caller', 'works');
  const found = await resolved(name);
  assert.equal(found.out.split(/\s/)[0], v4);
  network.setDns('callee', 'works');
  assert.match((await ran(network, network.callee.ns, ['getent', 'ahostsv6', name])).out, new RegExp(v6));
  assert.equal((await resolved('turn.example.org')).status, 2);
  assert.throws(() => network.setDns('caller', 'slow'), /no dns 'slow'/);
});

test('names resolve where no UDP passes', options, async () => {
  const other = await createNetwork({ caller: { kind: 'tcp443_only' }, callee: { kind: 'ipv6_only' }, name_prefix: 'names', dns: 'works' });
  try {
    for (const side of [other.caller, other.callee]) {
      assert.equal((await ran(other, side.ns, ['getent', 'hosts', other.server.name])).status, 0, side.kind);
    }
    await other.prove(); // and nothing else does
  } finally {
    await other.close();
  }
});

test('a network that is closed leaves nothing; one whose process was killed is removed by the next', options, async () => {
  const script = `
    const { createNetwork } = await import(${JSON.stringify(new URL('../network/index.mjs', import.meta.url).href)});
    const network = await createNetwork({ caller: { kind: 'open' }, callee: { kind: 'open' } });
    network.exec(network.caller.ns, ['sleep', '1000']);
    console.log(network.world.forwarder.pid);
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [forwarder] = await once(createInterface({ input: child.stdout }), 'line');
  const of = (pid) => readdirSync('/run/netns').filter((name) => name.startsWith(`offhook-lab-${pid}-`));
  assert.notDeepEqual(of(child.pid), []);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const [first] = of(child.pid);
  const cleaned = spawnSync(process.execPath, [new URL('../network/clean.mjs', import.meta.url).pathname]);
  assert.equal(cleaned.status, 0, String(cleaned.stderr));
  assert.deepEqual(of(child.pid), []);
  assert.equal(existsSync(`/etc/netns/${first}`), false);
  while (existsSync(`/proc/${forwarder}`)) await new Promise((resolve) => setTimeout(resolve, 20)); // its input has ended
  const other = await createNetwork({ caller: { kind: 'open' }, callee: { kind: 'open' }, name_prefix: 'gone' });
  const names = [...other.world.namespaces];
  await other.close();
  assert.deepEqual(names.filter((name) => existsSync(`/run/netns/${name}`) || existsSync(`/etc/netns/${name}`)), []);
});
