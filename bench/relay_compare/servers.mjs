// The servers under test: how each is started for one round, on one core, with one relay thread unless more are asked for.
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { addresses } from './network.mjs';

export const port = 3478;
export const tlsPort = 5349;
export const transports = ['udp', 'tcp', 'tls'];
// What is loaded: bench/relay --help says more.
export const modes = ['relay', 'calls', 'relay-to-relay'];
export const secret = 'bench-secret-of-32-bytes-or-more';
const realm = 'bench.invalid';
const relayPorts = { low: 20000, high: 59999 };
export const forwardPort = 20000;
const clientPort = 40000; // of the generator
const peerPort = 50000; // the same
const startOfServer_ms = 10000;
const endOfServer_ms = 10000;

const commands = {
  coturn: ({ program, directory, transport, certificate, threads }) => [
    program, '-n', '--use-auth-secret', `--static-auth-secret=${secret}`, `--realm=${realm}`,
    `--listening-ip=${addresses.serverForClients}`, `--listening-port=${port}`,
    `--relay-ip=${addresses.serverForPeers}`, `--min-port=${relayPorts.low}`, `--max-port=${relayPorts.high}`,
    `--relay-threads=${threads}`, '--no-dtls', '--no-cli', '--no-rfc5780', ...(transport === 'udp' ? ['--no-tcp'] : []),
    ...(transport === 'tls' ? [`--tls-listening-port=${tlsPort}`, `--cert=${certificate.cert}`, `--pkey=${certificate.key}`] : ['--no-tls']),
    '--log-file=stdout',
    `--userdb=${join(directory, 'turndb')}`, `--pidfile=${join(directory, 'turnserver.pid')}`,
  ],
  offhook: how => offhook('off', how),
  'offhook-xdp': how => offhook('xdp', how),
  'offhook-tc': how => offhook('tc', how),
  pion: ({ program, transport, certificate, threads }) => [
    'env', `GOMAXPROCS=${threads}`, program, '-listen', `${addresses.serverForClients}:${port}`,
    '-relay-address', addresses.serverForPeers, '-min-port', String(relayPorts.low), '-max-port', String(relayPorts.high),
    '-realm', realm, '-secret', secret, ...(transport === 'tls' ? ['-tls-listen', `${addresses.serverForClients}:${tlsPort}`, '-cert', certificate.cert, '-key', certificate.key] : []),
  ],
  nat: forwarding,
};

