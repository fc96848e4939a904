// Runs inside a client's network namespace and drives one browser there. One JSON object a line: requests
// {id, do, ...} on standard input, answers {id, value} or {id, error} on standard output. Ends when its input does.

import fs from 'node:fs';
import readline from 'node:readline';

import { launchChromium } from './chromium.mjs';
import { launchFirefox } from './firefox.mjs';

const launchers = { chromium: launchChromium, firefox: launchFirefox };
const step_limit_ms = 60_000;
const kept_lines = 300;

let browser = null;
let context = null;
let page = null;
/** What the tab was made for. */
let prepared = null;
let printed = [];

function keep(line) {
  printed.push(`${Date.now()} ${line}`);
  if (printed.length > kept_lines) printed.shift();
}

async function prepare(scripts, lab_options) {
  context = await browser.newContext({ ignoreHTTPSErrors: false, viewport: { width: 640, height: 480 } });
  const text = scripts.map((file) => fs.readFileSync(file, 'utf8')).join('\n;\n');
  await context.addInitScript({ content: `window.__lab_options = ${JSON.stringify(lab_options)};\n${text}` });
  page = await context.newPage();
  page.setDefaultTimeout(step_limit_ms);
  page.on('console', (message) => keep(`${message.type()} ${message.text()}`));
  page.on('pageerror', (error) => keep(`uncaught ${error.stack ?? error.message}`));
  page.on('crash', () => keep('the page crashed'));
}

const verbs = {
  async launch({ kind, ...options }) {
    browser = await launchers[kind](options);
    return browser.version();
  },

  /**
   * A fresh document at `url`, with the files of `scripts` run before anything in it; in the tab of the one before if that had
   * the same scripts, as a new tab costs a process.
   */
  async open({ url, scripts, lab_options = {} }) {
    const wanted = JSON.stringify([new URL(url).origin, scripts, lab_options]);
    if (wanted !== prepared) {
      await verbs.close_tab();
      await prepare(scripts, lab_options);
      prepared = wanted;
    }
    printed = [];
    await page.goto(url, { timeout: step_limit_ms, waitUntil: 'commit' });
    // The commit may come before the scripts of the new document have run.
    await page.waitForFunction('window.__lab !== undefined', null, { polling: 20 });
    return page.url();
  },

  /** Calls `window[of][name](...args)` in the page. */
  run({ of, name, args = [] }) {
    return page.evaluate(({ of, name, args }) => window[of][name](...args), { of, name, args });
  },

  async screenshot({ file }) {
    await page.screenshot({ path: file });
  },

  lines() {
    return printed;
  },

  /** Whatever the page still did ends here: encoding goes on in a document that is kept. */
  async close_page() {
    await page?.goto('about:blank');
  },

  async close_tab() {
    const [old_context] = [context];
    [context, page, prepared] = [null, null, null];
    await old_context?.close();
  },

  async quit() {
    await browser?.close();
    browser = null;
  },
};

function answer(body) {
  process.stdout.write(`${JSON.stringify(body)}\n`);
}

async function handle({ id, do: verb, ...request }) {
  try {
    answer({ id, value: (await verbs[verb](request)) ?? null });
  } catch (error) {
    answer({ id, error: error.stack ?? String(error) });
  }
}

const lines = readline.createInterface({ input: process.stdin });
lines.on('line', (line) => void handle(JSON.parse(line)));
lines.on('close', async () => {
  await verbs.quit();
  process.exit(0);
});
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => lines.close());
