#!/usr/bin/env node
// The command line as a person meets it: help, exit statuses, and the messages of every start that cannot be.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { WebSocket } from 'ws';

import { freePort } from '../e2e/processes.mjs';
import { runTests } from '../run_tests.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const binary = process.argv[2] ?? path.join(root, 'build/release/offhook');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'offhook-cli-'));
const state = path.join(folder, 'state');

function run(args, { env = {}, timeout = 10_000 } = {}) {
  const done = spawnSync(binary, args, { encoding: 'utf8', timeout, env: { PATH: process.env.PATH, HOME: folder, ...env } });
  assert.equal(done.error, undefined, `${args.join(' ')}: ${done.error}`);
  return done;
}

/** A port that somebody else holds, over UDP or TCP, until the test ends. */
async function heldTcpPort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: server.address().port, close: () => server.close() };
}

function writeFile(name, text) {
  const file = path.join(folder, name);
  fs.writeFileSync(file, text);
  return file;
}

/** Starts a server, waits until it is ready, and gives what it answers and says. */
async function withServer(args, check) {
  const port = await freePort();
  const http = await freePort();
  const server = spawn(binary, ['serve', '--listen-address', '127.0.0.1', '--port', `${port}`, '--http-port', `${http}`, '--state-dir', state, ...args],
    { env: { PATH: process.env.PATH, HOME: folder }, stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  server.stderr.on('data', (chunk) => { log += chunk; });
  const exited = new Promise((resolve) => server.once('exit', (code) => resolve(code)));
  try {
    await ready(http, exited, () => log);
    await check({ http, port, log: () => log });
  } finally {
    server.kill('SIGTERM');
  }
  assert.equal(await exited, 0, `the server did not stop cleanly:\n${log}`);
}

async function ready(http, exited, log) {
  const ended = exited.then((code) => { throw new Error(`the server ended with ${code}:\n${log()}`); });
  for (;;) {
    const answer = await Promise.race([ended, fetch(`http://127.0.0.1:${http}/readyz`).catch(() => null)]);
    if (answer?.status === 200) return;
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 20))]);
  }
}

/** A certificate with its key for `names`, signed by itself. */
function certificate(name, names = 'IP:127.0.0.1', days = 90) {
  const [cert, key] = [path.join(folder, `${name}.pem`), path.join(folder, `${name}.key`)];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', `${days}`, '-subj', `/CN=${name}`];
  const done = spawnSync('openssl', ['req', '-x509', ...kind, '-addext', `subjectAltName=${names}`, '-out', cert, '-keyout', key]);
  assert.equal(done.status, 0, `${done.stderr}`);
  return { cert, key };
}

/** One request by TLS that trusts the certificate in the file `ca` alone: status, body, and the serial of what was shown. */
function httpsGet(port, target, { ca, headers = {} }) {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path: target, ca: fs.readFileSync(ca), headers, agent: false, timeout: 5000 };
    const request = https.get(options, (response) => {
      const serial = response.socket.getPeerCertificate().serialNumber;
      let body = '';
      response.on('data', (chunk) => { body += chunk; });
      response.on('end', () => resolve({ status: response.statusCode, body, serial }));
    });
    request.once('timeout', () => request.destroy(new Error('no answer')));
    request.once('error', reject);
  });
}

const json = async (url, headers = {}) => {
  const response = await fetch(url, { headers });
  return { status: response.status, body: await response.json() };
};

