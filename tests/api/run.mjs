#!/usr/bin/env node
// The REST interface of a real server: its OpenAPI document is one, every answer passes the schema that the document has for
// it, every status that is documented has been seen, and the examples of docs/api.md are what a server says.
// `node tests/api/run.mjs BINARY [--doc docs/api.md]`; --doc writes the answers into the examples.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import WebSocket from 'ws';

import { freePort } from '../e2e/processes.mjs';
import { runTests } from '../run_tests.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const guide = path.join(root, 'docs/api.md');
const binary = process.argv[2] ?? path.join(root, 'build/release/offhook');
const writes_guide = process.argv[3] === '--doc';
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'offhook-api-'));
const state = path.join(folder, '.local/state/offhook');
const http = await freePort();
const url = `http://127.0.0.1:${http}`;

const server = spawn(binary, ['serve', '--dev', '--listen-address', '127.0.0.1', '--port', `${await freePort()}`, '--http-port', `${http}`, '--state-dir', state],
  { env: { PATH: process.env.PATH, HOME: folder }, stdio: ['ignore', 'ignore', 'pipe'] });
let log = '';
server.stderr.on('data', (chunk) => { log += chunk; });
const exited = new Promise((resolve) => server.once('exit', resolve));

async function ready() {
  const ended = exited.then((code) => { throw new Error(`the server ended with ${code}:\n${log}`); });
  for (;;) {
    const answer = await Promise.race([ended, fetch(`${url}/readyz`).catch(() => null)]);
    if (answer?.status === 200) return;
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 20))]);
  }
}

