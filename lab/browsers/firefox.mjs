import { firefox } from 'playwright-core';

const path = process.env.OFFHOOK_FIREFOX ?? '/usr/bin/firefox-esr';
const launch_limit_ms = 60_000;

const preferences = {
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  'media.devices.insecure.enabled': true,
  'media.getusermedia.insecure.enabled': true,
  'media.autoplay.default': 0,
  'media.autoplay.blocking_policy': 0,
  // Its own codec download has no network here.
  'media.gmp-manager.updateEnabled': false,
  'privacy.reduceTimerPrecision': false,
  'network.proxy.type': 0,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'dom.security.https_first': false,
};

/** Over WebDriver BiDi, as Debian's Firefox has it; it trusts what the system and `preferences` say. */
export function launchFirefox({ home, hides_addresses = false }) {
  const firefoxUserPrefs = { ...preferences, 'media.peerconnection.ice.obfuscate_host_addresses': hides_addresses };
  const env = { ...process.env, HOME: home, MOZ_DISABLE_CONTENT_SANDBOX: '1' };
  return firefox.launch({ channel: 'moz-firefox', executablePath: path, headless: true, firefoxUserPrefs, timeout: launch_limit_ms, env });
}
