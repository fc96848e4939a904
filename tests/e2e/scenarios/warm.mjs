// Calls that connect while they ring: the path stands before the answer, nothing is sent or shown before it, and a device
// that does not answer learns nothing but relay addresses.

import { checkBothReleased, hangUp, repeatedly, ring, untilDecoding, untilPair, untilRising } from '../calls.mjs';
import { figuresOf, inWords } from '../figures.mjs';
import { pause, until } from '../processes.mjs';

const path_limit_ms = 5_000;
const reconnect_limit_ms = 20_000;
/** Long enough for what must not happen while it rings. */
const ringing_ms = 1_500;

function check(condition, what) {
  if (!condition) throw new Error(what);
}

async function two(stage, { query = {}, flags = [], proxied = false } = {}) {
  await stage.serve(flags);
  const proxies = proxied ? [await stage.proxy(), await stage.proxy()] : [];
  const people = await Promise.all(['alice', 'bob'].map((name, i) => stage.person(name, { query, through: proxies[i] })));
  await Promise.all(people.map((person) => person.untilWarm()));
  return { people, proxies };
}

async function untilPath(...people) {
  for (const person of people) {
    await until(`${person.name} has a path while it rings`, async () => (await person.noted('path_at')) > 0, { limit_ms: path_limit_ms });
  }
}

/** Nothing of microphone and camera has left, or been opened by the device that only rings. */
async function checkSilence(alice, bob) {
  for (const person of [alice, bob]) {
    const { sent, received } = await person.wire();
    check(sent === 0 && received === 0, `${person.name}: RTP before the accept: ${sent} sent, ${received} received`);
  }
  const asked = await bob.noted('asked');
  check(asked.length === 0, `the ringing device asked for ${asked}`);
}

async function accept(alice, bob) {
  await bob.get('accept').click();
  const [at_alice, at_bob] = await Promise.all([untilDecoding(alice), untilDecoding(bob)]);
  await Promise.all([alice.untilShown('connected'), bob.untilShown('connected')]);
  return { caller_ms: at_alice.audio_at - at_bob.accepted_at, callee_ms: at_bob.audio_at - at_bob.accepted_at };
}

async function checkNothingLost(...people) {
  for (const person of people) {
    const { lost, received } = await person.wire();
    // Below 0: some came twice (RFC 3550 section 6.4.1). At the change of the path the direct one overtakes the relay, and
    // what is asked for again comes after all.
    check(lost <= 0 && received > 0, `${person.name}: ${lost} of ${received} packets lost`);
  }
}

/** The candidates that the server has given to this page, by their types. */
async function toldTypes(person) {
  const frames = await person.noted('frames');
  const lines = frames.flatMap((frame) => {
    if (frame.type === 'ice-candidate') return [frame.candidate.candidate];
    return frame.type === 'offer' || frame.type === 'answer' ? frame.sdp.split('\r\n').filter((line) => line.startsWith('a=candidate')) : [];
  });
  return [...new Set(lines.filter((line) => line !== '').map((line) => / typ (\w+)/.exec(line)?.[1]))].sort();
}

function onlyRelays(types) {
  return types.length > 0 && types.every((type) => type === 'relay');
}

const warmRelay = {
  name: 'warm-relay',
  title: 'connected over the relay while it rings, in silence; heard at once after the accept; then direct, nothing lost',
  repeat: 6,
  async run(stage, tools) {
    const { people: [alice, bob] } = await two(stage);
    const taken = [];
    const vias = [];
    await repeatedly(tools, stage, async () => {
      await ring(alice, bob);
      await untilPath(alice, bob);
      await pause(ringing_ms);
      await checkSilence(alice, bob);
      await Promise.all([alice, bob].map((person) => untilPair(person, 'any-relay')));
      taken.push(await accept(alice, bob));
      await Promise.all([alice, bob].map((person) => untilPair(person, 'direct')));
      await checkNothingLost(alice, bob);
      const reports = await Promise.all([alice.report(), bob.report()]);
      check(reports.every((report) => report.warm), `not warm: ${JSON.stringify(reports)}`);
      check(reports.every((report) => report.restarts === 0), `ICE was restarted: ${JSON.stringify(reports)}`);
      vias.push(reports[0].accept_via);
      await hangUp(alice, bob);
    });
    reportTimes(taken, tools);
    tools.figure('accept_via', vias);
  },
};

