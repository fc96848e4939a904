import { chromium } from 'playwright-core';

const path = process.env.OFFHOOK_CHROMIUM ?? '/usr/bin/chromium';
const launch_limit_ms = 40_000;

const flags = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--no-proxy-server',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
  // A page that nobody sees is not slowed down: people look at the page that they call with.
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
];

/** `home` holds the certificates that this browser trusts; `secure_origins` get devices although they come over http. */
export function launchChromium({ home, secure_origins = [], hides_addresses = false }) {
  const args = [...flags, `--unsafely-treat-insecure-origin-as-secure=${secure_origins.join(',')}`];
  if (!hides_addresses) args.push('--disable-features=WebRtcHideLocalIpsWithMdns');
  // headless: false keeps the driver from adding a --headless of its own beside ours.
  return chromium.launch({ executablePath: path, headless: false, args, timeout: launch_limit_ms, env: { ...process.env, HOME: home } });
}
