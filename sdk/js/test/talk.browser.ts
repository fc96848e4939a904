// What people do in a call, in Debian's Chromium: both switch at the same moment, hold, screen, tones, messages.
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {} from '../../../web/src/main.js';
import { launch, signedIn, until } from './browser.js';
import { MockServer } from './mock_server.js';

const root = fileURLToPath(new URL('../../../web/dist', import.meta.url));

let browser: Browser;
let server: MockServer;
let pages: Page[];

beforeAll(async () => {
  browser = await launch();
  server = new MockServer({ root });
  const origin = await server.listen();
  pages = await Promise.all(['alice', 'bob'].map((name) => signedIn(browser, origin, name)));
  const [alice, bob] = people();
  await alice.getByTestId('callee-input').fill('bob');
  await alice.getByTestId('dial-audio').click();
  await bob.getByTestId('accept').click();
  await Promise.all(pages.map((page) => until(page, 'connected')));
});
afterAll(async () => {
  await browser.close();
  await server.close();
});

const people = (): [Page, Page] => pages as [Page, Page];
const offers = (page: Page): Promise<number | undefined> =>
  page.evaluate(() => window.offhook.call?.report().timeline.filter(({ event }) => event === 'offer_sent' || event === 'offer_received').length);
const says = (page: Page, words: string): Promise<void> => expect.poll(() => page.getByTestId('remote-state').textContent(), { timeout: 10_000 }).toBe(words);

/** Pictures that the element of the other side has shown. */
const pictures = (page: Page): Promise<number> =>
  page.getByTestId('remote-video').evaluate((video) => (video as HTMLVideoElement).getVideoPlaybackQuality().totalVideoFrames);

async function seesNewPictures(page: Page): Promise<void> {
  const before = await pictures(page);
  await expect.poll(() => pictures(page), { timeout: 10_000 }).toBeGreaterThan(before);
}

/** Both do it at the same moment of this machine's clock. */
async function bothPress(id: string): Promise<void> {
  const at = Date.now() + 150;
  const due = ([button, moment]: [string, number]): Promise<void> =>
    new Promise((resolve) => setTimeout(() => resolve(document.getElementById(button)?.click()), moment - Date.now()));
  await Promise.all(pages.map((page) => page.evaluate(due, [id, at] as [string, number])));
}

describe('two people who talk', () => {
  it('both switch their cameras on at once, off, and on again, without a further offer', async () => {
    const before = await Promise.all(pages.map(offers));
    await bothPress('camera');
    await Promise.all(pages.map(seesNewPictures));
    await bothPress('camera');
    await Promise.all(pages.map((page) => page.waitForFunction(() => window.offhook.call?.remoteMedia.video === false)));
    await bothPress('camera');
    await Promise.all(pages.map((page) => page.waitForFunction(() => window.offhook.call?.remoteMedia.video)));
    await Promise.all(pages.map(seesNewPictures));
    expect(await Promise.all(pages.map(offers))).toEqual(before);
    for (const page of pages) expect(await page.getByTestId('call-state').getAttribute('data-state')).toBe('connected');
  });

  it('see who is muted and who has put the call on hold', async () => {
    const [alice, bob] = people();
    await bob.getByTestId('mic').click();
    await says(alice, 'muted');
    await bothPress('hold');
    await Promise.all(pages.map((page) => says(page, 'on hold')));
    await bothPress('hold');
    await says(alice, 'muted');
    await says(bob, '');
    await Promise.all(pages.map(seesNewPictures));
    await bob.getByTestId('mic').click();
    await says(alice, '');
    for (const page of pages) expect(await page.getByTestId('call-state').getAttribute('data-state')).toBe('connected');
  });

  it('show a screen in the place of the camera, which comes back when the browser ends it', async () => {
    const [alice, bob] = people();
    const width = (): Promise<number> => bob.getByTestId('remote-video').evaluate((video) => (video as HTMLVideoElement).videoWidth);
    const camera_width = await width();
    await alice.evaluate(() => {
      const canvas = Object.assign(document.createElement('canvas'), { width: 1600, height: 900 });
      const context = canvas.getContext('2d');
      setInterval(() => {
        if (context) context.fillStyle = `hsl(${Date.now() % 360} 80% 50%)`;
        context?.fillRect(0, 0, 1600, 900);
      }, 50);
      MediaDevices.prototype.getDisplayMedia = () => Promise.resolve(Object.assign(window, { shown: canvas.captureStream(10) }).shown);
    });
    await alice.getByTestId('screen').click();
    await says(bob, 'shares a screen');
    await expect.poll(async () => (await width()) / camera_width, { timeout: 10_000 }).not.toBe(1);
    await alice.evaluate(() => (window as unknown as { shown: MediaStream }).shown.getTracks()[0]?.dispatchEvent(new Event('ended')));
    await says(bob, '');
    expect(await alice.getByTestId('screen').getAttribute('aria-pressed')).toBe('false');
    await expect.poll(width, { timeout: 10_000 }).toBe(camera_width);
  });

  it('send tones and messages', async () => {
    const [alice, bob] = people();
    expect(await alice.evaluate(() => window.offhook.call?.sendDtmf('159#', { duration_ms: 70, gap_ms: 50 }))).toBeNull();
    await alice.getByTestId('chat').click();
    await alice.getByTestId('message').fill('grüße');
    await alice.getByTestId('send-message').click();
    await bob.getByTestId('message-list').getByText('grüße').waitFor();
    const echo = bob.evaluate(() => new Promise<number>((resolve) => window.offhook.call?.on('message', (message) => message instanceof ArrayBuffer && resolve(message.byteLength))));
    // In the next turn, when bob's page listens.
    await bob.evaluate(() => undefined);
    expect(await alice.evaluate(() => window.offhook.call?.send(new ArrayBuffer(60 * 1024)))).toBeNull();
    expect(await echo).toBe(60 * 1024);
    expect(await alice.evaluate(() => window.offhook.call?.send('x'.repeat(70_000))?.verdict)).toMatch(/61440 bytes at most/);
  });
});
