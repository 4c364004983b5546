import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** The top of the repository, also for what was compiled into a folder below. */
export const TOP = `${topAbove(import.meta.dirname)}/`;

function topAbove(folder: string): string {
  return existsSync(join(folder, 'turbo.json')) ? folder : topAbove(dirname(folder));
}

/** The longest that an installation may take. */
export const INSTALL_MS = 600_000;

/** The output and the exit code of a program. */
export interface Ended {
  /** null where a signal ended it. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run a program. */
export interface RunOptions {
  readonly cwd: string;
  /** Beside the environment of this process, without its settings of edrlake and of the npm that started it. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default: ten minutes. */
  readonly timeoutMs?: number;
}

/** Runs a program to its end. @throws where there is no such program */
export function run(program: string, args: readonly string[], { cwd, env, timeoutMs }: RunOptions): Promise<Ended> {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(?:EDRLAKE_|npm_|NODE_OPTIONS|VITEST)/.test(name),
  );
  const settings = {
    cwd,
    env: { ...Object.fromEntries(inherited), ...env },
    timeout: timeoutMs ?? INSTALL_MS,
    maxBuffer: 64 * 1024 * 1024,
  };
  return new Promise((resolve, reject) => {
    execFile(program, args, settings, (error, stdout, stderr) => {
      const code = error === null ? 0 : (error.code ?? null);
      if (typeof code !== 'string') resolve({ exitCode: code, stdout, stderr });
      else if (code !== 'ENOENT') reject(error);
      else reject(new Error(`${program} is needed and is not installed on this machine`, { cause: error }));
    });
  });
}

/** Runs a program that must succeed. @returns its stdout @throws with all it printed */
export async function output(program: string, args: readonly string[], options: RunOptions): Promise<string> {
  const { exitCode, stdout, stderr } = await run(program, args, options);
  if (exitCode === 0) return stdout;
  throw new Error(`${[program, ...args].join(' ')} ended with ${exitCode}:\n${stdout}${stderr}`);
}

/**
 * Installs packages of npm into a folder, unless exactly these are there.
 * @param packages exact versions or ranges by name
 * @returns the folder of their programs
 */
export async function installFromNpm(folder: string, packages: Readonly<Record<string, string>>): Promise<string> {
  const manifest = `${JSON.stringify({ private: true, dependencies: packages }, null, 2)}\n`;
  const path = join(folder, 'installed.json');
  const programs = join(folder, 'node_modules/.bin');
  if (existsSync(path) && (await readFile(path, 'utf8')) === manifest) return programs;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), manifest);
  const names = Object.entries(packages).map(([name, version]) => `${name}@${version.replace(/^npm:/, '')}`);
  await npmInstall('install', folder, names.join(', '));
  // Last, so that an installation that was interrupted is begun again.
  await writeFile(path, manifest);
  return programs;
}

/** What an installation by npm in a test leaves out. */
export const NPM_QUIET = ['--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error'] as const;

/**
 * Installs the locked packages of a folder of the repository into another, unless exactly these are there.
 * @param from with a package.json and its lock
 * @param what the packages are, for the message where it fails
 */
export async function installCopy(from: string, folder: string, what: string): Promise<void> {
  const lock = await readFile(join(from, 'package-lock.json'), 'utf8');
  const path = join(folder, 'installed.json');
  if (existsSync(path) && (await readFile(path, 'utf8')) === lock) return;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const name of ['package.json', 'package-lock.json']) await cp(join(from, name), join(folder, name));
  await npmInstall('ci', folder, what);
  await writeFile(path, lock);
}

async function npmInstall(command: 'install' | 'ci', folder: string, what: string): Promise<void> {
  const { exitCode, stderr } = await run('npm', [command, ...NPM_QUIET], { cwd: folder });
  if (exitCode === 0) return;
  throw new Error(
    `${what}: needed, and npm could not install it from its registry:\n${stderr.trim()}\n` +
      'Check that npm reaches its registry: npm ping.',
  );
}

/** edrlake as it is published. */
export interface Packed {
  readonly tarball: string;
  /** Paths in it. */
  readonly files: readonly string[];
}

const PACKED = join(TOP, '.services/packed');

/** Packs edrlake, which builds the command anew: while it does, no other program can use the command. */
export async function packEdrlake(): Promise<void> {
  await rm(PACKED, { recursive: true, force: true });
  await mkdir(PACKED, { recursive: true });
  const pack = ['pack', '--json', '--no-foreground-scripts', '--pack-destination', PACKED];
  const printed = await output('npm', pack, { cwd: join(TOP, 'packages/edrlake') });
  const [{ filename, files }] = JSON.parse(printed) as [{ filename: string; files: { path: string }[] }];
  const packed: Packed = { tarball: join(PACKED, filename), files: files.map(({ path }) => path) };
  await writeFile(join(PACKED, 'packed.json'), JSON.stringify(packed));
}

/** What was packed before the tests began. */
export async function packedEdrlake(): Promise<Packed> {
  return JSON.parse(await readFile(join(PACKED, 'packed.json'), 'utf8')) as Packed;
}

/**
 * A Python of its own with packages of PyPI, installed once.
 * @param folder that holds nothing else which has to be kept
 * @returns the path of its program
 */
export async function installPython(folder: string, packages: readonly string[]): Promise<string> {
  const list = join(folder, 'installed.txt');
  const python = join(folder, 'venv', process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python');
  const wanted = packages.join('\n');
  if (existsSync(list) && (await readFile(list, 'utf8')) === wanted) return python;
  await rm(join(folder, 'venv'), { recursive: true, force: true });
  await output('python3', ['-m', 'venv', 'venv'], { cwd: folder });
  const arguments_ = ['-m', 'pip', 'install', '-q', '--disable-pip-version-check', ...packages];
  const { exitCode, stderr } = await run(python, arguments_, { cwd: folder });
  if (exitCode !== 0) throw new Error(`pip could not install ${packages.join(', ')} from PyPI:\n${stderr.trim()}`);
  await writeFile(list, wanted);
  return python;
}

/**
 * Work that one process at a time does: several test files, and a demo beside them, install into one folder.
 * @param lock the path of a file, which is taken over where its process has ended
 */
export async function withLock<T>(lock: string, work: () => Promise<T>): Promise<T> {
  for (const endMs = Date.now() + INSTALL_MS; ; await pause(200)) {
    try {
      await writeFile(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST' || Date.now() > endMs) throw thrown;
      const holder = Number(await readFile(lock, 'utf8').catch(() => '0'));
      if (holder > 0 && !isAlive(holder)) await rm(lock, { force: true });
    }
  }
  try {
    return await work();
  } finally {
    await rm(lock, { force: true });
  }
}

/** Whether a process of this machine runs. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** A port of loopback that nothing listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
