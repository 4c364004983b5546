import { randomUUID } from 'node:crypto';
import { link, lstat, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { EdrlakeError } from '@edrlake/core';

/**
 * The few operations the lake needs from where it lies. Paths are relative to the lake, with forward slashes. What a
 * resolved promise says is durable: it survives a power cut.
 */
export interface Store {
  /** What DuckDB opens the file by. */
  locate(path: string): string;
  /** Creates the file with all of its text, or returns false and changes nothing when it exists. Of racing callers exactly one gets true. */
  putIfAbsent(path: string, text: string): Promise<boolean>;
  /** Creates or replaces the file; a reader sees the old text or the new, never a part. */
  put(path: string, text: string): Promise<void>;
  /** null when there is no such file. */
  read(path: string): Promise<string | null>;
  /** Names in a folder, in no order; empty when there is no such folder. */
  list(folder: string): Promise<string[]>;
  /** Those of the paths at which nothing lies. Lists each folder once. @throws {EdrlakeError} `LAKE_CORRUPT` when one cannot be listed. */
  absent(paths: readonly string[]): Promise<ReadonlySet<string>>;
  /**
   * Moves files, creating folders as needed, in order. A source that does not exist is left out, so that a move which a
   * crash interrupted can be repeated. A crash leaves each file in exactly one of its two places.
   */
  move(moves: readonly Move[]): Promise<void>;
  /** The paths of all files in a folder and in the folders in it; the path itself where it is a file; in no order. */
  walk(path: string): Promise<string[]>;
  /** What is at each path, in their order; null where nothing is. */
  look(paths: readonly string[]): Promise<(StoredThing | null)[]>;
  /** Removes a file or a folder with everything in it; nothing happens when it is not there. */
  remove(path: string): Promise<void>;
}

/** A file or a folder. */
export interface StoredThing {
  /** 0 for a folder. */
  readonly bytes: number;
  /** When its content or its name last changed, by the clock of the file system. */
  readonly changedAtMs: number;
}

/** One file's way. */
export interface Move {
  readonly from: string;
  readonly to: string;
}

/** Ends the names of files that are being written. They are never read, and may be removed once their writer is gone. */
export const PARTIAL_SUFFIX = '.partial';

/** A lake on a local (or mounted) file system that has hard links and atomic renames. */
export function localStore(directory: string): Store {
  const at = (path: string) => join(directory, path);
  return {
    locate: at,
    putIfAbsent: async (path, text) => {
      const partial = await writePartial(at(path), text);
      try {
        // link(2) fails when the name exists, and what appears under the name is complete and synced.
        await link(partial, at(path));
      } catch (thrown) {
        if (errnoOf(thrown) === 'EEXIST') return false;
        throw unwritable(path, thrown);
      } finally {
        await rm(partial, { force: true });
      }
      await syncDirectory(dirname(at(path)));
      return true;
    },
    put: async (path, text) => {
      const partial = await writePartial(at(path), text);
      await rename(partial, at(path)).catch((thrown) => {
        throw unwritable(path, thrown);
      });
      await syncDirectory(dirname(at(path)));
    },
    read: (path) =>
      readFile(at(path), 'utf8').catch((thrown) => {
        if (['ENOENT', 'ENOTDIR'].includes(errnoOf(thrown))) return null;
        throw new EdrlakeError('LAKE_CORRUPT', `${path} cannot be read: ${errnoOf(thrown)}`, {
          cause: thrown,
          hint: 'Check the disk and the permissions of the lake.',
        });
      }),
    list: (folder) => readdir(at(folder)).catch(() => []),
    absent: (paths) => absentPaths(directory, paths),
    walk: (path) => walkFiles(directory, path),
    look: (paths) => inGroups(paths, (path) => lookAt(join(directory, path))),
    move: (moves) => moveFiles(directory, moves),
    remove: (path) => rm(at(path), { recursive: true, force: true }),
  };
}

/** Files and folders looked at at the same time. */
const LOOK_CONCURRENCY = 32;

async function inGroups<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let first = 0; first < items.length; first += LOOK_CONCURRENCY) {
    results.push(...(await Promise.all(items.slice(first, first + LOOK_CONCURRENCY).map(work))));
  }
  return results;
}

async function lookAt(location: string): Promise<StoredThing | null> {
  try {
    const found = await lstat(location);
    return { bytes: found.isDirectory() ? 0 : found.size, changedAtMs: Math.max(found.mtimeMs, found.ctimeMs) };
  } catch (thrown) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(thrown))) return null;
    throw new EdrlakeError('LAKE_CORRUPT', `${location} cannot be looked at: ${errnoOf(thrown)}`, {
      cause: thrown,
      hint: 'Check the disk and the permissions of the lake.',
    });
  }
}

