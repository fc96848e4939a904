// The rules of a router, in nft's language. Every router calls its side of the client `lan` and the other one `wan`.

export const NAME_SERVER_V4 = '45.81.0.10';

// A mapping lives as long as packets go out, and five minutes more (RFC 4787 REQ-5 asks for two at least).
const MAPPING_S = 300;

// Linux by itself is port-restricted: one mapping as long as ports do not collide, and only packets of known flows come
// in. Full cone and address-restricted need a memory of their own: which mapped port belongs to whom, who was sent to.
const remembered = `
  map mapping {
    type inet_service : ipv4_addr . inet_service
    flags dynamic,timeout
    timeout ${MAPPING_S}s
    size 65536
  }
  set contacted {
    type inet_service . ipv4_addr
    flags dynamic,timeout
    timeout ${MAPPING_S}s
    size 65536
  }
  chain remember {
    type filter hook postrouting priority 150
    oifname "wan" meta nfproto ipv4 meta l4proto udp ct direction original update @mapping { ct reply proto-dst : ct original ip saddr . ct original proto-src }
    oifname "wan" meta nfproto ipv4 meta l4proto udp ct direction original update @contacted { ct reply proto-dst . ip daddr }
  }`;

const inward = {
  full_cone: 'iifname "wan" meta nfproto ipv4 dnat ip to udp dport map @mapping',
  address_restricted: 'iifname "wan" udp dport . ip saddr @contacted dnat ip to udp dport map @mapping',
};

function translation(nat) {
  if (nat === null) return '';
  const masquerade = nat === 'symmetric' ? 'masquerade fully-random' : 'masquerade';
  const parts = [];
  if (inward[nat]) {
    parts.push(remembered, `
  chain inward {
    type nat hook prerouting priority dstnat
    ${inward[nat]}
  }`);
  }
  parts.push(`
  chain outward {
    type nat hook postrouting priority srcnat
    oifname "wan" meta nfproto ipv4 ${masquerade}
  }`);
  return parts.join('\n');
}

// Whoever lets no UDP out has a name server inside; here it is the one of all, and only that.
const names = (server) => `iifname "lan" ip daddr ${server} udp dport 53 accept`;

const passed = {
  all: [],
  tcp: [names(NAME_SERVER_V4), 'iifname "lan" meta l4proto udp drop'],
  tcp443: [names(NAME_SERVER_V4), 'iifname "lan" tcp dport 443 accept', 'iifname "lan" drop'],
};

const v6 = {
  works: [
    'iifname "wan" meta nfproto ipv6 ct state established,related accept',
    'iifname "wan" meta nfproto ipv6 drop',
  ],
  broken: ['meta nfproto ipv6 drop'],
};

/**
 * @param {{nat: string|null, pass: string, v6: false|string, open: boolean}} router
 */
export function routerRules(router) {
  // Packets that nobody asked for and that no mapping takes end at the router itself. They must be dropped there: if it
  // answered, or merely let them in, conntrack would keep them, and the client's next packet to the same peer would get
  // another port.
  const input = router.open ? '' : `
  chain input {
    type filter hook input priority 0
    iifname "wan" drop
  }`;
  return `table inet lab {
  chain blocked {
    type filter hook forward priority -10
  }
  chain forward {
    type filter hook forward priority 0
    ${[...passed[router.pass], ...(v6[router.v6] ?? [])].join('\n    ')}
  }${input}${translation(router.nat)}
}`;
}

/** The rule that keeps a port from being reached, for the chain `blocked`. */
export function blockRule({ proto, port, action = 'drop' }) {
  if (!['tcp', 'udp'].includes(proto)) throw new Error(`lab: filter: no protocol '${proto}'`);
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw new Error(`lab: filter: no port ${port}`);
  if (!['drop', 'reject'].includes(action)) throw new Error(`lab: filter: no action '${action}'`);
  const verdict = action === 'drop' ? 'drop' : proto === 'tcp' ? 'reject with tcp reset' : 'reject with icmpx admin-prohibited';
  return `${proto} dport ${port} ${verdict}`;
}
