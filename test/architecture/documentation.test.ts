import { describe, expect, test } from 'vitest';
import { documentationViolations } from './documentation-rules.ts';
import { readRepository } from './repository.ts';
import { parseSource } from './source.ts';
import { expectNone, problemsOf } from './violation.ts';

test('every exported thing in the packages is documented', () => {
  expectNone(documentationViolations(readRepository().packages.flatMap(({ sources, page }) => [...sources, ...page])));
});

describe('the documentation rule', () => {
  test.each([
    'export function f() {}',
    'export async function* f() {}',
    'export class f {}',
    'export interface f {}',
    'export type f = string;',
    'export const f = 1;',
    'const f = 1;\nexport { f };',
    'interface f {}\nexport type { f };',
  ])('notices %j', (text) => {
    expect(problemsOf(documentationViolations([parseSource('a.ts', text)]))).toEqual([
      'a.ts:1 f is exported without a docstring',
    ]);
  });

  test.each([
    '/** Counts what is there. */\nexport function f() {}',
    '/**\n * Counts what is there.\n */\n// biome-ignore lint/a/b: reason enough\nexport const f = 1;',
    '/** Counts what is there. */\nexport function f(a: string): void;\nexport function f(a: number): void;\nexport function f(a: unknown) {}',
    "export { f } from './f.ts';",
    'function f() {}',
    '/** Counts what is there. */\nconst f = 1;\nexport { f };',
    '/** Bytes of the two kinds of line ends. */\nexport const e = 1;\nexport const f = 2;\nexport const g = 3;',
  ])('accepts %j', (text) => {
    expect(documentationViolations([parseSource('a.ts', text)])).toEqual([]);
  });

  test.each([
    ['an ordinary comment', '/* Counts what is there. */\nexport const f = 1;'],
    ['a line comment', '// Counts what is there.\nexport const f = 1;'],
    ['a text that says nothing', '/** The f. */\nexport const f = 1;'],
    ["a neighbour's docstring", '/** Counts what is there. */\nconst g = 2;\nexport const f = g;'],
    ['the docstring of a list further up', '/** Bytes of line ends. */\nexport const e = 1;\n\nexport const f = 2;'],
    ['the docstring above a function', '/** Bytes of line ends. */\nexport const e = 1;\nexport function f() {}'],
    ['a docstring further up', '/** Counts what is there. */\n\nexport const f = 1;'],
  ])('does not take %s for a docstring', (_what, text) => {
    expect(documentationViolations([parseSource('a.ts', text)])).toHaveLength(1);
  });
});
