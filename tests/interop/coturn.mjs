#!/usr/bin/env node
// offhook beside coturn: a real coturn accepts the credentials that we mint, and coturn's client finds nothing to
// object to in our relay. Everything on loopback.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { Offhook } from '../e2e/offhook.mjs';
import { Child, freePort, scratchDirectory, until } from '../e2e/processes.mjs';
import { againstCoturn, bridgedPasses, deniedPeers, inTheClearAtTlsPort, nonsense, passes, refusals, silentPeers, tlsAtTurnPort, tlsPasses } from './checks.mjs';
import { tlsBridge } from './tls_bridge.mjs';
import { acceptanceOf, lossByTlsOf, lossOf, runUclient, tool } from './uclient.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const secret = 'a shared secret of a test';
const user = 'alice';

/** A run takes about 7 s, nearly all of it the tool's own waiting. */
const run_limit_ms = 60_000;
const nonsense_ms = 3_000;
/** The tool sends by a clock; more of it at once would lose its own time slots on two cores. */
const runs_at_once = 4;

const usage = `usage: node tests/interop/coturn.mjs [--binary PATH] [--only TEXT] [--doc FILE]

Runs Debian's turnserver and turnutils_uclient with offhook and closes with the line "N passed, N failed".
  --binary PATH  the server (default build/release/offhook)
  --only TEXT    the checks whose title contains this
  --doc FILE     writes the table of commands and results there (docs/interop.md is made like this)`;

const options = {
  binary: { type: 'string', default: path.join(root, 'build/release/offhook') },
  only: { type: 'string', default: '' },
  doc: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
};

class Bench {
  children = [];
  rows = [];

  constructor({ binary, only }) {
    this.binary = binary;
    this.only = only;
    this.directory = scratchDirectory();
  }

  log(name) {
    return path.join(this.directory, `${name}.log`);
  }

  start(command, args, name) {
    const child = new Child(command, args, { log: this.log(name) });
    this.children.push(child);
    return child;
  }

  async startPeer() {
    this.peer_port = await freePort();
    const child = this.start('turnutils_peer', ['-v', '-L', '127.0.0.1', '-L', '::1', '-p', String(this.peer_port)], 'peer');
    await until(() => `turnutils_peer listens\n${child.tail()}`, () => udpListens(this.peer_port, child), { limit_ms: 5000 });
  }

  async startCoturn() {
    const port = await freePort();
    const flags = ['-n', '--no-cli', '--no-tls', '--no-dtls', '--allow-loopback-peers', '--simple-log', '--no-stdout-log'];
    const addresses = ['--listening-ip=127.0.0.1', '--relay-ip=127.0.0.1', `--listening-port=${port}`];
    const secrets = ['--use-auth-secret', `--static-auth-secret=${secret}`, '--realm=coturn.test'];
    const files = ['userdb', 'pidfile', 'log-file'].map((name) => `--${name}=${this.log(`coturn-${name}`)}`);
    const child = this.start('turnserver', [...flags, ...addresses, ...secrets, ...files], 'coturn');
    await until(() => `coturn listens\n${child.tail()}`, () => udpListens(port, child), { limit_ms: 15_000 });
    return port;
  }

  /** Our server on both loopback addresses, with relay addresses of both families. */
  async startOffhook(name, flags) {
    const relays = ['--relay-address', '127.0.0.1', '--relay-address', '::1'];
    const server = await Offhook.start(this.binary, {
      flags: ['--secret', secret, '--rfc5766-channels', ...relays, ...flags],
      addresses: ['127.0.0.1', '::1'],
      log: this.log(name),
    });
    this.servers = [...(this.servers ?? []), server];
    return server;
  }

  mint(ttl_s) {
    const args = ['credentials', '--user', user, '--secret', secret, '--ttl', String(ttl_s), '--json'];
    return JSON.parse(execFileSync(this.binary, args, { encoding: 'utf8', timeout: 10_000 }));
  }

  /**
   * Runs `check` against the server on `port`. `credentials` are the tool's flags, `shown` what the docs print instead;
   * `fill` puts values in the place of words in the check's own flags; `judge` returns what is wrong, or null.
   */
  async run(group, check, port, credentials, { shown = credentials, limit_ms = run_limit_ms, fill = (flags) => flags, judge }) {
    const title = `${group}: ${check.what}`;
    if (!title.includes(this.only)) return;
    const flags = fill(check.flags).flatMap((flag) => (flag === 'PEER' ? ['-r', String(this.peer_port)] : [flag]));
    const log = this.log(`run-${this.rows.length}-${Math.random().toString(36).slice(2)}`);
    const run = await runUclient([...flags, ...credentials, '-p', String(port), check.server], { log, limit_ms });
    const problem = judge(run);
    const command = [tool, ...check.flags.flatMap((flag) => (flag === 'PEER' ? ['-r', '3480'] : [flag])), ...shown, check.server];
    const result = problem ?? (check.sends ? `${run.sent} sent, ${run.received} received, ${run.sent - run.received} lost` : check.outcome ?? 'refused');
    this.rows.push({ group, what: check.what, command: command.map(quoted).join(' '), result, passed: problem === null });
    console.log(`${problem === null ? 'ok    ' : 'FAILED'} ${title}: ${result}`);
    if (problem) console.log(`${command.join(' ')}\n${run.printed.trimEnd().split('\n').slice(-15).join('\n')}`.replace(/^/gm, '    '));
  }

