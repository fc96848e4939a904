// A cell is one condition under which calls are made: who, over what, with what going wrong.

import { kindNamed } from '../network/kinds.mjs';

export const default_delay_ms = 20;

/** Small, so that two processors do two ends: what is timed is the set-up, not the codec. */
const devices = { video: { width: 320, height: 240, frameRate: 15 } };

/** One figure for how hard the network is, for tables. */
export function networkClass(caller, callee) {
  const two = [caller, callee];
  if (two.includes('same_nat')) return 'one NAT';
  const kinds = two.map(kindNamed);
  if (kinds.some(({ pass }) => pass === 'tcp443')) return '443 only';
  if (kinds.some(({ pass }) => pass === 'tcp')) return 'UDP blocked';
  if (kinds.some(({ v4 }) => !v4)) return 'IPv6 only';
  if (kinds.some(({ nat, carrier }) => [nat, carrier].includes('symmetric'))) return 'symmetric NAT';
  if (kinds.every(({ nat }) => nat === null)) return 'open';
  return 'cone NAT';
}

/**
 * @param {object} wanted
 * @param {string} wanted.scenario
 * @param {[string, string]} wanted.pair kinds of the caller's and the callee's network
 * @param {object} [wanted.link] conditions of both links
 * @param {object} [wanted.caller] what is different at the caller: link, browser, dns, hides_addresses
 * @param {string} [wanted.variant] tells cells with the same pair apart
 */
export function makeCell({ scenario, pair, product = 'offhook', variant = '', link = {}, caller = {}, callee = {}, media = ['audio', 'video'], ...rest }) {
  const end = (kind, own) => {
    const { link: own_link, ...others } = own;
    return { kind, browser: 'chromium', ...others, link: { delay_ms: default_delay_ms, ...link, ...own_link } };
  };
  const ends = { caller: end(pair[0], caller), callee: end(pair[1], callee) };
  const rtt_ms = 2 * (ends.caller.link.delay_ms + ends.callee.link.delay_ms);
  const words = [scenario, pair.join(':'), variant, product === 'offhook' ? '' : product].filter(Boolean);
  const cell = {
    id: words.join(' '),
    scenario,
    product,
    ...ends,
    media,
    devices,
    server_flags: [],
    sdk_options: {},
    rtt_ms,
    idle_ms: 500 + 2 * rtt_ms,
    // A person takes more than a second; over slow links this is enough for what happens while it rings.
    ring_ms: 1500 + 6 * rtt_ms,
    /** Whether it is a promise of ours that this works at the first attempt. */
    promised: product === 'offhook' && highestLoss(ends) <= 0.1,
    needs: [],
    repeat: 1,
    /** Played in every so many-th round alone: what is slow, or says little more when it is repeated. */
    every: 1,
    /** Nothing else is played beside it: its times are what it is for. */
    alone: false,
    ...rest,
  };
  cell.needs = [...new Set([...cell.needs, ...needsOf(cell)])];
  cell.told = toldOf(cell, networkClass(...pair), variant);
  return cell;
}

const highestLoss = ({ caller, callee }) => Math.max(caller.link.loss ?? 0, callee.link.loss ?? 0);

function needsOf({ product, caller, callee, server_flags }) {
  const ends = [caller, callee];
  return [
    ...ends.map(({ browser }) => browser),
    ...(ends.some(({ kind }) => kind === 'tcp443_only') ? ['tls'] : []),
    ...(product === 'offhook' ? server_flags.filter((flag) => flag.startsWith('--')) : ['coturn']),
  ];
}

/** What of a cell stands in its rows. */
function toldOf({ scenario, product, caller, callee, rtt_ms, media, promised }, network_class, variant) {
  return { scenario, variant, product, network_class, caller, callee, rtt_ms, media, promised };
}
