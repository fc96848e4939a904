// A person whose page is closed is woken by push, and this very call connects. Chromium's own push service is on the
// internet, so the subscription is one of ours, and what the server sends is handed to the service worker by DevTools.

import { untilDecoding } from '../calls.mjs';
import { Person } from '../person.mjs';
import { until } from '../processes.mjs';
import { PushReceiver } from '../push_receiver.mjs';

const notice_limit_ms = 10_000;

function check(condition, what) {
  if (!condition) throw new Error(what);
}

/** From now on this page's browser subscribes at `receiver`. */
function subscribeAt(page, receiver) {
  return page.evaluate((subscription) => {
    const given = { endpoint: subscription.endpoint, toJSON: () => subscription, unsubscribe: async () => true };
    PushManager.prototype.subscribe = async () => given;
    PushManager.prototype.getSubscription = async () => given;
  }, receiver.subscription);
}

/** The service worker of a browser without a page of ours. */
class Sleeper {
  static async of(stage, context) {
    const sleeper = new Sleeper();
    const page = await context.newPage();
    sleeper.origin = stage.server.origin;
    sleeper.worker = () => context.serviceWorkers()[0];
    sleeper.cdp = await context.newCDPSession(page);
    sleeper.cdp.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => {
      sleeper.registration = registrations.find((one) => !one.isDeleted)?.registrationId ?? sleeper.registration;
    });
    await sleeper.cdp.send('ServiceWorker.enable');
    await until('the service worker is known to DevTools', () => sleeper.registration !== undefined, { limit_ms: notice_limit_ms });
    return sleeper;
  }

  deliver(text) {
    return this.cdp.send('ServiceWorker.deliverPushMessage', { origin: this.origin, registrationId: this.registration, data: text });
  }

  notifications() {
    return this.worker().evaluate(async () => (await self.registration.getNotifications()).map(({ title, tag }) => ({ title, tag })));
  }

  async untilNotifications(titles) {
    let last;
    const shown = async () => {
      last = await this.notifications();
      return JSON.stringify(last.map(({ title }) => title).sort()) === JSON.stringify(titles);
    };
    await until(() => `notifications ${JSON.stringify(titles)}, there are ${JSON.stringify(last)}`, shown, { limit_ms: notice_limit_ms });
  }

  /** Clicks the notification that rings; the address of the page that opens then. Only a real click may open a window. */
  click() {
    return this.worker().evaluate(async () => {
      const notification = (await self.registration.getNotifications()).find(({ data }) => data?.ring);
      const opened = new Promise((resolve) => {
        self.clients.openWindow = async (url) => resolve(new URL(url, self.location.href).href);
      });
      self.dispatchEvent(new NotificationEvent('notificationclick', { notification }));
      return opened;
    });
  }
}

/** His page is open, so the call rings there, and the push that comes beside it shows nothing. */
async function ringOnOpenPage(alice, bob, receiver, sleeper) {
  await alice.dial('bob');
  await bob.untilIncoming();
  const { text } = await receiver.next();
  await sleeper.deliver(text);
  const { call, to: user } = JSON.parse(text);
  const page_has_it = await sleeper.worker().evaluate((asked) => self.askPages(asked).then(Boolean), { type: 'rings-here', call, user });
  check(page_has_it, 'the open page does not say that it rings there');
  await bob.get('decline').click();
  await Promise.all([alice.untilEnded('declined'), bob.untilEnded('declined', { in_words: false })]);
  await sleeper.deliver((await receiver.next()).text);
  await sleeper.untilNotifications([]);
}

async function ring(alice, receiver, sleeper, shown_before = []) {
  await alice.dial('bob');
  const push = await receiver.next();
  const message = JSON.parse(push.text);
  check(message.type === 'ring' && message.from === 'alice' && message.to === 'bob', `pushed: ${push.text}`);
  await sleeper.deliver(push.text);
  await sleeper.untilNotifications([...shown_before, 'alice calls'].sort());
}

const wokenByPush = {
  name: 'woken-by-push',
  title: 'an open page rings without a notification; with bob’s page closed a notification rings, a click on it answers, this call connects; one given up is shown as missed',
  repeat: 1,
  async run(stage, { figure }) {
    await stage.serve();
    const receiver = await PushReceiver.start();
    try {
      const [alice, bob] = await Promise.all([stage.person('alice'), stage.person('bob')]);
      const context = bob.page.context();
      await context.grantPermissions(['notifications', 'camera', 'microphone'], { origin: stage.server.origin });
      await subscribeAt(bob.page, receiver);
      await bob.get('wake').click();
      await bob.page.waitForSelector('[data-testid="wake"][aria-pressed="true"]');
      const sleeper = await Sleeper.of(stage, context);
      await bob.page.bringToFront();
      await ringOnOpenPage(alice, bob, receiver, sleeper);
      await bob.page.close();
      stage.people = [alice];

      await ring(alice, receiver, sleeper);
      await alice.get('hangup').click();
      await alice.untilEnded('canceled');
      const over = await receiver.next();
      await sleeper.deliver(over.text);
      await sleeper.untilNotifications(['Missed call from alice']);

      await ring(alice, receiver, sleeper, ['Missed call from alice']);
      const clicked_at = Date.now();
      const woken = new Person('bob', await context.newPage());
      stage.people.push(woken);
      await woken.page.goto(await sleeper.click());
      const [, at_bob] = await Promise.all([untilDecoding(alice), untilDecoding(woken)]);
      await Promise.all([alice.untilShown('connected'), woken.untilShown('connected')]);
      figure('click_to_decoding_ms', Math.max(at_bob.audio_at, at_bob.video_at) - clicked_at);
      check(JSON.parse((await receiver.next()).text).reason === 'answered', 'the other browsers are told that somebody has answered');
      await alice.get('hangup').click();
      await Promise.all([alice.untilEnded('hangup'), woken.untilEnded('hangup')]);
    } finally {
      await receiver.close();
    }
  },
};

export const waking = [wokenByPush];
