// A client moves from one network to another: the old one gone at once (hard), or both up for three seconds (soft).

import { makeCell } from './cell.mjs';
import { longestSilence, recoveryAfter } from './faults.mjs';

const all_pairs = [['port_restricted', 'port_restricted'], ['symmetric', 'symmetric'], ['open', 'port_restricted']];
const overlap_ms = 3000;
const recovery_limit_ms = 30_000;
const ring_before_ms = 700;
const ring_after_ms = 1500;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function move(call, role, mode) {
  const { world } = call.stage;
  return world.handover(call.stage.side(role, call.cell), mode === 'hard' ? { mode } : { mode, overlap_ms });
}

/** During the call; the silence is counted at both ends, from the moment when the new address is up. */
export const midCall = (role, mode) => async (call) => {
  const begun_at = Date.now();
  const moved = move(call, role, mode);
  const new_address_at = Date.now();
  await moved;
  const since = Date.now();
  const after = await call.untilSteady({ since, limit_ms: recovery_limit_ms });
  return {
    handover: {
      role,
      mode,
      recovery_ms: recoveryAfter(after, mode === 'hard' ? since : new_address_at),
      longest_silence_ms: longestSilence(after, begun_at),
    },
  };
};

/** While it rings; the call is answered afterwards. */
const midRing = (role, mode) => async (call) => {
  await pause(ring_before_ms);
  await move(call, role, mode);
  await pause(ring_after_ms);
};

const roles = ['caller', 'callee'];

function scenario(mode, moment, title, during, { browser = 'chromium', pairs = all_pairs } = {}) {
  const name = `handover-${mode}-${moment}${browser === 'chromium' ? '' : `-${browser}`}`;
  const cells = (chosen) =>
    (chosen ?? pairs).flatMap((pair) =>
      roles.map((role) => makeCell({ scenario: name, pair, variant: role, hands_over: [role], during: during(role, mode), media: ['audio'], [role]: { browser }, every: 6 })));
  return { name, title, cells };
}

/** The one that moves is a Firefox. */
const firefox = { browser: 'firefox', pairs: [['port_restricted', 'port_restricted'], ['symmetric', 'symmetric']] };

export const handovers = ['hard', 'soft'].flatMap((mode) => [
  scenario(mode, 'ringing', `${mode} hand-over while it rings`, (role) => ({ ringing: midRing(role, mode) })),
  scenario(mode, 'call', `${mode} hand-over during the call`, (role) => ({ connected: midCall(role, mode) })),
  scenario(mode, 'call', `${mode} hand-over of a Firefox during the call`, (role) => ({ connected: midCall(role, mode) }), firefox),
]);
