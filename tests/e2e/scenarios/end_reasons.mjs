// Every end reason of the protocol, in browsers: each side is told the reason that docs/protocol.md says.

import fs from 'node:fs';
import { fileURLToPath } from 'node:url';

import { endReasonsOf } from '../../protocol/coverage.mjs';
import { connect, ring } from '../calls.mjs';

const protocol = fileURLToPath(new URL('../../../docs/protocol.md', import.meta.url));
const api_key = 'the-key-of-this-scenario';
/** Long enough for a slow machine to get to the end of what rings here. */
const ring_timeout_s = 10;
/** A path that is not found, a session without a connection: 30 s, and the word that it is so. */
const long_limit_ms = 50_000;

const ended = (reason, ...people) => Promise.all(people.map((person) => person.untilEnded(reason, { in_words: false, limit_ms: long_limit_ms })));

async function accept(caller, callee) {
  await callee.page.bringToFront();
  await callee.get('accept').click();
  await caller.untilAnswered();
}

/** A call that is answered, whether its media flows or not. */
async function answer(caller, callee) {
  await ring(caller, callee, 'audio');
  await accept(caller, callee);
}

async function hangUp(by, other) {
  await by.get('hangup').click();
  await ended('hangup', by, other);
}

async function ringBoth(caller, ...devices) {
  await Promise.all([caller, ...devices].map((person) => person.answerInstantly(false)));
  await caller.dial(devices[0].name, 'audio');
  await Promise.all(devices.map((device) => device.untilIncoming()));
}

