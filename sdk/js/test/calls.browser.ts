// The page and the SDK in Debian's Chromium, two people, against the signalling server of mock_server.ts.
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type {} from '../../../web/src/main.js';
import { launch, signedIn, until } from './browser.js';
import { MockServer } from './mock_server.js';

const root = fileURLToPath(new URL('../../../web/dist', import.meta.url));

let browser: Browser;
let server: MockServer;
let origin: string;
let alice: Page;
let bob: Page;
let faults: string[];

beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());

beforeEach(async () => {
  faults = [];
  server = new MockServer({ root });
  origin = await server.listen();
  alice = await person('alice');
  bob = await person('bob');
});
afterEach(async () => {
  for (const page of [alice, bob]) await page.context().close();
  await server.close();
  expect(faults).toEqual([]);
});

async function person(name: string): Promise<Page> {
  const page = await signedIn(browser, origin, name);
  page.on('pageerror', (error) => faults.push(`${name}: ${error.message}`));
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) faults.push(`${name}: ${message.text()}`);
  });
  return page;
}

async function dial(kind: 'video' | 'audio' = 'video'): Promise<void> {
  await alice.getByTestId('callee-input').fill('bob');
  await alice.getByTestId(`dial-${kind}`).click();
  await bob.getByTestId('accept').waitFor();
}

async function call(kind: 'video' | 'audio' = 'video'): Promise<void> {
  await dial(kind);
  await bob.getByTestId('accept').click();
  await Promise.all([until(alice, 'connected'), until(bob, 'connected')]);
}

const pictureWidth = (page: Page): Promise<number> => page.getByTestId('remote-video').evaluate((video) => (video as HTMLVideoElement).videoWidth);

async function seesPicture(page: Page): Promise<void> {
  await page.waitForFunction(() => (document.getElementById('remote-video') as HTMLVideoElement).videoWidth > 0);
}

describe('two people', () => {
  it('see and hear each other', async () => {
    await call();
    await Promise.all([seesPicture(alice), seesPicture(bob)]);
    for (const page of [alice, bob]) {
      const report = await page.evaluate(() => window.offhook.call?.report());
      expect(report?.path).toBe('direct');
      expect(await page.getByTestId('call-state').textContent()).toMatch(/^Connected in \d\.\d\d s, direct$/);
      expect(Number(await page.getByTestId('connect-time').getAttribute('data-ms'))).toBeGreaterThan(0);
    }
    const log = await alice.getByTestId('log').evaluate((list) => [...list.children].map((line) => line.lastChild?.textContent));
    for (const line of ['offer sent (trickle)', 'ICE [HOST] gathered', 'ICE [HOST] sent at once', 'ICE connected', 'call connected']) {
      expect(log).toContain(line);
    }
    expect(log.some((line) => line?.startsWith('TURN loaded (0 URIs, TTL: 3600 s)'))).toBe(true);
  });

  it('call three times in a row', async () => {
    for (const round of [1, 2, 3]) {
      await call();
      await (round === 2 ? bob : alice).getByTestId('hangup').click();
      for (const page of [alice, bob]) await page.getByTestId('done').click();
    }
    expect(await alice.evaluate(() => window.offhook.client?.calls.length)).toBe(0);
  });

  it('talk without pictures, then one switches the camera on', async () => {
    await call('audio');
    expect(await pictureWidth(alice)).toBe(0);
    await bob.getByTestId('camera').click();
    await seesPicture(alice);
    expect(await alice.getByTestId('camera').getAttribute('aria-pressed')).toBe('false');
  });

  it('mute, switch the camera off and on', async () => {
    await call();
    await alice.getByTestId('mic').click();
    expect(await alice.evaluate(() => window.offhook.call?.localStream?.getAudioTracks()[0]?.enabled)).toBe(false);
    await alice.getByTestId('camera').click();
    await alice.waitForFunction(() => window.offhook.call?.localStream?.getVideoTracks().length === 0);
    await alice.getByTestId('camera').click();
    await alice.waitForFunction(() => window.offhook.call?.localStream?.getVideoTracks()[0]?.readyState === 'live');
  });
});

describe('a call that connects while it rings', () => {
  let warm: MockServer;
  let pages: Page[];

  beforeEach(async () => {
    // What it does not hear comes over the data channel alone.
    warm = new MockServer({ root, warm_path: 'direct', deaf_to: 'accept' });
    const warm_origin = await warm.listen();
    pages = await Promise.all(['carol', 'dave'].map((name) => signedIn(browser, warm_origin, name)));
  });
  afterEach(async () => {
    for (const page of pages) await page.context().close();
    await warm.close();
  });

  const pathOf = (page: Page): Promise<boolean | undefined> =>
    page.evaluate(() => window.offhook.client?.calls[0]?.report().timeline.some((entry) => entry.event === 'ice_connected'));

  it('has its path before the accept, without a device, and speaks at once after it', async () => {
    const [carol, dave] = pages as [Page, Page];
    await dave.evaluate(() => {
      const { getUserMedia } = MediaDevices.prototype;
      const asked: string[] = [];
      Object.assign(window, { asked });
      MediaDevices.prototype.getUserMedia = function (constraints) {
        asked.push(Object.keys(constraints ?? {}).join());
        return getUserMedia.call(this, constraints);
      };
    });
    await carol.getByTestId('callee-input').fill('dave');
    await carol.getByTestId('dial-video').click();
    await dave.getByTestId('accept').waitFor();
    for (const page of pages) await expect.poll(() => pathOf(page)).toBe(true);
    expect(await dave.evaluate(() => (window as unknown as { asked: string[] }).asked)).toEqual([]);
    await dave.getByTestId('accept').click();
    await Promise.all(pages.map((page) => until(page, 'connected')));
    await Promise.all([seesPicture(carol), seesPicture(dave)]);
    const reports = await Promise.all(pages.map((page) => page.evaluate(() => window.offhook.call?.report())));
    expect(reports.map((report) => report?.warm)).toEqual([true, true]);
    expect(reports[0]?.accept_via).toBe('data_channel');
  });
});

