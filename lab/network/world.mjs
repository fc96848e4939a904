// The whole: internet, server, probe's responder, and for every kind a caller and a callee.
//
//   client -- router [-- carrier] == link == internet -- server
//                                                     -- responder (of the probe)
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Forwarder, setOrders } from './forwarder.mjs';
import { SAME_NAT, kindNamed, kinds as allKinds } from './kinds.mjs';
import {
  addNamespaces,
  allOf,
  endProcessesIn,
  linkIsUp,
  namespacePrefix,
  removeLeftovers,
  removeNamespaces,
  setUp,
  setUpNow,
  writeEtc,
} from './namespaces.mjs';
import { NAME_SERVER_V4, blockRule } from './nat.mjs';
import { Site, clientSysctl, routerSysctl } from './site.mjs';
import { disagreements, probeFrom } from './probe.mjs';

export const DEFAULT_LINK = Object.freeze({ delay_ms: 20 }); // 40 ms to the server and back, 80 from client to client

const SERVER = { v4: '45.80.0.10', v4_second: '45.80.0.11', v6: '2a0e:80::10', v6_second: '2a0e:80::11' };
const RESPONDER = { v4: NAME_SERVER_V4, v4_second: '45.81.0.11', v6: '2a0e:81::10', v6_second: '2a0e:81::11' };
const DEAD = { v4: '45.80.1.1', v6: '2a0e:80:1::1' }; // nothing ever answers from there
const SITES_MOST = 250; // the index is an octet of their addresses
const SECOND_NETWORK = 'port_restricted';
const TERMINATION_MS = 2000;
const PROBES_AT_ONCE = 9; // they mostly wait; more at once, and two cores are too slow for their patience
const MACHINES = [['server', SERVER, '45.80.0', '2a0e:80:'], ['responder', RESPONDER, '45.81.0', '2a0e:81:']];

const dnsText = {
  none: () => '# no name server: names fail at once\n',
  dead: (v4) => `nameserver ${v4 ? DEAD.v4 : DEAD.v6}\noptions timeout:5 attempts:2\n`,
  works: (v4) => `nameserver ${v4 ? RESPONDER.v4 : RESPONDER.v6}\n`,
};
/** The server's own name, where names work. */
const SERVER_NAME = 'server.offhook.test';

let worlds = 0;

/** One end of a call: a client's namespace and its access networks. */
export class Side {
  constructor(world, role, kind, ns) {
    this.world = world;
    this.role = role;
    this.kind = kind;
    this.ns = ns;
    this.sites = new Map(); // by network: 1, 2
    this.attached = [];
    this.queue = Promise.resolve(); // changes of the networks happen one after the other
  }

  get site() {
    return this.sites.get(this.attached.at(-1) ?? 1);
  }

  get addresses() {
    return this.site.addressesOf(this.ns);
  }

  get can() {
    const { expect, v4 } = this.site.kind;
    return { udp: expect.udp || expect.v6, tcp443_only: this.site.kind.pass === 'tcp443', v4, v6: expect.v6 };
  }

  get describe() {
    return this.site.kind.describe;
  }
}

export class World {
  constructor({ kinds = allKinds.map((kind) => kind.name), callers = kinds, callees = kinds, same_nat = true, link, dns = 'none', names = {}, name_prefix = 'w', seed = 1 } = {}) {
    this.prefix = namespacePrefix(`${name_prefix}${++worlds}`);
    this.link = { ...DEFAULT_LINK, ...link };
    this.dns = dns;
    this.names = { [SERVER_NAME]: [SERVER.v4, SERVER.v6], ...names };
    this.seed = seed;
    this.children = new Set();
    this.filters = new Map(); // rules, by side or 'server'
    this.namespaces = [];
    this.sides = [];
    this.sites = [];
    this.internet = `${this.prefix}-internet`;
    this.server = {
      ns: `${this.prefix}-server`,
      ...SERVER,
      name: SERVER_NAME,
      dead_v4: DEAD.v4,
      dead_v6: DEAD.v6,
      addresses: Object.values(SERVER),
    };
    this.responder = { ns: `${this.prefix}-responder`, ...RESPONDER };
    this.removeAtExit = () => this.#removeNow();
    for (const kind of callers) this.#place('caller', kindNamed(kind));
    for (const kind of callees) this.#place('callee', kindNamed(kind));
    if (same_nat) this.#placeTogether();
  }

