// What the laboratory's tests share: traffic between namespaces, and figures of it.
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const PUNCH = fileURLToPath(new URL('punch.mjs', import.meta.url));
const TRAFFIC = fileURLToPath(new URL('traffic.mjs', import.meta.url));

/** Sends datagrams once a receiver is ready, and returns what arrived up to `settle_ms` after the last was sent. */
export async function traffic(network, flows, { settle_ms = 200 } = {}) {
  const { to, address } = flows[0];
  const receiver = network.exec(to, [process.execPath, TRAFFIC, 'receive', address, ...flows.map((flow) => flow.port)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: receiver.stdout });
  await once(lines, 'line');
  lines.close();
  const arrived = text(receiver.stdout);
  await Promise.all(flows.map((flow) => sent(network, flow)));
  await new Promise((resolve) => setTimeout(resolve, settle_ms));
  receiver.stdin.end();
  return JSON.parse(await arrived);
}

async function sent(network, { from, local = '-', address, port, count = 100, interval_ms = 3, bytes = 100 }) {
  const args = ['send', local, address, port, count, interval_ms, bytes].map(String);
  const sender = network.exec(from, [process.execPath, TRAFFIC, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
  await once(sender, 'exit');
}

/** What the two ends of a hole punch end with, for instance "heard heard". */
export async function punched(pair) {
  const { v4 } = pair.world.responder;
  const ends = [pair.caller, pair.callee].map((side) => {
    const child = pair.exec(side.ns, [process.execPath, PUNCH, v4, '3478'], { stdio: ['pipe', 'pipe', 'inherit'] });
    return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
  });
  const mapped = await Promise.all(ends.map(async ({ lines }) => (await lines.next()).value));
  ends.forEach(({ child }, i) => child.stdin.write(`${mapped[1 - i]}\n`));
  return (await Promise.all(ends.map(async ({ lines }) => (await lines.next()).value))).join(' ');
}

/** Runs a program in a namespace to its end. */
export async function ran(network, ns, argv) {
  const child = network.exec(ns, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, said, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { status, out, said };
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
