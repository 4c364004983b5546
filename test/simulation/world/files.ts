import * as fs from 'node:fs';
import * as fsPromises from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Disk } from './disk.ts';
import { systemError } from './errors.ts';
import { openHandle } from './file-handle.ts';
import type { Scheduler } from './scheduler.ts';
import { currentProcess, type SimulatedProcess } from './simulated-process.ts';

const real = { ...fs };
const realPromises = { ...fsPromises };

/** The parts of the world that file operations use. */
export interface FileWorld {
  readonly scheduler: Scheduler;
  readonly disk: Disk;
  /** The content that a process reads below `/proc`, or null where there is none. */
  readonly readSystemFile: (path: string, process: SimulatedProcess) => string | null;
}

type Operation = (...given: never[]) => unknown;
type Options = {
  recursive?: boolean;
  force?: boolean;
  withFileTypes?: boolean;
  encoding?: string;
  flag?: string;
  flush?: boolean;
} | null;

/** Errors that Node's asynchronous mkdir reports as another one when it makes parents. */
const HIDDEN_BY_MKDIR = new Set(['ENOSPC', 'EDQUOT', 'EIO']);

/**
 * `node:fs/promises` as processes see it: each system call is one operation of the world, done in one piece at its
 * turn. Paths outside of the disk are real.
 */
