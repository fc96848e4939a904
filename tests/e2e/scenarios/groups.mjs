// Four people in one room: everybody sees everybody else, one leaves, and a fifth is refused while there is no place.

import { checkBothReleased, repeatedly } from '../calls.mjs';
import { figuresOf, inWords } from '../figures.mjs';
import { until } from '../processes.mjs';

const room = 'standup';
/** Twelve encoders and twelve decoders run on one machine, and so few frames are pictures that move, too. */
const camera_fps = 5;
const small = { width: 480, height: 640 };
const see_limit_ms = 60_000;
const act_limit_ms = 60_000;

/** The driver's own click waits for two pictures of the page, which a machine that encodes twelve others draws late. */
const press = (person, id) => person.get(id).evaluate((button) => button.click(), undefined, { timeout: act_limit_ms });

async function join(person) {
  await person.get('room-input').fill(room, { timeout: act_limit_ms });
  await press(person, 'join-room');
}

/** Of each other person that this page shows: how many frames of their picture the browser has decoded. */
function pictures(person) {
  return person.page.evaluate(() =>
    Object.fromEntries([...document.querySelectorAll('[data-testid="tile"]')].map((tile) => [tile.dataset.user, tile.querySelector('video').getVideoPlaybackQuality().totalVideoFrames])),
  );
}

/** Waits until the page shows these people and nobody else, and the pictures of all of them move. */
async function untilSees(person, others) {
  const wanted = [...others].sort();
  let first = null;
  let last;
  const seen = async () => {
    last = await pictures(person);
    if (String(Object.keys(last).sort()) !== String(wanted) || !wanted.every((name) => last[name] > 0)) return false;
    first ??= last;
    return wanted.every((name) => last[name] > first[name]);
  };
  await until(() => `${person.name} sees ${wanted}: ${JSON.stringify(last)}`, seen, { limit_ms: see_limit_ms });
}

function untilAllSee(people) {
  return Promise.all(people.map((person) => untilSees(person, people.filter((other) => other !== person).map(({ name }) => name))));
}

async function untilNotice(person, words) {
  const said = async () => (await person.get('notice').innerText()).includes(words);
  await until(`${person.name} is told '${words}'`, said, { limit_ms: act_limit_ms });
}

async function leave(person) {
  await press(person, 'group-leave');
  await person.get('room-input').waitFor({ state: 'visible', timeout: act_limit_ms });
  await checkBothReleased(person);
}

/** All four at the same moment, so that they join while calls of others are set up. */
async function meet(people) {
  const began = Date.now();
  await Promise.all(people.map(join));
  await untilAllSee(people);
  return Date.now() - began;
}

/** What the pages say of the call with each other member. */
function reports(people) {
  return Promise.all(people.map((person) => person.page.evaluate(() => window.offhook.group.members.map((member) => member.report()))));
}

async function pages(stage, names, query = {}) {
  const browser = await stage.browser({ fps: camera_fps });
  const people = [];
  for (const name of names) people.push(await stage.person(name, { browser, query, viewport: small }));
  await Promise.all(people.map((person) => person.untilWarm()));
  return people;
}

const rooms = {
  name: 'room',
  title: 'four join a room at the same moment: each sees three moving pictures; a fifth is refused until one leaves',
  repeat: 1,
  async run(stage, tools) {
    await stage.serve();
    const [alice, bob, carol, dave, eve] = await pages(stage, ['alice', 'bob', 'carol', 'dave', 'eve']);
    const times = [];
    await repeatedly(tools, stage, async () => {
      times.push(await meet([alice, bob, carol, dave]));
      await join(eve);
      await untilNotice(eve, 'The room is full');
      await checkBothReleased(eve);
      await leave(bob);
      await join(eve);
      await untilAllSee([alice, carol, dave, eve]);
      for (const person of [alice, carol, dave, eve]) await leave(person);
    });
    tools.figure('join_to_all_see_ms', figuresOf(times));
    tools.note(`join to all see: ${inWords(figuresOf(times))}`);
  },
};

const relayed = {
  name: 'room-relayed',
  title: 'the same over the relay alone, which lets only those meet who have a call: each pair of a room has one',
  repeat: 1,
  async run(stage, tools) {
    await stage.serve(['--peer-policy', 'call']);
    const [alice, bob, carol] = await pages(stage, ['alice', 'bob', 'carol'], { policy: 'relay', transport: 'udp' });
    await repeatedly(tools, stage, async () => {
      await meet([alice, bob, carol]);
      const pairs = (await reports([alice, bob, carol])).flat().map(({ selected_pair }) => selected_pair.local);
      if (pairs.length !== 6 || !pairs.every((local) => local === 'relay')) throw new Error(`not all are relayed: ${pairs}`);
      for (const person of [alice, bob, carol]) await leave(person);
    });
  },
};

const restarted = {
  name: 'room-crash',
  title: 'the server of a room is killed and started again: its members join again, their calls go on, and one more finds them all',
  repeat: 1,
  async run(stage, tools) {
    await stage.serve();
    const [alice, bob, carol] = await pages(stage, ['alice', 'bob', 'carol']);
    await repeatedly(tools, stage, async () => {
      await meet([alice, bob]);
      const direct = async () => (await reports([alice, bob])).flat().every(({ path }) => path === 'direct');
      await until('the two need no relay', direct, { limit_ms: act_limit_ms });
      await stage.server.crash();
      await stage.server.restart();
      const online = async () => (await Promise.all([alice, bob].map((person) => person.page.evaluate(() => window.offhook.client.state)))).every((state) => state === 'online');
      await until('both are signed in again', online, { limit_ms: act_limit_ms });
      await join(carol);
      await untilAllSee([alice, bob, carol]);
      const kept = (await reports([alice, bob])).flat().filter(({ peer }) => peer !== 'carol');
      if (!kept.every(({ restarts, state }) => restarts === 0 && state === 'connected')) throw new Error(`the call was touched: ${JSON.stringify(kept)}`);
      for (const person of [alice, bob, carol]) await leave(person);
    });
  },
};

export const groups = [rooms, relayed, restarted];
