import { describe, expect, test } from 'vitest';
import { readRepository } from './repository.ts';
import { parseSource } from './source.ts';
import { expectNone, problemsOf } from './violation.ts';
import { ambientViolations, bareErrorViolations, nameViolations, sourceViolations } from './word-rules.ts';

const { files, packages, outside } = readRepository();
const shipped = packages.flatMap(({ sources }) => sources);
const libraries = packages.filter(({ folder }) => folder !== 'cli').flatMap(({ sources }) => sources);

/** The clock, and the start of the command. */
const AMBIENT = ['packages/core/src/time/clock.ts', 'packages/edrlake/bin/edrlake.js'];

describe('the repository', () => {
  test('names what is in its files and folders', () => {
    expectNone(nameViolations(files));
  });

  test('has no any, no export star, no silenced tool without a reason, nothing unfinished', () => {
    expectNone(
      sourceViolations([...shipped, ...packages.flatMap(({ page, tests }) => [...page, ...tests]), ...outside]),
    );
  });

  test('touches the process only in the command, and the time only in the clock', () => {
    expectNone(ambientViolations(libraries.filter(({ path }) => !AMBIENT.includes(path))));
  });

  test('throws only errors that a caller can act on', () => {
    expectNone(bareErrorViolations(shipped));
  });
});

describe('the name rule', () => {
  test.each(['packages/core/src/utils.ts', 'packages/core/common/a.ts', 'test/http-helpers.ts', 'test/shared/a.json'])(
    'notices %s',
    (path) => {
      expect(nameViolations([{ path }])).toHaveLength(1);
    },
  );

  test.each(['packages/core/src/shared-budget.ts', 'test/misconduct.ts', 'packages/core/src/commonly.ts'])(
    'accepts %s',
    (path) => {
      expect(nameViolations([{ path }])).toEqual([]);
    },
  );

  test('wants tests named by subject and aspect', () => {
    const paths = ['plan.test.ts', 'plan.tiling.test.ts', 'a/plan-windows.no-gap.test.ts', 'server.ts'];
    expect(problemsOf(nameViolations(paths.map((name) => ({ path: `packages/pager/test/${name}` }))))).toEqual([
      'packages/pager/test/plan.test.ts:1 the name does not say subject and aspect',
    ]);
  });
});

describe('the word rule', () => {
  test.each([
    ['let a: any;', 'the type any'],
    ['const a = b as any;', 'the type any'],
    ["export * from './a.ts';", 'export *'],
    ["export * as a from './a.ts';", 'export *'],
    ['// @ts-ignore because I said so', '@ts-ignore without a reason'],
    ['// @ts-expect-error', '@ts-expect-error without a reason'],
    ['// biome-ignore lint/style/noVar: no', 'biome-ignore without a reason'],
    [`// ${'TO'}DO: later`, `${'TO'}DO in a comment`],
  ])('notices %s', (text, problem) => {
    expect(problemsOf(sourceViolations([parseSource('a.ts', `\n${text}`)]))).toEqual([`a.ts:2 ${problem}`]);
  });

  test.each([
    "const any = 'as any';",
    '// any of them',
    '// @ts-expect-error the property is left out on purpose',
    '// biome-ignore lint/style/noVar: the library looks the name up on the global object',
    `const text = '${'TO'}DO';`,
  ])('accepts %s', (text) => {
    expect(sourceViolations([parseSource('a.ts', text)])).toEqual([]);
  });
});

describe('the process rule', () => {
  test.each([
    ['console.log(1);', 'console'],
    ['const { log } = console;', null],
    ['const a = process.env.HOME;', 'process.env'],
    ['process.exit(1);', 'process.exit'],
    ['const now = Date.now;', 'Date.now'],
    ['const now = new Date();', 'new Date()'],
    ['const now = new Date(5);', null],
    ['const pid = process.pid;', null],
    ['Math.random();', 'Math.random'],
    ['globalThis.performance.now();', null],
    ["import { env } from 'node:process';", 'node:process'],
    ["const text = 'Date.now()'; // Date.now()", null],
  ])('reads %s as %s', (text, problem) => {
    expect(problemsOf(ambientViolations([parseSource('a.ts', text)]))).toEqual(
      problem === null ? [] : [`a.ts:1 ${problem}`],
    );
  });
});

describe('the error rule', () => {
  test.each([
    ["throw new Error('x');", 'a bare Error'],
    ["reject(new TypeError('x'));", 'a bare TypeError'],
    ["throw Error('x');", 'a bare Error'],
    ["throw new EdrlakeError('BUG', 'x');", null],
    ['class EdrlakeError extends Error {}', null],
    ['const is = thrown instanceof Error;', null],
  ])('reads %s as %s', (text, problem) => {
    expect(problemsOf(bareErrorViolations([parseSource('a.ts', text)]))).toEqual(
      problem === null ? [] : [`a.ts:1 ${problem}`],
    );
  });
});
