// One call in the laboratory, from fresh pages to their end: what is done, what is timed, and what counts as success.

import fs from 'node:fs';
import path from 'node:path';

import { full } from './load.mjs';

/** Pages that are not signed in by then are no part of a call. */
const sign_in_limit_ms = 45_000;
const ring_limit_ms = 20_000;
/** Media that is not decoded by then never comes, for a person. */
const connect_limit_ms = 30_000;
/** Every tenth repetition is looked at for longer. */
const confirm_ms = { usual: 1000, sample: 5000 };

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let calls_made = 0;

/**
 * Plays one call of `cell` on `stage`. Success: the first dial leads to media decoded on both sides, and `confirm_ms`
 * later more has been decoded on both. Returns the row for the results.
 */
export async function playCall(stage, cell, { repetition, evidence_directory, load, keeps_all = false }) {
  calls_made += 1;
  const begun_at = Date.now();
  const call = new LabCall(stage, cell, { name: `${process.pid}x${calls_made}`, repetition });
  const row = { ...cell.told, cell: cell.id, repetition, begun_at: new Date(begun_at).toISOString(), ring_ms: call.ring_ms };
  try {
    Object.assign(row, await call.play());
  } catch (error) {
    row.outcome = error.outcome ?? 'failed';
    row.reason = error.message.split('\n')[0];
    row.where = call.step;
    // No fault of the product, but none of the machine's either.
    if (row.outcome === 'not_run') row.unexpected = true;
    row.evidence = evidenceOf(row);
    await call.keepEvidence(path.join(evidence_directory, row.evidence), error);
  }
  if (keeps_all && row.outcome === 'ok') await call.keepEvidence(path.join(evidence_directory, evidenceOf(row)));
  await call.close();
  Object.assign(row, judgeLoad(row, load, begun_at));
  row.took_ms = Date.now() - begun_at;
  return row;
}

const evidenceOf = ({ cell, repetition }) => `${cell}-${repetition}`.replaceAll(/[^\w.-]+/g, '_');

class LabCall {
  #stage;
  #cell;
  #sides = {};
  step = 'begin';

  constructor(stage, cell, { name, repetition }) {
    this.#stage = stage;
    this.#cell = cell;
    this.name = name;
    this.ring_ms = typeof cell.ring_ms === 'function' ? cell.ring_ms(repetition) : cell.ring_ms;
    this.confirm_ms = repetition % 10 === 0 ? confirm_ms.sample : confirm_ms.usual;
  }

  /** For scenarios: the two ends, and the network between them. */
  get caller() {
    return this.#sides.caller;
  }

  get callee() {
    return this.#sides.callee;
  }

  get stage() {
    return this.#stage;
  }

  get cell() {
    return this.#cell;
  }

  async play() {
    const { during = {} } = this.#cell;
    await this.#openPages();
    await this.#signIn();
    await during.signed_in?.(this);
    this.step = 'ringing';
    await this.callee.browser.lab('answerAfter', during.ringing ? null : this.ring_ms);
    await this.caller.browser.lab('dial', this.callee.user);
    await this.#until(this.callee, 'marks', ['rung'], ring_limit_ms, 'the callee never rang');
    if (during.ringing) {
      await during.ringing(this);
      await this.callee.browser.lab('accept');
    }
    this.step = 'connecting';
    await this.#untilDecoded();
    this.step = 'staying connected';
    await this.#confirm(this.confirm_ms);
    const connected = await this.#snapshots();
    const special = (await during.connected?.(this)) ?? {};
    const end = await this.#snapshots();
    const fresh_browser = this.caller.browser.fresh || this.callee.browser.fresh;
    return { outcome: 'ok', fresh_browser, ...timesOf(connected), ...this.#seen(end), confirmed_after_ms: this.confirm_ms, ...special };
  }

  async #openPages() {
    this.step = 'opening pages';
    const open = async (role) => {
      const browser = await this.#stage.browser(role, this.#cell);
      const side = { role, browser, user: `${role}-${this.name}` };
      this.#sides[role] = side;
      await browser.open(...this.#stage.pageFor(role, this.#cell));
    };
    try {
      await Promise.all(['caller', 'callee'].map(open));
    } catch (error) {
      error.outcome = 'not_run';
      throw error;
    }
  }

  async #signIn() {
    this.step = 'signing in';
    const one = async (side) => {
      const settings = await this.#stage.signInFor(side, this.#cell);
      await side.browser.ask('run', { of: '__lab', name: 'signIn', args: [settings] }, sign_in_limit_ms);
    };
    await Promise.all([one(this.caller), one(this.callee)]);
    // A person looks at the page before they dial.
    await pause(this.#cell.idle_ms);
  }

  async #until(side, of, names, limit_ms, problem) {
    const reached = await side.browser.witness('until', of, names, limit_ms);
    if (!reached) throw new Error(problem);
  }

