import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe } from 'vitest';
import { INSTALL_MS, TOP, withLock } from './install.ts';

export {
  type Ended,
  freePort,
  installCopy,
  installFromNpm,
  installPython,
  NPM_QUIET,
  output,
  packedEdrlake,
  run,
  TOP,
} from './install.ts';

/**
 * The tests of a part. What it needs is installed before its first test; where that fails, the part fails, with a plain
 * sentence. `--without NAME` skips its tests.
 * @param name of its folder in `test/services`
 * @param install gets a folder of its own, `.services/NAME`, which later runs find as it was left
 * @param tests get what `install` has returned
 */
export function definePart<Kit>(
  name: string,
  install: (folder: string) => Promise<Kit>,
  tests: (kit: () => Kit) => void,
): void {
  const isLeftOut = (process.env.EDRLAKE_TEST_WITHOUT ?? '').split(',').includes(name);
  let installed: { readonly kit: Kit } | null = null;
  // Of the whole file: a report for machines has the messages of those hooks, and not of others.
  beforeAll(async () => {
    if (isLeftOut) return;
    const folder = join(TOP, '.services', name);
    await mkdir(folder, { recursive: true });
    try {
      // The files of a part install into the same folder, and run at the same time.
      installed = { kit: await withLock(`${folder}.lock`, () => install(folder)) };
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`${why}\nWithout it: npm run test:services -- --without ${name}`, { cause });
    }
  }, INSTALL_MS);
  describe.skipIf(isLeftOut)(name, () => {
    tests(() => {
      if (installed === null) throw new Error('nothing is installed before the tests begin');
      return installed.kit;
    });
  });
}
