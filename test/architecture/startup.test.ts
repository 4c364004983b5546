import { describe, expect, test } from 'vitest';
import { type Package, readRepository } from './repository.ts';
import { parseSource } from './source.ts';
import { loadedAtOnce } from './startup-rules.ts';

const { packages } = readRepository();
/** What a command line is read and written with; all are in one file of the bundle. */
const COMMAND_LINE = ['fast-string-width', 'fast-wrap-ansi', 'yargs'];
/** What a store of a lake limits its concurrency with: a few lines. */
const STORE = ['p-limit'];
const source = (path: string) => `packages/cli/src/${path}`;

describe('the command', () => {
  test('prints its version with two files', () => {
    expect(loadedAtOnce(packages, source('main.ts'))).toEqual({
      files: [source('main.ts'), source('version.ts')],
      foreign: [],
    });
  });

  test.each([
    ['any help', 'run-in-process.ts'],
    ['status', 'commands/status.ts'],
    ['gate', 'commands/gate.ts'],
    ['runs', 'commands/runs.ts'],
    ['query', 'commands/query.ts'],
    ['completion', 'commands/completion.ts'],
    ['backfill', 'commands/backfill.ts'],
    ['sync', 'commands/sync.ts'],
    ['compact', 'commands/compact.ts'],
  ])(
    'reads the command line and the settings of %s with few packages of others: no DuckDB, no zod, no undici',
    (_, file) => {
      const { files, foreign } = loadedAtOnce(packages, source(file));
      expect(files).toContain(source(file));
      expect([...COMMAND_LINE, ...STORE]).toEqual(expect.arrayContaining(foreign.map((found) => found.split(' ')[0])));
    },
  );

  test('loads the module of a command only when it is asked for', () => {
    const { files, foreign } = loadedAtOnce(packages, source('run-in-process.ts'));
    expect(files.filter((path) => path.startsWith(source('commands/')))).toEqual([]);
    expect(foreign.map((found) => found.split(' ')[0])).toEqual([...COMMAND_LINE]);
  });
});

describe('the library', () => {
  test('is imported without the command, without DuckDB, and without what only some calls need', () => {
    const { files, foreign } = loadedAtOnce(packages, 'packages/edrlake/src/index.ts');
    expect(files.filter((path) => path.startsWith('packages/cli/'))).toEqual([]);
    expect(foreign).toEqual([]);
  });

  test('loads the command from its own entry only', () => {
    const { files } = loadedAtOnce(packages, 'packages/edrlake/src/main.ts');
    expect(files).toEqual(['packages/cli/src/main.ts', 'packages/cli/src/version.ts', 'packages/edrlake/src/main.ts']);
  });
});

describe('what is loaded at once', () => {
  test('follows doors of packages and re-exports, but no types and no import()', () => {
    const lake = made('lake', {
      'src/index.ts': `export { a } from './a.ts';\nexport type { B } from './b.ts';`,
      'src/a.ts': `import { x } from 'duckdb';\nimport type { Y } from 'zod';\nconst later = () => import('jiti');`,
      'src/b.ts': `import 'never';`,
    });
    const cli = made('cli', { 'src/main.ts': `import 'node:fs';\nimport { a } from '@edrlake/lake';` });
    expect(loadedAtOnce([lake, cli], 'packages/cli/src/main.ts')).toEqual({
      files: ['packages/cli/src/main.ts', 'packages/lake/src/a.ts', 'packages/lake/src/index.ts'],
      foreign: ['duckdb by packages/lake/src/a.ts'],
    });
  });
});

function made(folder: string, files: Readonly<Record<string, string>>): Package {
  return {
    folder,
    name: `@edrlake/${folder}`,
    manifest: { exports: { '.': { 'edrlake-source': './src/index.ts' } } },
    references: [],
    sources: Object.entries(files).map(([path, text]) => parseSource(`packages/${folder}/${path}`, text)),
    page: [],
    tests: [],
  };
}
