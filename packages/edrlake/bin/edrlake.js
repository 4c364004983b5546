#!/usr/bin/env node
import { existsSync } from 'node:fs';

const command = new URL('../bundle/main.js', import.meta.url);
if (existsSync(command)) {
  await import(command.href);
} else {
  process.stderr.write('edrlake: it has not been built in this clone\n\n  Next: npm run build\n');
  process.exitCode = 2;
}
