import { describe, expect, test } from 'vitest';
import { readRepository } from './repository.ts';
import { parseSource } from './source.ts';
import { expectNone, problemsOf } from './violation.ts';
import { vocabularyViolations, widthViolations } from './vocabulary-rules.ts';

const { files, packages, outside } = readRepository();

const sources = [...packages.flatMap((pkg) => [...pkg.sources, ...pkg.page, ...pkg.tests]), ...outside];

describe('the repository', () => {
  test('uses the terms of the field', () => {
    // The rule and its test name the words.
    const found = vocabularyViolations(sources, files).filter(
      ({ file }) => !file.startsWith('test/architecture/vocab'),
    );
    expectNone(found);
  });

  test('wraps comments and prose', () => {
    expectNone(widthViolations(sources, files));
  });
});

describe('the vocabulary rule notices', () => {
  test.each([
    ['// Whoever waits', 'Whoever'],
    ['/** Nobody\n * is here */', 'Nobody'],
    ["f('the file lies in the folder');", 'lies'],
    ['f(`an odd record`);', 'odd'],
    ['// so many entries stay', 'so many'],
  ])('%s', (text, word) => {
    expect(problemsOf(vocabularyViolations([parseSource('a.ts', text)], []))).toEqual([`a.ts:1 the word ${word}`]);
  });

  test('prose of a page, not its code', () => {
    const text = 'Nothing.\n\n```\nwhoever\n```\nUse `odd`.\nIt stands here.\n';
    expect(problemsOf(vocabularyViolations([], [{ path: 'a.md', text }]))).toEqual(['a.md:7 the word stands']);
  });
});

test.each(["const odd = 'odd';", '// so many as there are', '// a standard, an address, a lie', "f('told');"])(
  'the vocabulary rule accepts %s',
  (text) => {
    expect(vocabularyViolations([parseSource('a.ts', text)], [])).toEqual([]);
  },
);

describe('the width rule', () => {
  const long = 'word '.repeat(25);

  test.each([
    ['a line comment', `// ${long}`],
    ['a docstring', `/** ${long} */`],
  ])('notices %s', (_, text) => {
    expect(problemsOf(widthViolations([parseSource('a.ts', text)], []))).toEqual(['a.ts:1 prose above 120 characters']);
  });

  test('notices prose of a page, not its tables and code', () => {
    const text = `| ${long} |\n\n\`\`\`\n${long}\n\`\`\`\n\n${long}\n`;
    expect(problemsOf(widthViolations([], [{ path: 'a.md', text }]))).toEqual(['a.md:7 prose above 120 characters']);
  });

  test.each([`const text = '${long}';`, '// short', `// biome-ignore lint/a/b: ${long}`])('accepts %s', (text) => {
    expect(widthViolations([parseSource('a.ts', text)], [])).toEqual([]);
  });
});
