// One access network: a router (two with a carrier NAT) between one or more clients and a link to the internet. Here are
// its addresses and what its namespaces are set up with.
import { routerRules } from './nat.mjs';

// Public addresses are such as a relay would take for public ones; documentation prefixes would be refused as peers.
const NETWORKS = {
  1: { device: 'wlan0', private_v4: (index) => `192.168.${index}` },
  2: { device: 'wwan0', private_v4: (index) => `10.20.${index}` },
};
const TABLE_BASE = 100; // a routing table for each network of a client
const FIRST_CLIENT = 10;

const QUICK_V6 = {
  'net/ipv6/conf/all/accept_dad': 0,
  'net/ipv6/conf/default/accept_dad': 0,
  'net/ipv6/conf/all/accept_ra': 0,
  'net/ipv6/conf/default/accept_ra': 0,
};
const NO_V6 = { 'net/ipv6/conf/all/disable_ipv6': 1, 'net/ipv6/conf/default/disable_ipv6': 1 };
const FORWARDING = { 'net/ipv4/ip_forward': 1, 'net/ipv6/conf/all/forwarding': 1 };

export const routerSysctl = { ...QUICK_V6, ...FORWARDING };

export class Site {
  /**
   * @param {object} options
   * @param {number} options.index of the whole world, below 250: addresses follow from it
   * @param {import('./kinds.mjs').Kind} options.kind
   * @param {1|2} options.network what it is to its clients: first or second
   * @param {string} options.prefix of namespace names
   * @param {string[]} options.clients namespaces of the clients
   */
  constructor({ index, kind, network, prefix, clients }) {
    this.index = index;
    this.kind = kind;
    this.network = network;
    this.clients = clients;
    this.device = NETWORKS[network].device;
    this.table = TABLE_BASE + network;
    this.link = `s${index}`; // also the name of the device at the internet's end
    this.home = `${prefix}-router`;
    this.carrier = kind.carrier ? `${prefix}-carrier` : null;
    const open = kind.nat === null;
    const base = open ? `45.90.${index}` : NETWORKS[network].private_v4(index);
    this.v4 = kind.v4 ? { base, router: `${base}.1`, public: `45.91.${index}.2`, routed: open ? `${base}.0/24` : null } : null;
    const hex = index.toString(16);
    this.v6 = kind.v6 ? { base: `2a0e:90:${hex}:1`, router: `2a0e:90:${hex}:1::1`, public: `2a0e:91:${hex}::2`, routed: `2a0e:90:${hex}::/48` } : null;
    this.cgn = this.carrier ? { router: `100.64.${index}.1`, home: `100.64.${index}.2` } : null;
  }

  /** Where the link to the internet begins. */
  get edge() {
    return this.carrier ?? this.home;
  }

  get namespaces() {
    return this.carrier ? [this.carrier, this.home] : [this.home];
  }

  addressesOf(client) {
    const host = FIRST_CLIENT + this.clients.indexOf(client);
    return {
      v4: this.v4 ? `${this.v4.base}.${host}` : null,
      v6: this.v6 ? `${this.v6.base}::${host}` : null,
      public_v4: this.v4 ? (this.v4.routed ? `${this.v4.base}.${host}` : this.v4.public) : null,
    };
  }

  /** Setups in the order in which they must run, after the link is there. */
  setups() {
    const all = [];
    if (this.carrier) all.push([this.carrier, this.#carrierSetup()]);
    all.push([this.home, this.#homeSetup()]);
    return all;
  }

  #wan() {
    const ip = ['link set wan up'];
    if (this.v4) ip.push(`address add ${this.v4.public}/32 dev wan`, 'route add default dev wan');
    if (this.v6) ip.push(`address add ${this.v6.public}/128 dev wan nodad`, 'route add ::/0 dev wan');
    return ip;
  }

  #carrierSetup() {
    return {
      sysctl: routerSysctl,
      ip: [
        'link set lo up',
        `link add lan type veth peer name wan netns ${this.home}`,
        `address add ${this.cgn.router}/24 dev lan`,
        'link set lan up',
        ...this.#wan(),
      ],
      nft: routerRules({ nat: this.kind.carrier, pass: 'all', v6: false, open: false }),
    };
  }

  #homeSetup() {
    const ip = ['link set lo up', ...this.#lan()];
    if (this.carrier) {
      ip.push(`address add ${this.cgn.home}/24 dev wan`, 'link set wan up', `route add default via ${this.cgn.router}`);
    } else {
      ip.push(...this.#wan());
    }
    const open = this.kind.nat === null && this.kind.v4;
    return {
      sysctl: routerSysctl,
      ip,
      nft: routerRules({ nat: this.kind.nat, pass: this.kind.pass, v6: this.kind.v6, open }),
    };
  }

  #lan() {
    const ip = [];
    if (this.clients.length === 1) {
      ip.push(`link add lan type veth peer name ${this.device} netns ${this.clients[0]}`);
    } else {
      ip.push('link add lan type bridge');
      this.clients.forEach((client, i) => {
        ip.push(`link add lan${i} type veth peer name ${this.device} netns ${client}`, `link set lan${i} master lan up`);
      });
    }
    if (this.v4) ip.push(`address add ${this.v4.router}/24 dev lan`);
    if (this.v6) ip.push(`address add ${this.v6.router}/64 dev lan nodad`);
    ip.push('link set lan up');
    return ip;
  }

  /** What the internet's router needs to reach this site. */
  internetRoutes() {
    const ip = [`link set ${this.link} up`];
    if (this.v4) ip.push(`route add ${this.v4.public}/32 dev ${this.link}`);
    if (this.v4?.routed) ip.push(`route add ${this.v4.routed} dev ${this.link}`);
    if (this.v6) ip.push(`route add ${this.v6.public}/128 dev ${this.link}`, `route add ${this.v6.routed} dev ${this.link}`);
    return ip;
  }

  /**
   * A client gets this network: address and default route, and a table of its own, so that what is bound to this
   * network's address leaves by it even while the other network has the default route.
   */
  attachOrders(client) {
    const { v4, v6 } = this.addressesOf(client);
    const ip = [`link set ${this.device} up`];
    if (v4) {
      ip.push(
        `address add ${v4}/24 dev ${this.device}`,
        `route replace default via ${this.v4.router} dev ${this.device}`,
        `route add ${this.v4.base}.0/24 dev ${this.device} table ${this.table}`,
        `route add default via ${this.v4.router} dev ${this.device} table ${this.table}`,
        `rule add from ${v4} lookup ${this.table}`,
      );
    }
    if (v6) {
      ip.push(
        `address add ${v6}/64 dev ${this.device} nodad`,
        `route replace ::/0 via ${this.v6.router} dev ${this.device}`,
        `route add ${this.v6.base}::/64 dev ${this.device} table ${this.table}`,
        `route add ::/0 via ${this.v6.router} dev ${this.device} table ${this.table}`,
        `-6 rule add from ${v6} lookup ${this.table}`,
      );
    }
    return ip;
  }

  /** The opposite; the routes go with the device. */
  detachOrders(client) {
    const { v4, v6 } = this.addressesOf(client);
    const ip = [`address flush dev ${this.device}`, `link set ${this.device} down`];
    if (v4) ip.push(`rule delete from ${v4} lookup ${this.table}`);
    if (v6) ip.push(`-6 rule delete from ${v6} lookup ${this.table}`);
    return ip;
  }
}

export const clientSysctl = (anyV6) => (anyV6 ? QUICK_V6 : NO_V6);
