// The kinds of access networks: how each is built, and how it must behave before it is used.

/**
 * @typedef {object} Expectation what the probe must find
 * @property {boolean} udp a datagram to the internet is answered, over IPv4
 * @property {string|null} mapping 'endpoint-independent' | 'address-dependent' | 'address-and-port-dependent' | null without UDP
 * @property {string|null} filtering same words
 * @property {boolean} translated the internet sees another address than the client's own
 * @property {boolean} random_ports mapped ports say nothing about the next one
 * @property {boolean} hairpin mapped addresses can be reached from behind the same NAT
 * @property {number|null} routers on the way to the responder
 * @property {boolean} tcp443 TCP to port 443, over IPv4
 * @property {boolean} tcp_other TCP to other ports, over IPv4
 * @property {boolean} v6 a datagram is answered over IPv6
 * @property {boolean} v6_address the client has a global IPv6 address
 *
 * @typedef {object} Kind
 * @property {string} name
 * @property {string} describe
 * @property {boolean} v4
 * @property {false|'works'|'broken'} v6
 * @property {null|'full_cone'|'address_restricted'|'port_restricted'|'symmetric'} nat of the router at home
 * @property {null|'port_restricted'|'symmetric'} carrier a second NAT, of the provider
 * @property {'all'|'tcp'|'tcp443'} pass what the router lets out
 * @property {Expectation} expect
 */

const endpointIndependent = 'endpoint-independent';
const addressDependent = 'address-dependent';
const addressAndPortDependent = 'address-and-port-dependent';

const behaviour = {
  none: { mapping: endpointIndependent, filtering: endpointIndependent, random_ports: false },
  full_cone: { mapping: endpointIndependent, filtering: endpointIndependent, random_ports: false },
  address_restricted: { mapping: endpointIndependent, filtering: addressDependent, random_ports: false },
  port_restricted: { mapping: endpointIndependent, filtering: addressAndPortDependent, random_ports: false },
  symmetric: { mapping: addressAndPortDependent, filtering: addressAndPortDependent, random_ports: true },
};
// Of two NATs in a row the stricter one shows.
const strictness = ['none', 'full_cone', 'address_restricted', 'port_restricted', 'symmetric'];

function expectation({ v4, v6, nat, carrier, pass }) {
  const rank = Math.max(strictness.indexOf(nat ?? 'none'), strictness.indexOf(carrier ?? 'none'));
  const udp = v4 && pass === 'all';
  return {
    udp,
    ...(udp ? behaviour[strictness[rank]] : { mapping: null, filtering: null, random_ports: false }),
    translated: udp && (nat !== null || carrier !== null),
    hairpin: false,
    routers: udp ? (carrier === null ? 2 : 3) : null, // the last one is the internet's
    tcp443: v4,
    tcp_other: v4 && pass !== 'tcp443',
    v6: v6 === 'works',
    v6_address: v6 !== false,
  };
}

function kind(name, describe, built = {}) {
  const whole = { v4: true, v6: false, nat: null, carrier: null, pass: 'all', ...built };
  return Object.freeze({ name, describe, ...whole, expect: Object.freeze(expectation(whole)) });
}

/** @type {readonly Kind[]} */
export const kinds = Object.freeze([
  kind('open', 'a public address, no NAT, no firewall'),
  kind('full_cone', 'NAT: one mapping for all, anyone may answer', { nat: 'full_cone' }),
  kind('address_restricted', 'NAT: one mapping for all, hosts that were sent to may answer', { nat: 'address_restricted' }),
  kind('port_restricted', 'NAT: one mapping for all, ports that were sent to may answer', { nat: 'port_restricted' }),
  kind('symmetric', 'NAT: a random port for each destination', { nat: 'symmetric' }),
  kind('double_port_restricted', 'port-restricted at home behind a port-restricted carrier NAT', {
    nat: 'port_restricted',
    carrier: 'port_restricted',
  }),
  kind('double_symmetric', 'port-restricted at home behind a symmetric carrier NAT', {
    nat: 'port_restricted',
    carrier: 'symmetric',
  }),
  kind('udp_blocked', 'NAT; the firewall lets TCP out and no UDP', { nat: 'port_restricted', pass: 'tcp' }),
  kind('tcp443_only', 'NAT; the firewall lets nothing out but TCP to port 443', { nat: 'port_restricted', pass: 'tcp443' }),
  kind('ipv6_only', 'IPv6 behind a stateful firewall, no IPv4', { v4: false, v6: 'works' }),
  kind('dual_stack', 'IPv4 behind a port-restricted NAT, IPv6 behind a stateful firewall', {
    nat: 'port_restricted',
    v6: 'works',
  }),
  kind('dual_stack_broken_v6', 'as dual_stack, but what is sent over IPv6 disappears', {
    nat: 'port_restricted',
    v6: 'broken',
  }),
]);

/** The name under which a world has both sides behind one NAT (which is port-restricted). */
export const SAME_NAT = 'same_nat';

/** @returns {Kind} */
export function kindNamed(name) {
  const found = kinds.find((one) => one.name === name);
  if (!found) throw new Error(`lab: no kind '${name}'; there are: ${kinds.map((one) => one.name).join(' ')}`);
  return found;
}