/** The same steps with either way: what the time from the accept to the first sound is. */
const afterRinging = {
  name: 'answered-after-ringing',
  title: 'answered after it has rung for a while, whatever the server allows: how long until each side hears',
  repeat: 6,
  async run(stage, tools) {
    await stage.serve();
    const [alice, bob] = await Promise.all(['alice', 'bob'].map((name) => stage.person(name)));
    const taken = [];
    await repeatedly(tools, stage, async () => {
      await Promise.all([alice, bob].map((person) => person.untilWarm()));
      await ring(alice, bob);
      await pause(ringing_ms);
      taken.push(await accept(alice, bob));
      await hangUp(alice, bob);
    });
    reportTimes(taken, tools);
  },
};

function reportTimes(taken, { figure, note }) {
  for (const name of ['caller_ms', 'callee_ms']) {
    const figures = figuresOf(taken.map((times) => times[name]));
    figure(`accept_to_audio_${name}`, figures);
    note(`accept to the first sound, ${name.replace('_ms', '')}: ${inWords(figures)}`);
  }
}

const warmDecline = {
  name: 'warm-decline',
  title: 'a call that is declined has told neither side anything but relay addresses',
  repeat: 3,
  async run(stage, tools) {
    const { people: [alice, bob] } = await two(stage);
    await repeatedly(tools, stage, async () => {
      await ring(alice, bob);
      await untilPath(alice, bob);
      await pause(ringing_ms);
      await checkSilence(alice, bob);
      for (const person of [alice, bob]) {
        const { remote_types } = await person.wire();
        // A check that reaches a relayed address of this very machine shows where it comes from: the loopback address.
        const leaked = remote_types.filter((type) => type !== 'relay' && type !== 'prflx');
        check(leaked.length === 0, `${person.name} knows of the other side: ${remote_types}`);
      }
      await bob.get('decline').click();
      await Promise.all([alice.untilEnded('declined'), bob.untilEnded('declined', { in_words: false })]);
      await checkBothReleased(alice, bob);
      for (const person of [alice, bob]) {
        const told = await toldTypes(person);
        check(onlyRelays(told), `${person.name} was told: ${told}`);
      }
    });
  },
};

const warmOff = {
  name: 'warm-off',
  title: 'a device that wants no warm path connects after the accept, and has told nothing before',
  repeat: 3,
  async run(stage, tools) {
    await stage.serve();
    const [alice, bob] = [await stage.person('alice'), await stage.person('bob', { query: { warm: 'off' } })];
    await Promise.all([alice, bob].map((person) => person.untilWarm()));
    await repeatedly(tools, stage, async () => {
      await ring(alice, bob);
      await pause(ringing_ms);
      for (const person of [alice, bob]) check((await person.noted('path_at')) === 0, `${person.name} has a path before the accept`);
      const told = await toldTypes(alice);
      if (tools.repeat === 1) check(told.length === 0, `the caller was told: ${told}`);
      await accept(alice, bob);
      const reports = await Promise.all([alice.report(), bob.report()]);
      check(reports.every((report) => !report.warm), 'a call without a warm path reports one');
      await hangUp(alice, bob);
    });
  },
};

const warmDirect = {
  name: 'warm-direct',
  title: 'where the server allows it, the path is direct while it rings',
  repeat: 3,
  async run(stage, tools) {
    const { people: [alice, bob] } = await two(stage, { flags: ['--warm-path', 'direct'] });
    await repeatedly(tools, stage, async () => {
      await ring(alice, bob);
      await untilPath(alice, bob);
      await Promise.all([alice, bob].map((person) => untilPair(person, 'direct')));
      await checkSilence(alice, bob);
      await accept(alice, bob);
      await checkNothingLost(alice, bob);
      await hangUp(alice, bob);
    });
  },
};

