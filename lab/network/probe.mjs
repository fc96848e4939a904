// Runs the probe in a side's namespace, and compares what it finds with what the kind promises.
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const PROBER = fileURLToPath(new URL('../probe/prober.mjs', import.meta.url));
// Ports nearer to each other than this may be a counter's.
const GUESSABLE = 16;

export async function probeFrom(world, side, { wait_ms } = {}) {
  const { ns: _, ...responder } = world.responder;
  const child = world.exec(side.ns, [process.execPath, PROBER, JSON.stringify({ ...responder, wait_ms })], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [found, said, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  if (status !== 0) throw new Error(`lab: the probe in ${side.ns} failed: ${said.trim()}`);
  return JSON.parse(found);
}

function portsAreRandom(ports) {
  return ports.slice(1).some((port, i) => Math.abs(port - ports[i]) > GUESSABLE);
}

/** @returns {string[]} in words, what is not as the side's kind has it */
export function disagreements(side, found) {
  const { kind } = side.site;
  const wanted = kind.expect;
  const wrong = [];
  const compare = (name, is, should) => {
    if (is !== should) wrong.push(`${name} is ${is}, should be ${should}`);
  };
  for (const name of ['udp', 'mapping', 'filtering', 'hairpin', 'translated', 'routers', 'v6', 'v6_address']) {
    compare(name, found[name], wanted[name]);
  }
  compare('TCP 443 over IPv4', found.tcp443_v4, wanted.tcp443);
  compare('other TCP over IPv4', found.tcp_other_v4, wanted.tcp_other);
  if (wanted.v6) {
    compare('mapping over IPv6', found.v6_mapping, 'endpoint-independent');
    compare('filtering over IPv6', found.v6_filtering, 'address-and-port-dependent');
  }
  if (wanted.udp) compare('mapped address', found.mapped_v4?.address, side.addresses.public_v4);
  if (wanted.random_ports && !portsAreRandom(found.ports)) wrong.push(`mapped ports can be guessed: ${found.ports.join(' ')}`);
  if (wanted.udp && !wanted.random_ports) compare('mapped port', found.ports[0], found.local_port);
  return wrong;
}