export function simulatedPromises(world: () => FileWorld): Readonly<Record<string, Operation>> {
  const turn = <T>(
    kind: string,
    path: string,
    perform: () => T | Promise<T>,
    { detail = '', half }: { readonly detail?: string; readonly half?: () => unknown } = {},
  ): Promise<T> => {
    const { scheduler, disk } = world();
    const task = {
      owner: currentProcess(),
      kind: disk.holds(path) ? kind : null,
      label: `${kind} ${shown(disk, path)}${detail}`,
      perform,
    };
    return scheduler.task(half === undefined ? task : { ...task, half });
  };
  const onDisk = (path: string) => world().disk.holds(path);

  async function removeAll(path: string, isForced: boolean): Promise<void> {
    const { disk } = world();
    let isFolder: boolean;
    try {
      isFolder = await turn('stat', path, () => real.lstatSync(path).isDirectory());
    } catch (thrown) {
      if (isForced && (thrown as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw thrown;
    }
    if (!isFolder) return turn('unlink', path, () => disk.unlink(path));
    const names = await turn('list', path, () => real.readdirSync(path).sort());
    for (const name of names) await removeAll(join(path, name), true);
    await turn('rmdir', path, () => disk.removeFolder(path));
  }

  async function makeAll(path: string): Promise<string | undefined> {
    const missing: string[] = [];
    for (let at = path; !real.existsSync(at); at = dirname(at)) missing.unshift(at);
    let first: string | undefined;
    for (const at of missing) {
      try {
        await turn('mkdir', at, () => world().disk.makeFolder(at));
        first ??= at;
      } catch (thrown) {
        const { code } = thrown as NodeJS.ErrnoException;
        // Another process was faster.
        if (code === 'EEXIST') continue;
        if (code !== undefined && HIDDEN_BY_MKDIR.has(code)) throw systemError('ENOENT', 'mkdir', path);
        throw thrown;
      }
    }
    return first;
  }

  return {
    access: (path: string, mode?: number) => turn('access', path, () => real.accessSync(path, mode)),
    stat: (path: string) => turn('stat', path, () => statOf(world().disk, path, true)),
    lstat: (path: string) => turn('stat', path, () => statOf(world().disk, path, false)),
    statfs: (path: string) => turn('statfs', path, () => realPromises.statfs(path)),
    realpath: (path: string) => turn('stat', path, () => real.realpathSync(path)),
    readdir: (path: string, options?: Options) => turn('list', path, () => listing(world(), path, options)),
    readFile: (path: string, options?: Options | BufferEncoding) => {
      const owner = currentProcess();
      return turn('read', path, () => content(world(), path, options, owner));
    },
    writeFile: async (path: string, data: string | Uint8Array, options?: Options | BufferEncoding) => {
      const flag = (typeof options === 'object' ? options?.flag : null) ?? 'w';
      const handle = await openHandle(world(), path, flag, turn);
      try {
        await handle.writeFile(data);
        if (typeof options === 'object' && options?.flush === true) await handle.sync();
      } finally {
        await handle.close();
      }
    },
    open: (path: string, flags = 'r') => openHandle(world(), path, flags, turn),
    link: (from: string, to: string) =>
      turn('link', to, () => world().disk.link(from, to), { detail: ` from ${shown(world().disk, from)}` }),
    rename: (from: string, to: string) =>
      turn('rename', to, () => world().disk.rename(from, to), { detail: ` from ${shown(world().disk, from)}` }),
    unlink: (path: string) => turn('unlink', path, () => world().disk.unlink(path)),
    rmdir: (path: string) => turn('rmdir', path, () => world().disk.removeFolder(path)),
    rm: (path: string, options?: Options) => {
      if (options?.recursive === true) return removeAll(path, options.force === true);
      return turn('unlink', path, () => unlinked(world().disk, path, options?.force === true));
    },
    mkdir: (path: string, options?: Options) =>
      options?.recursive === true && onDisk(path)
        ? makeAll(resolve(path))
        : turn('mkdir', path, () => world().disk.makeFolder(path)),
  };
}

/** The blocking functions of `node:fs` for processes: they happen at once. */
export function simulatedBlocking(world: () => FileWorld): Readonly<Record<string, Operation>> {
  const now = <T>(kind: string, path: string, perform: () => T): T => {
    const { scheduler, disk } = world();
    if (!disk.holds(path)) return perform();
    return scheduler.immediate({ owner: currentProcess(), kind, label: `${kind} ${shown(disk, path)}`, perform });
  };
  return {
    existsSync: (path: string) => now('stat', path, () => real.existsSync(path)),
    readFileSync: (path: string, options?: Options | BufferEncoding) => {
      const owner = currentProcess();
      if (typeof path !== 'string') return real.readFileSync(path, options as BufferEncoding);
      return now('read', path, () => content(world(), path, options, owner));
    },
    readlinkSync: (path: string) => {
      const owner = currentProcess();
      const target = owner !== null && path.startsWith('/proc/') ? world().readSystemFile(path, owner) : null;
      if (target === null) throw systemError('ENOENT', 'readlink', path);
      return target;
    },
    readdirSync: (path: string, options?: Options) => now('list', path, () => listing(world(), path, options)),
    linkSync: (from: string, to: string) => now('link', to, () => world().disk.link(from, to)),
    renameSync: (from: string, to: string) => now('rename', to, () => world().disk.rename(from, to)),
    rmSync: (path: string, options?: Options) =>
      now('unlink', path, () => unlinked(world().disk, path, options?.force === true)),
    mkdirSync: (path: string) => now('mkdir', path, () => madeAtOnce(world().disk, path)),
    writeFileSync: (path: string, data: string | Uint8Array) =>
      now('write', path, () => writtenAtOnce(world().disk, path, Buffer.from(data as string))),
  };
}

function unlinked(disk: Disk, path: string, isForced: boolean): void {
  if (isForced && !real.existsSync(path)) return;
  disk.unlink(path);
}

function madeAtOnce(disk: Disk, path: string): void {
  const missing: string[] = [];
  for (let at = resolve(path); !real.existsSync(at); at = dirname(at)) missing.unshift(at);
  for (const at of missing) disk.makeFolder(at);
}

function writtenAtOnce(disk: Disk, path: string, bytes: Buffer): void {
  const fd = disk.openFile(path, 'w');
  try {
    disk.write(fd, bytes, null);
  } finally {
    disk.close(fd);
  }
}

function content(
  { readSystemFile, disk }: FileWorld,
  path: string,
  options: Options | BufferEncoding | undefined,
  owner: SimulatedProcess | null,
): string | Buffer {
  if (owner !== null && path.startsWith('/proc/')) {
    const text = readSystemFile(path, owner);
    if (text === null) throw systemError('ENOENT', 'open', path);
    return text;
  }
  const bytes = real.readFileSync(path);
  const encoding = typeof options === 'string' ? options : options?.encoding;
  return encoding === undefined || encoding === null || !disk.holds(path)
    ? encoding === undefined || encoding === null
      ? bytes
      : bytes.toString(encoding as BufferEncoding)
    : bytes.toString(encoding as BufferEncoding);
}

/** In an order that the seed chooses, because no file system promises one. */
function listing({ disk, scheduler }: FileWorld, path: string, options: Options | undefined): unknown {
  const names =
    options?.withFileTypes === true ? real.readdirSync(path, { withFileTypes: true }) : real.readdirSync(path);
  const entries = (names as (string | fs.Dirent)[]).filter((entry) => nameOf(entry) !== '.shadow');
  entries.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  if (!disk.holds(path)) return entries;
  for (let last = entries.length - 1; last > 0; last -= 1) {
    const other = Math.floor(scheduler.random() * (last + 1));
    [entries[last], entries[other]] = [entries[other] as string, entries[last] as string];
  }
  return entries;
}

function nameOf(entry: string | fs.Dirent): string {
  return typeof entry === 'string' ? entry : entry.name;
}

function statOf(disk: Disk, path: string, followsLinks: boolean): fs.Stats {
  return disk.holds(path) ? disk.stat(path, followsLinks) : real.statSync(path);
}

/** A path without parts that differ from machine to machine. */
function shown(disk: Disk, path: string): string {
  if (disk.holds(path)) return path.slice(disk.root.length) || '/';
  return path.startsWith('/proc/') ? path : 'outside';
}
