// Everything that the laboratory can play: each scenario is a name, a title and its cells.

import { kinds, SAME_NAT } from '../network/kinds.mjs';
import { dead_servers, expiry, faults } from './faults.mjs';
import { handovers, midCall } from './handovers.mjs';
import { makeCell } from './cell.mjs';

const all_pairs = [...kinds.flatMap(({ name: caller }) => kinds.map(({ name: callee }) => [caller, callee])), [SAME_NAT, SAME_NAT]];
/** One pair for each way that media takes: direct, through one relay, through two, over TCP. */
const typical_pairs = [['open', 'open'], ['port_restricted', 'port_restricted'], ['symmetric', 'port_restricted'], ['symmetric', 'symmetric'], ['udp_blocked', 'port_restricted']];
const hiding_pairs = [['port_restricted', 'port_restricted'], ['symmetric', 'symmetric'], ['double_symmetric', 'symmetric'], [SAME_NAT, SAME_NAT]];
const direct_and_relayed = [['port_restricted', 'port_restricted'], ['symmetric', 'symmetric']];

/** Every third call is answered in the moment it rings: nothing has had time to be ready. */
const sometimesAtOnce = (ring_ms) => (repetition) => (repetition % 3 === 0 ? 0 : ring_ms);

/** Their times are what they are for. */
const timed = { alone: true, every: 6 };

const over = (pairs, wanted) => (chosen) => (chosen ?? pairs).map((pair) => makeCell({ ...wanted, pair }));

function scenario(name, title, wanted, pairs = direct_and_relayed) {
  return { name, title, cells: over(pairs, { scenario: name, ...wanted }) };
}

const matrix = scenario('matrix', 'every kind of network calls every kind', { media: ['audio'], ring_ms: sometimesAtOnce(1500) }, all_pairs);

const losses = [1, 5, 10, 20].map((percent) =>
  scenario(`loss-${percent}`, `${percent} % of the packets of each link are lost`, { link: { loss: percent / 100 }, media: ['audio'], ring_ms: sometimesAtOnce(1980), repeat: 2 }, typical_pairs));

const delays = [20, 50, 100, 250].map((delay_ms) => scenario(`delay-${delay_ms}`, `each link delays by ${delay_ms} ms one way`, { link: { delay_ms }, repeat: 2, ...timed }));

const links = [
  scenario('jitter', 'each link delays by 50 ms, more or less by up to 40', { link: { delay_ms: 50, jitter_ms: 40 } }),
  scenario('slow-signalling', 'signalling takes 300 ms a link, media 20', {
    link: { rules: [{ proto: 'tcp', port: 8080, delay_ms: 300 }] },
    idle_ms: 2500,
    ring_ms: 4000,
  }),
  scenario('slow-media', 'media takes 200 ms a link, signalling 20', { link: { delay_ms: 200, rules: [{ proto: 'tcp', port: 8080, delay_ms: 20 }] } }),
];

/** The caller's and the callee's halves of the warm path, and none. */
const warm = ['direct', 'relay', 'off'].flatMap((policy) =>
  [scenario(`warm-${policy}`, `warm path: ${policy}`, { server_flags: ['--warm-path', policy], link: { delay_ms: 25 }, repeat: 2, ...timed }, [['open', 'open'], ...direct_and_relayed])]);

const browsers = [
  ['chromium', 'firefox'],
  ['firefox', 'chromium'],
  ['firefox', 'firefox'],
].map(([caller, callee]) =>
  scenario(`${caller}-${callee}`, `${caller} calls ${callee}`, { caller: { browser: caller }, callee: { browser: callee }, every: 4 }, [['open', 'open'], ...direct_and_relayed, ['udp_blocked', 'port_restricted']]));

const addresses = [
  scenario('hidden-addresses', 'browsers that show names instead of their own addresses', { caller: { hides_addresses: true }, callee: { hides_addresses: true } }, [['port_restricted', 'port_restricted'], [SAME_NAT, SAME_NAT]]),
  scenario('one-nat', 'both behind the same NAT', {}, [[SAME_NAT, SAME_NAT]]),
  scenario('ipv6-only', 'one side or both without IPv4', {}, [['ipv6_only', 'ipv6_only'], ['ipv6_only', 'port_restricted'], ['symmetric', 'ipv6_only']]),
  scenario('udp-blocked', 'no UDP on one side or both', {}, [['udp_blocked', 'port_restricted'], ['symmetric', 'udp_blocked'], ['udp_blocked', 'udp_blocked']]),
  scenario('tcp443', 'nothing but TCP port 443 on one side or both', {}, [['tcp443_only', 'port_restricted'], ['symmetric', 'tcp443_only'], ['tcp443_only', 'tcp443_only']]),
];