/** A signed-in device: numbers what it says, and gives what comes in its order. */
class Device {
  static async signIn(user) {
    const device = new Device();
    const { token } = await (await fetch(`${url}/api/dev/token?user=${encodeURIComponent(user)}`)).json();
    device.token = token;
    device.socket = new WebSocket(`${url.replace('http', 'ws')}/ws`);
    device.closed = new Promise((resolve) => device.socket.once('close', (code, reason) => resolve({ code, reason: `${reason}` })));
    device.socket.on('message', (text) => device.#take(JSON.parse(text)));
    await new Promise((resolve, reject) => device.socket.once('open', resolve).once('error', reject));
    device.socket.send(JSON.stringify({ type: 'hello', version: 1, token }));
    await device.next('welcome');
    return device;
  }

  #seq = 0;
  #arrived = [];
  #wanted = null;

  say(message) {
    this.#seq += 1;
    this.socket.send(JSON.stringify({ ...message, seq: this.#seq }));
  }
  /** The next message of this type; others are passed over. */
  async next(type) {
    for (;;) {
      while (this.#arrived.length > 0) {
        const message = this.#arrived.shift();
        if (message.type === type) return message;
      }
      await new Promise((resolve) => { this.#wanted = resolve; });
    }
  }
  #take(message) {
    this.#arrived.push(message);
    this.#wanted?.();
    this.#wanted = null;
  }
}

const media = { audio: true, video: true };
let calls = 0;
async function connectedCall(caller, callee, to) {
  const call = `c_${`${++calls}`.padStart(22, '0')}`;
  caller.say({ type: 'dial', call, to, media });
  await callee.next('incoming');
  callee.say({ type: 'ringing', call });
  await caller.next('ringing');
  callee.say({ type: 'accept', call, media });
  await caller.next('accepted');
  for (const device of [caller, callee]) device.say({ type: 'connected', call, time_to_connect_ms: 87 });
  return call;
}

await ready();
const key = fs.readFileSync(path.join(state, 'api-keys'), 'utf8').trim();
const document = await (await fetch(`${url}/api/openapi.json`)).json();
const ajv = new Ajv2020({ strict: false, allErrors: true });
formats.default(ajv);
ajv.addSchema({ $id: 'document', ...document });
const seen = new Set();

/** A request whose answer is checked against what the document says of it. `at` is the path as the document writes it. */
async function ask(method, at, { target = at, authorization = `Bearer ${key}`, body, type = 'application/json' } = {}) {
  const headers = { ...(authorization && { authorization }), ...(body !== undefined && type && { 'content-type': type }) };
  const answer = await fetch(url + target, { method, headers, body: body === undefined ? undefined : Buffer.from(body) });
  const operation = document.paths[at][method.toLowerCase()];
  assert.ok(operation, `${method} ${at} is not documented`);
  const response = operation.responses[answer.status];
  assert.ok(response, `${method} ${at} answered ${answer.status}, which is not documented`);
  assert.equal(answer.headers.get('content-type'), 'application/json');
  const described = response.$ref ? response.$ref.slice(1) : `/paths/${escape(at)}/${method.toLowerCase()}/responses/${answer.status}`;
  const validate = ajv.compile({ $ref: `document#${described}/content/application~1json/schema` });
  const json = await answer.json();
  assert.ok(validate(json), `${method} ${target} ${answer.status}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(json)}`);
  if (answer.status === 401) assert.equal(answer.headers.get('www-authenticate'), 'Bearer');
  seen.add(`${method} ${at} ${answer.status}`);
  return { status: answer.status, json };
}
const escape = (at) => encodeURI(at.replaceAll('~', '~0').replaceAll('/', '~1'));

const tests = {
  async 'the document is OpenAPI 3.1'() {
    const result = await new Validator().validate(structuredClone(document));
    assert.ok(result.valid, JSON.stringify(result.errors));
  },

  async 'each path has the methods that the document gives it, and no others'() {
    for (const [at, item] of Object.entries(document.paths)) {
      const answer = await fetch(url + at.replace('{call}', 'c_x').replace('{user}', 'x').replace('{peer}', 'y'), { method: 'PATCH' });
      assert.equal(answer.status, 405, at);
      const documented = Object.keys(item).filter((name) => name !== 'parameters').map((name) => name.toUpperCase());
      const allowed = answer.headers.get('allow').split(', ').filter((name) => name !== 'HEAD');
      assert.deepEqual(allowed.sort(), documented.sort(), at);
      assert.equal((await answer.json()).error.code, 'method_not_allowed');
    }
  },

  async 'every documented answer is given, and passes its schema'() {
    const alice = await Device.signIn('alice');
    const bob = await Device.signIn('bob');
    const call = await connectedCall(alice, bob, 'bob');
    const target = `/api/calls/${call}`;
    assert.equal((await ask('GET', '/api/calls')).json.calls.length, 1);
    assert.equal((await ask('GET', '/api/calls', { target: '/api/calls?limit=0' })).status, 400);
    assert.equal((await ask('GET', '/api/calls', { authorization: '' })).status, 401);
    assert.equal((await ask('GET', '/api/calls/{call}', { target })).json.verdict, null);
    assert.equal((await ask('GET', '/api/calls/{call}', { target, authorization: 'Bearer x' })).status, 401);
    assert.equal((await ask('GET', '/api/calls/{call}', { target: '/api/calls/c_x' })).status, 404);
    assert.equal((await ask('GET', '/api/users/{user}', { target: '/api/users/bob' })).json.in_call, true);
    assert.equal((await ask('GET', '/api/users/{user}', { target: `/api/users/${'b'.repeat(129)}` })).status, 400);
    assert.equal((await ask('GET', '/api/users/{user}', { target: '/api/users/bob', authorization: `Bearer ${bob.token}` })).status, 401);

    for (const [options, status] of [
      [{ body: '{"caller":"alice","callee":"bob","media":{"audio":true}}' }, 202],
      [{ body: '{"caller":"nobody","callee":"bob"}' }, 409],
      [{ body: '{"caller":"alice"}' }, 400],
      [{ body: '{}', authorization: '' }, 401],
      [{ body: '{}', type: 'text/plain' }, 415],
      [{ body: 'x'.repeat(100_000) }, 413],
    ]) assert.equal((await ask('POST', '/api/calls', options)).status, status);
    assert.equal((await alice.next('place')).to, 'bob');

    const list = '/api/users/{user}/blocks';
    const one = '/api/users/{user}/blocks/{peer}';
    const blocks = '/api/users/alice/blocks';
    for (const [method, blocked] of [['PUT', true], ['DELETE', false]]) {
      const peer = { target: `${blocks}/mallory` };
      assert.deepEqual((await ask(method, one, peer)).json, { user: 'alice', peer: 'mallory', blocked });
      assert.equal((await ask(method, one, { target: `${blocks}/alice` })).status, 400);
      assert.equal((await ask(method, one, { ...peer, authorization: '' })).status, 401);
      assert.equal((await ask(method, one, { ...peer, body: 'x'.repeat(100_000) })).status, 413);
      assert.deepEqual((await ask('GET', list, { target: blocks })).json.blocks, blocked ? ['mallory'] : []);
    }
    assert.equal((await ask('GET', list, { target: `${blocks}?limit=0` })).status, 400);
    assert.equal((await ask('GET', list, { target: blocks, authorization: `Bearer ${alice.token}` })).status, 401);

    const end = `${target}/end`;
    assert.equal((await ask('POST', '/api/calls/{call}/end', { target: end, authorization: '' })).status, 401);
    assert.equal((await ask('POST', '/api/calls/{call}/end', { target: end, body: 'x'.repeat(100_000) })).status, 413);
    assert.equal((await ask('POST', '/api/calls/{call}/end', { target: end })).json.state, 'ended');
    assert.equal((await ask('POST', '/api/calls/{call}/end', { target: end })).status, 409);
    assert.equal((await ask('POST', '/api/calls/{call}/end', { target: '/api/calls/c_x/end' })).status, 404);
    for (const device of [alice, bob]) assert.equal((await device.next('ended')).reason, 'hangup');
    assert.deepEqual(Object.keys((await ask('GET', '/api/calls/{call}', { target, authorization: `Bearer ${bob.token}` })).json.verdict), ['callee']);
    assert.equal((await ask('GET', '/api/calls')).json.calls[0].verdict.caller.sentence, 'The app ended the call.');

    for (const [body, type, status] of [['{}', 'application/json', 400], ['{"user":"x"}', 'text/plain', 415], ['x'.repeat(100_000), 'application/json', 413]]) {
      assert.equal((await ask('POST', '/api/revocations', { body, type })).status, status);
    }
    assert.equal((await ask('POST', '/api/revocations', { body: '{"user":"x"}', authorization: '' })).status, 401);
    const turn = { authorization: `Bearer ${bob.token}` };
    assert.equal((await ask('GET', '/api/turn/credentials', turn)).status, 200);
    assert.equal((await ask('POST', '/api/revocations', { body: '{"user":"bob"}' })).json.sessions_closed, 1);
    assert.deepEqual(await bob.closed, { code: 4401, reason: 'token_revoked' });
    assert.equal((await ask('GET', '/api/turn/credentials', turn)).json.error.code, 'token_revoked');

    assert.equal((await ask('GET', '/api/dev/token', { target: '/api/dev/token?user=carol', authorization: '' })).status, 200);
    assert.equal((await ask('GET', '/api/dev/token', { authorization: '' })).status, 400);
    assert.equal((await ask('GET', '/api/openapi.json', { authorization: '' })).status, 200);
    alice.socket.terminate();

    // Seen where they can be brought about: limits of an address in tests/io/http, too many revocations and blocks in tests/service/api.
    const elsewhere = (status) => status === '429' || status === '507';
    const documented = Object.entries(document.paths).flatMap(([at, item]) => Object.entries(item)
      .filter(([method]) => method !== 'parameters')
      .flatMap(([method, { responses }]) => Object.keys(responses).filter((status) => !elsewhere(status)).map((status) => `${method.toUpperCase()} ${at} ${status}`)));
    assert.deepEqual([...seen].sort(), documented.sort());
  },

  async 'the examples of docs/api.md are what a server says'() {
    const alice = await Device.signIn('alice');
    // Tokens of the second in which bob was revoked are refused.
    const bob = await Device.signIn('dave');
    const call = await connectedCall(alice, bob, 'dave');
    let text = fs.readFileSync(guide, 'utf8');
    const example = /```sh example\n(?<command>[^`]+)```\n\n```json\n(?<shown>[^`]*)```/g;
    let count = 0;
    text = text.replace(example, (block, command, shown) => {
      const environment = { PATH: process.env.PATH, URL: url, KEY: key, CALL: call };
      const answer = JSON.parse(execFileSync('sh', ['-ec', command.replaceAll('bob', 'dave')], { env: environment, encoding: 'utf8' }).replaceAll('dave', 'bob'));
      count += 1;
      if (writes_guide) return block.slice(0, block.length - shown.length - 3) + `${pretty(answer)}\n\`\`\``;
      assert.deepEqual(shape(JSON.parse(shown)), shape(answer), command);
      return block;
    });
    assert.ok(count >= 6, 'the guide has its examples');
    if (writes_guide) fs.writeFileSync(guide, text);
    alice.socket.terminate();
  },

  'no key and no token is in the log'() {
    assert.ok(!log.includes(key) && !log.includes('eyJ'), log);
    assert.match(log, /the backend revoked a user user="bob"/);
  },
};

/** Members and types, without the values; of a list the first element's. */
function shape(value) {
  if (Array.isArray(value)) return value.slice(0, 1).map(shape);
  if (value === null || typeof value !== 'object') return value === null ? 'null' : typeof value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, shape(member)]));
}

/** JSON with what is short in one line. */
function pretty(value, indent = '') {
  const line = JSON.stringify(value).replaceAll('":', '": ').replaceAll(/,(?=["{])/g, ', ');
  if (line.length + indent.length <= 110 || value === null || typeof value !== 'object') return line;
  const inner = `${indent}  `;
  const members = Array.isArray(value) ? value.map((one) => inner + pretty(one, inner))
    : Object.entries(value).map(([name, member]) => `${inner}"${name}": ${pretty(member, inner)}`);
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  return `${open}\n${members.join(',\n')}\n${indent}${close}`;
}

const count = await runTests(tests);
server.kill('SIGTERM');
if (await exited !== 0) {
  count.failed += 1;
  console.log(`FAILED  the server did not stop cleanly:\n${log}`);
}
fs.rmSync(folder, { recursive: true, force: true });
console.log(`${count.passed} passed, ${count.failed} failed`);
process.exit(count.failed === 0 ? 0 : 1);
