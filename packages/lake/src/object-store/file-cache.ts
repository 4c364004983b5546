import { randomUUID } from 'node:crypto';
import { copyFile, link, lstat, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { errnoOf, MS_PER_MINUTE, makeFolder, systemClock, unwritable } from '@edrlake/core';
import { mapAtOnce } from '../storage/at-once.ts';
import { sumFile } from '../storage/checksum.ts';
import { PARTIAL_SUFFIX, type SummedFile } from '../storage/store.ts';
import { type ObjectStore, REQUEST_CONCURRENCY } from './object-store.ts';

/** Local copies of objects that never change, in one folder, below the paths that they have in the lake. */
export interface FileCache {
  /** Absolute path of the copy of a file. */
  locate(path: string): string;
  /** See `RemoteFiles.bring`. */
  bring(files: readonly SummedFile[]): Promise<void>;
  /** See `RemoteFiles.present`. */
  present(files: readonly SummedFile[]): Promise<ReadonlySet<string>>;
  /** Makes a copy of a file that is on this machine, such as one that was just uploaded. */
  keep(path: string, location: string): Promise<void>;
  forget(path: string): Promise<void>;
  /** A copy of a text that `writeText` made; null where there is none, or a damaged one. */
  readText(path: string): Promise<string | null>;
  writeText(path: string, text: string): Promise<void>;
  list(folder: string): Promise<string[]>;
}

/** Copies used this recently stay although there are too many: a running statement may read them. */
const IN_USE_MS = 15 * MS_PER_MINUTE;

/** Further downloads of a file that arrived with other bytes than the log names. */
const DOWNLOADS = 2;

/**
 * A folder of copies. Several processes may share it.
 * @param directory absolute
 * @param limitBytes once the copies are larger, those that were not used for the longest time are removed
 */
export function fileCache(
  objects: ObjectStore,
  { directory, keyOf, limitBytes }: { directory: string; keyOf: (path: string) => string; limitBytes: number },
): FileCache {
  const at = (path: string) => join(directory, path);
  /** Bytes of the copies since the folder was last weighed; null before that. */
  let weight: number | null = null;

  const makeRoom = async (added: number): Promise<void> => {
    if (weight !== null) weight += added;
    if (weight === null || weight > limitBytes) weight = await evict(directory, limitBytes);
  };

  /** One writer at a time has a partial file of its own name; renaming makes it the copy. */
  const intoPlace = async (path: string, make: (partial: string) => Promise<boolean>): Promise<boolean> => {
    const target = at(path);
    const partial = `${target}.${randomUUID()}${PARTIAL_SUFFIX}`;
    await makeFolder(dirname(target));
    try {
      if (!(await make(partial))) return false;
      await rename(partial, target);
      return true;
    } catch (thrown) {
      throw errnoOf(thrown).startsWith('E') && !errnoOf(thrown).includes(' ') ? unwritable(target, thrown) : thrown;
    } finally {
      await rm(partial, { force: true }).catch(() => undefined);
    }
  };

  const download = async (file: SummedFile): Promise<void> => {
    for (let attempt = 1; attempt <= DOWNLOADS; attempt += 1) {
      let isThere = true;
      const arrived = await intoPlace(file.path, async (partial) => {
        isThere = await objects.getToFile(keyOf(file.path), partial);
        return isThere && isAsLogged(file, await sumFile(partial));
      });
      if (arrived) return makeRoom(file.fileBytes ?? 0);
      if (!isThere) return;
    }
  };

  /** Whether there is a copy. Marks it as used. */
  const use = async ({ path, fileBytes }: SummedFile): Promise<boolean> => {
    const found = await lstat(at(path)).catch(() => null);
    if (found === null || (fileBytes !== undefined && found.size !== fileBytes)) return false;
    const now = systemClock.nowMs() / 1_000;
    await utimes(at(path), now, now).catch(() => undefined);
    return true;
  };

  return {
    locate: at,
    bring: async (files) => {
      await mapAtOnce(files, REQUEST_CONCURRENCY, async (file) => {
        if (!(await use(file))) await download(file);
      });
    },
    present: async (files) => {
      const found = await mapAtOnce(files, REQUEST_CONCURRENCY, async (file) => ((await use(file)) ? [file.path] : []));
      return new Set(found.flat());
    },
    keep: async (path, location) => {
      await intoPlace(path, async (partial) => {
        // Another device has no second names.
        await link(location, partial).catch(() => copyFile(location, partial));
        return true;
      });
      await makeRoom((await lstat(at(path)).catch(() => null))?.size ?? 0);
    },
    forget: (path) => rm(at(path), { force: true, recursive: true }),
    readText: async (path) => {
      const text = await readFile(at(path), 'utf8').catch(() => '');
      const [sum, content] = [text.slice(0, SUM_LENGTH), text.slice(SUM_LENGTH)];
      return sum === sumOf(content) ? content : null;
    },
    writeText: async (path, text) => {
      await intoPlace(path, async (partial) => {
        await writeFile(partial, `${sumOf(text)}${text}`);
        return true;
      });
    },
    list: (folder) => readdir(at(folder)).catch(() => []),
  };
}

function isAsLogged(file: SummedFile, found: { readonly bytes: number; readonly crc32: number } | null): boolean {
  if (found === null) return false;
  if (file.fileBytes !== undefined && found.bytes !== file.fileBytes) return false;
  return file.crc32 === undefined || found.crc32 === file.crc32;
}

const SUM_LENGTH = 9;

/** Eight hexadecimal digits and a line break: a copy is not synced, so a power cut may leave a part of it. */
function sumOf(text: string): string {
  return `${crc32(text).toString(16).padStart(8, '0')}\n`;
}

/**
 * Removes the copies that were used longest ago until they fit, and what downloads of processes that died have left.
 * @returns bytes of those that remain
 */
async function evict(directory: string, limitBytes: number): Promise<number> {
  const names = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  const usedBefore = systemClock.nowMs() - IN_USE_MS;
  const copies: { readonly path: string; readonly bytes: number; readonly usedAtMs: number }[] = [];
  for (const entry of names) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const found = await lstat(path).catch(() => null);
    if (found === null) continue;
    // A download that gets nothing for much less time than this has failed.
    if (path.endsWith(PARTIAL_SUFFIX) && found.mtimeMs < usedBefore) await rm(path, { force: true });
    else copies.push({ path, bytes: found.size, usedAtMs: found.mtimeMs });
  }
  let total = copies.reduce((bytes, copy) => bytes + copy.bytes, 0);
  for (const { path, bytes, usedAtMs } of copies.sort((a, b) => a.usedAtMs - b.usedAtMs)) {
    if (total <= limitBytes || usedAtMs > usedBefore) break;
    await rm(path, { force: true });
    total -= bytes;
  }
  return total;
}
