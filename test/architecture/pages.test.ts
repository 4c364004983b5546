import { join } from 'node:path';
import { expect, test } from 'vitest';
import { dispositionViolations, errorPage } from './error-page.ts';
import { ocsfPage } from './ocsf-page.ts';
import { readRepository, TOP } from './repository.ts';
import { parseSource } from './source.ts';
import { expectNone, problemsOf } from './violation.ts';

const shipped = readRepository().packages.flatMap(({ sources }) => sources);

// When this fails: npm run docs
test('the page of errors is up to date', async () => {
  await expect(errorPage()).toMatchFileSnapshot(join(TOP, 'docs/errors.md'));
});

// When this fails: npm run docs
test('the page of the mapping to OCSF is up to date', async () => {
  await expect(ocsfPage()).toMatchFileSnapshot(join(TOP, 'docs/ocsf.md'));
});

test('the table of errors lists every disposition that errors have', () => {
  expectNone(dispositionViolations(shipped));
});

test.each([
  ["new EdrlakeError('LAKE_CONTENDED', 'a')", ['a.ts:1 LAKE_CONTENDED with the disposition stop']],
  [
    "new EdrlakeError('USAGE', 'a', { disposition: x ? 'stop' : 'retry' })",
    ['a.ts:1 USAGE with the disposition retry'],
  ],
  ["new EdrlakeError('USAGE', 'a', { hint: 'b' })", []],
  ["new EdrlakeError('LAKE_CONTENDED', 'a', { disposition: 'retry' })", []],
  ["new EdrlakeError('LAKE_CONTENDED', 'a', { ...details })", []],
  ['new EdrlakeError(code, text)', []],
])('the disposition rule says of %s: %j', (text, problems) => {
  expect(problemsOf(dispositionViolations([parseSource('a.ts', text)]))).toEqual(problems);
});