  /** Runs all of them, several at once, and leaves their rows in the order of `checks`. */
  async runAll(checks, one) {
    const first = this.rows.length;
    const waiting = [...checks];
    const work = async () => {
      for (let check = waiting.shift(); check; check = waiting.shift()) await one(check);
    };
    await Promise.all(Array.from({ length: runs_at_once }, work));
    const place = (row) => checks.findIndex((check) => check.what === row.what);
    this.rows.push(...this.rows.splice(first).sort((a, b) => place(a) - place(b)));
  }

  fail(group, what, problem) {
    this.rows.push({ group, what, command: '', result: problem, passed: false });
    console.log(`FAILED ${group}: ${what}: ${problem}`);
  }

  async close() {
    for (const server of this.servers ?? []) {
      const end = await server.stop();
      if (end.code !== 0) this.fail('offhook', 'ends well', `${JSON.stringify(end)}\n${server.child.tail()}`);
    }
    await Promise.all(this.children.map((child) => child.stop(2000)));
  }
}

/** Whether a UDP socket is bound to `port`; the kernel's own table says so. */
function udpListens(port, child) {
  if (!child.running) throw new Error(`${child.name} ended: ${JSON.stringify(child.end)}\n${child.tail()}`);
  const hex = `:${port.toString(16).toUpperCase().padStart(4, '0')} `;
  return ['/proc/net/udp', '/proc/net/udp6'].some((file) => fs.readFileSync(file, 'utf8').includes(hex));
}

function quoted(word) {
  return /^[\w./:=-]+$/.test(word) ? word : `'${word}'`;
}

const rest_secret = ['-u', user, '-W', secret];
const shown_secret = ['-u', user, '-W', 'SECRET'];

async function checkCoturnAcceptsUs(bench) {
  const group = 'coturn with our credential';
  const port = await bench.startCoturn();
  const { username, credential } = bench.mint(3600);
  const shown = ['-u', 'USERNAME', '-w', 'CREDENTIAL'];
  await bench.runAll(againstCoturn, (check) =>
    bench.run(group, check, port, ['-u', username, '-w', credential], { shown, judge: (run) => lossOf(run, check.sends) }),
  );
  const spoilt = { what: 'a credential changed by one letter is refused', flags: ['-n', '5', '-e', '127.0.0.1', 'PEER'], server: '127.0.0.1' };
  const changed = (credential.startsWith('A') ? 'B' : 'A') + credential.slice(1);
  await bench.run(group, spoilt, port, ['-u', username, '-w', changed], {
    shown: ['-u', 'USERNAME', '-w', 'CHANGED'],
    judge: (run) => acceptanceOf(run, /Cannot complete Allocation/),
  });
}

async function checkToolsAcceptUs(bench, server) {
  await bench.runAll(passes, (check) =>
    bench.run('relayed by offhook', check, server.port, rest_secret, { shown: shown_secret, judge: (run) => lossOf(run, check.sends, check.tolerated) }),
  );
}

async function checkTls(bench, server) {
  const at = (port, judge) => (check) =>
    bench.run('relayed by offhook over TLS', check, port, rest_secret, { shown: shown_secret, judge: (run) => judge(run, check.sends, check.tolerated) });
  const bridge = await tlsBridge(server.tls_port);
  await bench.runAll(bridgedPasses, at(bridge.port, lossOf));
  bridge.close();
  await bench.runAll(tlsPasses, at(server.tls_port, lossByTlsOf));
  await bench.runAll(tlsAtTurnPort, at(server.port, lossByTlsOf));
  await bench.runAll(inTheClearAtTlsPort, at(server.tls_port, lossOf));
}

async function checkRefusals(bench, server) {
  const good = bench.mint(3600);
  const expired = bench.mint(1);
  const expiry_s = Number(expired.username.split(':')[0]);
  await until('the credential has expired', () => Date.now() / 1000 > expiry_s + 1, { limit_ms: 10_000 });
  const words = { USERNAME: good.username, OLD_USERNAME: expired.username, OLD_CREDENTIAL: expired.credential };
  const fill = (flags) => flags.map((flag) => words[flag] ?? flag);
  await bench.runAll(refusals, (check) =>
    bench.run('refused by offhook', check, server.port, check.own_credentials ? [] : rest_secret, {
      shown: check.own_credentials ? [] : shown_secret,
      fill,
      judge: (run) => acceptanceOf(run, check.refusal),
    }),
  );
}

