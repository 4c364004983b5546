import { describe, expect, test } from 'vitest';
import {
  dependencyViolations,
  fileCycles,
  IMPORT_TABLE,
  importTableViolations,
  packageCycles,
  pageImportViolations,
} from './import-rules.ts';
import { type Package, readRepository } from './repository.ts';
import { parseSource } from './source.ts';
import { expectNone, problemsOf } from './violation.ts';

const repository = readRepository();

describe('the repository', () => {
  test('has exactly the packages of the import table', () => {
    const folders = repository.packages.map(({ folder }) => folder).toSorted();
    expect(folders).toEqual(Object.keys(IMPORT_TABLE).toSorted());
    const tsconfig = repository.files.find(({ path }) => path === 'tsconfig.json');
    const references: { path: string }[] = JSON.parse(tsconfig?.text ?? '{}').references;
    expect(references.map(({ path }) => path).toSorted()).toEqual(folders.map((folder) => `packages/${folder}`));
  });

  test('imports only downwards', () => {
    expectNone(importTableViolations(repository.packages));
  });

  test('brings into the browser only what runs there', () => {
    expectNone(pageImportViolations(repository.packages));
  });

  test('declares exactly what it imports', () => {
    expectNone(dependencyViolations(repository.packages));
  });

  test('has no import cycles', () => {
    expectNone(repository.packages.flatMap(({ sources, page }) => [...fileCycles(sources), ...fileCycles(page)]));
    expectNone(packageCycles(repository.packages));
  });
});

describe('the import table rule notices', () => {
  test('an import upwards, of values and of types', () => {
    const pager = made('pager', {
      'src/a.ts': `import { x } from '@edrlake/core';\nimport type { Lake } from '@edrlake/lake';`,
    });
    expect(problemsOf(importTableViolations([pager, made('core'), made('lake')]))).toEqual([
      'packages/pager/src/a.ts:2 pager imports lake',
    ]);
  });

  test('re-exports, dynamic imports and import types', () => {
    const core = made('core', {
      'src/a.ts': `export { x } from '@edrlake/lake';\nawait import('@edrlake/lake');\ntype L = import('@edrlake/lake').Lake;`,
    });
    expect(problemsOf(importTableViolations([core, made('lake')]))).toEqual([
      'packages/core/src/a.ts:1 core imports lake',
      'packages/core/src/a.ts:2 core imports lake',
      'packages/core/src/a.ts:3 core imports lake',
    ]);
  });

  test('but a test may use the shared sample payloads', () => {
    const lake = made('lake', {
      'src/a.ts': `import '../../../test/fixtures/golden.ts';`,
      'test/a.test.ts': `import '../../../test/fixtures/golden.ts';`,
    });
    expect(problemsOf(importTableViolations([lake, made('core')]))).toEqual([
      'packages/lake/src/a.ts:1 ../../../test/fixtures/golden.ts leaves the package',
    ]);
  });

  test('and what tests of a package below have for theirs', () => {
    const helper = '../../core/test/clock.ts';
    const lake = made('lake', { 'src/a.ts': `import '${helper}';`, 'test/a.test.ts': `import '${helper}';` });
    const core = made('core', { 'test/a.test.ts': `import '../../lake/test/homes.ts';` });
    expect(problemsOf(importTableViolations([lake, core]))).toEqual([
      `packages/lake/src/a.ts:1 ${helper} leaves the package`,
      'packages/core/test/a.test.ts:1 ../../lake/test/homes.ts leaves the package',
    ]);
  });

  test('a relative path into another package, and a path past its index', () => {
    const lake = made('lake', {
      'src/deep/a.ts': `import '../../../core/src/clock.ts';\nimport '@edrlake/core/src/clock.ts';\nimport '../b.ts';`,
    });
    expect(problemsOf(importTableViolations([lake, made('core')]))).toEqual([
      'packages/lake/src/deep/a.ts:1 ../../../core/src/clock.ts leaves the package',
      'packages/lake/src/deep/a.ts:2 @edrlake/core/src/clock.ts reaches past the index of @edrlake/core',
    ]);
  });

  test('a simulator that runs code of core', () => {
    const simulator = made('simulator', {
      'src/a.ts': `import { type Clock, EdrlakeError, parseRange } from '@edrlake/core';\nimport type { Day } from '@edrlake/core';`,
    });
    expect(problemsOf(importTableViolations([simulator, made('core')]))).toEqual([
      "packages/simulator/src/a.ts:1 the simulator runs core's parseRange",
    ]);
  });

  test('tests that look upwards, though they may use the simulator', () => {
    const client = made('client', {}, { 'test/a.b.test.ts': `import '@edrlake/simulator';\nimport '@edrlake/lake';` });
    expect(problemsOf(importTableViolations([client, made('simulator'), made('lake')]))).toEqual([
      'packages/client/test/a.b.test.ts:2 client imports lake',
    ]);
  });

  test('a package without a place', () => {
    expect(problemsOf(importTableViolations([made('extra')]))).toEqual([
      'packages/extra/package.json:1 the package is not in the import table',
    ]);
  });
});

