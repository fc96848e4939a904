// The scripts of the protocol, with this SDK as the client that they name.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readScript, scriptNames } from '../../../tests/protocol/script.mjs';
import { installGlobals } from './fakes.js';
import { ScriptPlayer } from './script_player.js';

beforeEach(() => {
  vi.useFakeTimers();
  installGlobals();
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

const scripts = scriptNames().map(readScript);

for (const script of scripts.filter(({ sdk }) => sdk.length > 0)) {
  describe(`${script.name}: ${script.title}`, () => {
    it.each(script.sdk)('%s', async (name) => {
      const player = new ScriptPlayer(script, name);
      try {
        await player.play(script.steps);
      } finally {
        player.close();
      }
    });
  });
}