const warmElsewhere = {
  name: 'warm-second-device',
  title: 'of two devices that ring, the one that is not connected answers: the caller begins anew with it',
  repeat: 3,
  async run(stage, tools) {
    await stage.serve();
    const alice = await stage.person('alice');
    const bobs = [await stage.person('bob'), await stage.person('bob')];
    await repeatedly(tools, stage, async () => {
      await Promise.all([alice, ...bobs].map((person) => person.answerInstantly(false)));
      await alice.dial('bob');
      await Promise.all(bobs.map((bob) => bob.untilIncoming()));
      await untilPath(alice);
      await pause(ringing_ms);
      const paths = await Promise.all(bobs.map((bob) => bob.noted('path_at')));
      check(paths.filter((at) => at > 0).length === 1, `devices with a path while it rings: ${paths}`);
      const [other, met] = paths[0] > 0 ? [bobs[1], bobs[0]] : bobs;
      await accept(alice, other);
      await met.untilEnded('answered_elsewhere');
      const fresh = (await other.noted('frames')).filter((frame) => frame.type === 'offer' && frame.fresh).length;
      check(fresh > 0, 'the caller has not begun anew');
      await hangUp(alice, other);
      await checkBothReleased(met);
    });
  },
};

const warmWhileCut = {
  name: 'warm-accept-while-cut',
  title: "the callee's socket is gone when it answers: the caller hears of it over the path",
  repeat: 3,
  async run(stage, tools) {
    const { people: [alice, bob], proxies: [, proxy] } = await two(stage, { proxied: true });
    await repeatedly(tools, stage, async () => {
      await ring(alice, bob);
      await untilPath(alice, bob);
      await pause(ringing_ms);
      const before = proxy.connections;
      proxy.cut({ refuse: true });
      await accept(alice, bob);
      const { accept_via } = await alice.report();
      check(accept_via === 'data_channel', `the caller heard by ${accept_via}`);
      proxy.restore();
      await until('the page opens its socket again', () => proxy.connections > before, { limit_ms: reconnect_limit_ms });
      await hangUp(alice, bob);
    });
  },
};

const networkChanges = {
  name: 'network-changes',
  title: 'the network changes at either side or both, while it rings and in the call: ICE and the socket begin anew',
  repeat: 6,
  async run(stage, tools) {
    const { people: [alice, bob] } = await two(stage);
    await repeatedly(tools, stage, async (i) => {
      const movers = [[alice], [bob], [alice, bob]][i % 3];
      await ring(alice, bob);
      await untilPath(alice, bob);
      await pause(ringing_ms);
      await Promise.all(movers.map((person) => person.changeNetwork()));
      await pause(ringing_ms);
      await accept(alice, bob);
      const from = await Promise.all([alice.count(), bob.count()]);
      await Promise.all(movers.map((person) => person.changeNetwork()));
      await pause(ringing_ms);
      await Promise.all([alice, bob].map((person, index) => untilRising(person, ['frames', 'samples'], from[index])));
      const reports = await Promise.all(movers.map((person) => person.report()));
      check(reports.every(({ restarts }) => restarts >= 2), `restarts: ${reports.map(({ restarts }) => restarts)}`);
      for (const person of [alice, bob]) {
        const media = await person.count();
        await untilRising(person, ['frames', 'samples'], media);
      }
      await hangUp(alice, bob);
    });
  },
};

const pushedCredentials = {
  name: 'credentials-pushed',
  title: 'relay credentials come over the socket; the page asks for none',
  repeat: 1,
  async run(stage) {
    const { people: [alice, bob] } = await two(stage, { query: { policy: 'relay' } });
    await ring(alice, bob);
    await untilPath(alice, bob);
    await accept(alice, bob);
    await Promise.all([alice, bob].map((person) => untilPair(person, 'any-relay')));
    for (const person of [alice, bob]) {
      const requests = await person.noted('credential_requests');
      check(requests === 0, `${person.name} has asked for credentials ${requests} times`);
    }
    await hangUp(alice, bob);
  },
};

export const warm = [
  warmRelay, afterRinging, warmDecline, warmOff, warmDirect, warmElsewhere, warmWhileCut, networkChanges, pushedCredentials,
];
