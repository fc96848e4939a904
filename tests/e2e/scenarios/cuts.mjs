// The socket of one side is lost at the worst moments. The call has to come about, go on, or end, as the people meant it.

import { checkBothReleased, hangUp, repeatedly, untilDecoding, untilRising } from '../calls.mjs';
import { until } from '../processes.mjs';

const reconnect_limit_ms = 20_000;

async function behindProxies(stage) {
  await stage.serve();
  const proxies = [await stage.proxy(), await stage.proxy()];
  const people = await Promise.all(['alice', 'bob'].map((name, i) => stage.person(name, { through: proxies[i] })));
  return { people, proxies };
}

async function untilBack(proxy, connections_before) {
  const back = () => proxy.connections > connections_before;
  await until('the page opens its socket again', back, { limit_ms: reconnect_limit_ms });
}

async function checkTalk(alice, bob) {
  await Promise.all([untilDecoding(alice), untilDecoding(bob)]);
  await Promise.all([alice.untilShown('connected'), bob.untilShown('connected')]);
  await hangUp(alice, bob);
}

/** One cut: what happens, given both people and their proxies. */
const steps = {
  'callee-cut-while-ringing': {
    title: "the callee's socket is cut while it rings and comes back; the call is answered then",
    async once({ people: [alice, bob], proxies: [, proxy] }) {
      await alice.dial('bob');
      await bob.untilIncoming();
      const before = proxy.connections;
      proxy.cut({ refuse: true });
      proxy.restore();
      await untilBack(proxy, before);
      await bob.get('accept').click();
      await checkTalk(alice, bob);
    },
  },
  'callee-answers-while-cut': {
    title: 'the callee answers while the socket is gone; the answer arrives when it is back',
    async once({ people: [alice, bob], proxies: [, proxy] }) {
      await alice.dial('bob');
      await bob.untilIncoming();
      const before = proxy.connections;
      proxy.cut({ refuse: true });
      await bob.get('accept').click();
      proxy.restore();
      await untilBack(proxy, before);
      await checkTalk(alice, bob);
    },
  },
  'caller-cut-before-dial-arrives': {
    title: "the caller's socket is cut with the dial still on it; it is sent again",
    once: (stage_people) => cutAtDial(stage_people, false),
  },
  'caller-cut-after-dial-arrived': {
    title: "the caller's socket is cut right after the dial; the second copy is dropped",
    once: (stage_people) => cutAtDial(stage_people, true),
  },
  'hangup-while-cut': {
    title: 'both sockets are cut in the call: media goes on; a hang up meanwhile is told later',
    async once({ people: [alice, bob], proxies }) {
      await bob.answerInstantly();
      await alice.dial('bob');
      await Promise.all([untilDecoding(alice), untilDecoding(bob)]);
      await Promise.all([alice.untilShown('connected'), bob.untilShown('connected')]);
      for (const proxy of proxies) proxy.cut({ refuse: true });
      await Promise.all([alice, bob].map((person) => untilRising(person, ['frames', 'samples'])));
      await alice.get('hangup').click();
      await alice.untilEnded('hangup');
      for (const proxy of proxies) proxy.restore();
      await bob.untilEnded('hangup', { limit_ms: reconnect_limit_ms });
      await checkBothReleased(alice, bob);
    },
  },
};

async function cutAtDial({ people: [alice, bob], proxies: [proxy] }, passed) {
  await bob.answerInstantly();
  const cut = proxy.cutAt({ direction: 'to_server', type: 'dial', passed });
  await alice.dial('bob');
  await cut;
  await checkTalk(alice, bob);
}

export const cuts = Object.entries(steps).map(([name, { title, once }]) => ({
  name,
  title,
  repeat: 5,
  async run(stage, tools) {
    const both = await behindProxies(stage);
    await repeatedly(tools, stage, async () => {
      await Promise.all(both.people.map((person) => person.answerInstantly(false)));
      await once(both);
    });
  },
}));
