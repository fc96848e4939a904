// The SDK stays small: fails when what a page loads is more than 25 kB gzipped.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const limit_bytes = 25_000;
const bytes = gzipSync(readFileSync(new URL('../dist/offhook.js', import.meta.url)), { level: 9 }).length;
console.log(`offhook.js: ${bytes} bytes gzipped (limit ${limit_bytes})`);
if (bytes > limit_bytes) process.exit(1);