/** With the policy that no address may be a peer but those of the user's own calls. */
const call_policy = {
  name: 'peer-policy-call',
  title: 'the relay serves nothing but the calls of its own server: every kind calls every kind, and those that hide their addresses',
  cells: (chosen) => {
    const wanted = { scenario: 'peer-policy-call', server_flags: ['--peer-policy', 'call'], media: ['audio'], ring_ms: sometimesAtOnce(1500), every: 4 };
    const hidden = { hides_addresses: true };
    return [
      ...(chosen ?? all_pairs).map((pair) => makeCell({ ...wanted, pair })),
      ...(chosen ?? hiding_pairs).map((pair) => makeCell({ ...wanted, pair, variant: 'hidden', caller: hidden, callee: hidden })),
    ];
  },
};

const products = ['offhook', 'peerjs', 'origin-after', 'origin-before'];
const links_beside = { clean: {}, 'loss-5': { loss: 0.05 }, 'loss-10': { loss: 0.1 }, 'delay-100': { delay_ms: 100 } };
/** What goes wrong beside the others: how, and between which networks. */
const faults_beside = {
  'dead server': [dead_servers, direct_and_relayed],
  'expired credentials': [expiry, [['symmetric', 'symmetric']]],
  'hand-over': [{ hands_over: ['caller'], during: { connected: midCall('caller', 'hard') }, media: ['audio'] }, [['port_restricted', 'port_restricted']]],
};

/** The same networks, the same ringing, the same witness: ours and theirs by turns. */
const baselines = {
  name: 'baselines',
  title: 'offhook beside PeerJS and the two hand-written clients, with coturn',
  cells: (chosen) => {
    const conditions = [
      ...Object.entries(links_beside).map(([variant, link]) => [variant, { link }, typical_pairs]),
      ...Object.entries(faults_beside).map(([variant, [wanted, pairs]]) => [variant, wanted, pairs]),
    ];
    return conditions.flatMap(([variant, { server_flags = [], ...wanted }, pairs]) =>
      (chosen ?? pairs).flatMap((pair) =>
        products.map((product) => {
          const flags = product === 'offhook' ? server_flags : [];
          return makeCell({ scenario: 'baselines', pair, product, variant, ...wanted, server_flags: flags, ...timed });
        })));
  },
};

export const scenarios = [matrix, ...losses, ...delays, ...links, ...faults, ...handovers, ...warm, ...browsers, ...addresses, call_policy, baselines];

/** One of each mechanism, within six minutes: [scenario, pair, variant?]. */
const cut_list = [
  ['matrix', 'open:symmetric'],
  ['matrix', 'double_symmetric:address_restricted'],
  ['matrix', 'full_cone:dual_stack'],
  ['matrix', 'dual_stack_broken_v6:double_port_restricted'],
  ['matrix', 'ipv6_only:symmetric'],
  ['one-nat', 'same_nat:same_nat'],
  ['udp-blocked', 'udp_blocked:port_restricted'],
  ['tcp443', 'tcp443_only:port_restricted'],
  ['hidden-addresses', 'port_restricted:port_restricted'],
  ['loss-10', 'port_restricted:port_restricted'],
  ['loss-5', 'symmetric:symmetric'],
  ['delay-100', 'symmetric:symmetric'],
  ['jitter', 'port_restricted:port_restricted'],
  ['slow-signalling', 'port_restricted:port_restricted'],
  ['peer-policy-call', 'double_symmetric:symmetric'],
  ['dead-stun', 'port_restricted:port_restricted'],
  ['dead-turn', 'symmetric:symmetric'],
  ['unresolvable-name', 'symmetric:symmetric'],
  ['filtered-turn-udp', 'symmetric:symmetric'],
  ['expired-credentials', 'symmetric:symmetric'],
  ['handover-hard-call', 'port_restricted:port_restricted'],
  ['handover-soft-call', 'port_restricted:port_restricted'],
  ['handover-hard-ringing', 'port_restricted:port_restricted'],
  ['warm-off', 'port_restricted:port_restricted'],
  ['warm-relay', 'symmetric:symmetric'],
  ['chromium-firefox', 'port_restricted:port_restricted'],
  ['firefox-chromium', 'symmetric:symmetric'],
  ['baselines', 'symmetric:port_restricted'],
];

export function cutCells() {
  return cut_list.flatMap(([name, pair]) => {
    const cells = scenarios.find((one) => one.name === name).cells([pair.split(':')]);
    // Of a scenario with variants the first one: the others are more of the same.
    return cells.filter(({ told }) => told.variant === cells[0].told.variant).map((cell) => ({ ...cell, repeat: 1 }));
  });
}
