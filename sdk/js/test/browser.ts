import { chromium, type Browser, type Page } from 'playwright-core';

/** Debian's Chromium, with a camera and a microphone that are not there; `flags` are added. */
export function launch(flags: string[] = []): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    args: [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--use-fake-device-for-media-stream',
      '--use-fake-ui-for-media-stream',
      ...flags,
    ],
  });
}

/** A page of its own (own storage) on which `name` is signed in and connected. */
export async function signedIn(browser: Browser, origin: string, name: string, query = ''): Promise<Page> {
  const context = await browser.newContext({ permissions: ['camera', 'microphone'] });
  const page = await context.newPage();
  await page.goto(`${origin}/${query}`);
  await page.getByTestId('name-input').fill(name);
  await page.getByTestId('sign-in').click();
  await page.waitForFunction(() => window.offhook.client?.state === 'online');
  return page;
}

export const state = (page: Page): Promise<string | null> => page.getByTestId('call-state').getAttribute('data-state');

export async function until(page: Page, wanted: string): Promise<void> {
  await page.waitForFunction((value) => document.getElementById('call-state')?.dataset['state'] === value, wanted, { timeout: 20_000 });
}
