import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

// The page loads the same /sdk/offhook.js that an app would. Nothing is inlined: the server's policy is default-src 'self'.
export default defineConfig({
  root: here('.'),
  base: './',
  logLevel: 'warn',
  build: {
    target: 'es2022',
    outDir: here('dist'),
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { external: ['offhook'], output: { paths: { offhook: '../sdk/offhook.js' } } },
  },
});
