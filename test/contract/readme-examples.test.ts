import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compile, TOP, withPrograms } from './compile-programs.ts';

/** Programs of a page: fenced TypeScript that imports something. Other blocks are parts of a file. */
function programsIn(text: string): string[] {
  const blocks = [...text.matchAll(/^```ts\n(.*?)^```/gms)].map((match) => match[1] ?? '');
  return blocks.filter((block) => /^import /m.test(block));
}

test('the programs in the pages of the repository and of each package compile', async () => {
  const packages = await readdir(join(TOP, 'packages'));
  const found = new Map<string, string>();
  for (const page of ['README.md', ...packages.map((name) => `packages/${name}/README.md`)]) {
    const programs = programsIn(await readFile(join(TOP, page), 'utf8'));
    expect(programs, page).not.toEqual([]);
    for (const [number, program] of programs.entries()) found.set(`${page.replaceAll('/', '-')}-${number}.ts`, program);
  }
  expect(await withPrograms(found, (folder) => compile(folder))).toBe('');
});
