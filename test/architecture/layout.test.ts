import { describe, expect, test } from 'vitest';
import { FOLDER_ORDER, folderOrderViolations, folderSizeViolations } from './layout-rules.ts';
import { readRepository } from './repository.ts';
import { parseSource } from './source.ts';
import { expectNone, problemsOf } from './violation.ts';

const { packages } = readRepository();
const sources = packages.flatMap((pkg) => pkg.sources.filter(({ path }) => path.includes('/src/')));

describe('the repository', () => {
  test('imports only from folders below', () => {
    expectNone(folderOrderViolations(sources));
  });

  test('has exactly the declared folders', () => {
    const found = new Set(sources.map(({ path }) => path.replace(/^packages\/([^/]+)\/src\/?(.*?)\/?[^/]+$/, '$1/$2')));
    const declared = Object.entries(FOLDER_ORDER).flatMap(([pkg, folders]) =>
      folders.map((folder) => `${pkg}/${folder === '.' ? '' : folder}`),
    );
    expect([...found].toSorted()).toEqual(declared.toSorted());
  });

  test('has no folder with too many files', () => {
    expectNone(folderSizeViolations(sources));
  });
});

test('the folder rule notices an import upwards and a folder without a place', () => {
  const order = { lake: ['storage', 'log', '.'] };
  const made = [
    parseSource('packages/lake/src/storage/store.ts', `import type { Log } from '../log/log.ts';`),
    parseSource('packages/lake/src/log/log.ts', `import '../storage/store.ts';\nimport './entry.ts';`),
    parseSource('packages/lake/src/lake.ts', `import './log/log.ts';`),
    parseSource('packages/lake/src/attic/old.ts', ''),
  ];
  expect(problemsOf(folderOrderViolations(made, order))).toEqual([
    'packages/lake/src/storage/store.ts:1 storage imports log',
    'packages/lake/src/attic/old.ts:1 the folder attic is not in the folder order',
  ]);
});

test('the size rule notices the fifteenth file of a folder', () => {
  const made = (count: number) =>
    Array.from({ length: count }, (_, at) => parseSource(`packages/lake/src/log/file-${at}.ts`, ''));
  expect(folderSizeViolations(made(14))).toEqual([]);
  expect(problemsOf(folderSizeViolations(made(15)))).toEqual(['packages/lake/src/log:1 15 files, 14 are allowed']);
});
