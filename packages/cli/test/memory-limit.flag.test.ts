import { expect, it } from 'vitest';
import { readMemorySize } from '../src/args/flags/flag-kinds.ts';
import { runProgram } from '../src/program.ts';
import { fakeSurroundings } from './fake-surroundings.ts';

it.each(['300MB', '512MB', '2 GiB', '0.3GB', '286.2MiB', '1tb'])('%s is enough for DuckDB', (text) => {
  expect(readMemorySize(text)).toBe(text.replace(' ', ''));
});

it.each(['16MB', '48MB', '128MB', '200MB', '299MB', '286MiB', '300', '300000KB ', 'much', ''])('%s is not', (text) => {
  expect(readMemorySize(text)).toBeNull();
});

it('too little is refused with the least that works, before anything is done', async () => {
  const context = fakeSurroundings({ env: { EDRLAKE_MEMORY_LIMIT: '128MB' } });
  expect(await runProgram(['status', '--lake', 'nowhere'], context)).toBe(2);
  expect(context.stderr.text).toContain('EDRLAKE_MEMORY_LIMIT: expected a size of at least 300MB');
});