/** A program of bench/pion and Debian's packages alone; nothing is fetched. Throws what the compiler says. */
export function buildPion(go, source, program) {
  mkdirSync(dirname(program), { recursive: true });
  execFileSync(go, ['build', '-o', program, join(source, 'main.go')], {
    env: { ...process.env, GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOCACHE: join(dirname(program), 'go-cache'), GOPROXY: 'off' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

/** For this run alone; nobody checks it. Files of `directory`. */
export function makeCertificate(directory) {
  const [cert, key] = ['certificate.pem', 'key.pem'].map(name => join(directory, name));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
    '-subj', `/CN=${realm}`, '-keyout', key, '-out', cert], { stdio: ['ignore', 'ignore', 'pipe'] });
  return { cert, key };
}

function offhook(fastPath, { program, directory, transport, certificate, threads }) {
  const tls = transport === 'tls' ? ['--tls-port', String(tlsPort), '--cert', certificate.cert, '--key', certificate.key] : [];
  return [
    program, 'serve', '--fast-path', fastPath, '--listen-address', addresses.serverForClients, '--port', String(port),
    '--relay-address', addresses.serverForPeers, '--relay-ports', `${relayPorts.low}-${relayPorts.high}`,
    '--secret', secret, '--realm', realm, '--shards', String(threads), '--allow-peer', addresses.peers,
    '--state-dir', join(directory, 'state'), '--http-port', '8080', ...tls,
  ];
}

// The yardstick: the kernel's own forwarding. Ports of the server lead to the peers, and what comes back finds its client.
function forwarding({ program, directory, allocations }) {
  const rules = join(directory, 'rules.nft');
  const firstPeer = addresses.peers.split('/')[0].split('.').map(Number);
  const peer = index => [...firstPeer.slice(0, 2), (index + 1) >> 8, (index + 1) & 255].join('.');
  const entries = Array.from({ length: allocations }, (_, index) => `${forwardPort + index} : ${peer(index)} . ${peerPort}`);
  writeFileSync(rules, `table ip offhook_bench {
  map peers { type inet_service : ipv4_addr . inet_service; elements = { ${entries.join(', ')} } }
  chain in { type nat hook prerouting priority -100; ip daddr ${addresses.serverForClients} dnat ip to udp dport map @peers; }
  chain out { type nat hook postrouting priority 100; ip daddr ${addresses.peers} snat to ${addresses.serverForPeers}; }
}
`);
  return ['sh', '-c', `
    trap 'kill "$!"; "$1" delete table ip offhook_bench; echo 0 > /proc/sys/net/ipv4/ip_forward; exit 0' TERM
    "$1" -f "$2" && echo 1 > /proc/sys/net/ipv4/ip_forward && echo forwarding
    sleep infinity & wait`, 'sh', program, rules];
}

export const kinds = Object.keys(commands);
export const programOf = kind => (kind === 'nat' ? 'nft' : kind.split('-')[0]);
// Those whose packets the kernel relays.
export const inKernel = kind => kind !== programOf(kind);
export const ofForwarding = { port: forwardPort, from: `${addresses.serverForPeers}:${clientPort}` };

export class Server {
  // Starts it inside the namespace, pinned to the core. `how`: { program, directory, transport, certificate, allocations,
  // threads }; the directory is its own and empty.
  constructor(kind, namespace, core, how) {
    const { directory } = how;
    mkdirSync(directory, { recursive: true });
    this.kind = kind;
    this.output = join(directory, 'output.log');
    const output = openSync(this.output, 'w');
    // exec all the way: the pid that we hold is the server's own.
    const command = commands[kind](how);
    // Not by ip(8), which hides the control groups in which a server looks for filters.
    this.child = spawn('nsenter', [`--net=/run/netns/${namespace}`, 'taskset', '-c', String(core),
      'sh', '-c', 'ulimit -n "$(ulimit -Hn)"; exec "$@"', 'sh', ...command], { stdio: ['ignore', output, output] });
    closeSync(output);
    this.ended = new Promise(resolve => {
      this.child.once('exit', (code, signal) => resolve(signal ?? `status ${code}`));
      this.child.once('error', error => resolve(error.message));
    });
  }

  get pid() { return this.child.pid; }
  get running() { return this.pid !== undefined && this.child.exitCode === null && this.child.signalCode === null; }

  // Until the kernel relays or forwards for it; an error if it does without the fast path that it was asked for. The
  // generator waits for all others itself.
  async kernelServes() {
    const [word, otherwise] = this.kind === 'nat' ? ['forwarding', 'it does not forward'] : ['relay: fast path on', 'it has no fast path'];
    for (const until = Date.now() + startOfServer_ms; this.running && Date.now() < until;) {
      const said = readFileSync(this.output, 'utf8');
      if (said.includes(word)) return;
      if (said.includes('relay: no fast path')) break;
      await new Promise(resolve => setTimeout(resolve, 50));
    }
    throw new Error(otherwise);
  }

  lastWords() {
    const said = readFileSync(this.output, 'utf8').trim() || '(it said nothing)';
    return said.split('\n').slice(-15).map(line => `    ${line}`).join('\n');
  }

  async stop() {
    if (this.running) this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), endOfServer_ms);
    await this.ended;
    clearTimeout(timer);
  }

  // For an exit that cannot wait.
  kill() {
    if (this.running) this.child.kill('SIGKILL');
  }
}
