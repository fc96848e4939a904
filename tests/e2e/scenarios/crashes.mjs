// The server is killed (SIGKILL) at each step of a call and started again. No call is lost, none rings twice, media that
// does not need the server is not interrupted, and both sides agree on how it ends.

import { checkBothReleased, connect, hangUp, repeatedly, ring, untilDecoding, untilPair, untilRising } from '../calls.mjs';
import { figuresOf, inWords } from '../figures.mjs';
import { pause, until } from '../processes.mjs';

const back_limit_ms = 15_000;
/** A service manager takes about as long to start it again. */
const away_ms = 800;
const media = ['frames', 'samples'];
/** Enough to tell that media has come back. */
const heard_packets = 20;

function check(condition, what) {
  if (!condition) throw new Error(what);
}

async function two(stage, query = {}) {
  await stage.serve();
  const people = await Promise.all(['alice', 'bob'].map((name) => stage.person(name, { query })));
  await Promise.all(people.map((person) => person.untilWarm()));
  return people;
}

/** This page counts from now on how often it rings. */
async function countRings(person) {
  await person.page.evaluate(() => {
    if (window.__rings === undefined) window.offhook.client.on('incoming', () => (window.__rings += 1));
    window.__rings = 0;
  });
}

const rings = (person) => person.page.evaluate(() => window.__rings);

function online(person) {
  return person.page.evaluate(() => window.offhook.client.state === 'online');
}

/** Starts the server again; returns how long after it is ready each page took to be signed in. */
async function untilBack(stage, people) {
  await stage.server.restart();
  const ready_at = Date.now();
  await Promise.all(people.map((person) => until(`${person.name} is signed in again`, () => online(person), { limit_ms: back_limit_ms, every_ms: 20 })));
  return Date.now() - ready_at;
}

async function crash(stage, people, meanwhile = () => undefined) {
  await stage.server.crash();
  await meanwhile();
  await pause(away_ms);
  return untilBack(stage, people);
}

async function checkTalk(alice, bob) {
  await Promise.all([untilDecoding(alice), untilDecoding(bob)]);
  await Promise.all([alice.untilShown('connected'), bob.untilShown('connected')]);
}

/** At which step the server is killed; each returns how long signalling took to be back. */
const steps = {
  async dialing(stage, [alice, bob]) {
    await bob.answerInstantly(false);
    await alice.dial('bob');
    const back_ms = await crash(stage, [alice, bob]);
    await bob.untilIncoming();
    await bob.get('accept').click();
    await checkTalk(alice, bob);
    await hangUp(alice, bob);
    return back_ms;
  },

  /** Connected by the relay, which goes with it. */
  async ringing(stage, [alice, bob]) {
    await ring(alice, bob);
    await until('the path stands', async () => (await alice.noted('path_at')) > 0, { limit_ms: back_limit_ms });
    const back_ms = await crash(stage, [alice, bob]);
    const states = await Promise.all([alice.state(), bob.state()]);
    check(states.every((state) => state === 'ringing'), `it does not ring on: ${states}`);
    await bob.get('accept').click();
    await checkTalk(alice, bob);
    await hangUp(bob, alice);
    return back_ms;
  },

  async answeredMeanwhile(stage, [alice, bob]) {
    await ring(alice, bob);
    const back_ms = await crash(stage, [alice, bob], () => bob.get('accept').click());
    await checkTalk(alice, bob);
    await hangUp(alice, bob);
    return back_ms;
  },

  async declinedMeanwhile(stage, [alice, bob]) {
    await ring(alice, bob);
    const back_ms = await crash(stage, [alice, bob], () => bob.get('decline').click());
    await Promise.all([alice.untilEnded('declined'), bob.untilEnded('declined', { in_words: false })]);
    return back_ms;
  },

  async accepted(stage, [alice, bob]) {
    await ring(alice, bob);
    await bob.get('accept').click();
    const back_ms = await crash(stage, [alice, bob]);
    await checkTalk(alice, bob);
    await hangUp(bob, alice);
    return back_ms;
  },

  /** Media that does not need the server is not touched: not by its end, and not by its return. */
  async connected(stage, [alice, bob], gaps) {
    await connect(alice, bob);
    await Promise.all([alice, bob].map((person) => untilPair(person, 'direct')));
    await Promise.all([alice, bob].map((person) => person.watchGaps()));
    const rising = () => Promise.all([alice, bob].map((person) => untilRising(person, media)));
    const back_ms = await crash(stage, [alice, bob], rising);
    await rising();
    for (const person of [alice, bob]) gaps.push(await person.longestGap());
    const reports = await Promise.all([alice.report(), bob.report()]);
    check(reports.every(({ restarts, state }) => restarts === 0 && state === 'connected'), `the call was touched: ${JSON.stringify(reports)}`);
    await hangUp(alice, bob);
    return back_ms;
  },

  /** A second connection is about to take over, and its offer may be lost. */
  async handingOver(stage, [alice, bob]) {
    await connect(alice, bob);
    await alice.changeNetwork();
    const back_ms = await crash(stage, [alice, bob]);
    await checkTalk(alice, bob);
    await hangUp(bob, alice);
    return back_ms;
  },

  async hungUpMeanwhile(stage, [alice, bob]) {
    await connect(alice, bob);
    const back_ms = await crash(stage, [alice, bob], () => alice.get('hangup').click());
    await Promise.all([alice.untilEnded('hangup'), bob.untilEnded('hangup')]);
    return back_ms;
  },
};

