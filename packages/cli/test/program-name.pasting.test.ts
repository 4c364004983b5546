import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { COMMANDS } from '../src/commands.ts';
import { asPasted, programName, withProgramName, withSubscription } from '../src/process/program-name.ts';

describe('the name of the program', () => {
  it('is edrlake where the shell of the user finds it', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'edrlake-program-'));
    onTestFinished(() => rm(directory, { recursive: true }));
    const installed = join(directory, 'bin');
    const ofPackages = join(directory, 'node_modules', '.bin');
    for (const folder of [installed, ofPackages]) {
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, 'edrlake'), '');
    }

    expect(programName({ PATH: [ofPackages, installed].join(delimiter) })).toBe('edrlake');
    expect(programName({ PATH: ofPackages })).toBe('npx edrlake');
    expect(programName({})).toBe('npx edrlake');
  });
});

describe('a message with commands', () => {
  it.each(COMMANDS.map(({ name }) => name))('names %s as the user can paste it', (name) => {
    expect(withProgramName(`Next: edrlake ${name} --lake x`, 'npx edrlake')).toBe(`Next: npx edrlake ${name} --lake x`);
    expect(withProgramName(`Next: edrlake ${name}`, 'edrlake')).toBe(`Next: edrlake ${name}`);
  });

  it.each(['edrlake run: expected a file', 'a newer edrlake has run', 'npx edrlake status', 'see edrlake.config.ts'])(
    'keeps %s',
    (text) => {
      expect(withProgramName(text, 'npx edrlake')).toBe(text);
    },
  );
});

describe('a command for one subscription', () => {
  it.each([
    ['Next: edrlake status', 'Next: edrlake status --subscription acme'],
    ['edrlake backfill --from 2020-08-17', 'edrlake backfill --subscription acme --from 2020-08-17'],
    ['Run: edrlake publish delta, then again.', 'Run: edrlake publish delta --subscription acme, then again.'],
    ['edrlake runs ID --subscription acme', 'edrlake runs ID --subscription acme'],
    ['edrlake simulate --port 1', 'edrlake simulate --port 1'],
    ['edrlake run: expected a name', 'edrlake run: expected a name'],
    ['a newer edrlake may read it', 'a newer edrlake may read it'],
  ])('%s', (text, expected) => {
    expect(withSubscription(text, 'acme')).toBe(expected);
    expect(withSubscription(text, undefined)).toBe(text);
  });
});

describe('a command for the lake that was typed', () => {
  it.each([
    ['Next: edrlake reconcile --repair', 'Next: npx edrlake reconcile --lake /d --repair'],
    ['edrlake run nightly', 'npx edrlake run nightly --lake /d'],
    [
      'Give one: edrlake run nightly, or edrlake run ./my.ts.',
      'Give one: npx edrlake run nightly --lake /d, or npx edrlake run ./my.ts --lake /d.',
    ],
    ['edrlake run nightly --resume 7', 'npx edrlake run nightly --lake /d --resume 7'],
    ['edrlake run does it itself', 'npx edrlake run --lake /d does it itself'],
    [
      'All: edrlake query "from hunt_matches" --format csv',
      'All: npx edrlake query "from hunt_matches" --lake /d --format csv',
    ],
    [
      'Then: edrlake status or edrlake demote score',
      'Then: npx edrlake status --lake /d or npx edrlake demote score --lake /d',
    ],
    ['edrlake run does\nit itself', 'npx edrlake run --lake /d does\nit itself'],
    ['edrlake run a\n  edrlake run b\n', 'npx edrlake run a --lake /d\n  npx edrlake run b --lake /d\n'],
    ['Then: edrlake sync again.', 'Then: npx edrlake sync --lake /d again.'],
    ['edrlake run ./my.ts --lake /e', 'npx edrlake run ./my.ts --lake /e'],
    ['edrlake vacuum --lake /e', 'npx edrlake vacuum --lake /e'],
    ['Stop: edrlake runs\nedrlake runs --lake /e', 'Stop: npx edrlake runs --lake /d\nnpx edrlake runs --lake /e'],
    ['Next: edrlake reconcile\n  --repair --lake /e', 'Next: npx edrlake reconcile\n  --repair --lake /e'],
    ['See: edrlake verify --help', 'See: npx edrlake verify --help'],
    ['edrlake simulate --port 1', 'npx edrlake simulate --port 1'],
    ['a newer edrlake may read it', 'a newer edrlake may read it'],
  ])('%s', (text, expected) => {
    expect(asPasted(text, { program: 'npx edrlake', lakeFlags: ' --lake /d' })).toBe(expected);
  });

  it('keeps the argument of every command that takes one before the flags', async () => {
    const loaded = await Promise.all(COMMANDS.map(({ load }) => load()));
    const taking = loaded.map(({ command }) => command.command).filter((line) => / [[<]/.test(line));
    for (const line of taking.filter((each) => !/^(?:schema|completion)\b/.test(each))) {
      const name = line.split(' ')[0];
      expect(asPasted(`edrlake ${name} x`, { program: 'edrlake', lakeFlags: ' --lake /d' })).toBe(
        `edrlake ${name} x --lake /d`,
      );
    }
  });

  it('is for its subscription as well', () => {
    const pasting = { program: 'edrlake', subscription: 'acme', lakeFlags: ' --lake /d' } as const;
    expect(asPasted('edrlake status', pasting)).toBe('edrlake status --lake /d --subscription acme');
    expect(asPasted('edrlake run nightly', pasting)).toBe('edrlake run nightly --lake /d --subscription acme');
  });
});
