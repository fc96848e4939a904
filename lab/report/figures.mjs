// The figures of a run, from its rows: what report.json holds and what the page shows.

import { groupBy, rate, summary, timed } from './statistics.mjs';

const round = (value, digits = 4) => (value === null ? null : Math.round(value * 10 ** digits) / 10 ** digits);

/** Times of these rows, each side. */
export function timesOf(rows) {
  const measured = timed(rows);
  const of = (pick) => summary(measured.map(({ times }) => pick(times)));
  return {
    accept_to_audio: { caller: of((times) => times.accept_to_audio.caller), callee: of((times) => times.accept_to_audio.callee) },
    accept_to_video: { caller: of((times) => times.accept_to_video.caller), callee: of((times) => times.accept_to_video.callee) },
    dial_to_rung: of((times) => times.dial_to_rung),
    dial_to_ringing: of((times) => times.dial_to_ringing),
  };
}

/** Answered in the moment it rings, nothing was ready: such calls are timed apart. */
export const atOnce = ({ ring_ms }) => ring_ms === 0;
const patient = (rows) => rows.filter((row) => !atOnce(row));

/** How the media went, in one word for a table. */
export function pathOf({ pair }) {
  const ends = [pair?.caller, pair?.callee].filter(Boolean);
  if (ends.length === 0) return 'unknown';
  const relays = ends.map(({ local, relay_protocol }) => (local === 'relay' ? (relay_protocol ?? 'relay') : null)).filter(Boolean);
  const relayed = ends.some(({ local, remote }) => local === 'relay' || remote === 'relay');
  if (!relayed) return 'direct';
  return relays.length === 0 ? 'relay' : `relay ${[...new Set(relays)].sort().join('+')}`;
}

function described(rows) {
  const { bound, ...counted } = rate(rows);
  return {
    ...counted,
    bound: round(bound),
    saturated: rows.filter(({ saturated }) => saturated).length,
    times: timesOf(patient(rows)),
    at_once: timesOf(rows.filter(atOnce)),
    paths: Object.fromEntries([...groupBy(rows.filter(({ outcome }) => outcome === 'ok'), pathOf)].map(([name, group]) => [name, group.length])),
  };
}

const byKey = (rows, keyOf) => Object.fromEntries([...groupBy(rows, keyOf)].map(([key, group]) => [key, described(group)]));

/** What the physics of the lab's links allow, in round trips R between the clients: docs/laboratory.md. */
export const theory = { warm: { caller: 0.5, callee: 1 }, cold: { caller: 4, callee: 4 } };
const allowance_ms = { warm: { caller: 60, callee: 80 }, cold: { caller: 100, callee: 100 } };

/** Against the round trips: each delay and each state of the path by itself. */
function againstTheory(rows) {
  const groups = groupBy(
    timed(rows).filter(({ product, scenario, ring_ms }) => product === 'offhook' && /^(delay-|warm-)/.test(scenario) && ring_ms > 0),
    ({ scenario, rtt_ms }) => `${scenario} ${rtt_ms}`,
  );
  return [...groups.values()].flatMap((group) => {
    const [{ scenario, rtt_ms }] = group;
    const state = scenario === 'warm-off' ? 'cold' : 'warm';
    const against = (what, values, least, allowed_ms) => {
      const { n, p50, p99 } = summary(values);
      const limit_ms = allowed_ms.of * rtt_ms + allowed_ms.more;
      return { scenario, what, state, rtt_ms, n, p50, p99, round_trips: round(p50 / rtt_ms, 2), least_ms: least * rtt_ms, limit_ms, holds: p50 !== null && p50 <= limit_ms };
    };
    const audio = (side) =>
      against(`accept → audio at the ${side}`, group.map(({ times }) => times.accept_to_audio[side]), theory[state][side], {
        of: theory[state][side],
        more: allowance_ms[state][side],
      });
    return [audio('caller'), audio('callee'), against('dial → the callee rings', group.map(({ times }) => times.dial_to_rung), 0.5, { of: 1, more: 20 })];
  });
}

/** Nothing is broken on these ways but what a link loses: the slowest calls of all have a limit. */
const only_links = /^(matrix|loss-|delay-|one-nat|hidden-addresses|ipv6-only|udp-blocked|tcp443|peer-policy-call)/;
const worst_limits = [
  { what: 'up to 100 ms of round trip, up to 5 % loss a link', least_loss: 0, most_loss: 0.05, limit_ms: 1000 },
  { what: 'up to 100 ms of round trip, 10 % loss a link', least_loss: 0.06, most_loss: 0.1, limit_ms: 2000 },
];