function report({ figure, note }, name, values) {
  figure(name, figuresOf(values));
  note(`${name}: ${inWords(figuresOf(values))}`);
}

const everyStep = {
  name: 'crash',
  title: 'the server is killed and started again at each step of a call: it rings once, goes on, and ends alike at both ends',
  repeat: 1,
  async run(stage, tools) {
    const people = await two(stage);
    const back = [];
    const gaps = [];
    await repeatedly(tools, stage, async () => {
      for (const [name, step] of Object.entries(steps)) {
        await countRings(people[1]);
        back.push(await step(stage, people, gaps));
        const rung = await rings(people[1]);
        check(rung === 1, `${name}: it rang ${rung} times`);
        await checkBothReleased(...people);
      }
    });
    report(tools, 'signalling_back_ms', back);
    report(tools, 'direct_gap_ms', gaps);
  },
};

const relayed = {
  name: 'crash-relayed',
  title: 'the server is killed and started again in a call over its relay: the call repairs itself and ends alike at both ends',
  repeat: 1,
  async run(stage, tools) {
    const people = await two(stage, { policy: 'relay', transport: 'udp' });
    const [alice, bob] = people;
    const back = [];
    const gaps = [];
    await repeatedly(tools, stage, async () => {
      await connect(alice, bob);
      await Promise.all(people.map((person) => person.watchGaps()));
      const before = await Promise.all(people.map((person) => person.count()));
      check(before.every(({ pair }) => pair.local === 'relay'), `not relayed: ${JSON.stringify(before)}`);
      await stage.server.crash();
      await pause(away_ms);
      const silent = await Promise.all(people.map((person) => person.wire()));
      back.push(await untilBack(stage, people));
      const heard = async (person, i) => (await person.wire()).received > silent[i].received + heard_packets;
      await until('media is back', async () => (await Promise.all(people.map(heard))).every(Boolean), { limit_ms: back_limit_ms });
      for (const person of people) gaps.push(await person.longestGap());
      await checkTalk(alice, bob);
      await hangUp(alice, bob);
      await checkBothReleased(...people);
    });
    report(tools, 'signalling_back_ms', back);
    report(tools, 'relayed_gap_ms', gaps);
  },
};

export const crashes = [everyStep, relayed];
