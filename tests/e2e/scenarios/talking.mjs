// What people do once they talk, and with which of their devices: hold, messages, a call that moves; ignore and decline here.

import { checkBothReleased, hangUp, repeatedly, ring, untilDecoding, untilRising } from '../calls.mjs';
import { until } from '../processes.mjs';

async function says(person, words) {
  let last;
  const said = async () => (last = await person.get('remote-state').textContent()) === words;
  await until(() => `${person.name} reads '${words}' of the other side, it is '${last}'`, said, { limit_ms: 10_000 });
}

async function say(from, to, text) {
  if (!(await from.get('message').isVisible())) await from.get('chat').click();
  await from.get('message').fill(text);
  await from.get('send-message').click();
  const arrived = async () => (await to.get('message-list').getByText(text, { exact: true }).count()) === 1;
  await until(`${to.name} reads '${text}' once`, arrived, { limit_ms: 5000 });
}

/** Goes on with the other's call on this page. */
async function take(to, from, other) {
  await to.page.bringToFront();
  if (await to.get('done').isVisible()) await to.get('done').click();
  await to.get('take').click();
  await from.untilEnded('answered_elsewhere');
  await Promise.all([to.untilShown('connected'), other.untilShown('connected')]);
  await untilDecoding(to);
  await untilRising(other, ['frames', 'samples']);
  await checkBothReleased(from);
}

const moves = {
  name: 'call-moves',
  title: 'a call with hold and messages goes on on another device of the callee, then on one of the caller',
  repeat: 1,
  async run(stage, tools) {
    await stage.serve();
    const [alice, phone] = await Promise.all([stage.person('alice'), stage.person('bob')]);
    const [tablet, laptop] = await Promise.all([
      stage.person('alice', { context: alice.page.context() }),
      stage.person('bob', { context: phone.page.context() }),
    ]);
    await repeatedly(tools, stage, async () => {
      await ring(alice, phone);
      await phone.page.bringToFront();
      await phone.get('accept').click();
      await Promise.all([untilDecoding(alice), untilDecoding(phone)]);
      await phone.get('hold').click();
      await says(alice, 'on hold');
      await say(alice, phone, 'before');
      await take(laptop, phone, alice);
      // The new device holds nothing.
      await says(alice, '');
      await say(alice, laptop, 'to the other device');
      await say(laptop, alice, 'from the other device');
      await take(tablet, alice, laptop);
      await say(laptop, tablet, 'to the caller’s other device');
      await hangUp(laptop, tablet);
      for (const person of [alice, phone]) await person.get('done').click();
    });
  },
};

const ignored = {
  name: 'ignore-and-decline-here',
  title: 'one device ignores the call, or declines for itself: the other rings on and answers',
  repeat: 1,
  async run(stage) {
    await stage.serve();
    const [alice, phone] = await Promise.all([stage.person('alice'), stage.person('bob')]);
    const laptop = await stage.person('bob', { context: phone.page.context() });
    for (const [button, reason] of [['ignore', 'no_answer'], ['decline-here', 'declined']]) {
      await ring(alice, phone);
      await laptop.untilIncoming();
      await phone.page.bringToFront();
      await phone.get(button).click();
      await phone.untilEnded(reason, { in_words: false });
      await checkBothReleased(phone);
      if ((await alice.state()) !== 'ringing') throw new Error(`alice is in '${await alice.state()}' after ${button}`);
      await laptop.page.bringToFront();
      await laptop.get('accept').click();
      await Promise.all([untilDecoding(alice), untilDecoding(laptop)]);
      await hangUp(alice, laptop);
    }
  },
};

export const talking = [moves, ignored];