  async #untilDecoded() {
    const kinds = this.#cell.media;
    const limit_ms = this.ring_ms + connect_limit_ms;
    const one = (side) => this.#until(side, 'first', kinds, limit_ms, `the ${side.role} decoded no ${kinds.join(' or ')} within ${connect_limit_ms / 1000} s of the answer`);
    await Promise.all([one(this.caller), one(this.callee)]);
  }

  /** After `ms` both decode more than now; a lost picture may take its time, but not longer than the longest of these. */
  async #confirm(ms) {
    const before = await this.#snapshots();
    const begun_at = Date.now();
    for (;;) {
      await pause(ms);
      const stopped = whatDidNotRise(before, await this.#snapshots(), this.#cell.media);
      if (stopped.length === 0) return;
      const waited_ms = Date.now() - begun_at;
      if (waited_ms >= confirm_ms.sample) throw new Error(`within ${waited_ms} ms nothing more was decoded: ${stopped.join(', ')}`);
    }
  }

  /** Waits until both have decoded something new for `ms` without a gap above `gap_ms`, and returns the snapshots. */
  async untilSteady({ since, limit_ms, steady_ms = 1000 }) {
    const deadline = Date.now() + limit_ms;
    for (;;) {
      const now = await this.#snapshots();
      const steady = ['caller', 'callee'].every((role) => {
        const { last, gaps, now: at } = now[role];
        const newest = gaps.audio.at(-1);
        return last.audio > since && at - last.audio < 200 && (!newest || at - newest.to > steady_ms) && at - since > steady_ms;
      });
      if (steady) return now;
      if (Date.now() > deadline) throw new Error(`no steady sound again within ${limit_ms} ms`);
      await pause(200);
    }
  }

  async #snapshots() {
    const [caller, callee] = await Promise.all([this.caller.browser.witness('snapshot'), this.callee.browser.witness('snapshot')]);
    return { caller, callee };
  }

  snapshots() {
    return this.#snapshots();
  }

  #seen({ caller, callee }) {
    return {
      pair: { caller: caller.pair, callee: callee.pair },
      gaps: { caller: caller.gaps.audio, callee: callee.gaps.audio },
      late_ms: { caller: lateWithin(caller), callee: lateWithin(callee) },
      problems: [...caller.problems, ...callee.problems],
    };
  }

  async keepEvidence(directory, error) {
    fs.mkdirSync(directory, { recursive: true });
    const write = (name, value) => fs.writeFileSync(path.join(directory, name), typeof value === 'string' ? value : JSON.stringify(value, null, 1));
    if (error) write('error.txt', `${this.step}: ${error.stack}\n`);
    await Promise.all(Object.values(this.#sides).map(async ({ role, browser }) => {
      write(`${role}.json`, await browser.evidence(path.join(directory, `${role}.png`)));
    }));
    write('server.log', this.#stage.serverTail(this.#cell.product));
  }

  async close() {
    // A browser that does not close its page is not used again; the stage makes another.
    const close = async ({ browser }) => {
      try {
        await browser.lab('hangUp');
        await browser.lab('leave');
        await browser.ask('close_page', {}, 15_000);
        this.#stage.release(browser);
      } catch {
        await this.#stage.discard(browser);
      }
    };
    await Promise.all(Object.values(this.#sides).map(close));
  }
}

function whatDidNotRise(before, after, kinds) {
  const counters = { audio: 'samples', video: 'frames' };
  const all = ['caller', 'callee'].flatMap((role) => kinds.map((kind) => ({ role, kind, counter: counters[kind] })));
  return all.filter(({ role, counter }) => after[role][counter] <= before[role][counter]).map(({ role, kind }) => `${kind} at the ${role}`);
}

/** How late the page's own timer was between answer and media: so much may the times of this page be off. */
function lateWithin({ late, marks, first }) {
  const from = marks.accepted ?? marks.heard_accept ?? marks.dialed;
  const to = Math.max(...Object.values(first));
  return late.filter((one) => one.to >= from && one.from <= to).reduce((most, one) => Math.max(most, one.to - one.from), 0);
}

function timesOf({ caller, callee }) {
  const { dialed, ringing, heard_accept } = caller.marks;
  const { rung, accepted } = callee.marks;
  const since = (from, to) => (from === undefined || to === undefined ? null : to - from);
  const times = {
    dial_to_rung: since(dialed, rung),
    dial_to_ringing: since(dialed, ringing),
    accept_to_heard: since(accepted, heard_accept),
    accept_to_audio: { caller: since(accepted, caller.first.audio), callee: since(accepted, callee.first.audio) },
    accept_to_video: { caller: since(accepted, caller.first.video), callee: since(accepted, callee.first.video) },
  };
  const firsts = [caller, callee].flatMap(({ first }) => Object.values(first));
  return {
    times,
    accepted_at: accepted,
    decoded_at: Math.max(...firsts),
    /** Nobody may be heard or seen before they have answered. */
    media_before_accept: Math.min(...firsts) < accepted,
  };
}

function judgeLoad(row, load, begun_at) {
  const from = row.accepted_at ?? begun_at;
  const used = load.between(from - 100, row.decoded_at ?? Date.now());
  const late = Math.max(row.late_ms?.caller ?? 0, row.late_ms?.callee ?? 0);
  return { processors: used, saturated: (used?.mean ?? 0) > full || late > 100 };
}
