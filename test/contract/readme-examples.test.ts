import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const TOP = fileURLToPath(new URL('../../', import.meta.url));

/** The manifest of the public package names only what is shipped of it, and that is built. */
const SOURCES_OF_EDRLAKE = {
  edrlake: [join(TOP, 'packages/edrlake/src/index.ts')],
  'edrlake/*': [join(TOP, 'packages/edrlake/src/*.ts')],
};

/** Programs of a page: fenced TypeScript that imports something. Other blocks are parts of a file. */
function programsIn(text: string): string[] {
  const blocks = [...text.matchAll(/^```ts\n(.*?)^```/gms)].map((match) => match[1] ?? '');
  return blocks.filter((block) => /^import /m.test(block));
}

test('the programs in the pages of the repository and of each package compile', async () => {
  const packages = await readdir(join(TOP, 'packages'));
  const pages = ['README.md', ...packages.map((name) => `packages/${name}/README.md`)];
  // Inside the repository, so that package names are resolved; git and the other tests ignore the folder.
  await mkdir(join(TOP, '.vitest'), { recursive: true });
  const folder = await mkdtemp(join(TOP, '.vitest', 'readme-'));
  try {
    for (const page of pages) {
      const programs = programsIn(await readFile(join(TOP, page), 'utf8'));
      expect(programs, page).not.toEqual([]);
      for (const [number, program] of programs.entries()) {
        await writeFile(join(folder, `${page.replaceAll('/', '-')}-${number}.ts`), program);
      }
    }
    const compilerOptions = { composite: false, declaration: false, declarationMap: false, noEmit: true };
    const config = {
      extends: '../../tsconfig.base.json',
      compilerOptions: { ...compilerOptions, customConditions: ['edrlake-source'], paths: SOURCES_OF_EDRLAKE },
      include: ['*.ts'],
    };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const tsc = join(TOP, 'node_modules/typescript/bin/tsc');
    const problems = await promisify(execFile)(process.execPath, [tsc, '-p', folder]).then(
      () => '',
      (failure: Error & { readonly stdout?: string }) => failure.stdout || failure.message,
    );
    expect(problems).toBe('');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