describe('the dependency rule notices', () => {
  test('missing and unused dependencies and references', () => {
    const pager: Package = {
      ...made('pager', { 'src/a.ts': `import 'p-limit/deep';\nimport 'node:fs';\nimport '@edrlake/core';` }),
      manifest: { dependencies: { '@edrlake/core': '0.1.0', undici: '^7' } },
      references: ['client'],
    };
    expect(problemsOf(dependencyViolations([pager, made('core'), made('client')]))).toEqual([
      'packages/pager/src/a.ts:1 p-limit is not in dependencies',
      'packages/pager/package.json:1 undici is in dependencies, but nothing imports it',
      'packages/pager/tsconfig.json:1 references lack ../core',
      'packages/pager/tsconfig.json:1 references name ../client, but nothing imports it',
    ]);
  });
});

describe('the cycle rule notices', () => {
  test('a circle of files, of types too', () => {
    const { sources } = made('core', {
      'src/a.ts': `import { b } from './b.ts';`,
      'src/b.ts': `import type { C } from './deep/c.ts';`,
      'src/deep/c.ts': `export { a } from '../a.ts';`,
      'src/d.ts': `import './a.ts';`,
    });
    expect(problemsOf(fileCycles(sources))).toEqual([
      'packages/core/src/deep/c.ts:1 an import cycle: packages/core/src/a.ts → packages/core/src/b.ts → packages/core/src/deep/c.ts → packages/core/src/a.ts',
    ]);
  });

  test('a file that imports itself, and no diamond', () => {
    const { sources } = made('core', {
      'src/a.ts': `import './b.ts';\nimport './c.ts';`,
      'src/b.ts': `import './d.ts';`,
      'src/c.ts': `import './d.ts';`,
      'src/d.ts': `import './d.ts';`,
    });
    expect(problemsOf(fileCycles(sources))).toEqual([
      'packages/core/src/d.ts:1 an import cycle: packages/core/src/d.ts → packages/core/src/d.ts',
    ]);
  });

  test('a circle of packages', () => {
    const lake = made('lake', { 'src/a.ts': `import '@edrlake/writers';` });
    const writers = made('writers', { 'src/a.ts': `import '@edrlake/lake';` });
    expect(problemsOf(packageCycles([lake, writers]))).toEqual([
      'packages/writers:1 an import cycle: packages/lake → packages/writers → packages/lake',
    ]);
  });
});

describe('the browser rule notices', () => {
  const states = 'src/states.ts';
  const pageOf = (text: string, below: Record<string, string> = { [states]: 'export const A = 1;' }) => {
    const serve = {
      ...made('serve', {}, {}, { 'page/src/a.tsx': text }),
      manifest: { devDependencies: { preact: '1' } },
    };
    return problemsOf(pageImportViolations([serve, made('runner', below)]));
  };

  test('code of a package that needs Node, and no types', () => {
    expect(
      pageOf("import { A } from '@edrlake/runner/states';\nimport type { B } from '@edrlake/runner/history';"),
    ).toEqual([]);
    expect(pageOf("import { countText } from '@edrlake/core/quantities';")).toEqual([]);
    expect(pageOf("import { B } from '@edrlake/runner/history';")).toEqual([
      'packages/serve/page/src/a.tsx:1 the browser would load @edrlake/runner/history',
    ]);
  });

  test('what the words of states would load', () => {
    const below = { [states]: "export { B } from './b.ts';", 'src/b.ts': "import 'node:fs';" };
    expect(pageOf('', below)).toEqual(['packages/runner/src/b.ts:1 the browser would load node:fs']);
  });

  test('a package that is not declared', () => {
    expect(pageOf("import 'preact/hooks';\nimport 'uplot';")).toEqual([
      'packages/serve/page/src/a.tsx:2 uplot is not in devDependencies',
    ]);
  });
});

function made(
  folder: string,
  sources: Record<string, string> = {},
  tests: Record<string, string> = {},
  page: Record<string, string> = {},
): Package {
  const parse = (texts: Record<string, string>) =>
    Object.entries(texts).map(([path, text]) => parseSource(`packages/${folder}/${path}`, text));
  return {
    folder,
    name: `@edrlake/${folder}`,
    manifest: {},
    references: [],
    sources: parse(sources),
    page: parse(page),
    tests: parse(tests),
  };
}