  #place(role, kind) {
    const side = new Side(this, role, kind.name, `${this.prefix}-${role}-${kind.name}`);
    this.sides.push(side);
    this.#addSite([side], kind, 1);
  }

  #placeTogether() {
    const both = ['caller', 'callee'].map((role) => new Side(this, role, SAME_NAT, `${this.prefix}-${role}-${SAME_NAT}`));
    this.sides.push(...both);
    this.#addSite(both, kindNamed('port_restricted'), 1);
  }

  #addSite(sides, kind, network) {
    const index = this.sites.length;
    if (index > SITES_MOST) throw new Error('lab: too many access networks for one world');
    const site = new Site({ index, kind, network, prefix: `${this.prefix}-${index}`, clients: sides.map((side) => side.ns) });
    this.sites.push(site);
    for (const side of sides) side.sites.set(network, site);
    return site;
  }

  /** @returns {Side} */
  side(role, kind) {
    const found = this.sides.find((side) => side.role === role && side.kind === kind);
    if (!found) throw new Error(`lab: this world has no ${role} '${kind}'`);
    return found;
  }

  async open() {
    removeLeftovers();
    process.once('exit', this.removeAtExit);
    try {
      const fixed = [this.internet, this.server.ns, this.responder.ns];
      this.#make([...fixed, ...this.sides.map((side) => side.ns)]);
      this.forwarder = new Forwarder();
      await setUp(this.internet, this.#internetSetup());
      await allOf(MACHINES.map(([name, , v4, v6]) => () => setUp(this[name].ns, machineSetup(this[name], v4, v6))));
      await allOf(this.sides.map((side) => () => setUp(side.ns, { sysctl: clientSysctl(side.site.v6 !== null) })));
      await this.#build(this.sites);
      for (const side of this.sides) this.setDns(side, this.dns);
      await allOf(this.sides.map((side) => () => this.#connect(side)));
      await this.#startResponder();
    } catch (error) {
      await this.close();
      throw error;
    }
    return this;
  }

  #make(names) {
    this.namespaces.push(...names);
    addNamespaces(names);
  }

  #internetSetup() {
    const ip = ['link set lo up', `route add blackhole ${DEAD.v4}/32`, `route add blackhole ${DEAD.v6}/128`];
    for (const [name, , v4, v6] of MACHINES) {
      ip.push(
        `link add ${name} type veth peer name eth0 netns ${this[name].ns}`,
        `address add ${v4}.1/24 dev ${name}`,
        `address add ${v6}:1/64 dev ${name} nodad`,
        `link set ${name} up`,
      );
    }
    return { sysctl: routerSysctl, ip };
  }

  async #build(sites) {
    this.#make(sites.flatMap((site) => site.namespaces));
    await Promise.all(sites.map((site) => this.#layLink(site)));
    await setUp(this.internet, { ip: sites.flatMap((site) => site.internetRoutes()) });
    await allOf(sites.map((site) => async () => {
      for (const [name, setup] of site.setups()) await setUp(name, setup);
    }));
  }

  async #layLink(site) {
    const seed = this.seed * 1000 + site.index;
    await this.forwarder.order(`add ${site.link} ${site.edge} wan ${this.internet} ${site.link} ${seed}`);
    for (const order of setOrders(site.link, this.link)) await this.forwarder.order(order);
  }

  async #connect(side) {
    side.attached = [1];
    await setUp(side.ns, { ip: ['link set lo up', ...side.site.attachOrders(side.ns)] });
  }

  async #startResponder() {
    const program = fileURLToPath(new URL('../probe/responder.mjs', import.meta.url));
    const { v4, v4_second, v6, v6_second } = this.responder;
    const child = this.exec(this.responder.ns, [process.execPath, program, v4, v4_second, v6, v6_second, JSON.stringify(this.names)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const ready = once(createInterface({ input: child.stdout }), 'line');
    const ended = once(child, 'exit').then(([status]) => {
      throw new Error(`lab: the probe's responder ended with status ${status}`);
    });
    await Promise.race([ready, ended]);
    ended.catch(() => {}); // later it ends because the world does
  }

  /**
   * Starts a program in a namespace, in a process group of its own.
   * @param {string} ns @param {string[]} argv @param {import('node:child_process').SpawnOptions} [options]
   */
  exec(ns, argv, options = {}) {
    const child = spawn('ip', ['netns', 'exec', ns, ...argv], { ...options, detached: true });
    this.children.add(child);
    child.once('exit', () => this.children.delete(child));
    return child;
  }

  /**
   * 'none': names fail at once; 'dead': the name server never answers; 'works': the world's names resolve, all others do
   * not exist. Programs that are started later see it.
   */
  setDns(side, dns) {
    if (!Object.hasOwn(dnsText, dns)) throw new Error(`lab: no dns '${dns}'; there are: ${Object.keys(dnsText).join(' ')}`);
    writeEtc(side.ns, 'resolv.conf', dnsText[dns](side.site.kind.v4));
  }

  /**
   * Changes the link of a side's present network (or of `conditions.network`); the two behind one NAT share theirs.
   * @param {Side} side @param {import('./forwarder.mjs').Conditions & {network?: 1|2}} conditions
   */
  async setLink(side, { network, ...conditions }) {
    const site = network ? await this.#siteOf(side, network) : side.site;
    for (const order of setOrders(site.link, conditions)) await this.forwarder.order(order);
  }

  /** Counters of a side's link: {up, down}. */
  async counters(side, network) {
    const site = network ? await this.#siteOf(side, network) : side.site;
    const { up, down } = await this.forwarder.order(`count ${site.link}`);
    return { up, down };
  }

  async #siteOf(side, network, kind = SECOND_NETWORK) {
    const site = side.sites.get(network) ?? (await this.#addNetwork(side, network, kind));
    if (!side.attached.includes(network)) await this.#raiseLink(side, site);
    return site;
  }

  async #addNetwork(side, network, kind) {
    const site = this.#addSite([side], kindNamed(kind), network);
    if (site.v6) await setUp(side.ns, { sysctl: { ...clientSysctl(true), ...enabledV6 } });
    await this.#build([site]);
    for (const rule of this.filters.get(side) ?? []) await setUp(site.home, blocking(rule));
    return site;
  }

  /**
   * The device of a network that a side is to move to is up before, and has no address yet: until the kernel has noticed
   * that a link came up, it drops what is sent there, the first question for a neighbour's address among it, and that is
   * asked again only a second later.
   */
  async #raiseLink(side, site) {
    await setUp(side.ns, { ip: [`link set ${site.device} up`] });
    await allOf([[side.ns, site.device], [site.home, 'lan']].map((end) => () => linkIsUp(...end)));
  }

  /**
   * Moves a side to its other network. 'hard': the old path is gone at the moment when the new one comes; 'soft': both
   * are up for `overlap_ms`. Resolves when the old network is gone.
   * @param {Side} side @param {{mode?: 'hard'|'soft', overlap_ms?: number, gap_ms?: number, to_kind?: string}} [how]
   *   gap_ms: (hard) how long there is no network at all
   */
  handover(side, { mode = 'hard', overlap_ms = 3000, gap_ms = 0, to_kind } = {}) {
    if (!['hard', 'soft'].includes(mode)) throw new Error(`lab: no hand-over '${mode}'`);
    const moved = side.queue.then(async () => {
      const old = side.site;
      const network = old.network === 1 ? 2 : 1;
      if (to_kind && side.sites.get(network) && side.sites.get(network).kind.name !== to_kind) {
        throw new Error(`lab: network ${network} of this side is '${side.sites.get(network).kind.name}' already`);
      }
      const next = await this.#siteOf(side, network, to_kind);
      const leave = old.detachOrders(side.ns);
      const enter = next.attachOrders(side.ns);
      if (mode === 'hard' && gap_ms === 0) {
        setUpNow(side.ns, { ip: [...leave, ...enter] });
      } else if (mode === 'hard') {
        setUpNow(side.ns, { ip: leave });
        await delay(gap_ms);
        setUpNow(side.ns, { ip: enter });
      } else {
        setUpNow(side.ns, { ip: enter });
        side.attached = [old.network, network];
        await delay(overlap_ms);
        setUpNow(side.ns, { ip: leave });
      }
      side.attached = [network];
    });
    side.queue = moved.catch(() => {}); // the caller of this hand-over hears of it; the next one may still work
    return moved;
  }

  /** Builds a side's second network ahead of time, so that handover() only switches. */
  async prepareHandover(side, { to_kind } = {}) {
    await this.#siteOf(side, 2, to_kind);
  }

  /** Back to the first network alone. */
  async restore(side) {
    await side.queue;
    if (side.site.network === 2) await this.handover(side, { mode: 'hard' });
  }

  /**
   * Keeps a port from being reached from a side (in its routers, all networks) or at the server.
   * @param {Side|'server'} where @param {{proto: 'tcp'|'udp', port: number, action?: 'drop'|'reject'}} what
   * @returns {() => void} lifts all filters there
   */
  filter(where, what) {
    const rule = blockRule(what);
    for (const ns of this.#filterPlaces(where)) setUpNow(ns, blocking(rule));
    this.filters.set(where, [...(this.filters.get(where) ?? []), rule]);
    return () => this.clearFilters(where);
  }

  clearFilters(where) {
    for (const ns of this.#filterPlaces(where)) setUpNow(ns, { nft: 'flush chain inet lab blocked' });
    this.filters.delete(where);
  }

  #filterPlaces(where) {
    return where === 'server' ? [this.server.ns] : [...where.sites.values()].map((site) => site.home);
  }

  /** How a side's network behaves, measured from inside. */
  probe(side) {
    return probeFrom(this, side);
  }

  /** Throws, in plain words, if a network does not behave as its name says; what was found, by side, if all do. */
  async prove(sides = this.sides) {
    const findings = new Map();
    const look = async (side) => findings.set(side, await this.probe(side));
    const differing = () => sides.filter((side) => disagreements(side, findings.get(side)).length > 0);
    await allOf(sides.map((side) => () => look(side)), PROBES_AT_ONCE);
    // On a machine that is full an answer may come later than it is waited for, which looks like silence: once more, alone.
    for (const side of differing()) await look(side);
    const wrong = differing().flatMap((side) =>
      disagreements(side, findings.get(side)).map((text) => `${side.role} ${side.kind}: ${text}`));
    if (wrong.length > 0) throw new Error(`lab: networks are not what they are called:\n  ${wrong.join('\n  ')}`);
    return findings;
  }

  /**
   * Caller and callee of this world as one network; the same namespaces each time.
   * @param {string} caller kind @param {string} callee kind; both 'same_nat' for two behind one NAT
   */
  pair(caller, callee) {
    if ((caller === SAME_NAT) !== (callee === SAME_NAT)) throw new Error(`lab: '${SAME_NAT}' is for both sides`);
    return new Network(this, this.side('caller', caller), this.side('callee', callee), false);
  }

  async close() {
    process.removeListener('exit', this.removeAtExit);
    const groups = [...this.children];
    for (const child of groups) signalGroup(child, 'SIGTERM');
    const ended = Promise.all(groups.map((child) => (hasEnded(child) ? null : once(child, 'exit'))));
    const late = new AbortController();
    await Promise.race([ended, delay(TERMINATION_MS, null, { signal: late.signal }).catch(() => {})]);
    late.abort();
    for (const child of this.children) signalGroup(child, 'SIGKILL');
    await this.forwarder?.close();
    this.#removeNow();
  }

  #removeNow() {
    for (const child of this.children) signalGroup(child, 'SIGKILL');
    endProcessesIn(this.namespaces);
    removeNamespaces(this.namespaces.splice(0));
  }
}

