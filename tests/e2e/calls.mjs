// The steps that scenarios are made of: a call that connects, is counted, and leaves nothing behind.

import { until } from './processes.mjs';

const connect_limit_ms = 20_000;
const rise_limit_ms = 5_000;
const release_limit_ms = 5_000;
const settle_limit_ms = 3_000;

const kinds = { video: ['frames', 'samples'], audio: ['samples'] };

/** Waits until the counted media of this person is above zero and rising. Returns the last count. */
export async function untilDecoding(person, kind = 'video', limit_ms = connect_limit_ms) {
  const names = kinds[kind];
  let last;
  const started = async () => {
    last = await person.count();
    return names.every((name) => last[name] > 0);
  };
  await until(() => `${person.name} decodes ${names.join(' and ')}: ${JSON.stringify(last)}`, started, { limit_ms });
  return untilRising(person, names, last);
}

/** Waits until each of the named counts has grown past `from` (the count now, if not given). */
export async function untilRising(person, names, from) {
  const start = from ?? (await person.count());
  let last = start;
  const grown = async () => {
    last = await person.count();
    return names.every((name) => last[name] > start[name]);
  };
  await until(() => `${person.name}: ${names} rise from ${JSON.stringify(start)}`, grown, { limit_ms: rise_limit_ms });
  return last;
}

/** Plays `once` as often as the scenario is to be repeated; both pages must be without an error each time. */
export async function repeatedly({ repeat, progress }, stage, once) {
  for (let i = 0; i < repeat; i += 1) {
    await once(i);
    stage.checkPages();
    progress(i + 1);
  }
}

/** Dials, and it rings: nobody answers by itself. */
export async function ring(caller, callee, kind = 'video') {
  await Promise.all([caller, callee].map((person) => person.answerInstantly(false)));
  await caller.dial(callee.name, kind);
  await Promise.all([callee.untilIncoming(), caller.untilState('ringing')]);
}

/** Dials; the callee answers in the same moment; both decode. Returns both counts and the time that it took. */
export async function connect(caller, callee, kind = 'video') {
  await callee.answerInstantly();
  await caller.answerInstantly(false);
  await caller.dial(callee.name, kind);
  const [at_caller, at_callee] = await Promise.all([untilDecoding(caller, kind), untilDecoding(callee, kind)]);
  await Promise.all([caller.untilShown('connected'), callee.untilShown('connected')]);
  return { at_caller, at_callee, ...times(at_caller, at_callee) };
}

/** Both count on one machine's clock. */
function times(at_caller, at_callee) {
  const decoded = Math.max(at_caller.audio_at, at_caller.video_at, at_callee.audio_at, at_callee.video_at);
  return {
    dial_to_decoding_ms: decoded - at_caller.dialed_at,
    dial_to_accept_ms: at_callee.accepted_at - at_caller.dialed_at,
  };
}

/** `by` hangs up; both pages see the end, and both give everything back. */
export async function hangUp(by, other) {
  await by.get('hangup').click();
  await Promise.all([by.untilEnded('hangup'), other.untilEnded('hangup')]);
  await Promise.all([untilReleased(by), untilReleased(other)]);
}

/** No connection of a call stands open, at most the warm one; no camera or microphone is live. */
export async function untilReleased(person) {
  let last;
  const released = async () => {
    last = await person.count();
    return last.connected === 0 && last.open <= 1 && last.live === 0;
  };
  await until(() => `${person.name} gave everything back: ${JSON.stringify(last)}`, released, { limit_ms: release_limit_ms });
}

const fits = {
  'any-relay': ({ local, remote }) => local === 'relay' || remote === 'relay',
  direct: ({ local, remote }) => local !== 'relay' && remote !== 'relay',
  'relay-udp': ({ local, remote, relay_protocol }) => local === 'relay' && remote === 'relay' && relay_protocol === 'udp',
  'relay-tcp': ({ local, remote, relay_protocol }) => local === 'relay' && remote === 'relay' && relay_protocol === 'tcp',
  'relay-tls': ({ local, remote, relay_protocol }) => local === 'relay' && remote === 'relay' && relay_protocol === 'tls',
};

/**
 * Waits until the pair that ICE chose fits the mode. It may take a moment: a check that outruns the candidate it comes
 * from makes a peer-reflexive one (RFC 8445 section 7.3.1.3) until that candidate is there.
 */
export async function untilPair(person, mode) {
  let last = null;
  const settled = async () => {
    last = (await person.count()).pair;
    return last !== null && fits[mode](last);
  };
  await until(() => `${person.name}: the selected pair is ${mode}, it is ${JSON.stringify(last)}`, settled, { limit_ms: settle_limit_ms });
}

/** Nothing of a call may be left on any of these pages. */
export async function checkBothReleased(...people) {
  await Promise.all(people.map((person) => untilReleased(person)));
}
