import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// Needs Debian's Chromium and web/dist (tools/build-web).
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  test: { include: ['test/**/*.browser.ts'], environment: 'node', testTimeout: 60_000, hookTimeout: 60_000, fileParallelism: false },
});