const enabledV6 = { 'net/ipv6/conf/all/disable_ipv6': 0, 'net/ipv6/conf/default/disable_ipv6': 0 };

const blocking = (rule) => ({ nft: `add rule inet lab blocked ${rule}` });

function machineSetup({ v4, v4_second, v6, v6_second }, net4, net6) {
  return {
    sysctl: clientSysctl(true),
    ip: [
      'link set lo up',
      'link set eth0 up',
      ...[v4, v4_second].map((address) => `address add ${address}/24 dev eth0`),
      ...[v6, v6_second].map((address) => `address add ${address}/64 dev eth0 nodad`),
      `route add default via ${net4}.1`,
      `route add ::/0 via ${net6}:1`,
    ],
    nft: 'table inet lab {\n  chain blocked {\n    type filter hook input priority -10\n  }\n}',
  };
}

function hasEnded(child) {
  return child.exitCode !== null || child.signalCode !== null;
}

function signalGroup(child, signal) {
  if (hasEnded(child) || child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** A caller, a callee and a server; either a pair of a world or a world for two. */
export class Network {
  /** @param {World} world @param {Side} caller @param {Side} callee @param {boolean} owned */
  constructor(world, caller, callee, owned) {
    this.world = world;
    this.server = world.server;
    this.caller = caller;
    this.callee = callee;
    this.owned = owned;
  }

  #side(name) {
    if (name !== 'caller' && name !== 'callee') throw new Error(`lab: no side '${name}'`);
    return this[name];
  }

  #place(name) {
    return name === 'server' ? 'server' : this.#side(name);
  }

  exec(ns, argv, options) {
    return this.world.exec(ns, argv, options);
  }

  async setLink(side, conditions) {
    return this.world.setLink(this.#side(side), conditions);
  }

  async counters(side, network) {
    return this.world.counters(this.#side(side), network);
  }

  async handover(side, how) {
    return this.world.handover(this.#side(side), how);
  }

  async prepareHandover(side, how) {
    return this.world.prepareHandover(this.#side(side), how);
  }

  async restore(side) {
    return this.world.restore(this.#side(side));
  }

  filter(where, what) {
    return this.world.filter(this.#place(where), what);
  }

  clearFilters(where) {
    return this.world.clearFilters(this.#place(where));
  }

  setDns(side, dns) {
    return this.world.setDns(this.#side(side), dns);
  }

  async probe(side) {
    return this.world.probe(this.#side(side));
  }

  async prove() {
    return this.world.prove([this.caller, this.callee]);
  }

  /** A pair of a world leaves the world standing. */
  async close() {
    if (this.owned) await this.world.close();
  }
}