async function checkDeniedPeers(bench) {
  const server = await bench.startOffhook('strict', []);
  await bench.runAll(deniedPeers, (check) =>
    bench.run('refused by offhook without --dev', check, server.port, rest_secret, {
      shown: shown_secret,
      judge: (run) => acceptanceOf(run, check.refusal),
    }),
  );
  for (const check of silentPeers) {
    await bench.run('refused by offhook without --dev', check, server.port, rest_secret, {
      shown: shown_secret,
      judge: (run) => (run.received === 0 ? null : `${run.received} of ${run.sent} messages came through`),
    });
  }
}

async function checkNonsense(bench, server) {
  for (const check of nonsense) {
    const row = { ...check, outcome: `${nonsense_ms / 1000} s of it, then stopped: the server serves on` };
    await bench.run('nonsense', row, server.port, rest_secret, {
      shown: shown_secret,
      limit_ms: nonsense_ms,
      judge: () => (server.child.running ? null : `the server ended: ${JSON.stringify(server.child.end)}`),
    });
  }
  const after = { ...passes[0], what: 'afterwards: UDP, channels' };
  await bench.run('nonsense', after, server.port, rest_secret, { shown: shown_secret, judge: (run) => lossOf(run, after.sends) });
}

function writeDoc(file, rows) {
  const groups = [...new Set(rows.map((row) => row.group))];
  const cell = (text) => text.replaceAll('|', '\\|');
  const table = (group) => {
    const lines = rows.filter((row) => row.group === group).map(({ what, command, result }) => `| ${cell(what)} | \`${cell(command)}\` | ${cell(result)} |`);
    return [`## ${group[0].toUpperCase()}${group.slice(1)}`, '', '| what | command | result |', '|---|---|---|', ...lines, ''].join('\n');
  };
  fs.writeFileSync(file, [intro, ...groups.map(table)].join('\n'));
}

const intro = `# Beside coturn

Every run of Debian's coturn tools (package \`coturn\`) against offhook, and of a real coturn with a credential minted by
offhook. \`node tests/interop/coturn.mjs\` runs all of them, \`./test interop\` too; \`--doc docs/interop.md\` writes this page.

The servers and \`turnutils_peer\` stand on loopback (\`turnutils_peer -L 127.0.0.1 -L ::1\`), ports are the default ones here
and free ones in the test. offhook is started with

    offhook serve --dev --rfc5766-channels --secret SECRET --listen-address 127.0.0.1 --listen-address ::1 \\
      --relay-address 127.0.0.1 --relay-address ::1

and coturn with \`turnserver -n --use-auth-secret --static-auth-secret=SECRET --allow-loopback-peers --realm=coturn.test\`.
Debian's tool is older than RFC 8656 and draws channel numbers up to 0x7FFF: hence \`--rfc5766-channels\`.
The tool's \`-Z\` (both address families) is not among them: it asks with the attribute number of a draft (0x8032), not with
ADDITIONAL-ADDRESS-FAMILY of RFC 8656 (0x8000). By TLS of its own the tool (\`-S\`) loses
messages with every server, a coturn included: there a quarter has to come back. With TLS put around its TCP on the way
(\`tests/interop/tls_bridge.mjs\`, TURN port of the command stands for the bridge) nothing may be lost.

USERNAME and CREDENTIAL come from \`offhook credentials --user alice --secret SECRET --json\`.
`;

async function main() {
  const { values } = parseArgs({ options });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const begin = Date.now();
  const bench = new Bench(values);
  try {
    await bench.startPeer();
    await checkCoturnAcceptsUs(bench);
    const server = await bench.startOffhook('offhook', ['--dev']);
    await checkToolsAcceptUs(bench, server);
    await checkTls(bench, server);
    await checkRefusals(bench, server);
    await checkDeniedPeers(bench);
    await checkNonsense(bench, server);
  } catch (error) {
    bench.fail('the test itself', 'runs to its end', error.stack);
  } finally {
    await bench.close();
  }
  if (values.doc) writeDoc(values.doc, bench.rows);
  const passed = bench.rows.filter((row) => row.passed).length;
  console.log(`${((Date.now() - begin) / 1000).toFixed(0)} s in all`);
  console.log(`${passed} passed, ${bench.rows.length - passed} failed`);
  return passed === bench.rows.length && passed > 0 ? 0 : 1;
}

process.exit(await main());
