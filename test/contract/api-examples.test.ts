import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as edrlake from 'edrlake';
import * as arrow from 'edrlake/arrow';
import * as simulator from 'edrlake/simulator';
import * as testing from 'edrlake/testing';
import { expect, test } from 'vitest';
import { compile, TOP, withPrograms } from './compile-programs.ts';

/** An `@example` in a docstring. */
interface Example {
  /** What the docstring is about; null for a member. */
  readonly subject: string | null;
  /** Its file and number in it. */
  readonly place: string;
  readonly code: string;
}

const DAYS = { from: '2020-08-17', to: '2020-08-18' };

const DOORS = { edrlake, 'edrlake/arrow': arrow, 'edrlake/simulator': simulator, 'edrlake/testing': testing };

/** Every example of what is shipped. Each ends its docstring. */
async function everyExample(): Promise<Example[]> {
  const packages = join(TOP, 'packages');
  const paths = await readdir(packages, { recursive: true });
  const sources = paths.map((path) => path.replaceAll('\\', '/')).filter((path) => /^[^/]+\/src\/.*\.ts$/.test(path));
  const examples = await Promise.all(sources.toSorted().map(async (path) => examplesIn(path, join(packages, path))));
  return examples.flat();
}

async function examplesIn(path: string, file: string): Promise<Example[]> {
  const text = await readFile(file, 'utf8');
  const found = text.matchAll(
    /^( *) \* @example\n((?: +\*(?: .*)?\n)+?) +\*\/\n(?:export (?:async )?(?:function\*?|class|const) (\w+))?/gm,
  );
  return [...found].map(([, , lines = '', subject], number) => ({
    subject: subject ?? null,
    place: `${path.replace('/src', '').replaceAll('/', '-').replace('.ts', '')}-${number}`,
    code: lines.replaceAll(/^ +\* ?/gm, ''),
  }));
}

/** What an example finds: the doors of the package, and what its text would have said before. */
function moduleOf({ code }: Example): string {
  const imports = Object.entries(DOORS).map(
    ([door, exported]) => `import { ${Object.keys(exported).join(', ')} } from '${door}';`,
  );
  return `${imports.join('\n')}
import { Readable } from 'node:stream';
import type { Lake, Source } from 'edrlake';
import { DOORS } from '../../examples/own-dataset.ts';
interface Given {
  readonly lake: Lake;
  readonly source: Source;
  readonly directory: string;
  readonly password: string;
  readonly console: { log(...values: unknown[]): void };
}
export async function example({ lake, source, directory, password, console }: Given): Promise<void> {
  {
${code}  }
}
`;
}

test('everything that can be called or used has an example', async () => {
  const subjects = new Set((await everyExample()).map(({ subject }) => subject));
  const names = Object.values(DOORS).flatMap((door) => Object.keys(door));
  expect(names.length).toBeGreaterThan(15);
  expect(names.filter((name) => !subjects.has(name))).toEqual([]);
});

test('the examples compile, and do what they say against a simulated gateway', async () => {
  const examples = await everyExample();
  const modules = new Map(examples.map((example) => [`${example.place}.ts`, moduleOf(example)]));
  expect(modules.size).toBe(examples.length);
  await withPrograms(modules, async (folder) => {
    // An example shows what it gets, and need not use it.
    expect(await compile(folder, { noUnusedLocals: false, noUnusedParameters: false })).toBe('');
    await runExamples(new Map(examples.map(({ place }) => [place, join(folder, `${place}.ts`)])));
  });
});

/** All on one lake and one gateway: each must work on what others have left. */
async function runExamples(modules: ReadonlyMap<string, string>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'edrlake-example-'));
  const before = process.cwd();
  try {
    await mkdir(join(directory, 'hunts'));
    await writeFile(join(directory, 'hunts/bad-hosts.txt'), 'evil.example\n');
    process.chdir(directory);
    await using gateway = await testing.startTestGateway({ ...DAYS, events: 200, seed: 3, nullIdShare: 0 });
    const subscriptions = [{ name: 'acme', lake: 'lakes/acme', baseUrl: gateway.source.baseUrl, username: 'demo' }];
    await writeFile('edrlake.config.json', JSON.stringify({ subscriptions }));
    await using lake = await edrlake.openLake(join(directory, 'given'));
    for (const [place, path] of modules) {
      const { example } = await import(/* @vite-ignore */ path);
      const given = { lake, source: gateway.source, directory: join(directory, place), password: 'demo' };
      await example({ ...given, console: { log: () => {} } }).catch((cause: unknown) => {
        throw new Error(`the example ${place} fails`, { cause });
      });
    }
  } finally {
    process.chdir(before);
    await rm(directory, { recursive: true, force: true });
  }
}
