// A person in front of the call page: what they see and press, by the page's test ids.

import { until } from './processes.mjs';

const sign_in_limit_ms = 15_000;
const press_limit_ms = 10_000;

export class Person {
  constructor(name, page) {
    this.name = name;
    this.page = page;
    /** What the page threw and nobody caught. */
    this.problems = [];
    page.on('pageerror', (error) => this.problems.push(`uncaught: ${error.stack ?? error.message}`));
    page.on('crash', () => this.problems.push('the page crashed'));
    page.setDefaultTimeout(press_limit_ms);
  }

  get(id) {
    return this.page.getByTestId(id);
  }

  /** Opens the page and signs in. With `by_hand` the name is typed; else the address names the person. */
  async signIn(origin, { query = {}, by_hand = false } = {}) {
    const parameters = new URLSearchParams(by_hand ? query : { name: this.name, ...query });
    await this.page.goto(`${origin}/?${parameters}`);
    const button = this.get('sign-in');
    const ready = this.get('callee-input');
    // A browser that knows the person from another tab signs in by itself.
    await button.or(ready).first().waitFor({ state: 'visible' });
    if (by_hand) await this.get('name-input').fill(this.name);
    if (await button.isVisible()) await button.click();
    await ready.waitFor({ state: 'visible', timeout: sign_in_limit_ms });
  }

  /** Waits until the SDK has its warm connection, and returns how many connections stand open then. */
  async untilWarm(limit_ms = 10_000) {
    const warm = async () => (await this.count()).open > 0;
    await until(`${this.name} has a warm connection`, warm, { limit_ms });
    return (await this.count()).open;
  }

  async dial(callee, kind = 'video') {
    await this.page.evaluate(() => window.__witness.reset());
    if (await this.get('done').isVisible()) await this.get('done').click();
    await this.get('callee-input').fill(callee);
    await this.get(`dial-${kind}`).click();
  }

  /** Fills in whom to call, and dials when this machine's clock shows `at_ms`, whatever the page shows by then. */
  async dialAt(callee, at_ms, kind = 'video') {
    await this.page.evaluate(() => window.__witness.reset());
    if (await this.get('done').isVisible()) await this.get('done').click();
    await this.get('callee-input').fill(callee);
    const due = (button, at) => new Promise((resolve) => setTimeout(() => resolve(button.click()), at - Date.now()));
    await this.get(`dial-${kind}`).evaluate(due, at_ms);
  }

  /** From now on every incoming call is answered the moment it shows, or none is. */
  async answerInstantly(on = true) {
    await this.page.evaluate((value) => {
      window.__witness.reset();
      window.__witness.instant_accept = value;
    }, on);
  }

  /** The state of the newest call of this page, answered or not; null before the first. */
  state() {
    return this.page.evaluate(() => window.__witness.call?.state ?? null);
  }

  async untilState(state, limit_ms = 15_000) {
    let last;
    const reached = async () => (last = await this.state()) === state;
    await until(() => `${this.name}: state '${state}', it is '${last}'`, reached, { limit_ms });
  }

  /** The call of this page is answered, whether its media flows or not. */
  async untilAnswered() {
    const answered = async () => ['connecting', 'connected'].includes(await this.state());
    await until(`${this.name}: the call is answered`, answered, { limit_ms: 10_000 });
  }

  /** A frame with these fields has come from the server. */
  async untilTold(fields) {
    const told = () => this.page.evaluate((wanted) => window.__witness.frames.some((frame) => Object.entries(wanted).every(([key, value]) => frame[key] === value)), fields);
    await until(`${this.name} is told ${JSON.stringify(fields)}`, told, { limit_ms: 10_000 });
  }

  /** The same, as the page shows it while it shows the call. */
  async untilShown(state, limit_ms = 15_000) {
    await this.page.waitForSelector(`[data-testid="call-state"][data-state="${state}"]`, { timeout: limit_ms });
  }

  async untilIncoming(limit_ms = 10_000) {
    await this.get('accept').waitFor({ state: 'visible', timeout: limit_ms });
  }

  /** Waits for the end of the call and checks why it ended, and that the page says so in words. */
  async untilEnded(reason, { limit_ms = 15_000, in_words = true } = {}) {
    await this.untilState('ended', limit_ms);
    const { end_reason, verdict } = await this.report();
    if (end_reason !== reason) throw new Error(`${this.name}: ended with '${end_reason}' (${verdict}), expected '${reason}'`);
    await this.get('accept').waitFor({ state: 'hidden' });
    if (!in_words) return;
    const said = await this.page.locator('body').innerText();
    if (!verdict?.includes(' ') || !said.includes(verdict)) throw new Error(`${this.name}: the page does not say '${verdict}' but: ${said}`);
  }

  count() {
    return this.page.evaluate(() => window.__witness.count());
  }

  /** RTP of all connections, and the kinds of remote candidates that they know. */
  wire() {
    return this.page.evaluate(() => window.__witness.wire());
  }

  /** One value of the page's witness. */
  noted(name) {
    return this.page.evaluate((key) => window.__witness[key], name);
  }

  /** How long at most no packet has come since watchGaps(). */
  async longestGap() {
    return Math.round(await this.noted('longest_gap_ms'));
  }

  async watchGaps() {
    await this.page.evaluate(() => void window.__witness.watchGaps());
  }

  /** The browser tells this page that its network is another one. */
  changeNetwork() {
    return this.page.evaluate(() => window.dispatchEvent(new Event('online')));
  }

  report() {
    return this.page.evaluate(() => JSON.parse(JSON.stringify(window.__witness.call?.report() ?? null)));
  }

  log() {
    return this.get('log').evaluate((list) => [...list.children].map((line) => [...line.childNodes].map((node) => node.textContent).join(' ')).join('\n'));
  }

  /** What helps to understand a failure. Never throws: the page may be what failed. */
  async describe() {
    const asked = await Promise.allSettled([this.state(), this.count(), this.report(), this.log()]);
    const [state, count, report, log] = asked.map((one) => (one.status === 'fulfilled' ? one.value : `(${one.reason})`));
    return [
      `--- ${this.name}: state ${state}`,
      `count  ${JSON.stringify(count)}`,
      `report ${JSON.stringify(report)}`,
      ...this.problems,
      String(log).trimEnd(),
    ].join('\n');
  }
}
