// Networks of the laboratory (docs/laboratory.md). Needs root, /dev/net/tun, ip, nft and lab_link: ask supported().
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { forwarderBinary } from './forwarder.mjs';
import { SAME_NAT, kinds } from './kinds.mjs';
import { Network, World } from './world.mjs';

export { SAME_NAT, kinds };

/**
 * Whether networks can be made here, and if not what is missing.
 * @returns {Promise<{ok: boolean, missing: string[]}>}
 */
export async function supported() {
  const missing = [];
  if (process.getuid?.() !== 0) missing.push('root');
  if (!existsSync('/dev/net/tun')) missing.push('/dev/net/tun');
  for (const [program, argument] of [['ip', '-V'], ['nft', '--version'], ['nsenter', '--version']]) {
    if (spawnSync(program, [argument]).error) missing.push(program);
  }
  if (!forwarderBinary()) missing.push('lab_link (tools/build dev lab_link)');
  if (missing.length === 0) missing.push(...refusals());
  return { ok: missing.length === 0, missing };
}

// A container may be root and still not be allowed to: the kernel is asked.
function refusals() {
  const rules = 'table inet lab { chain out { type nat hook postrouting priority srcnat; oifname "wan" masquerade fully-random; }; }';
  const tried = spawnSync('unshare', ['--net', 'sh', '-c', 'ip tuntap add dev wan mode tun && nft -f -'], { input: rules });
  if (tried.status === 0) return [];
  return [`namespaces, TUN or NAT are not allowed: ${String(tried.stderr ?? tried.error).trim()}`];
}

/**
 * Every kind at once, with a caller and a callee of each; pairs are taken with world.pair(caller, callee).
 * @param {object} [options]
 * @param {string[]} [options.kinds] names; all by default
 * @param {boolean} [options.same_nat] also two behind one NAT: world.pair('same_nat', 'same_nat')
 * @param {import('./forwarder.mjs').Conditions} [options.link] of every link at first; 20 ms by default
 * @param {'none'|'dead'|'works'} [options.dns] see World.setDns()
 * @param {Record<string, string[]>} [options.names] names that resolve with dns 'works'; server.name always does
 * @param {string} [options.name_prefix]
 * @param {number} [options.seed] of the losses and jitters
 */
export function createWorld(options) {
  return new World(options).open();
}

/**
 * One caller, one callee.
 * @param {object} options
 * @param {{kind: string, link?: import('./forwarder.mjs').Conditions}} options.caller
 * @param {{kind: string, link?: import('./forwarder.mjs').Conditions}} options.callee
 * @param {boolean} [options.same_nat] both behind one port-restricted NAT; the kinds are not looked at
 */
export async function createNetwork({ caller = {}, callee = {}, same_nat = false, name_prefix, dns, names, seed }) {
  const [callers, callees] = same_nat ? [[], []] : [[caller.kind], [callee.kind]];
  const world = await createWorld({ callers, callees, same_nat, name_prefix, dns, names, seed });
  const sides = same_nat ? [SAME_NAT, SAME_NAT] : [caller.kind, callee.kind];
  const network = new Network(world, world.side('caller', sides[0]), world.side('callee', sides[1]), true);
  if (caller.link) await network.setLink('caller', caller.link);
  if (callee.link) await network.setLink('callee', callee.link);
  return network;
}
