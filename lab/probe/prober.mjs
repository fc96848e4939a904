#!/usr/bin/env node
// prober.mjs '{"v4":…,"v4_second":…,"v6":…,"wait_ms":…}': asks the responder how the network that this runs in behaves
// (RFC 5780 section 4), and prints it as one line of JSON. Every test has a socket, so a mapping, of its own.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { PORTS, TCP_PORTS, bindingRequest, newTransaction, readSuccess } from './stun.mjs';

const { v4, v4_second: v4Second, v6, v6_second: v6Second, wait_ms: waitMs = 900 } = JSON.parse(process.argv[2]);
const RETRANSMISSION_MS = 150;
const UNASKED_MS = 250;
const HOPS_MOST = 6;

class Mapped {
  static async open(family) {
    const socket = createSocket(family === 4 ? 'udp4' : 'udp6');
    socket.on('error', () => {}); // what does not arrive shows as a missing answer
    socket.bind(0);
    await once(socket, 'listening');
    return new Mapped(socket);
  }

  constructor(socket) {
    this.socket = socket;
    this.waiting = new Map(); // by transaction
    this.strangers = new Set(); // everything else that arrives, as text
    socket.on('message', (message) => {
      const success = readSuccess(message);
      const resolve = success && this.waiting.get(success.transaction.toString('hex'));
      if (resolve) resolve({ address: success.address, port: success.port });
      else this.strangers.add(message.toString('latin1'));
    });
  }

  get port() {
    return this.socket.address().port;
  }

  /** The mapped address, or null when no answer came. */
  async ask(address, port, change, longestMs = waitMs) {
    const transaction = newTransaction();
    const request = bindingRequest(transaction, change);
    const send = () => this.socket.send(request, port, address, () => {}); // an error is the same as no answer
    const repeat = setInterval(send, RETRANSMISSION_MS);
    let giveUp;
    const answer = await new Promise((resolve) => {
      this.waiting.set(transaction.toString('hex'), resolve);
      giveUp = setTimeout(() => resolve(null), longestMs);
      send();
    });
    clearTimeout(giveUp);
    clearInterval(repeat);
    this.waiting.delete(transaction.toString('hex'));
    return answer;
  }

  close() {
    this.socket.close();
  }
}

async function withSocket(family, work) {
  const mapped = await Mapped.open(family);
  try {
    return await work(mapped);
  } finally {
    mapped.close();
  }
}

const same = (a, b) => a.address === b.address && a.port === b.port;

// RFC 5780 section 4.3, and two more destinations to see whether ports can be guessed.
function mapping(family, first, second) {
  return withSocket(family, async (socket) => {
    const one = await socket.ask(first, PORTS[0]);
    if (!one) return null;
    // A packet from where nothing was sent yet must not change the mapping for when something will be.
    await socket.ask(first, PORTS[0], { ip: true, port: true }, UNASKED_MS);
    const otherAddress = await socket.ask(second, PORTS[0]);
    const otherPort = await socket.ask(second, PORTS[1]);
    const fourth = await socket.ask(first, PORTS[1]);
    const all = [one, otherAddress, otherPort, fourth];
    if (all.includes(null)) return { behaviour: 'unsteady: answers are missing', mapped: one, local_port: socket.port };
    let behaviour = 'address-and-port-dependent';
    if (same(one, otherAddress) && same(one, otherPort)) behaviour = 'endpoint-independent';
    else if (same(otherAddress, otherPort)) behaviour = 'address-dependent';
    return { behaviour, mapped: one, local_port: socket.port, ports: all.map((answer) => answer.port) };
  });
}

// RFC 5780 section 4.4: who else may answer.
async function filtering(family, first) {
  const asked = (change) => withSocket(family, (socket) => socket.ask(first, PORTS[0], change));
  const [reached, anyone, anyPort] = await Promise.all([asked(), asked({ ip: true, port: true }), asked({ port: true })]);
  if (!reached) return null;
  if (anyone) return 'endpoint-independent';
  return anyPort ? 'address-dependent' : 'address-and-port-dependent';
}

// Routers between here and the responder: the least time to live that gets there, less one.
async function routers(first) {
  const lives = Array.from({ length: HOPS_MOST }, (_, i) => i + 1);
  const arrived = await Promise.all(lives.map((life) => withSocket(4, (socket) => {
    socket.socket.setTTL(life);
    return socket.ask(first, PORTS[0]);
  })));
  const least = arrived.findIndex((answer) => answer !== null);
  return least < 0 ? null : least;
}

// Whether two behind the same NAT reach each other at their mapped addresses.
function hairpin(first) {
  return withSocket(4, (target) => withSocket(4, async (source) => {
    const mapped = await target.ask(first, PORTS[0]);
    if (!mapped || isOwn(mapped.address)) return false;
    if (!(await source.ask(first, PORTS[0]))) return false;
    const arrived = new Promise((resolve) => target.socket.on('message', (message) => {
      if (message.toString('latin1') === 'hairpin') resolve(true);
    }));
    const repeat = setInterval(() => source.socket.send('hairpin', mapped.port, mapped.address, () => {}), RETRANSMISSION_MS);
    const never = new Promise((resolve) => setTimeout(() => resolve(false), waitMs));
    const result = await Promise.race([arrived, never]);
    clearInterval(repeat);
    return result;
  }));
}

function ownAddresses() {
  return Object.values(networkInterfaces()).flat().filter((one) => !one.internal && !one.address.startsWith('fe80'));
}

function isOwn(address) {
  return ownAddresses().some((one) => one.address === address);
}

function tcp(address, port) {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const end = (result) => {
      clearTimeout(giveUp);
      socket.destroy();
      resolve(result);
    };
    const giveUp = setTimeout(() => end(false), waitMs);
    socket.once('data', () => end(true));
    socket.once('error', () => end(false));
    socket.once('end', () => end(false));
  });
}

const anyTcp = async (port) => (await Promise.all([tcp(v4, port), tcp(v6, port)])).some(Boolean);

const [mapped, filtered, hairpinned, tcp443, tcpOther, mapped6, filtered6, tcp443V4, tcpOtherV4, between] = await Promise.all([
  mapping(4, v4, v4Second),
  filtering(4, v4),
  hairpin(v4),
  anyTcp(TCP_PORTS.tcp443),
  anyTcp(TCP_PORTS.tcp_other),
  mapping(6, v6, v6Second),
  filtering(6, v6),
  tcp(v4, TCP_PORTS.tcp443),
  tcp(v4, TCP_PORTS.tcp_other),
  routers(v4),
]);

console.log(JSON.stringify({
  udp: mapped !== null,
  mapping: mapped?.behaviour ?? null,
  filtering: filtered,
  hairpin: hairpinned,
  tcp443,
  tcp_other: tcpOther,
  tcp443_v4: tcp443V4,
  tcp_other_v4: tcpOtherV4,
  v6: mapped6 !== null,
  v6_mapping: mapped6?.behaviour ?? null,
  v6_filtering: filtered6,
  v6_address: ownAddresses().some((one) => one.family === 'IPv6'),
  translated: mapped !== null && !isOwn(mapped.mapped.address),
  mapped_v4: mapped?.mapped ?? null,
  local_port: mapped?.local_port ?? null,
  ports: mapped?.ports ?? [],
  routers: between,
}));
