import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
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
  /**
   * Moves files, creating folders as needed, in order. A source that does not exist is left out, so that a move which a
   * crash interrupted can be repeated. A crash leaves each file in exactly one of its two places.
   */
  move(moves: readonly Move[]): Promise<void>;
  /** Removes a file or a folder with everything in it; nothing happens when it is not there. */
  remove(path: string): Promise<void>;
}

/** One file's way. */
export interface Move {
  readonly from: string;
  readonly to: string;
}

/** Ends the names of files that are being written. They are never read, and may be removed once their writer is gone. */
const PARTIAL_SUFFIX = '.partial';

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
    move: (moves) => moveFiles(directory, moves),
    remove: (path) => rm(at(path), { recursive: true, force: true }),
  };
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
