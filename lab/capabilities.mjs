// What this machine and this server can do. What they cannot is told, and counts as not run.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { supported } from './network/index.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const programs = {
  chromium: [process.env.OFFHOOK_CHROMIUM ?? 'chromium', 'chromium'],
  firefox: [process.env.OFFHOOK_FIREFOX ?? 'firefox-esr', 'firefox-esr'],
  coturn: ['turnserver', 'coturn'],
};
/** For TLS that browsers trust. */
const tls_programs = { certutil: 'libnss3-tools', openssl: 'openssl' };

const found = (program) => spawnSync('sh', ['-c', `command -v "${program}"`]).status === 0;

/** The newest of the release and the dev build; null if there is none. */
export function newestBinary() {
  const built = ['release', 'dev'].map((preset) => path.join(root, 'build', preset, 'offhook')).filter((file) => fs.existsSync(file));
  const age = (file) => fs.statSync(file).mtimeMs;
  return built.sort((one, other) => age(other) - age(one))[0] ?? null;
}

export class Capabilities {
  #missing = new Map();
  #help;

  static async find(binary) {
    const capabilities = new Capabilities();
    capabilities.#help = spawnSync(binary, ['serve', '--help'], { encoding: 'utf8' }).stdout;
    const networks = await supported();
    if (!networks.ok) capabilities.#missing.set('networks', networks.missing.join(', '));
    for (const [name, [program, debian]] of Object.entries(programs)) {
      if (!found(program)) capabilities.#missing.set(name, `${debian} is not installed`);
    }
    const tls = Object.keys(tls_programs).filter((program) => !found(program)).map((program) => tls_programs[program]);
    if (!capabilities.serverHas('--tls-port')) tls.push('a server with --tls-port');
    if (tls.length > 0) capabilities.#missing.set('tls', `no ${tls.join(', no ')}`);
    return capabilities;
  }

  serverHas(flag) {
    return new RegExp(`^ +${flag}\\b`, 'm').test(this.#help);
  }

  get tls() {
    return !this.#missing.has('tls');
  }

  /** Why `cell` cannot be played here; null if it can. */
  lacking(cell) {
    for (const need of ['networks', ...cell.needs]) {
      if (this.#missing.has(need)) return this.#missing.get(need);
      if (need.startsWith('--') && !this.serverHas(need)) return `this server has no ${need}`;
    }
    return null;
  }
}
