// Every way in which a call does not come about, or ends: the reason at both ends, words on both pages, nothing left.

import { checkBothReleased, connect, hangUp, repeatedly, ring, untilDecoding } from '../calls.mjs';

async function aliceAndBob(stage, flags = []) {
  await stage.serve(flags);
  return Promise.all([stage.person('alice'), stage.person('bob')]);
}

const callerGivesUp = {
  name: 'caller-hangs-up',
  title: 'the caller hangs up while it rings, and in the call; the callee hangs up in the call',
  repeat: 5,
  async run(stage, tools) {
    const [alice, bob] = await aliceAndBob(stage);
    await repeatedly(tools, stage, async () => {
      await ring(alice, bob);
      await alice.get('hangup').click();
      await Promise.all([alice.untilEnded('canceled'), bob.untilEnded('canceled')]);
      await checkBothReleased(alice, bob);
      await connect(alice, bob);
      await hangUp(alice, bob);
      await connect(alice, bob);
      await hangUp(bob, alice);
    });
  },
};

const calleeDeclines = {
  name: 'callee-declines',
  title: 'the callee declines; both see it, and the next call connects',
  repeat: 5,
  async run(stage, tools) {
    const [alice, bob] = await aliceAndBob(stage);
    await repeatedly(tools, stage, async () => {
      await ring(alice, bob);
      await bob.get('decline').click();
      // Who declined knows it; the page need not tell them.
      await Promise.all([alice.untilEnded('declined'), bob.untilEnded('declined', { in_words: false })]);
      await checkBothReleased(alice, bob);
    });
    await connect(alice, bob);
    await hangUp(alice, bob);
  },
};

const unreachable = {
  name: 'callee-offline',
  title: 'the callee is not signed in: unreachable, in words',
  repeat: 1,
  async run(stage) {
    await stage.serve();
    const alice = await stage.person('alice');
    await alice.dial('nobody');
    await alice.untilEnded('unreachable');
    await checkBothReleased(alice);
  },
};

const noAnswer = {
  name: 'no-answer',
  title: 'nobody answers: no_answer at both ends after the ring timeout',
  repeat: 1,
  async run(stage) {
    const [alice, bob] = await aliceAndBob(stage, ['--ring-timeout', '3']);
    await ring(alice, bob);
    await Promise.all([alice.untilEnded('no_answer'), bob.untilEnded('no_answer')]);
    await checkBothReleased(alice, bob);
  },
};

const mediaDenied = {
  name: 'media-denied',
  title: 'microphone and camera are refused, to the callee and to the caller: media_denied at both ends',
  repeat: 1,
  async run(stage) {
    await stage.serve();
    const [alice, shy] = await Promise.all([stage.person('alice'), stage.person('shy', { denied: true })]);
    await ring(alice, shy);
    await shy.get('accept').click();
    await Promise.all([alice.untilEnded('media_denied'), shy.untilEnded('media_denied')]);
    await checkBothReleased(alice, shy);
    await alice.answerInstantly(false);
    await shy.dial('alice');
    await Promise.all([alice.untilEnded('media_denied'), shy.untilEnded('media_denied')]);
    await checkBothReleased(alice, shy);
  },
};

const audioOnly = {
  name: 'audio-only',
  title: 'a voice call: sound is decoded on both sides, no camera opens, no frame is sent',
  repeat: 3,
  async run(stage, tools) {
    const [alice, bob] = await aliceAndBob(stage);
    await repeatedly(tools, stage, async () => {
      const { at_caller, at_callee } = await connect(alice, bob, 'audio');
      for (const [person, count] of [[alice, at_caller], [bob, at_callee]]) {
        if (count.frames > 0) throw new Error(`${person.name} decoded ${count.frames} frames in a voice call`);
        if (count.live !== 1) throw new Error(`${person.name} has ${count.live} live devices in a voice call, expected the microphone`);
      }
      await hangUp(alice, bob);
    });
  },
};

const severalTabs = {
  name: 'several-tabs',
  title: 'two tabs of the callee ring: one answers, the other shows answered_elsewhere; one declines, the other shows it',
  repeat: 3,
  async run(stage, tools) {
    const [alice, first] = await aliceAndBob(stage);
    const second = await stage.person('bob', { context: first.page.context() });
    await repeatedly(tools, stage, async (i) => {
      const [taken, other] = i % 2 === 0 ? [first, second] : [second, first];
      await ringBoth(alice, taken, other);
      await taken.get('accept').click();
      await other.untilEnded('answered_elsewhere');
      await Promise.all([untilDecoding(alice), untilDecoding(taken)]);
      await checkBothReleased(other);
      await hangUp(alice, taken);
      await ringBoth(alice, taken, other);
      await taken.get('decline').click();
      await Promise.all([other.untilEnded('declined_elsewhere'), alice.untilEnded('declined')]);
      await checkBothReleased(alice, taken, other);
    });
  },
};

async function ringBoth(caller, taken, other) {
  await Promise.all([caller, taken, other].map((person) => person.answerInstantly(false)));
  await caller.dial(taken.name);
  await Promise.all([taken.untilIncoming(), other.untilIncoming()]);
  // A tab in the background is not painted, and a click waits for a paint.
  await taken.page.bringToFront();
}

const lateDevice = {
  name: 'callee-signs-in-late',
  title: 'the callee signs in after the dial: it rings there, with the offer that was made before, and connects',
  repeat: 3,
  async run(stage, tools) {
    await stage.serve();
    const alice = await stage.person('alice');
    const browser = await stage.browser();
    await repeatedly(tools, stage, async () => {
      await alice.dial('bob');
      const bob = await stage.person('bob', { browser });
      await bob.untilIncoming();
      await bob.get('accept').click();
      await Promise.all([untilDecoding(alice), untilDecoding(bob)]);
      await hangUp(alice, bob);
      await stage.leave(bob);
    });
  },
};

const pageClosed = {
  name: 'page-closed',
  title: 'the callee closes the page in the call; the caller is told at once, in words',
  repeat: 2,
  async run(stage, tools) {
    await stage.serve();
    const alice = await stage.person('alice');
    const browser = await stage.browser();
    await repeatedly(tools, stage, async () => {
      const bob = await stage.person('bob', { browser });
      await connect(alice, bob);
      await stage.leave(bob);
      // Well before the 30 s after which a lost session is given up.
      await alice.untilEnded('hangup', { limit_ms: 5_000 });
      await checkBothReleased(alice);
    });
  },
};

/** By then both pages have filled in whom to call. */
const both_ready_ms = 400;

const bothDial = {
  name: 'both-dial-at-once',
  title: 'two people dial each other in the same moment: one call, connected, on the first attempt',
  repeat: 10,
  async run(stage, tools) {
    const [alice, bob] = await aliceAndBob(stage);
    await repeatedly(tools, stage, async () => {
      await Promise.all([alice.answerInstantly(false), bob.answerInstantly(false)]);
      const at_ms = Date.now() + both_ready_ms;
      await Promise.all([alice.dialAt('bob', at_ms), bob.dialAt('alice', at_ms)]);
      await Promise.all([untilDecoding(alice), untilDecoding(bob)]);
      await Promise.all([alice.untilShown('connected'), bob.untilShown('connected')]);
      await hangUp(alice, bob);
      await checkBothReleased(alice, bob);
    });
  },
};

export const endings = [bothDial, callerGivesUp, calleeDeclines, unreachable, noAnswer, mediaDenied, audioOnly, severalTabs, lateDevice, pageClosed];
