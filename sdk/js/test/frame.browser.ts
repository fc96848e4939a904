// Connections in frames of their own, in Debian's Chromium.
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type * as Frame from '../src/frame.js';
import { launch } from './browser.js';

declare global {
  interface Window {
    sdk: typeof Frame;
    gc: (options?: { type: 'minor' | 'major' }) => void;
    registry?: FinalizationRegistry<null>;
    /** Whether what was made to be unused has gone. */
    collected: boolean;
    /** A connection in a frame that gets both kinds of tracks, and the end that sends them. */
    pairInFrame: () => Promise<{ receiver: RTCPeerConnection; sender: RTCPeerConnection }>;
  }
}

let browser: Browser;
let page: Page;
let script: string;
let crashed: boolean;

beforeAll(async () => {
  browser = await launch(['--js-flags=--expose-gc', '--autoplay-policy=no-user-gesture-required']);
  const entry = fileURLToPath(new URL('../src/frame.ts', import.meta.url));
  const built = await build({ configFile: false, logLevel: 'error', build: { write: false, lib: { entry, formats: ['iife'], name: 'sdk' } } });
  const [output] = [built].flat().flatMap((one) => ('output' in one ? one.output : []));
  if (output?.type !== 'chunk') throw new Error('nothing was built');
  script = `${output.code};window.sdk = sdk;`;
});
afterAll(() => browser.close());

beforeEach(async () => {
  crashed = false;
  page = await browser.newPage();
  page.on('crash', () => (crashed = true));
  await page.addScriptTag({ content: script });
  await page.evaluate(() => {
    window.pairInFrame = async () => {
      const receiver = window.sdk.connectionOfNewFrame({});
      if (!receiver) throw new Error('no frame');
      const sender = new RTCPeerConnection();
      for (const kind of ['audio', 'video']) sender.addTransceiver(kind, { direction: 'sendonly' });
      await sender.setLocalDescription();
      await receiver.setRemoteDescription(sender.localDescription as RTCSessionDescription);
      return { receiver, sender };
    };
  });
});

const frames = (): Promise<number> => page.locator('iframe').count();

/** Collects what is unused, until the page is told of it, a few times: some goes only after what it was held by. */
const collect = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) {
    await page.evaluate(() => {
      window.collected = false;
      window.registry ??= new FinalizationRegistry(() => (window.collected = true));
      window.registry.register({}, null);
    });
    await page.waitForFunction(() => {
      window.gc({ type: 'minor' });
      window.gc();
      return window.collected;
    });
  }
};

const untilNoFrameIsLeft = (): Promise<unknown> =>
  page.waitForFunction(() => {
    window.gc();
    return document.querySelectorAll('iframe').length === 0;
  });

describe('a connection in a frame of its own', () => {
  it('leaves tracks that an element can begin to play after its end', async () => {
    const played = page.evaluate(async () => {
      const { receiver, sender } = await window.pairInFrame();
      const stream = new MediaStream(receiver.getReceivers().map((one) => one.track));
      receiver.close();
      sender.close();
      const video = document.createElement('video');
      document.body.append(video);
      // By then it has taken up what it plays both kinds with.
      const loaded = new Promise((resolve) => (video.oncanplay = resolve));
      video.srcObject = stream;
      await loaded;
      return stream.getTracks().map((track) => track.readyState);
    });
    const ended = new Promise<string>((resolve) => page.on('crash', () => resolve('the page has crashed')));
    expect(await Promise.race([played, ended])).toEqual(['ended', 'ended']);
    expect(crashed).toBe(false);
    expect(await frames()).toBe(1);
    await page.close();
  });

  it('takes its frame with it when its tracks are of no use to anybody', async () => {
    await page.evaluate(async () => {
      const { receiver, sender } = await window.pairInFrame();
      receiver.close();
      receiver.close();
      sender.close();
    });
    await untilNoFrameIsLeft();
    await page.close();
  });

  it('keeps its frame while a stream has one of its tracks', async () => {
    await page.evaluate(async () => {
      const { receiver, sender } = await window.pairInFrame();
      const [first] = receiver.getReceivers();
      Object.assign(window, { stream: new MediaStream(first ? [first.track] : []) });
      receiver.close();
      sender.close();
    });
    await collect();
    expect(await frames()).toBe(1);
    await page.evaluate(() => Object.assign(window, { stream: null }));
    await collect();
    await untilNoFrameIsLeft();
    await page.close();
  });

  it('keeps its frame while it is open, used or not', async () => {
    await page.evaluate(async () => {
      const { receiver } = await window.pairInFrame();
      Object.assign(window, { receiver });
    });
    await collect();
    expect(await frames()).toBe(1);
    await page.close();
  });

  it('takes its frame with it at once if it has got no tracks', async () => {
    const left = await page.evaluate(() => {
      window.sdk.connectionOfNewFrame({})?.close();
      return document.querySelectorAll('iframe').length;
    });
    expect(left).toBe(0);
    await page.close();
  });
});
