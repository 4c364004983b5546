import { existsSync } from 'node:fs';
import { cp, lstat, mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, posix } from 'node:path';
import { type Simulator, startSimulator } from '@edrlake/simulator';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { definePart, type Ended, installFromNpm, NPM_QUIET, output, packedEdrlake, run, TOP } from '../part.ts';

/** The oldest Node that the package promises, and the newest of each later major. */
const NODES: Readonly<Record<string, string>> = { 20: '20.19.0', 22: '22', 24: '24', 26: '26' };

/** What most projects compile with, and the newest. */
const COMPILERS: Readonly<Record<string, string>> = { 'TypeScript 5.9': '5.9.3', 'TypeScript 7': '7.0.2' };

const PACKAGE = join(TOP, 'packages/edrlake');

interface Kit {
  readonly folder: string;
  /** Of publint, attw and pnpm. */
  readonly programs: string;
  /** The packed package, and what is in it. */
  readonly tarball: string;
  readonly files: readonly string[];
}

/** Installs what the tests run. */
async function install(folder: string): Promise<Kit> {
  const platform = `${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const nodes = Object.entries(NODES).map(([major, version]) => [`node-${major}`, `npm:node-${platform}@${version}`]);
  const compilers = Object.values(COMPILERS).map((version) => [`typescript-${version}`, `npm:typescript@${version}`]);
  const programs = await installFromNpm(join(folder, 'tools'), {
    '@arethetypeswrong/cli': '0.18.5',
    pnpm: '10.34.8',
    publint: '0.3.25',
    ...Object.fromEntries([...nodes, ...compilers]),
  });
  return { folder, programs, ...(await packedEdrlake()) };
}

definePart('package', install, (kit) => {
  let folder = '';
  let simulator: Simulator;

  /** The environment in which `node` is that of a major version. */
  const withNode = (major: string) => {
    const bin = join(kit().folder, 'tools/node_modules', `node-${major}`, 'bin');
    return { PATH: [bin, process.env.PATH].join(delimiter), EDRLAKE_USERNAME: 'demo', EDRLAKE_PASSWORD: 'demo' };
  };
  const node = (major: string) => join(kit().folder, 'tools/node_modules', `node-${major}`, 'bin/node');
  const project = () => join(folder, 'npm');

  beforeAll(async () => {
    // Outside of the repository, where none of its packages can be found by accident.
    folder = await realpath(await mkdtemp(join(tmpdir(), 'edrlake-package-')));
    const range = { startMs: Date.UTC(2020, 7, 17), endMs: Date.UTC(2020, 7, 19) };
    simulator = await startSimulator({ events: 1_500, range, seed: 3, nullIdShare: 0 });
    await newProject(project());
    await output('npm', ['install', ...NPM_QUIET, kit().tarball], { cwd: project() });
  });

  afterAll(async () => {
    // Neither is there when nothing could be installed.
    await simulator?.close();
    if (folder !== '') await rm(folder, { recursive: true, force: true });
  });

  test('the tarball holds what its manifest names, README and changelog, and no leftovers of a build', async () => {
    const installed = join(project(), 'node_modules/edrlake');
    const manifest = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')) as Manifest;
    const doors = Object.values(manifest.exports).flatMap((door) => Object.values(door));
    const named = [...doors, ...Object.values(manifest.bin)].map((path) => posix.normalize(path));
    const files = new Set(kit().files);
    expect(named.length).toBeGreaterThan(3);
    for (const path of [...named, 'README.md', 'CHANGELOG.md', 'bundle/pipelines/nightly.ts']) {
      expect(files, path).toContain(path);
    }
    for (const entry of manifest.files) {
      expect(
        [...files].some((path) => path === entry || path.startsWith(`${entry}/`)),
        entry,
      ).toBe(true);
    }
    expect([...files].filter((path) => /tsbuildinfo|(?:^|\/)(?:src|test|node_modules)\//.test(path))).toEqual([]);
    const sizes = await Promise.all(kit().files.map(async (path) => (await lstat(join(installed, path))).size));
    expect(Math.min(...sizes), 'an empty file').toBeGreaterThan(0);
    expect(await danglingMaps(installed, kit().files)).toEqual([]);
  });

  test('publint and "are the types wrong" have nothing to say', async () => {
    const { programs, tarball } = kit();
    const cwd = folder;
    const manifest = JSON.parse(await readFile(join(PACKAGE, 'package.json'), 'utf8')) as Manifest;
    const publint = await run(join(programs, 'publint'), [tarball, '--strict'], { cwd });
    expect(publint.stdout + publint.stderr).toContain('All good!');
    expect(publint.exitCode).toBe(0);
    // Importing by `require` works where Node can require modules, from 20.19 on: the oldest that is promised.
    const attw = await run(join(programs, 'attw'), [tarball, '--profile', 'esm-only', '--format', 'json'], { cwd });
    expect(attw.exitCode, attw.stdout + attw.stderr).toBe(0);
    expect(Object.keys((JSON.parse(attw.stdout) as Attw).analysis.entrypoints)).toEqual(Object.keys(manifest.exports));
  });

  test('an installation has as many packages and bytes as the README says, and DuckDB once', async () => {
    const alone = join(folder, 'alone');
    await mkdir(alone);
    await writeFile(join(alone, 'package.json'), '{"private":true}');
    await output('npm', ['install', ...NPM_QUIET, kit().tarball], { cwd: alone });
    const lock = JSON.parse(await readFile(join(alone, 'node_modules/.package-lock.json'), 'utf8')) as Lock;
    const files = await filesBelow(join(alone, 'node_modules'));
    const megabytes = files.reduce((sum, { size }) => sum + size, 0) / 1e6;
    const measured = { packages: Object.keys(lock.packages).length, megabytes: Math.round(megabytes) };
    const readme = await readFile(join(TOP, 'README.md'), 'utf8');
    const [, packages, size] = /(\d+) packages and (\d+) MB/.exec(readme) ?? [];
    expect(files.filter(({ path }) => path.endsWith('duckdb.node')).map(({ path }) => path)).toHaveLength(1);
    expect(measured.packages, JSON.stringify(measured)).toBe(Number(packages));
    // Other platforms have another DuckDB.
    const [least, most] = process.platform === 'linux' && process.arch === 'x64' ? [0.9, 1.1] : [0.3, 2];
    expect(megabytes / Number(size), JSON.stringify(measured)).toBeGreaterThan(least);
    expect(megabytes / Number(size), JSON.stringify(measured)).toBeLessThan(most);
  });

  test.each(Object.entries(COMPILERS))('a strict program compiles with %s', async (_, version) => {
    const tsc = join(kit().folder, 'tools/node_modules', `typescript-${version}`, 'bin/tsc');
    const ended = await run(process.execPath, [tsc, '-p', project()], { cwd: project() });
    expect(ended.stdout + ended.stderr).toBe('');
    expect(ended.exitCode).toBe(0);
  });

  test.each(Object.keys(NODES))('the program runs with Node %s', async (major) => {
    const at = { cwd: project(), env: withNode(major) };
    expect(await output('node', ['--version'], at)).toMatch(new RegExp(`^v${major}\\.`));
    expect(resultOf(await run('node', ['program.js', join(folder, `lake-${major}`)], at))).toEqual(RESULT);
  });

  test.each(Object.keys(NODES))('the command works with Node %s', async (major) => {
    const at = join(folder, `command-${major}`);
    // The configuration and the pipelines that init writes import edrlake, as in any project that depends on it.
    await mkdir(at);
    await cp(join(project(), 'node_modules'), join(at, 'node_modules'), { recursive: true, verbatimSymlinks: true });
    await checkCommand(at, withNode(major), simulator);
  });

  test('pnpm installs it, and nothing is imported that is not declared', async () => {
    const at = join(folder, 'pnpm');
    await newProject(at);
    // Without hoisting, a package finds only what it declares.
    const strict = ['--config.hoist=false', `--store-dir=${join(kit().folder, 'pnpm-store')}`];
    await output(join(kit().programs, 'pnpm'), ['add', ...strict, kit().tarball], { cwd: at });
    expect((await readdir(join(at, 'node_modules'))).filter((name) => !name.startsWith('.'))).not.toContain('jiti');
    const [, version = ''] = Object.entries(COMPILERS)[0] ?? [];
    const tsc = join(kit().folder, 'tools/node_modules', `typescript-${version}`, 'bin/tsc');
    await output(process.execPath, [tsc, '-p', at], { cwd: at });
    expect(resultOf(await run(node('22'), ['program.js', 'lake-of-the-program'], { cwd: at }))).toEqual(RESULT);
    await checkCommand(at, withNode('22'), simulator);
  });
});

interface Manifest {
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly files: readonly string[];
}

interface Attw {
  readonly analysis: { readonly entrypoints: object };
}

interface Lock {
  readonly packages: object;
}

/** What `consumer/program.ts` prints. */
const RESULT = {
  planned: 1_200,
  exported: 'done',
  counted: 1_200,
  days: ['2020-08-17 complete'],
  compared: 'match',
  read: 1_200,
  pipeline: 'done',
  refused: 'AUTH_REJECTED',
  committed: true,
};

function resultOf({ exitCode, stdout, stderr }: Ended): unknown {
  expect(exitCode, stdout + stderr).toBe(0);
  expect(stderr, 'a library prints nothing, and Node has nothing to warn of').toBe('');
  return JSON.parse(stdout);
}

/** An empty project with strict TypeScript, and the program. Types of libraries are checked, those of edrlake too. */
async function newProject(folder: string): Promise<void> {
  await mkdir(folder);
  await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  const compilerOptions = {
    target: 'ES2023',
    lib: ['ES2023'],
    module: 'NodeNext',
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noPropertyAccessFromIndexSignature: true,
    verbatimModuleSyntax: true,
    isolatedModules: true,
    skipLibCheck: false,
    types: ['node'],
    typeRoots: [join(TOP, 'node_modules/@types')],
  };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.ts'] }));
  await cp(join(import.meta.dirname, 'consumer/program.ts'), join(folder, 'program.ts'));
}

/** A day in the life of the command in a project that has edrlake in its node_modules. */
async function checkCommand(cwd: string, env: Readonly<Record<string, string>>, simulator: Simulator): Promise<void> {
  const edrlake = (...args: string[]) => run(join(cwd, 'node_modules/.bin/edrlake'), args, { cwd, env });
  const succeeded = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await edrlake(...args);
    expect(exitCode, `${args.join(' ')}\n${stdout}${stderr}`).toBe(0);
    expect(stderr).not.toMatch(/Warning/);
    return stdout;
  };
  const { version } = JSON.parse(await readFile(join(PACKAGE, 'package.json'), 'utf8')) as { version: string };
  expect((await succeeded('--version')).trim()).toBe(version);
  await succeeded('init', '--base-url', simulator.url);
  expect(existsSync(join(cwd, 'edrlake.config.ts'))).toBe(true);
  const range = ['--from', '2020-08-17', '--to', '2020-08-18'];
  await succeeded('backfill', ...range);
  const count = ['query', '--format', 'csv', 'select count(*) as n, count(distinct event_id) as ids from events'];
  expect((await succeeded(...count)).trim()).toBe('n,ids\n1500,1500');
  // One that comes with edrlake, and the copy that init has written.
  const params = ['--param', 'from=2020-08-17', '--param', 'to=2020-08-18'];
  await succeeded('run', 'backfill', ...params);
  expect(await succeeded('run', 'nightly', '--dry-run')).toContain('reconcile');
  expect((await succeeded(...count)).trim()).toBe('n,ids\n1500,1500');
  const failed = await edrlake('backfill', '--from', 'yesterdy', '--to', '2020-08-18');
  expect(failed.exitCode).toBe(2);
}

/** References to source maps that are not there, and maps whose sources are not there. */
async function danglingMaps(folder: string, files: readonly string[]): Promise<string[]> {
  const packed = new Set(files);
  const dangling: string[] = [];
  for (const path of files) {
    const beside = (name: string) => posix.join(dirname(path), name);
    if (path.endsWith('.map')) {
      const { sources } = JSON.parse(await readFile(join(folder, path), 'utf8')) as { sources: string[] };
      if (!sources.every((source) => packed.has(beside(source)))) dangling.push(path);
    } else if (/\.(?:js|ts)$/.test(path)) {
      const named = /^\/\/# sourceMappingURL=(?!data:)(\S+)\s*$/m.exec(await readFile(join(folder, path), 'utf8'))?.[1];
      if (named !== undefined && !packed.has(beside(named))) dangling.push(path);
    }
  }
  return dangling;
}

/** All files, without following links. */
async function filesBelow(folder: string): Promise<{ readonly path: string; readonly size: number }[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Promise.all(files.map(async (path) => ({ path, size: (await lstat(path)).size })));
}
