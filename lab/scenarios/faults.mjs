// Something on the way is broken, and a path is left.

import { makeCell } from './cell.mjs';

const dead_address = '45.80.1.1';
const no_such_name = 'relay.invalid';
const turn = (host) => ({ urls: ['udp', 'tcp'].map((transport) => `turn:${host}:3478?transport=${transport}`), username: 'nobody', credential: 'nothing' });
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const both = [['port_restricted', 'port_restricted'], ['symmetric', 'symmetric']];
const relayed = [['symmetric', 'symmetric'], ['symmetric', 'port_restricted']];

function scenario(name, title, wanted, pairs = both) {
  return { name, title, cells: (chosen) => (chosen ?? pairs).map((pair) => makeCell({ scenario: name, every: 4, ...wanted, pair })) };
}

const credential_ttl_s = 10;
const short_lived = { server_flags: ['--credential-ttl', String(credential_ttl_s)] };
const untilExpired = () => pause(credential_ttl_s * 1000 + 2000);

/** The credentials of this call have run out; then its path breaks, and the repair needs relays again. */
async function breakAfterExpiry(call) {
  await untilExpired();
  await call.untilSteady({ since: Date.now(), limit_ms: 5000 });
  const side = call.stage.side('caller', call.cell);
  await call.stage.world.handover(side, { mode: 'hard' });
  const since = Date.now();
  const after = await call.untilSteady({ since, limit_ms: 30_000 });
  return { handover: { recovery_ms: recoveryAfter(after, since), longest_silence_ms: longestSilence(after, since) } };
}

/** At either end, of the gaps that ended after `since`. */
export function longestSilence({ caller, callee }, since) {
  const silences = [caller, callee].flatMap(({ gaps }) => gaps.audio).filter(({ to }) => to > since).map(({ from, to }) => to - from);
  return Math.max(0, ...silences);
}

export function recoveryAfter({ caller, callee }, since) {
  const ends = [caller, callee].flatMap(({ gaps }) => gaps.audio).filter(({ to }) => to > since).map(({ to }) => to - since);
  return Math.max(0, ...ends);
}

/** The page has been open for longer than its credentials live. */
export const expiry = { ...short_lived, credential_ttl_s, during: { signed_in: untilExpired } };
export const dead_servers = { lab_options: { extra_ice_servers: [{ urls: [`stun:${dead_address}:3478`] }, turn(dead_address)] } };

export const faults = [
  scenario('dead-stun', 'the first STUN server never answers', { lab_options: { extra_ice_servers: [{ urls: [`stun:${dead_address}:3478`] }] } }),
  scenario('dead-turn', 'the first TURN server never answers', { lab_options: { extra_ice_servers: [turn(dead_address)] } }),
  scenario('unresolvable-name', 'the first TURN server has a name that no name server answers for', {
    lab_options: { extra_ice_servers: [turn(no_such_name)] },
    caller: { dns: 'dead' },
    callee: { dns: 'dead' },
  }),
  scenario('filtered-turn-udp', 'the relay cannot be reached over UDP', { filters: [{ proto: 'udp', port: 3478, action: 'drop' }] }, relayed),
  scenario('idle-past-expiry', 'the page has been open for longer than its credentials live', expiry, relayed),
  scenario('expired-credentials', 'credentials run out during the call, then the path breaks', {
    ...short_lived,
    hands_over: ['caller'],
    during: { connected: breakAfterExpiry },
  }, relayed),
];
