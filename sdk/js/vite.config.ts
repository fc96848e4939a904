import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig, transformWithEsbuild } from 'vite';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

// dist/offhook.js is the SDK in one file; dist/offhook.d.ts points at the types that tsc wrote beside it.
export default defineConfig({
  root: here('.'),
  logLevel: 'warn',
  build: {
    target: 'es2022',
    outDir: here('dist'),
    emptyOutDir: false,
    minify: 'esbuild',
    lib: { entry: here('src/index.ts'), formats: ['es'], fileName: () => 'offhook.js' },
  },
  plugins: [
    {
      // Vite leaves blanks and line ends in a library, so that others can still take unused parts out; pages load this one whole.
      name: 'offhook-whitespace',
      enforce: 'post',
      renderChunk: async (code) => (await transformWithEsbuild(code, 'offhook.js', { minify: true, target: 'es2022' })).code,
    },
    {
      name: 'offhook-types',
      closeBundle() {
        writeFileSync(here('dist/offhook.d.ts'), "export * from './types/index.js';\n");
      },
    },
  ],
});
