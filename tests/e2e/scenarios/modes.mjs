// Many calls in a row over each way that media can take. Every one has to connect on the first attempt.

import { connect, hangUp, untilPair } from '../calls.mjs';
import { figuresOf, inWords } from '../figures.mjs';

/** A mode that is broken fails every call; so many failures say as much as fifty. */
const failures_limit = 3;

const queries = {
  direct: {},
  'relay-udp': { policy: 'relay', transport: 'udp' },
  'relay-tcp': { policy: 'relay', transport: 'tcp' },
};

const modesInTheClear = Object.entries(queries).map(([name, query]) => ({
  name,
  title: `calls in a row, ${name}: media counted on both sides, everything given back`,
  repeat: 20,
  run: (stage, tools) => manyCalls(stage, tools, name, query, () => stage.serve()),
}));

/** One port for all of it, as where a firewall lets nothing through but 443. */
const relayTls = {
  name: 'relay-tls',
  title: 'calls in a row, page by https, signalling by wss, media through the relay over TLS, all at one port',
  repeat: 10,
  run: (stage, tools) => manyCalls(stage, tools, 'relay-tls', { policy: 'relay', transport: 'tls' }, () => stage.serveByTls()),
};

export const modes = [...modesInTheClear, relayTls];

async function manyCalls(stage, { repeat, progress, note, figure }, mode, query, serve) {
  await serve();
  let pair = await twoPeople(stage, query);
  const taken = { warm: [], at_once: [] };
  const failures = [];
  for (let i = 0; i < repeat && failures.length < failures_limit; i += 1) {
    // Every second call finds the warm connection made, the others are dialled right after the one before.
    const warm = i % 2 === 0;
    // Both directions, each warm and not.
    const [caller, callee] = i % 4 < 2 ? pair : [...pair].reverse();
    try {
      if (warm) await Promise.all(pair.map((person) => person.untilWarm()));
      taken[warm ? 'warm' : 'at_once'].push(await oneCall(caller, callee, mode));
      stage.checkPages();
      progress(i + 1);
    } catch (error) {
      failures.push(`call ${i + 1}: ${error.message}`);
      note(`call ${i + 1} of ${repeat} failed: ${error.stack}\n${await stage.describe()}`);
      pair = await twoPeople(stage, query, pair);
    }
  }
  report(taken, figure, note);
  if (failures.length > 0) throw new Error(`${failures.length} calls failed:\n${failures.join('\n')}`);
}

async function twoPeople(stage, query, before = []) {
  await Promise.all(before.map((person) => person.page.context().close()));
  stage.people = [];
  return Promise.all(['alice', 'bob'].map((name) => stage.person(name, { query })));
}

async function oneCall(caller, callee, mode) {
  const { dial_to_decoding_ms, dial_to_accept_ms } = await connect(caller, callee);
  await Promise.all([caller, callee].map((person) => untilPair(person, mode)));
  await hangUp(caller, callee);
  return { dial_to_decoding_ms, dial_to_accept_ms };
}

function report(taken, figure, note) {
  for (const [name, calls] of Object.entries(taken)) {
    if (calls.length === 0) continue;
    const figures = figuresOf(calls.map((call) => call.dial_to_decoding_ms));
    figure(`dial_to_decoding_ms_${name}`, figures);
    figure(`dial_to_accept_ms_${name}`, figuresOf(calls.map((call) => call.dial_to_accept_ms)));
    note(`dial to both sides decoding, ${name === 'warm' ? 'warm' : 'redialled at once'}: ${inWords(figures)}`);
  }
}