describe('both at once', () => {
  it('dial each other, ten times, and always talk', async () => {
    for (let round = 0; round < 10; round++) {
      await alice.getByTestId('callee-input').fill('bob');
      await bob.getByTestId('callee-input').fill('alice');
      server.crossDials(2);
      await Promise.all([alice, bob].map((page) => page.getByTestId('dial-audio').click()));
      await Promise.all([until(alice, 'connected'), until(bob, 'connected')]);
      const ids = await Promise.all([alice, bob].map((page) => page.evaluate(() => window.offhook.client?.calls.map((one) => one.id))));
      expect(ids[0]).toHaveLength(1);
      expect(ids[0]).toEqual(ids[1]);
      await alice.getByTestId('hangup').click();
      for (const page of [alice, bob]) await page.getByTestId('done').click();
    }
  });

  it('two people call a third: the second is shown when the first is declined', async () => {
    const carol = await person('carol');
    await dial('audio');
    await carol.getByTestId('callee-input').fill('bob');
    await carol.getByTestId('dial-audio').click();
    await bob.waitForFunction(() => window.offhook.client?.calls.length === 2);
    await bob.getByTestId('decline').click();
    await bob.getByRole('heading', { name: 'carol calls' }).waitFor();
    await bob.getByTestId('accept').click();
    await Promise.all([until(carol, 'connected'), until(bob, 'connected')]);
    await carol.context().close();
  });

  it('a sign-in that is pressed twice is one', async () => {
    const before = server.sessions;
    const page = await (await browser.newContext()).newPage();
    await page.goto(origin);
    await page.getByTestId('name-input').fill('dora');
    await page.evaluate(() => {
      const form = document.getElementById('sign-in-form') as HTMLFormElement;
      form.requestSubmit();
      form.requestSubmit();
    });
    await page.waitForFunction(() => window.offhook.client?.state === 'online');
    await page.getByTestId('sign-out').click();
    await page.getByTestId('sign-in').waitFor();
    await expect.poll(() => server.sessions).toBe(before);
    await page.context().close();
  });
});

describe('a call that does not come about', () => {
  it('is declined', async () => {
    await dial();
    await bob.getByTestId('decline').click();
    expect(await alice.getByTestId('summary').textContent()).toBe('bob declined');
    expect(await bob.getByTestId('incoming').isVisible()).toBe(false);
  });

  it('is given up by the caller', async () => {
    await dial();
    await alice.getByTestId('hangup').click();
    await bob.getByTestId('incoming').waitFor({ state: 'hidden' });
    expect(await bob.getByTestId('notice').textContent()).toMatch(/^Missed call from alice/);
  });

  it('goes to nobody, and can be tried again', async () => {
    await alice.getByTestId('callee-input').fill('carol');
    await alice.getByTestId('dial-audio').click();
    await alice.getByTestId('call-again').waitFor();
    expect(await alice.getByTestId('summary').textContent()).toBe('carol is not signed in');
  });

  it('has no camera: the page says what to do', async () => {
    await alice.addInitScript(() => {
      MediaDevices.prototype.getUserMedia = () => Promise.reject(new DOMException('denied', 'NotAllowedError'));
    });
    await alice.reload();
    await alice.waitForFunction(() => window.offhook.client?.state === 'online');
    await alice.getByTestId('callee-input').fill('bob');
    await alice.getByTestId('dial-video').click();
    await alice.getByTestId('summary').waitFor();
    expect(await alice.locator('#summary-text').textContent()).toMatch(/may not use the microphone( and camera)?. Allow it/);
  });
});

describe('faults', () => {
  it("the callee's socket is cut while it rings", async () => {
    await dial();
    server.cut('bob');
    await bob.waitForFunction(() => window.offhook.client?.state === 'online');
    await bob.getByTestId('accept').click();
    await Promise.all([until(alice, 'connected'), until(bob, 'connected')]);
  });

  it('both sockets are cut during the call, which goes on', async () => {
    await call();
    server.cut('alice');
    server.cut('bob');
    for (const page of [alice, bob]) {
      await page.waitForFunction(() => window.offhook.client?.state === 'online');
      expect(await page.evaluate(() => window.offhook.call?.state)).toBe('connected');
    }
    await bob.getByTestId('hangup').click();
    await alice.getByTestId('summary').waitFor();
  });

  it('a page that is closed ends its call', async () => {
    await call();
    await bob.goto('about:blank');
    await alice.getByTestId('summary').waitFor();
    expect(server.sessions).toBe(1);
  });

  it('a server without --dev is explained', async () => {
    const strict = new MockServer({ root, dev_tokens: false });
    const page = await (await browser.newContext()).newPage();
    await page.goto(await strict.listen());
    await page.getByTestId('name-input').fill('alice');
    await page.getByTestId('sign-in').click();
    await page.getByTestId('notice').waitFor();
    expect(await page.getByTestId('notice').textContent()).toMatch(/backend signs a token.*--dev/);
    await page.context().close();
    await strict.close();
  });
});