const tests = {
  'help and version are there, with examples'() {
    assert.match(run(['--version']).stdout, /^offhook \d+\.\d+\.\d+\n$/);
    const help = run(['--help']);
    assert.equal(help.status, 0);
    for (const command of ['serve', 'credentials', 'token']) {
      assert.match(help.stdout, new RegExp(`\\b${command}\\b`));
      const own = run([command, '--help']);
      assert.equal(own.status, 0);
      assert.match(own.stdout, /Examples:/);
    }
    for (const flag of ['--dev', '--state-dir', '--listen-address', '--port', '--http-port', '--relay-address', '--external-address',
      '--relay-ports', '--secret', '--realm', '--shards', '--allow-peer', '--cert', '--key', '--tls-port', '--public-name',
      '--api-key', '--dials-per-minute', '--requests-per-second', '--websockets-per-second', '--log-format']) {
      assert.ok(run(['serve', '--help']).stdout.includes(flag), flag);
    }
  },

  'bad usage exits with 2 and says what is wrong'() {
    for (const [args, message] of [
      [[], /subcommand is required/],
      [['dance'], /no command 'dance'; there are: serve, credentials, token/],
      [['serve', '--prot', '1'], /--prot/],
      [['serve', '--port', '65536'], /--port = "65536" is not allowed here: it must be a number from 1 to 65535/],
      [['serve', '--port', '1', '--port', '2'], /--port/],
      [['serve', '--relay-ports', '5-1'], /--relay-ports = "5-1" is not allowed here: it must be LO-HI/],
      [['serve', '--allow-peer', '10.0.0.0-10.0.0.9'], /a prefix such as/],
      [['serve', '--cert', 'cert.pem'], /cert = "cert.pem" is not allowed here: it needs its private key beside it: add key \(--key FILE\)/],
      [['serve', '--key', 'key.pem'], /it needs its certificate beside it: add cert \(--cert FILE\)/],
      [['serve', '--tls-port', '443'], /it needs a certificate: add cert and key/],
      [['serve', '--dev', '--tls-port', '8080'], /it must differ from port and http_port/],
      [['serve', '--public-name', 'https://a'], /a name in the certificate such as/],
      [['serve', '--webhook-url', 'app.example.org'], /--webhook-url = "app\.example\.org" is not allowed here: it must be an https or http URL/],
      [['serve', '--webhook-secret', 'hush'], /--webhook-secret is not allowed here: it must be whsec_ and base64/],
      [['serve', '--secret', 'short'], /--secret is not allowed here: it must be at least 16 characters/],
      [['serve', '--api-key', 'short'], /--api-key is not allowed here: it must be 16 to 1024 printable letters/],
      [['serve', '--config', path.join(folder, 'nothing.toml')], /nothing\.toml: No such file or directory; check the path/],
      [['serve', '--config', writeFile('a.toml', 'prot = 1\n')], /a\.toml: prot is not allowed here: there is no such setting; did you mean port\?/],
      [['serve', '--config', writeFile('b.toml', 'port = \n')], /b\.toml line 1 .*must be TOML/],
      [['credentials'], /--user is missing/],
      [['credentials', '--user', 'a', '--ttl', '0'], /--ttl/],
      [['token'], /--user/],
    ]) {
      const done = run(args);
      assert.equal(done.status, 2, `${args.join(' ')}: ${done.status} ${done.stderr}`);
      assert.match(done.stderr + done.stdout, message);
    }
    assert.equal(run(['serve'], { env: { OFFHOOK_PORT: 'x' } }).status, 2);
    assert.match(run(['serve'], { env: { OFFHOOK_PORT: 'x' } }).stderr, /OFFHOOK_PORT = "x"/);
  },

  'a webhook that cannot be says why; one that cannot be reached is none of these'() {
    const start = (...args) => run(['serve', '--state-dir', state, ...args]);
    const url = start('--webhook-url', 'https://');
    assert.equal(url.status, 1);
    assert.match(url.stderr, /webhook_url must be an http or https URL of your backend/);
    const secret = start('--webhook-url', 'https://app.example.org/calls', '--webhook-secret', 'whsec_AAAA');
    assert.equal(secret.status, 1);
    assert.match(secret.stderr, /make one with: echo whsec_\$\(openssl rand -base64 32\)/);
  },

  async 'the webhook is verified by what docs/waking.md tells a backend to do'() {
    const guide = fs.readFileSync(path.join(root, 'docs/waking.md'), 'utf8');
    const code = guide.match(/```js\n(import \{ createHmac[^]*?)```/)[1];
    const { isFromOffhook } = await import(pathToFileURL(writeFile('verify.mjs', code)));
    const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
    const backend = http.createServer();
    await new Promise((resolve) => backend.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${backend.address().port}/calls`;
    const arrived = new Promise((resolve) => backend.once('request', async (request, response) => {
      const parts = await request.toArray();
      response.writeHead(204).end();
      resolve({ headers: request.headers, body: Buffer.concat(parts).toString() });
    }));
    await withServer(['--dev', '--webhook-url', url, '--webhook-secret', secret], async ({ http: port }) => {
      const { token } = await (await fetch(`http://127.0.0.1:${port}/api/dev/token?user=alice`)).json();
      const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
      socket.once('open', () => {
        socket.send(JSON.stringify({ type: 'hello', version: 1, token }));
        socket.send(JSON.stringify({ type: 'dial', seq: 1, call: `c_${'x'.repeat(22)}`, to: 'bob', media: { audio: true, video: false } }));
      });
      const { headers, body } = await arrived;
      assert.equal(JSON.parse(body).type, 'call.dialled');
      assert.ok(isFromOffhook(secret, headers, body));
      assert.ok(!isFromOffhook(secret, headers, body.replace('bob', 'eve')));
      assert.ok(!isFromOffhook(secret, { ...headers, 'webhook-id': 'evt_other' }, body));
      assert.ok(!isFromOffhook(secret, { ...headers, 'webhook-timestamp': `${headers['webhook-timestamp'] - 400}` }, body));
      assert.ok(!isFromOffhook(secret, { ...headers, 'webhook-signature': 'v1,' }, body));
      assert.ok(!isFromOffhook(`whsec_${Buffer.alloc(32, 8).toString('base64')}`, headers, body));
      socket.close();
    });
    backend.close();
  },

  async 'a port in use says which, how to find the holder, and which flag helps'() {
    const held = await heldTcpPort();
    const free = await freePort();
    try {
      const relay = run(['serve', '--listen-address', '127.0.0.1', '--state-dir', state, '--port', `${held.port}`, '--http-port', `${free}`]);
      assert.equal(relay.status, 1);
      assert.match(relay.stderr, new RegExp(`${held.port}.*in use`));
      assert.match(relay.stderr, /--port/);
      const page = run(['serve', '--listen-address', '127.0.0.1', '--state-dir', state, '--port', `${free}`, '--http-port', `${held.port}`]);
      assert.equal(page.status, 1);
      assert.match(page.stderr, new RegExp(`${held.port}.*in use`));
      assert.match(page.stderr, /--http-port/);
    } finally {
      held.close();
    }
  },

  'an address that is not of this machine, and keys that cannot be used, say what to do'() {
    const elsewhere = run(['serve', '--listen-address', '198.51.100.77', '--state-dir', state]);
    assert.equal(elsewhere.status, 1);
    assert.match(elsewhere.stderr, /198\.51\.100\.77.*address/);
    const base = ['serve', '--listen-address', '127.0.0.1', '--state-dir', state];
    for (const [args, message] of [
      [['--jwt-key', path.join(folder, 'none.pem')], /none\.pem: No such file or directory; check the path/],
      [['--jwt-key', writeFile('weak', 'short\n')], /a secret 32 bytes/],
      [['--jwks', writeFile('jwks', '[]')], /jwks: /],
    ]) {
      const done = run([...base, ...args]);
      assert.equal(done.status, 1, `${args}: ${done.stderr}`);
      assert.match(done.stderr, message);
    }
    const good = certificate('good');
    const other = certificate('other');
    for (const [cert, key, message] of [
      [path.join(folder, 'none.pem'), good.key, /the certificate: cannot read .*none\.pem: No such file or directory; check the path/],
      [good.cert, path.join(folder, 'none.key'), /the certificate's key: cannot read .*none\.key: No such file/],
      [folder, good.key, /the certificate: cannot read .*: Is a directory/],
      [writeFile('der.pem', 'no PEM'), good.key, /der\.pem is not in PEM form .*fullchain\.pem/],
      [good.cert, writeFile('key.pem', 'no PEM'), /key\.pem holds no private key in PEM form/],
      [good.cert, other.key, /other\.key does not belong to the first certificate in .*good\.pem; give the two files of one issue/],
    ]) {
      const done = run([...base, '--cert', cert, '--key', key]);
      assert.equal(done.status, 1, `${cert} ${key}: ${done.stderr}`);
      assert.match(done.stderr, message);
    }
    const below = run(['serve', '--listen-address', '127.0.0.1', '--state-dir', path.join(writeFile('plain', ''), 'below')]);
    assert.equal(below.status, 1);
    assert.match(below.stderr, /cannot create .*Not a directory/);
  },

  'credentials and tokens are minted from the same secrets, as text and as JSON'() {
    const text = run(['credentials', '--user', 'alice', '--state-dir', state]);
    assert.equal(text.status, 0, text.stderr);
    assert.match(text.stdout, /^username +\d+:alice\ncredential \S+=\nttl +3600 s\n/);
    assert.doesNotMatch(text.stdout, /turns:/);
    const tls = run(['credentials', '--user', 'alice', '--state-dir', state, '--host', 'calls.test', '--tls-port', '443']);
    assert.match(tls.stdout, /turn:calls\.test:3478\?transport=tcp\n +turns:calls\.test:443\?transport=tcp\n$/);
    const answer = JSON.parse(run(['credentials', '--user', 'alice', '--ttl', '600', '--state-dir', state, '--json']).stdout);
    assert.deepEqual(Object.keys(answer), ['username', 'credential', 'password', 'ttl', 'uris', 'iceServers']);
    assert.equal(answer.ttl, 600);
    assert.equal(answer.password, answer.credential);
    const expiry = Number(answer.username.split(':')[0]);
    assert.ok(Math.abs(expiry - Date.now() / 1000 - 600) < 5);
    const token = run(['token', '--user', 'alice', '--state-dir', state]).stdout.trim();
    assert.equal(JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).sub, 'alice');
    assert.equal(fs.statSync(path.join(state, 'turn-secrets')).mode & 0o777, 0o600);
  },

  async 'a server hands out credentials to whoever has a token, and tells everybody else why not'() {
    await withServer([], async ({ http }) => {
      const url = `http://127.0.0.1:${http}/api/turn/credentials`;
      const token = run(['token', '--user', 'alice', '--state-dir', state]).stdout.trim();
      const good = await json(url, { Authorization: `Bearer ${token}` });
      assert.equal(good.status, 200);
      assert.match(good.body.username, /^\d+:alice$/);
      assert.equal(good.body.ttl, 3600);
      assert.equal(good.body.uris.length, 3);
      assert.ok(good.body.uris[0].startsWith('stun:127.0.0.1:'));
      assert.ok(good.body.uris[1].endsWith('?transport=udp') && good.body.uris[2].endsWith('?transport=tcp'));
      assert.equal((await json(url)).body.error.code, 'token_missing');
      const forged = await json(url, { Authorization: `Bearer ${token.slice(0, -2)}xx` });
      assert.equal(forged.status, 401);
      assert.equal(forged.body.error.code, 'token_invalid');
      assert.equal((await json(`http://127.0.0.1:${http}/api/dev/token?user=alice`)).status, 404);
    });
  },

  async '--dev says so, and hands out tokens; a rotation is taken up while running'() {
    await withServer(['--dev'], async ({ http, log }) => {
      assert.match(log(), /--dev: anybody may sign in/);
      assert.doesNotMatch(log(), /rotated/);
      const dev = await json(`http://127.0.0.1:${http}/api/dev/token?user=alice`);
      assert.equal(dev.status, 200);
      assert.equal((await json(`http://127.0.0.1:${http}/api/dev/token`)).status, 400);
      const credential = async () => (await json(`http://127.0.0.1:${http}/api/turn/credentials`, { Authorization: `Bearer ${dev.body.token}` })).body;
      const mintedBy = (secret, answer) => passwordOf(secret, answer.username) === answer.credential;
      const [before] = fs.readFileSync(path.join(state, 'turn-secrets'), 'utf8').split('\n');
      assert.ok(mintedBy(before, await credential()));
      assert.equal(run(['credentials', '--rotate', '--state-dir', state]).status, 0);
      const [after, kept] = fs.readFileSync(path.join(state, 'turn-secrets'), 'utf8').split('\n');
      assert.equal(kept, before);
      for (const deadline = Date.now() + 10_000; !mintedBy(after, await credential());) {
        assert.ok(Date.now() < deadline, 'the rotation was not taken up');
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    });
  },

  async 'with a certificate one port serves the page, the API and TURN, and takes a new certificate while running'() {
    const { cert, key } = certificate('own', 'DNS:calls.test,IP:127.0.0.1');
    const tls = await freePort();
    await withServer(['--cert', cert, '--key', key, '--tls-port', `${tls}`], async ({ http, port, log }) => {
      assert.match(log(), new RegExp(`https://127\\.0\\.0\\.1:${tls}/`));
      const page = await httpsGet(tls, '/', { ca: cert });
      assert.equal(page.status, 200);
      assert.match(page.body, /<!doctype html>/i);
      assert.equal((await fetch(`http://127.0.0.1:${tls}/healthz`)).status, 200);
      const token = run(['token', '--user', 'alice', '--state-dir', state]).stdout.trim();
      const answer = await httpsGet(tls, '/api/turn/credentials', { ca: cert, headers: { Authorization: `Bearer ${token}` } });
      const { uris, iceServers } = JSON.parse(answer.body);
      assert.deepEqual(uris, [`stun:127.0.0.1:${port}`, `turn:127.0.0.1:${port}?transport=udp`, `turn:127.0.0.1:${port}?transport=tcp`, `turns:127.0.0.1:${tls}?transport=tcp`]);
      assert.deepEqual(iceServers[1].urls, uris.slice(1));
      const over_http = await json(`http://127.0.0.1:${http}/api/turn/credentials`, { Authorization: `Bearer ${token}` });
      assert.deepEqual(over_http.body.uris, uris);

      // The new certificate comes half first: the old one stays until both files fit.
      const renewed = certificate('renewed');
      fs.renameSync(renewed.cert, cert);
      await logged(log, /the certificate stays as it was: the key .* does not belong/);
      fs.renameSync(renewed.key, key);
      await logged(log, /the certificate has changed: new connections get the new one/);
      const after = await httpsGet(tls, '/healthz', { ca: cert });
      assert.notEqual(after.serial, page.serial);
    });
  },

  async 'a certificate that ends soon is served with a warning'() {
    const { cert, key } = certificate('late', 'IP:127.0.0.1', 1);
    await withServer(['--cert', cert, '--key', key, '--tls-port', `${await freePort()}`], async ({ log }) => {
      assert.match(log(), /the certificate expires on .*, in \d days: renew it/);
    });
  },

  async '--dev makes its own certificate, does not offer it to browsers for TURN, and goes on without its port'() {
    const tls = await freePort();
    await withServer(['--dev', '--tls-port', `${tls}`], async ({ http }) => {
      const own = path.join(state, 'own-certificate.pem');
      assert.equal(fs.statSync(path.join(state, 'own-certificate-key.pem')).mode & 0o777, 0o600);
      const dev = JSON.parse((await httpsGet(tls, '/api/dev/token?user=alice', { ca: own })).body);
      const answer = await json(`http://127.0.0.1:${http}/api/turn/credentials`, { Authorization: `Bearer ${dev.token}` });
      assert.equal(answer.body.uris.length, 3);
    });
    const named = ['--dev', '--tls-port', `${tls}`, '--public-name', 'calls.test'];
    await withServer(named, async ({ http }) => {
      const dev = await json(`http://127.0.0.1:${http}/api/dev/token?user=alice`);
      const answer = await json(`http://127.0.0.1:${http}/api/turn/credentials`, { Authorization: `Bearer ${dev.body.token}` });
      assert.equal(answer.body.uris[3], `turns:calls.test:${tls}?transport=tcp`);
    });
    const held = await heldTcpPort();
    try {
      const done = run(['serve', '--dev', '--listen-address', '127.0.0.1', '--state-dir', state, '--port', `${await freePort()}`, '--http-port',
        `${await freePort()}`, '--tls-port', `${held.port}`]);
      assert.equal(done.status, 1, 'a port that was asked for');
      assert.match(done.stderr, new RegExp(`${held.port} is in use.*--tls-port`));
    } finally {
      held.close();
    }
  },

  async 'JSON log lines are JSON, also with a user name that would break them'() {
    await withServer(['--dev', '--log-format', 'json'], async ({ log }) => {
      for (const line of log().trim().split('\n')) assert.ok(JSON.parse(line).message.length > 0);
    });
  },
};

/** Waits until the server has logged a line like this. */
async function logged(log, pattern) {
  for (const deadline = Date.now() + 10_000; !pattern.test(log());) {
    assert.ok(Date.now() < deadline, `no line matches ${pattern}:\n${log()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const passwordOf = (secret, username) => createHmac('sha1', secret).update(username).digest('base64');

const count = await runTests(tests);
fs.rmSync(folder, { recursive: true, force: true });
console.log(`${count.passed} passed, ${count.failed} failed`);
process.exit(count.failed === 0 ? 0 : 1);
