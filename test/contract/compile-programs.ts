import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** The top of the repository. */
export const TOP = fileURLToPath(new URL('../../', import.meta.url));

/** The manifest of the public package names only what is shipped of it, and that is built. */
const SOURCES_OF_EDRLAKE = {
  edrlake: [join(TOP, 'packages/edrlake/src/index.ts')],
  'edrlake/*': [join(TOP, 'packages/edrlake/src/*.ts')],
};

/** What is declared of the packages of Temporal, which are not installed here. */
const SDK_OF_TEMPORAL = join(TOP, 'packages/temporal/types/*.d.ts');

/**
 * Writes files into a folder that is removed after the work, inside the repository: package names are resolved there.
 */
export async function withPrograms<T>(
  programs: ReadonlyMap<string, string>,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  // git and the other tests ignore the folder.
  await mkdir(join(TOP, '.vitest'), { recursive: true });
  const folder = await mkdtemp(join(TOP, '.vitest', 'programs-'));
  try {
    for (const [name, program] of programs) await writeFile(join(folder, name), program);
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Compiles the TypeScript of a folder against the sources, as strictly as the repository.
 * @param options of the compiler, beyond those
 * @returns what the compiler says; empty text if nothing is wrong
 */
export async function compile(folder: string, options: object = {}): Promise<string> {
  const own = { composite: false, declaration: false, declarationMap: false, noEmit: true, ...options };
  const config = {
    extends: '../../tsconfig.base.json',
    compilerOptions: { ...own, customConditions: ['edrlake-source'], paths: SOURCES_OF_EDRLAKE },
    include: ['*.ts', SDK_OF_TEMPORAL],
  };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const tsc = join(TOP, 'node_modules/typescript/bin/tsc');
  return promisify(execFile)(process.execPath, [tsc, '-p', folder]).then(
    () => '',
    (failure: Error & { readonly stdout?: string }) => failure.stdout || failure.message,
  );
}
