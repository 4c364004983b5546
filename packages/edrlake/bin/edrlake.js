#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';

// undici parses HTTP in WebAssembly. V8 of Node 20 optimises that after a handful of answers, which takes a tenth of
// the CPU time of a small sync; with a hundred times its budget only long exports do.
setFlagsFromString('--wasm-tiering-budget=180000000');

const command = new URL('../bundle/main.js', import.meta.url);
if (existsSync(command)) {
  await import(command.href);
} else {
  process.stderr.write('edrlake: it has not been built in this clone\n\n  Next: npm run build\n');
  process.exitCode = 2;
}
