// What a scenario plays on: a server, people in browsers, proxies between them. Closing it ends all of it.

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

import { Offhook } from './offhook.mjs';
import { makeCertificate } from './certificate.mjs';
import { Person } from './person.mjs';
import { RelayGate } from './relay_gate.mjs';
import { SignalProxy } from './signal_proxy.mjs';

const chromium_path = process.env.OFFHOOK_CHROMIUM ?? '/usr/bin/chromium';
const page_scripts = ['./page_frames.js', './witness.js'].map((name) => fileURLToPath(new URL(name, import.meta.url)));
const launch_limit_ms = 30_000;

const desk = { width: 1100, height: 760 };

const chromium_flags = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--no-proxy-server',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--use-fake-device-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
];

export class Stage {
  #browsers = [];
  #proxies = [];
  #gates = [];
  #servers = [];
  #trusted = [];
  people = [];

  constructor({ binary, directory }) {
    this.binary = binary;
    this.directory = directory;
    fs.mkdirSync(directory, { recursive: true });
  }

  /** Starts a server; the people who come later meet there. */
  async serve(flags = []) {
    const log = path.join(this.directory, `server-${this.#servers.length}.log`);
    fs.rmSync(log, { force: true });
    this.server = await Offhook.start(this.binary, { flags: ['--dev', ...flags], log });
    this.#servers.push(this.server);
    return this.server;
  }

  /** The same with a certificate, which browsers that start from now on trust; people come by https. */
  async serveByTls(flags = []) {
    const { cert, key, public_key_hash } = makeCertificate(this.directory);
    this.#trusted = [`--ignore-certificate-errors-spki-list=${public_key_hash}`];
    const server = await this.serve(['--cert', cert, '--key', key, ...flags]);
    server.origin = server.tls_origin;
    return server;
  }

  /** `fps`: of its camera, where many pictures at a time are more than a machine encodes. */
  async browser({ asks_for_media = false, fps } = {}) {
    const own_flags = [...chromium_flags, ...this.#trusted];
    if (fps) own_flags.push(`--use-fake-device-for-media-stream=fps=${fps}`);
    const args = asks_for_media ? own_flags : [...own_flags, '--use-fake-ui-for-media-stream'];
    // headless: false keeps the driver from adding a --headless of its own beside ours.
    const browser = await chromium.launch({ executablePath: chromium_path, headless: false, args, timeout: launch_limit_ms });
    this.#browsers.push(browser);
    return browser;
  }

  async proxy(options) {
    const proxy = await SignalProxy.start(this.server.origin, options);
    this.#proxies.push(proxy);
    return proxy;
  }

  async relayGate() {
    const gate = await RelayGate.start(this.server.port);
    this.#gates.push(gate);
    return gate;
  }

  /**
   * A person on a page, in a browser of their own unless `browser` or `context` (a tab beside another) is given. With
   * `relay_port` the relay is looked for at that port; with `raw_audio` what they say is sent as loud as it is.
   */
  async person(name, { query, by_hand, through, browser, context, viewport = desk, denied = false, relay_port, raw_audio = false } = {}) {
    const own = context ?? (await (browser ?? (await this.browser({ asks_for_media: denied }))).newContext({ viewport }));
    if (relay_port) await own.addInitScript((port) => (window.__relay_port = port), relay_port);
    if (raw_audio) await own.addInitScript(() => (window.__raw_audio = true));
    if (!context) for (const path of page_scripts) await own.addInitScript({ path });
    // An explicit empty list refuses every permission without asking, as a person does who pressed "block".
    if (denied) await own.grantPermissions([]);
    const person = new Person(name, await own.newPage());
    this.people.push(person);
    await person.signIn(through?.origin ?? this.server.origin, { query, by_hand });
    return person;
  }

  /** Closes the page of a person, who is gone then. */
  async leave(person) {
    await person.page.close();
    await person.page.context().close();
    this.people = this.people.filter((one) => one !== person);
  }

  /** Throws what a page threw and nobody caught, and what the server sent to a proxy out of order. */
  checkPages() {
    if (this.problems.length > 0) throw new Error(this.problems.join('\n'));
  }

  /** What has gone wrong in the pages so far, whether or not a step has failed by it. */
  get problems() {
    const thrown = this.people.flatMap((person) => person.problems.map((problem) => `${person.name}: ${problem}`));
    const early = this.#proxies.flatMap((proxy) => proxy.violations.map((what) => `a candidate before its description: ${what}`));
    return [...thrown, ...early];
  }

  async describe() {
    const people = await Promise.all(this.people.map((person) => person.describe()));
    const servers = this.#servers.map((server) => `--- server\n${server.child.tail(60)}`);
    return [...people, ...servers].join('\n');
  }

  /** Ends everything; throws if a server did not end well. */
  async close() {
    const browsers = await Promise.allSettled(this.#browsers.map((browser) => browser.close()));
    const proxies = await Promise.allSettled([...this.#proxies, ...this.#gates].map((proxy) => proxy.close()));
    const ends = await Promise.all(this.#servers.map((server) => server.stop()));
    const failed = [...browsers, ...proxies].find((one) => one.status === 'rejected');
    if (failed) throw failed.reason;
    const bad = ends.findIndex((end) => end.code !== 0);
    if (bad >= 0) throw new Error(`the server ended with ${JSON.stringify(ends[bad])}\n${this.#servers[bad].child.tail()}`);
  }
}