function worstOf(rows) {
  const lossOf = ({ caller, callee }) => Math.max(caller.link.loss ?? 0, callee.link.loss ?? 0);
  const own = timed(rows).filter(({ product, scenario, rtt_ms }) => product === 'offhook' && only_links.test(scenario) && rtt_ms <= 100);
  return worst_limits.map(({ what, least_loss, most_loss, limit_ms }) => {
    const group = own.filter((row) => lossOf(row) >= least_loss && lossOf(row) <= most_loss);
    const at = (side) => summary(group.map(({ times }) => times.accept_to_audio[side]));
    const [caller, callee] = [at('caller'), at('callee')];
    return { what, limit_ms, caller, callee, holds: caller.n > 0 && Math.max(caller.p99, callee.p99) <= limit_ms };
  });
}

function handoversOf(rows) {
  const moved = rows.filter(({ product, outcome, handover }) => product === 'offhook' && outcome === 'ok' && handover?.mode);
  return Object.fromEntries([...groupBy(moved, ({ scenario, network_class, handover }) => `${scenario}, ${network_class}, the ${handover.role}`)].map(([key, group]) => [
    key,
    { recovery_ms: summary(group.map(({ handover }) => handover.recovery_ms)), longest_silence_ms: summary(group.map(({ handover }) => handover.longest_silence_ms)) },
  ]));
}

/** Ours beside theirs, only where both were played: the same networks, links and rounds. */
function beside(rows) {
  const own = rows.filter(({ scenario }) => scenario === 'baselines');
  return Object.fromEntries([...groupBy(own, ({ variant, network_class }) => `${network_class}, ${variant}`)].map(([key, group]) => [key, byKey(group, ({ product }) => product)]));
}

/** The others' medians as multiples of ours, each condition over all its networks. */
function ratiosOf(rows) {
  const own = rows.filter(({ scenario }) => scenario === 'baselines');
  return [...groupBy(own, ({ variant }) => variant)].flatMap(([variant, group]) => {
    const medians = [...groupBy(group, ({ product }) => product)].map(([product, calls]) => {
      const p50 = (pick) => summary(timed(calls).map(pick)).p50;
      const { successes, calls: made } = rate(calls);
      const of = (side) => p50(({ times }) => times.accept_to_audio[side]);
      return { variant, product, successes, calls: made, caller: of('caller'), callee: of('callee'), silence_ms: p50(({ handover }) => handover?.longest_silence_ms ?? null) };
    });
    const ours = medians.find(({ product }) => product === 'offhook');
    const ratio = (one, name) => (ours?.[name] && one[name] !== null ? round(one[name] / ours[name], 1) : null);
    return medians.map((one) => ({ ...one, caller_ratio: ratio(one, 'caller'), callee_ratio: ratio(one, 'callee'), silence_ratio: ratio(one, 'silence_ms') }));
  });
}

function failuresOf(rows) {
  return rows.filter(({ outcome }) => outcome === 'failed').map(({ cell, repetition, promised, where, reason, evidence }) => ({ cell, repetition, promised, where, reason, evidence }));
}

/** TCP and TLS relays against the UDP relay of as long a way: their round trips may cost, and three tenths more. */
function restrictedAgainstUdp(rows) {
  const own = timed(rows).filter(({ product, ring_ms }) => product === 'offhook' && ring_ms > 0);
  const median = (scenario_rows) => summary(scenario_rows.flatMap(({ times }) => [times.accept_to_audio.caller, times.accept_to_audio.callee])).p50;
  const plain = own.filter(({ caller, callee, scenario }) => [caller, callee].every(({ link }) => link.delay_ms === 20 && !link.loss) && ['matrix', 'udp-blocked', 'tcp443', 'filtered-turn-udp'].includes(scenario));
  const udp = median(plain.filter((row) => pathOf(row) === 'relay udp'));
  return ['UDP blocked', '443 only'].map((network_class) => {
    const group = plain.filter((row) => row.network_class === network_class);
    const p50 = median(group);
    return { network_class, n: group.length, p50, udp_relay_p50: udp, ratio: p50 !== null && udp ? round(p50 / udp, 2) : null };
  });
}

export function figuresOf(rows) {
  const ours = rows.filter(({ product }) => product === 'offhook');
  const promised = ours.filter((row) => row.promised);
  const { bound, ...counted } = rate(promised);
  return {
    first_attempt: { ...counted, bound: round(bound, 5) },
    not_run: byReason(rows.filter(({ outcome }) => outcome === 'not_run')),
    media_before_accept: rows.filter(({ media_before_accept }) => media_before_accept).length,
    saturated: rows.filter(({ saturated }) => saturated).length,
    scenarios: byKey(ours, ({ scenario }) => scenario),
    classes: byKey(ours.filter(({ scenario }) => scenario === 'matrix'), ({ network_class }) => network_class),
    theory: againstTheory(rows),
    worst: worstOf(rows),
    restricted: restrictedAgainstUdp(rows),
    handovers: handoversOf(rows),
    beside: beside(rows),
    ratios: ratiosOf(rows),
    failures: failuresOf(rows),
  };
}

function byReason(rows) {
  return Object.fromEntries([...groupBy(rows, ({ reason }) => reason)].map(([reason, group]) => [reason, group.length]));
}
