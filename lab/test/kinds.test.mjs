// Every kind of network behaves as it is called, and the probe would tell if it did not.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SAME_NAT, createWorld, kinds, supported } from '../network/index.mjs';
import { kindNamed } from '../network/kinds.mjs';
import { disagreements } from '../network/probe.mjs';
import { allOf } from '../network/namespaces.mjs';
import { punched, ran, traffic } from './stage.mjs';

const { ok, missing } = await supported();
const options = { skip: ok ? false : `no networks here: ${missing.join(', ')}` };
let world;
let findings;

before(async () => {
  if (!ok) return;
  world = await createWorld({ name_prefix: 'kinds' });
  findings = await world.prove();
});
after(() => world?.close());

test('each side of each kind is what it is called', options, () => {
  assert.equal(findings.size, 2 * kinds.length + 2);
});

// A probe that says yes to everything would prove nothing.
test('no kind passes for another', options, () => {
  for (const kind of kinds) {
    const side = world.side('caller', kind.name);
    for (const other of kinds) {
      if (other.name === kind.name) continue;
      const named = { addresses: side.addresses, site: { kind: other } };
      assert.notDeepEqual(disagreements(named, findings.get(side)), [], `${kind.name} would pass for ${other.name}`);
    }
  }
});

test('NATs of two sides have addresses of their own; two behind one NAT share one', options, () => {
  const mapped = (role, kind) => findings.get(world.side(role, kind)).mapped_v4.address;
  assert.notEqual(mapped('caller', 'symmetric'), mapped('callee', 'symmetric'));
  assert.equal(mapped('caller', SAME_NAT), mapped('callee', SAME_NAT));
});

test('two behind one NAT reach each other without it', options, async () => {
  const pair = world.pair(SAME_NAT, SAME_NAT);
  const flow = { from: pair.caller.ns, to: pair.callee.ns, address: pair.callee.addresses.v4, port: 5000, count: 5 };
  const arrived = await traffic(pair, [flow]);
  assert.equal(arrived.length, 5);
  assert.equal(arrived[0].from, pair.caller.addresses.v4);
});

// Which pairs find a direct path is known: all, but where one end has a port for each destination and the other lets
// only ports in that it has sent to.
test('hole punching finds a path between exactly the pairs that have one', options, async () => {
  const guessless = ['symmetric', 'double_symmetric'];
  const strict = [...guessless, 'port_restricted', 'double_port_restricted'];
  const hopeless = (a, b) => guessless.includes(a) && strict.includes(b);
  const names = kinds.filter((kind) => kind.expect.udp && !kind.v6).map((kind) => kind.name);
  const pairs = names.flatMap((caller, i) => names.slice(i).map((callee) => [caller, callee]));
  const found = [];
  await allOf(pairs.map(([caller, callee]) => async () => {
    found.push([caller, callee, await punched(world.pair(caller, callee))].join(' '));
  }), 7);
  const wanted = pairs.map(([a, b]) => [a, b, hopeless(a, b) || hopeless(b, a) ? 'silence silence' : 'heard heard'].join(' '));
  assert.deepEqual(found.sort(), wanted.sort());
});

test('a side without IPv4 has none, one without IPv6 has none', options, async () => {
  const addressesOf = async (kind) => (await ran(world, world.side('caller', kind).ns, ['ip', '-o', 'address', 'show', 'scope', 'global'])).out;
  assert.doesNotMatch(await addressesOf('ipv6_only'), /inet \d/);
  assert.match(await addressesOf('ipv6_only'), /inet6 2a0e:/);
  assert.doesNotMatch(await addressesOf('open'), /inet6/);
});

test('expectations differ where kinds do', () => {
  const without = ({ name, expect }) => [name, JSON.stringify(expect)];
  const texts = new Map(kinds.map(without));
  assert.equal(new Set(texts.values()).size, kinds.length);
  assert.throws(() => kindNamed('cone'), /no kind 'cone'; there are: open full_cone/);
});
