import { toEdrlakeError } from '@edrlake/core';
import { expect, test } from 'vitest';
import { defineCommand, type Invocation, type ListedCommand } from '../src/args/command.ts';
import { runCommandLine } from '../src/args/command-line.ts';
import { fakeSurroundings } from './fake-surroundings.ts';

/** What a command line comes to whose command fails with this. */
async function outcomeOf(thrown: unknown) {
  const command = defineCommand({
    command: 'work',
    describe: 'Fail',
    details: [],
    flags: [],
    examples: [],
    run: () => Promise.reject(thrown),
  });
  const listed: ListedCommand = { name: 'work', describe: command.describe, load: async () => ({ command }) };
  const invocation: Invocation = {
    surroundings: fakeSurroundings(),
    input: null,
    chosen: null,
    exitCode: 0,
    runFor: async () => 0,
  };
  const settings = { values: {} as never, chosen: null };
  const failure = await runCommandLine(['work'], [listed], invocation, async () => settings).catch(toEdrlakeError);
  return typeof failure === 'number' ? failure : failure.code;
}

test.each([
  [new Error('Out of Memory Error: failed to allocate data of size 256.0 MiB'), 'OUT_OF_MEMORY'],
  [new Error('something is wrong with the program'), 'BUG'],
  [new TypeError('undefined is not a function'), 'BUG'],
])('a command that fails with %s is no mistake in its command line', async (thrown, code) => {
  expect(await outcomeOf(thrown)).toBe(code);
});
