// Network namespaces: make, run in, remove. Every name begins with the process that made it, so that what a crashed
// process left behind can be told from what is in use.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const PREFIX = 'offhook-lab';
const LINK_UP_MS = 5000; // it takes a millisecond, and up to a second if many links came up just before
const LINK_LOOK_MS = 5;
const NAMESPACES = '/run/netns';
const ETC = '/etc/netns';

export function namespacePrefix(name) {
  return `${PREFIX}-${process.pid}-${name}`;
}

function must(result, what) {
  if (result.error) throw new Error(`lab: ${what}: ${result.error.message}`);
  if (result.status !== 0) throw new Error(`lab: ${what}: ${String(result.stderr).trim() || `exit status ${result.status}`}`);
  return String(result.stdout);
}

/** Runs one `ip -batch` outside of any namespace. */
export function ipBatch(lines) {
  if (lines.length === 0) return;
  must(spawnSync('ip', ['-batch', '-'], { input: lines.join('\n') + '\n' }), `ip -batch (${lines[0]} ...)`);
}

export function addNamespaces(names) {
  ipBatch(names.map((name) => `netns add ${name}`));
}

/** @param {string[]} names */
export function removeNamespaces(names) {
  const there = () => names.filter((name) => existsSync(`${NAMESPACES}/${name}`));
  const orders = there().map((name) => `netns delete ${name}`);
  // Forced: another run may be removing the same leftovers. What counts is that they are gone.
  const result = spawnSync('ip', ['-force', '-batch', '-'], { input: orders.join('\n') + '\n' });
  if (there().length > 0) must(result, 'removing namespaces');
  for (const name of names) rmSync(`${ETC}/${name}`, { recursive: true, force: true });
}

/** Files that programs of the namespace see in /etc in place of the machine's. */
export function writeEtc(name, file, text) {
  mkdirSync(`${ETC}/${name}`, { recursive: true });
  writeFileSync(`${ETC}/${name}/${file}`, text);
}

/**
 * What a namespace is set up with: sysctl, then ip, then nft; lines for ip that begin with -6 come after the others.
 * Devices are made with what sysctl says at that moment: one that was made before it would look for duplicates of its
 * link-local address for two seconds, in which its machine cannot ask for a neighbour.
 * @param {{sysctl?: Record<string, string|number>, ip?: string[], nft?: string}} setup
 */
function script({ sysctl = {}, ip = [], nft = '' }) {
  const lines = ['set -e'];
  // `rule` does not see by an address that it is one of IPv6; a batch has one family.
  const of6 = ip.filter((line) => line.startsWith('-6 ')).map((line) => line.slice(3));
  const others = ip.filter((line) => !line.startsWith('-6 '));
  for (const [key, value] of Object.entries(sysctl)) lines.push(`echo ${value} > /proc/sys/${key}`);
  if (others.length > 0) lines.push("ip -batch - <<'END_OF_IP'", ...others, 'END_OF_IP');
  if (of6.length > 0) lines.push("ip -6 -batch - <<'END_OF_IP'", ...of6, 'END_OF_IP');
  if (nft !== '') lines.push("nft -f - <<'END_OF_NFT'", nft, 'END_OF_NFT');
  return lines.join('\n') + '\n';
}

/** Sets up a namespace; rejects with what the tools said. */
export function setUp(name, setup) {
  return new Promise((resolve, reject) => {
    const child = spawn('nsenter', [`--net=${NAMESPACES}/${name}`, 'sh', '-s'], { stdio: ['pipe', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (text) => (said += text));
    child.on('error', reject);
    child.on('close', (status) => {
      if (status === 0) resolve();
      else reject(new Error(`lab: setting up ${name}: ${said.trim() || `exit status ${status}`}`));
    });
    child.stdin.end(script(setup));
  });
}

/** As setUp(), but returns when it is done: for changes whose moment counts. */
export function setUpNow(name, setup) {
  must(spawnSync('nsenter', [`--net=${NAMESPACES}/${name}`, 'sh', '-s'], { input: script(setup) }), `changing ${name}`);
}

/** Resolves when the kernel carries packets over a device whose link was set up; rejects if that takes too long. */
export async function linkIsUp(name, device) {
  for (const begin = Date.now(); Date.now() - begin < LINK_UP_MS; await delay(LINK_LOOK_MS)) {
    const said = must(spawnSync('ip', ['-n', name, '-json', 'link', 'show', 'dev', device]), `looking at ${device} of ${name}`);
    if (JSON.parse(said)[0].operstate === 'UP') return;
  }
  throw new Error(`lab: ${device} of ${name} did not come up within ${LINK_UP_MS} ms`);
}

/** Runs the tasks, a few at a time. */
export async function allOf(tasks, atOnce = 4) {
  const waiting = tasks.slice();
  const work = async () => {
    for (let task = waiting.shift(); task; task = waiting.shift()) await task();
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}

/** Processes that run in the namespace. */
export function processesIn(name) {
  const result = spawnSync('ip', ['netns', 'pids', name]);
  return String(result.stdout).split('\n').filter(Boolean).map(Number);
}

/** Ends what still runs in namespaces that this laboratory made. */
export function endProcessesIn(names) {
  for (const name of names) {
    for (const pid of processesIn(name)) {
      if (pid !== process.pid) endProcess(pid);
    }
  }
}

function endProcess(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

function isAlive(pid) {
  return existsSync(`/proc/${pid}`);
}

/** Namespaces whose maker is gone. */
export function leftovers() {
  const names = new Set();
  for (const folder of [NAMESPACES, ETC]) {
    if (!existsSync(folder)) continue;
    for (const name of readdirSync(folder)) {
      const maker = name.match(/^offhook-lab-(\d+)-/);
      if (maker && !isAlive(Number(maker[1]))) names.add(name);
    }
  }
  return [...names];
}

export function removeLeftovers() {
  const names = leftovers();
  endProcessesIn(names.filter((name) => existsSync(`${NAMESPACES}/${name}`)));
  removeNamespaces(names);
  return names;
}
