import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ERROR_CODES } from '@edrlake/core';
import { describe, expect, test } from 'vitest';
import { everyFile, readRepository, TOP } from './repository.ts';
import { parseSource } from './source.ts';
import {
  conflictViolations,
  errorCodeViolations,
  fileLengthViolations,
  linkViolations,
  lockFileViolations,
  machinePathViolations,
  unlinkedViolations,
} from './tidiness-rules.ts';
import { expectNone, problemsOf } from './violation.ts';

const { files, packages } = readRepository();
const shipped = packages.flatMap(({ sources }) => sources);

describe('the repository', () => {
  test('has no source too long to read', () => {
    expectNone(fileLengthViolations([...shipped, ...packages.flatMap(({ page }) => page)]));
  });

  test('knows no machine and no registry', () => {
    expectNone(machinePathViolations(files));
    expectNone(files.filter(({ path }) => path === 'package-lock.json').flatMap(lockFileViolations));
  });

  test('has no broken link', () => {
    expectNone(linkViolations(files, (path) => existsSync(join(TOP, path))));
  });

  test('has no page in docs that no other page links to', () => {
    expectNone(unlinkedViolations(files));
  });

  test('has no line that a merge left', () => {
    expectNone(conflictViolations(everyFile()));
  });

  test('excuses no file that is gone from a rule of the linter', () => {
    const { overrides }: { overrides: { includes: string[] }[] } = JSON.parse(
      readFileSync(join(TOP, 'biome.json'), 'utf8'),
    );
    const named = overrides.flatMap(({ includes }) => includes).filter((path) => !path.includes('*'));
    expect(named.filter((path) => !existsSync(join(TOP, path)))).toEqual([]);
  });

  test('raises and explains every error code', () => {
    expectNone(errorCodeViolations(Object.keys(ERROR_CODES), shipped, files));
  });
});

test('the length rule notices a long file and an exception without need, and accepts the longest one allowed', () => {
  const long = parseSource('long.ts', 'f();\n'.repeat(351));
  const allowed = parseSource('allowed.ts', 'f();\n'.repeat(350));
  const sources = [long, allowed];
  expect(problemsOf(fileLengthViolations(sources, {}))).toEqual(['long.ts:351 351 lines, 350 are allowed']);
  expect(problemsOf(fileLengthViolations(sources, { 'long.ts': 'a table', 'allowed.ts': 'was one' }))).toEqual([
    'allowed.ts:1 needs no exception of the length',
  ]);
});

describe('the machine path rule', () => {
  const user = `/${'home'}/ada/lake`;

  test.each([`cd ${user}`, `"${user}"`, `(${user})`, user])('notices %s', (text) => {
    expect(problemsOf(machinePathViolations([{ path: 'a.md', text: `\n${text}` }]))).toEqual([
      `a.md:2 the machine path /${'home'}/ada`,
    ]);
  });

  test.each([`C:${user}`, `https://example.org${user}`, `../..${user}`, '/var/lib/lake'])('accepts %s', (text) => {
    expect(machinePathViolations([{ path: 'a.md', text }])).toEqual([]);
  });

  test('leaves delivered payloads alone', () => {
    expect(machinePathViolations([{ path: 'test/fixtures/a.json', text: user }])).toEqual([]);
  });
});

test('the lock file rule notices addresses and platforms left out, not workspaces', () => {
  const packages = {
    'node_modules/a': { resolved: 'https://registry.example/a.tgz', optionalDependencies: { b: '1', c: '1', d: '1' } },
    'node_modules/b': { version: '1' },
    'node_modules/a/node_modules/c': { version: '1' },
    'node_modules/@edrlake/core': { resolved: 'packages/core', link: true },
  };
  const text = JSON.stringify({ packages }, null, 2);
  expect(problemsOf(lockFileViolations({ path: 'package-lock.json', text }))).toEqual([
    'package-lock.json:4 an address of a registry',
    'package-lock.json:1 d is optional but not locked',
  ]);
});

describe('the rule of conflict markers', () => {
  const seven = (mark: string) => mark.repeat(7);

  test.each([`${seven('<')} main`, seven('|'), `${seven('>')} 536c9db (a b)`])('notices %s', (line) => {
    expect(problemsOf(conflictViolations([{ path: 'a.md', text: `a\n${line}\nb` }]))).toEqual([
      'a.md:2 a conflict marker of a merge',
    ]);
  });

  test.each([seven('='), seven('|').repeat(2), `a ${seven('<')}`, `${seven('<')}x`])('accepts %s', (text) => {
    expect(conflictViolations([{ path: 'a.md', text }])).toEqual([]);
  });
});

describe('the link rule', () => {
  const exists = (path: string) => ['docs', 'docs/a.md', 'docs/b.md', 'src/a.ts'].includes(path);
  const problems = (text: string) =>
    problemsOf(
      linkViolations(
        [
          { path: 'docs/a.md', text },
          { path: 'docs/b.md', text: '# The `run` of it, all\n## Twice\n## Twice\n```\n# not one\n```' },
        ],
        exists,
      ),
    );

  test.each([
    ['see [b](c.md)', 'c.md, which does not exist'],
    ['see [b](../src/b.ts "title")', '../src/b.ts, which does not exist'],
    ['[b]: ./c.md', './c.md, which does not exist'],
    ['[`code`](c.md)', 'c.md, which does not exist'],
    ['[b](b.md#not-one)', 'b.md#not-one, a heading that does not exist'],
    ['[a](#nowhere)', '#nowhere, a heading that does not exist'],
  ])('notices %s', (text, problem) => {
    expect(problems(text)).toEqual([`docs/a.md:1 a link to ${problem}`]);
  });

  test.each([
    '[b](b.md) [c](../src/a.ts#L7) [d](../docs/)',
    '[b](b.md#the-run-of-it-all) [c](b.md#twice-1)',
    '[b](https://example.org/c.md) [c](mailto:a@example.org)',
    '`[b](c.md)`',
    '```\n[b](c.md)\n```',
  ])('accepts %s', (text) => {
    expect(problems(text)).toEqual([]);
  });
});

test('the rule of unlinked pages notices a page that only links to itself', () => {
  const pages = [
    { path: 'README.md', text: 'see [a](docs/a.md#part)' },
    { path: 'docs/a.md', text: '# A\n## Part' },
    { path: 'docs/b.md', text: 'see [above](b.md) and [a](a.md)' },
  ];
  expect(problemsOf(unlinkedViolations(pages))).toEqual(['docs/b.md:1 no page links to this one']);
});

test('the error code rule notices codes unused and unexplained', () => {
  const sources = [
    parseSource('packages/core/src/errors/error-codes.ts', "const CODES = {\n  USED: 'USED',\n  UNUSED: 'UNUSED',\n};"),
    parseSource('packages/lake/src/a.ts', "raise('USED');"),
  ];
  const page = { path: 'docs/errors.md', text: '## `UNUSED`' };
  expect(problemsOf(errorCodeViolations(['USED', 'UNUSED'], sources, [page]))).toEqual([
    'docs/errors.md:1 the code USED is not explained',
    'packages/core/src/errors/error-codes.ts:3 nothing uses the code UNUSED',
  ]);
});