async function walkFiles(directory: string, path: string): Promise<string[]> {
  const files: string[] = [];
  let folders = [path];
  while (folders.length > 0) {
    const entries = await inGroups(folders, async (folder) => {
      const listed = await readdir(join(directory, folder), { withFileTypes: true }).catch((thrown) => {
        if (errnoOf(thrown) === 'ENOTDIR') files.push(folder);
        return [];
      });
      return listed.map((entry) => ({ path: `${folder}/${entry.name}`, isFolder: entry.isDirectory() }));
    });
    files.push(...entries.flat().flatMap((entry) => (entry.isFolder ? [] : [entry.path])));
    folders = entries.flat().flatMap((entry) => (entry.isFolder ? [entry.path] : []));
  }
  return files;
}

async function absentPaths(directory: string, paths: readonly string[]): Promise<Set<string>> {
  const byFolder = new Map<string, string[]>();
  for (const path of paths) {
    const ofFolder = byFolder.get(dirname(path));
    if (ofFolder === undefined) byFolder.set(dirname(path), [path]);
    else ofFolder.push(path);
  }
  const absent = new Set<string>();
  await inGroups([...byFolder], async ([folder, expected]) => {
    const present = new Set(await listFolder(directory, folder));
    for (const path of expected) if (!present.has(basename(path))) absent.add(path);
  });
  return absent;
}

/** A folder that is not there is empty; one that may not be read says nothing about what is in it. */
async function listFolder(directory: string, folder: string): Promise<string[]> {
  try {
    return await readdir(join(directory, folder));
  } catch (thrown) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(thrown))) return [];
    throw new EdrlakeError('LAKE_CORRUPT', `${folder} cannot be listed: ${errnoOf(thrown)}`, {
      cause: thrown,
      hint: 'Check the disk and the permissions of the lake.',
    });
  }
}

async function writePartial(target: string, text: string): Promise<string> {
  const partial = `${target}.${randomUUID()}${PARTIAL_SUFFIX}`;
  try {
    await mkdir(dirname(target), { recursive: true });
    const file = await open(partial, 'wx');
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (thrown) {
    await rm(partial, { force: true });
    throw unwritable(target, thrown);
  }
  return partial;
}

async function moveFiles(directory: string, moves: readonly Move[]): Promise<void> {
  const folders = new Set<string>();
  for (const { from, to } of moves) {
    const target = join(directory, to);
    try {
      const created = await mkdir(dirname(target), { recursive: true });
      // A new folder's own name has to last too.
      if (created !== undefined) folders.add(dirname(created)).add(dirname(dirname(target)));
      await rename(join(directory, from), target);
    } catch (thrown) {
      if (errnoOf(thrown) === 'ENOENT') continue;
      throw unwritable(to, thrown);
    }
    folders.add(dirname(target)).add(dirname(join(directory, from)));
  }
  for (const folder of folders) await syncDirectory(folder);
}

/** Makes the names in a folder durable. A folder that is gone by now has no names to keep. */
async function syncDirectory(path: string): Promise<void> {
  await syncPath(path).catch((thrown) => {
    if (errnoOf(thrown) !== 'ENOENT') throw unwritable(path, thrown);
  });
}

/** Makes a file's content, or a folder's names, survive a power cut. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** `ENOENT`, `EACCES` and the like, or the text of what was thrown. */
export function errnoOf(thrown: unknown): string {
  return (thrown as NodeJS.ErrnoException | null)?.code ?? String(thrown);
}

/** The error of a write that failed, with what usually helps. */
export function unwritable(path: string, thrown: unknown): EdrlakeError {
  const errno = errnoOf(thrown);
  const hints: Readonly<Record<string, string>> = {
    ENOSPC: 'The disk is full: free some space and run again.',
    EDQUOT: 'The disk quota is used up: free some space and run again.',
    EROFS: 'The file system is mounted read-only.',
    ENOTDIR: 'A part of that path is a file, not a folder: choose another --lake directory.',
  };
  return new EdrlakeError('LAKE_UNWRITABLE', `cannot write ${path}: ${errno}`, {
    cause: thrown,
    context: { path, errno },
    hint: hints[errno] ?? 'Check who owns the directory and its permissions, or choose another --lake directory.',
  });
}
