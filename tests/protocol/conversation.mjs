// Plays a script against a server.

import { Device } from './device.mjs';
import { differences, filled } from './match.mjs';

/** A step that went otherwise than the script says. */
export class Mismatch extends Error {}

export class Conversation {
  #script;
  #server;
  #devices = new Map();
  #values = {};

  constructor(script, server) {
    this.#script = script;
    this.#server = server;
  }

  async play() {
    const { clients, patience_ms, steps } = this.#script;
    for (const [name, user] of Object.entries(clients)) {
      const { token } = await (await fetch(`${this.#server.origin}/api/dev/token?user=${encodeURIComponent(user)}`)).json();
      this.#values[`$token_${name}`] = token;
      this.#devices.set(name, new Device({ name, user, token, url: this.#server.origin.replace('http', 'ws'), patience_ms }));
    }
    try {
      for (const step of steps) await this.#play(step);
      for (const device of this.#devices.values()) await this.#checkSilence({ place: 'the end' }, device);
    } finally {
      for (const device of this.#devices.values()) device.cut();
    }
  }

  async #play(step) {
    const device = this.#devices.get(step.client);
    try {
      await this.#carryOut(step, device);
    } catch (error) {
      if (error instanceof Mismatch) throw error;
      throw new Mismatch(`step ${step.place}, ${describe(step)}\n${error.message}`, { cause: error });
    }
  }

  /** Steps for an SDK (`does`, `sees`, `says`, `hears`) are nothing that a server could notice. */
  async #carryOut(step, device) {
    if (step.server === 'stops') return this.#server.stop();
    if (step.server === 'restarts') return this.#restart();
    if (step.backend) return this.#askBackend(step);
    if (step.any_order) return this.#receiveInAnyOrder(step);
    if (step.signs_in) return this.#signIn(step, device);
    if (step.connects) return device.connect(step.connects);
    if (step.cuts) return device.cut();
    if (step.resumes) return this.#resume(step, device);
    if (step.sends) return device.send(this.#filled(step.sends));
    if (step.loses) return device.lose(this.#filled(step.loses));
    if (step.sends_text !== undefined) return device.sendText(textOf(step.sends_text));
    if (step.receives === 'nothing') return this.#checkSilence(step, device);
    if (step.receives) return this.#receive(step, device, step.receives);
    if (step.is_closed) return this.#awaitClose(step, device);
  }

  #filled(frame) {
    return filled(frame, this.#values, (word) => {
      throw new Error(`${word} has no value yet`);
    });
  }

  async #restart() {
    for (const device of this.#devices.values()) device.cut();
    await this.#server.crash();
    await this.#server.restart();
  }

  async #askBackend({ backend }) {
    const { answers, ...asked } = backend;
    const { method, path, body, status } = this.#filled(asked);
    const headers = { Authorization: `Bearer ${this.#server.api_key}`, 'Content-Type': 'application/json' };
    const response = await fetch(`${this.#server.origin}${path}`, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
    if (response.status !== status) throw new Error(`expected the status ${status}, got ${response.status} ${await response.text()}`);
    const wrong = answers ? differences(answers, await response.json(), this.#values) : [];
    if (wrong.length > 0) throw new Error(wrong.join('\n'));
  }

  async #signIn(step, device) {
    await device.connect();
    device.send(device.hello(step.signs_in));
    await this.#welcome(step, device, false);
  }

  async #resume(step, device) {
    await device.connect();
    device.send(device.hello({ resume: device.resume() }));
    await this.#welcome(step, device, true);
  }

  #welcome(step, device, resumed) {
    const [session, resume_token] = [`$session_${device.name}`, `$resume_token_${device.name}`];
    if (!resumed) for (const name of [session, resume_token]) delete this.#values[name];
    return this.#receive(step, device, {
      type: 'welcome', session, resume_token, resumed, user: device.user, ack: resumed ? '*number' : 0,
      ping_interval_ms: 10_000, ring_timeout_ms: '*number', warm_path: '*text',
    });
  }

  async #receive(step, device, expected) {
    let item = await device.next(expected.type);
    // Acknowledgements are cumulative, and the server says when: one before the one that is waited for is as good.
    while (expected.type === 'ack' && item?.frame?.ack < expected.ack) item = await device.next('ack');
    const wrong = item?.frame ? differences(expected, item.frame, this.#values) : ['nothing of it came'];
    if (wrong.length > 0) throw mismatch(step, expected, item, wrong);
  }

  async #receiveInAnyOrder({ place, any_order }) {
    const left = [...any_order];
    while (left.length > 0) {
      const device = this.#devices.get(left[0].client);
      const item = await device.next(left[0].receives.type);
      const found = left.findIndex(({ client, receives }) => client === device.name && item?.frame && this.#fits(receives, item.frame));
      if (found < 0) throw mismatch({ place, client: device.name }, left.map(({ receives }) => receives), item, ['it is none of these']);
      left.splice(found, 1);
    }
  }

  /** Variables get their values only if all of it fits. */
  #fits(expected, frame) {
    const values = { ...this.#values };
    if (differences(expected, frame, values).length > 0) return false;
    this.#values = values;
    return true;
  }

  /** The server works in order, so what comes before the answer to a ping is all that there is. */
  async #checkSilence(step, device) {
    if (device.is_open) device.send({ type: 'ping' });
    else if (device.is_quiet) return;
    const item = await device.next('pong');
    if (item?.frame?.type !== 'pong') throw mismatch({ client: device.name, ...step }, 'nothing', item, ['there is more']);
  }

  async #awaitClose(step, device) {
    const item = await device.next();
    const wrong = item?.closed ? differences(step.is_closed, item.closed, this.#values) : ['the connection is not closed'];
    if (wrong.length > 0) throw mismatch(step, { closed: step.is_closed }, item, wrong);
  }
}

const textOf = (text) => (typeof text === 'string' ? text : 'x'.repeat(text.letters));

function describe({ client, place: _place, ...act }) {
  const [verb, what] = Object.entries(act)[0] ?? ['', ''];
  const text = JSON.stringify(what) ?? '';
  return `${client ?? ''} ${verb} ${text.length > 200 ? `${text.slice(0, 200)}…` : text}`.trim();
}

function mismatch(step, expected, item, wrong) {
  const got = item?.frame ?? item ?? 'nothing';
  const lines = [`step ${step.place}, ${step.client} receives`, `expected ${JSON.stringify(expected)}`, `got      ${JSON.stringify(got)}`];
  return new Mismatch([...lines, ...wrong].join('\n'));
}