/** As the app's backend. */
async function ask({ origin }, method, path, body) {
  const headers = { Authorization: `Bearer ${api_key}`, 'Content-Type': 'application/json' };
  const response = await fetch(`${origin}/api/${path}`, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
  if (!response.ok) throw new Error(`${method} ${path} was answered with ${response.status}`);
}

/** Nothing of this call has come to this person. */
async function checkHeardNothing({ name, page }, call) {
  const frames = await page.evaluate((id) => window.__witness.frames.filter((frame) => frame.call === id), call);
  if (frames.length > 0) throw new Error(`${name} heard of the call: ${JSON.stringify(frames)}`);
}

/** People in a browser, by name, one after the other, as many pages that load at once make each other wait. */
async function cast(stage, browser, options) {
  const come = {};
  for (const [name, own] of Object.entries(options)) come[name] = await stage.person(name, { browser, ...own });
  return come;
}

/** By reason, in the order of the calls: who is told it. */
const while_it_rings = {
  async hangup({ ann, ben }) {
    await answer(ann, ben);
    await hangUp(ben, ann);
  },
  async canceled({ ann, ben }) {
    await ring(ann, ben, 'audio');
    await ann.get('hangup').click();
    await ended('canceled', ann, ben);
  },
  async busy({ ann, ben, cat }) {
    await answer(ann, ben);
    await cat.dial('ben', 'audio');
    await ended('busy', cat);
    // The page of a busy person shows nothing of it; the server has told it the same.
    await ben.untilTold({ type: 'ended', call: (await cat.report()).call, reason: 'busy' });
    await hangUp(ann, ben);
  },
  async no_answer({ ann, ben }) {
    await ring(ann, ben, 'audio');
    await ended('no_answer', ann, ben);
  },
  async unreachable({ ann }) {
    await ann.dial('nobody', 'audio');
    await ended('unreachable', ann);
  },
  async declined(all, { stage, browser }) {
    const { ann, ben } = all;
    all.bens_laptop = await stage.person('ben', { browser });
    await ringBoth(ann, ben, all.bens_laptop);
    await ben.get('decline').click();
    await ended('declined', ann, ben);
  },
  async declined_elsewhere({ bens_laptop }) {
    await ended('declined_elsewhere', bens_laptop);
  },
  async answered_elsewhere({ ann, ben, bens_laptop }) {
    await ringBoth(ann, ben, bens_laptop);
    await accept(ann, ben);
    await ended('answered_elsewhere', bens_laptop);
    await hangUp(ben, ann);
  },
};

const by_refusal = {
  async media_denied({ dan, shy }) {
    await ring(dan, shy, 'audio');
    await shy.get('accept').click();
    await ended('media_denied', dan, shy);
  },
  async error({ dan, odd }) {
    // The browser refuses the caller's offer.
    await odd.page.evaluate(() => (RTCPeerConnection.prototype.setRemoteDescription = () => Promise.reject(new Error('refused'))));
    await dan.answerInstantly(false);
    await dan.dial('odd', 'audio');
    await ended('error', dan, odd);
  },
  async credentials({ dan, eva }, { stage }) {
    await answer(dan, eva);
    await ask(stage.server, 'POST', 'revocations', { user: 'eva' });
    await ended('credentials', dan, eva);
  },
  async blocked({ dan, shy, kim }, { stage }) {
    await kim.dial('dan', 'audio');
    await ended('blocked', kim);
    // The same word for whom somebody has blocked; who has is not disturbed.
    await ask(stage.server, 'PUT', 'users/shy/blocks/dan');
    await dan.dial('shy', 'audio');
    await ended('blocked', dan);
    const { call } = await dan.report();
    await ask(stage.server, 'DELETE', 'users/shy/blocks/dan');
    await ring(dan, shy, 'audio');
    await checkHeardNothing(shy, call);
    // While it rings both are told.
    await ask(stage.server, 'PUT', 'users/shy/blocks/dan');
    await ended('blocked', dan, shy);
    await ask(stage.server, 'DELETE', 'users/shy/blocks/dan');
  },
  /** The last one: afterwards there is no server. */
  async server_shutdown({ dan, shy }, { stage }) {
    await ring(dan, shy, 'audio');
    await stage.server.child.stop();
    await ended('server_shutdown', dan, shy);
  },
};

/** Each takes 30 s, so they are walked at the same time, each with people of its own. */
const by_loss = {
  async ice_failed({ gus, hal }, { no_path }) {
    no_path.shut();
    await answer(gus, hal);
    await ended('ice_failed', gus, hal);
  },
  async ice_lost({ ida, jon }, { path }) {
    await connect(ida, jon, 'audio');
    path.shut();
    await ended('ice_lost', ida, jon);
  },
  async signaling_lost({ lea, max }, { proxy }) {
    await connect(lea, max, 'audio');
    proxy.cut({ refuse: true });
    await ended('signaling_lost', lea);
    proxy.restore();
    await ended('signaling_lost', max);
  },
};

/** Plays one reason, and says how long it took. */
async function play([reason, step], all, tools) {
  const begin = Date.now();
  await step(all, tools);
  tools.note(`${reason} (${((Date.now() - begin) / 1000).toFixed(1)} s)`);
}

/** A reason that the protocol has and nobody walks, or the other way round, is an error. */
function checkComplete() {
  const walked = [while_it_rings, by_refusal, by_loss].flatMap((group) => Object.keys(group));
  const named = endReasonsOf(fs.readFileSync(protocol, 'utf8'));
  const missing = named.filter((reason) => !walked.includes(reason));
  const strange = walked.filter((reason) => !named.includes(reason));
  if (missing.length + strange.length > 0) throw new Error(`not walked: ${missing}; not in docs/protocol.md: ${strange}`);
}

const rings = {
  name: 'end-reasons-while-it-rings',
  title: 'both sides are told hangup, canceled, busy, no_answer, unreachable, declined and what other devices hear',
  repeat: 1,
  async run(stage, { note }) {
    checkComplete();
    await stage.serve(['--ring-timeout', String(ring_timeout_s)]);
    const tools = { stage, note, browser: await stage.browser() };
    const all = await cast(stage, tools.browser, { ann: {}, ben: {}, cat: {} });
    for (const step of Object.entries(while_it_rings)) await play(step, all, tools);
  },
};

const refusals = {
  name: 'end-reasons-by-refusal',
  title: 'both sides are told media_denied, error, credentials, blocked, server_shutdown; a page of a stranger is blocked, too',
  repeat: 1,
  async run(stage, { note }) {
    await stage.serve(['--api-key', api_key]);
    // To the server its page is none of its own.
    const through = await stage.proxy({ keeps_origin: true });
    const tools = { stage, note, browser: await stage.browser() };
    const all = await cast(stage, tools.browser, { dan: {}, odd: {}, eva: {}, kim: { through } });
    all.shy = await stage.person('shy', { denied: true });
    for (const step of Object.entries(by_refusal)) await play(step, all, tools);
  },
};

const losses = {
  name: 'end-reasons-by-loss',
  title: 'both sides are told ice_failed, ice_lost and signaling_lost: no path, a path and a socket that do not come back',
  repeat: 1,
  async run(stage, { note }) {
    await stage.serve();
    const tools = { stage, note, proxy: await stage.proxy(), no_path: await stage.relayGate(), path: await stage.relayGate() };
    const only = (gate) => ({ query: { policy: 'relay', transport: 'tcp' }, relay_port: gate.port });
    const options = { gus: only(tools.no_path), hal: only(tools.no_path), ida: only(tools.path), jon: only(tools.path), lea: {}, max: { through: tools.proxy } };
    const all = await cast(stage, await stage.browser(), options);
    await Promise.all(Object.entries(by_loss).map((step) => play(step, all, tools)));
  },
};

export const endReasons = [rings, refusals, losses];
