import { randomUUID } from 'node:crypto';
import { link, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import {
  createExclusive,
  errnoOf,
  makeFolder,
  syncNames,
  unreadable,
  unwritable,
  type WriteSteps,
  writeAtomic,
} from '@edrlake/core';
import { mapAtOnce } from './at-once.ts';
import { LOOK_CONCURRENCY, lookAt, lookAtAll, type StoredThing } from './file-status.ts';

/**
 * The few operations that the lake needs from its storage. Paths are relative to the lake, with forward slashes. What a
 * resolved promise reports is durable: it survives a power cut.
 */
export interface Store {
  /** Where the lake is, as its user names it: an absolute path, or `s3://bucket/prefix`. */
  readonly address: string;
  /**
   * Files of the lake that are not on this machine; null where all of them are. Then files that a commit replaced stay
   * in their place until a vacuum, because readers on other machines cannot be seen.
   */
  readonly remote: RemoteFiles | null;
  /** The path by which DuckDB opens the file. In an object store: of its local copy, once it has been brought here. */
  locate(path: string): string;
  /**
   * Creates the file with all of its content; returns false and changes nothing when it exists. Of racing callers
   * exactly one gets true.
   */
  putIfAbsent(path: string, content: string | Uint8Array): Promise<boolean>;
  /** Creates or replaces the file; a reader sees the old content or the new, never a part. */
  put(path: string, content: string | Uint8Array): Promise<void>;
  /** The text; null when there is no such file. */
  read(path: string): Promise<string | null>;
  /** null when there is no such file. */
  readBytes(path: string): Promise<Uint8Array | null>;
  /**
   * Names in a folder, in no order; empty when there is no such folder.
   * @param after leaves out names that do not sort after this text; an object store then lists only the rest
   * @throws {EdrlakeError} `LAKE_CORRUPT` when it cannot be listed.
   */
  list(folder: string, after?: string): Promise<string[]>;
  /**
   * The paths at which there is nothing. Lists each folder once.
   * @throws {EdrlakeError} `LAKE_CORRUPT` when one cannot be listed.
   */
  absent(paths: readonly string[]): Promise<ReadonlySet<string>>;
  /**
   * Moves files in order and makes folders as needed. A crash leaves each file in exactly one of its two places.
   * @param ifGone what a missing source means: `skip` where a move that a crash interrupted may be repeated, `fail`
   * where every file must arrive
   * @throws {EdrlakeError} `LAKE_UNWRITABLE`; files before the one that failed have moved
   */
  move(moves: readonly Move[], ifGone: 'skip' | 'fail'): Promise<void>;
  /**
   * Gives a whole file a second name, in a folder that may be new. Of racing callers exactly one gets `linked`; a file
   * that another process has moved away cannot be linked. `doubt`: an object store did not say whether it has the
   * object, and may still get it.
   */
  link(from: string, to: string): Promise<'linked' | 'taken' | 'gone' | { readonly doubt: unknown }>;
  /** Moves one file or folder. Of racing callers exactly one gets true, the others false, because it is gone. */
  rename(from: string, to: string): Promise<boolean>;
  /**
   * The paths of all files in a folder and in the folders in it; the path itself where it is a file; in no order.
   * @throws {EdrlakeError} `LAKE_CORRUPT` when a folder cannot be listed.
   */
  walk(path: string): Promise<string[]>;
  /** What is at each path, in the same order; null where nothing is. */
  look(paths: readonly string[]): Promise<(StoredThing | null)[]>;
  /** Makes the names in a folder durable that another process, which may have died before it could, gave. */
  syncNames(folder: string): Promise<void>;
  /**
   * Removes a file or a folder with everything in it; does nothing when it is missing.
   * @throws {EdrlakeError} `LAKE_UNWRITABLE`
   */
  remove(path: string): Promise<void>;
}

/** A file as the log names it. Files of an older edrlake have no checksum, its index files no size either. */
export interface SummedFile {
  readonly path: string;
  readonly fileBytes?: number;
  readonly crc32?: number;
}

/** What went to an object store and came back since it was opened. */
export interface ObjectTraffic {
  /** All requests, also those that failed and were sent again. */
  readonly requests: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

/** Ways in which a query reads the data files of a lake in an object store. */
export const READ_WAYS = ['auto', 'copies', 'httpfs'] as const;

/**
 * `copies`: whole files are downloaded and compared with their checksums. `httpfs`: DuckDB's extension of that name
 * reads the parts that a query needs. `auto`: the second where the extension can be loaded, else the first.
 */
export type ReadWay = (typeof READ_WAYS)[number];

/** How queries shall read an object store. */
export interface ReadsChoice {
  readonly way: ReadWay;
  /** Absolute path of the extension's file; null: where DuckDB installs extensions. */
  readonly httpfsFile: string | null;
}

/** What DuckDB needs to reach the objects itself. */
export interface DirectAccess {
  /** Host with its port. */
  readonly host: string;
  readonly isEncrypted: boolean;
  readonly urlStyle: 'path' | 'vhost';
  readonly region: string;
  readonly keyId: string;
  /** Secrets: they go into DuckDB and nowhere else. */
  readonly secret: string;
  readonly sessionToken: string | null;
}

/** How the data files of an object store were read. */
export interface QueryReads {
  readonly by: 'copies' | 'httpfs';
  /** Files that the statement names. */
  readonly files: number;
  /** Those of them that were read as copies on this machine. */
  readonly copies: number;
  /** Why copies were read; null with `httpfs`. */
  readonly why: string | null;
}

/** The part of a store that only a lake in an object store has. */
export interface RemoteFiles {
  /**
   * Makes local copies of files, where there are none. A file that is missing in the object store, or does not have
   * the bytes that the log names, gets no copy: a reader finds it missing, as on a disk.
   * @throws {EdrlakeError} `STORE_UNREACHABLE`, `STORE_REFUSED`, `LAKE_UNWRITABLE`: these say nothing about the file
   */
  bring(files: readonly SummedFile[]): Promise<void>;
  /** The same, without using a copy that is here: for what examines the object store itself. */
  bringAgain(files: readonly SummedFile[]): Promise<void>;
  /** The paths of those of the files of which there is a copy. Marks it as used. */
  present(files: readonly SummedFile[]): Promise<ReadonlySet<string>>;
  /** How queries shall read what has no copy. */
  readonly reads: ReadsChoice;
  /** `s3://bucket/key` of a file. */
  addressOf(path: string): string;
  /** What DuckDB needs to read the files at their addresses; or why it cannot, as the rest of a sentence. */
  directAccess(): Promise<DirectAccess | string>;
  /** Brings the files that a statement names by the paths of their copies. */
  bringNamed(sql: string, describe: (path: string) => SummedFile): Promise<void>;
  /** Names in a folder of which there is a copy that never changes. Asks nothing of the object store. */
  copies(folder: string): Promise<string[]>;
  /** Whether the newest list that showed a file proves that its copy has the same bytes. */
  isCopyAsListed(path: string): Promise<boolean>;
  /** Forgets copies of files, which are then read from the object store again. */
  forgetCopies(paths: readonly string[]): Promise<void>;
  traffic(): ObjectTraffic;
  /** Notes which lake the copies are of, once its marker exists. */
  remember(): Promise<void>;
  /** Multipart uploads that were never finished, begun before an instant, by path. */
  unfinishedUploads(beforeMs: number): Promise<readonly UnfinishedUpload[]>;
  abortUpload(upload: UnfinishedUpload): Promise<void>;
  close(): void;
}

/** A multipart upload whose writer died or gave up. */
export interface UnfinishedUpload {
  readonly path: string;
  readonly id: string;
}

/** The move of one file. */
export interface Move {
  readonly from: string;
  readonly to: string;
}

/**
 * Ends the names of files that are being written. Such files are never read, and may be removed once their writer is
 * dead.
 */
export const PARTIAL_SUFFIX = '.partial';

/** A store on a local (or mounted) file system that has hard links and atomic renames. */
export function localStore(directory: string): Store {
  const at = (path: string) => join(directory, path);
  return {
    address: directory,
    remote: null,
    locate: at,
    putIfAbsent: async (path, content) => {
      await makeFolder(dirname(at(path)));
      return createExclusive(at(path), content, stepsOf(directory, path));
    },
    put: async (path, content) => {
      await makeFolder(dirname(at(path)));
      await writeAtomic(at(path), content, { ...stepsOf(directory, path), syncs: 'name' });
    },
    read: async (path) => (await readWhole(directory, path))?.toString('utf8') ?? null,
    readBytes: (path) => readWhole(directory, path),
    list: async (folder, after = '') => (await listFolder(directory, folder)).filter((name) => name > after),
    absent: (paths) => absentPaths(directory, paths),
    link: (from, to) => linkFile(directory, from, to),
    rename: (from, to) => renameThing(directory, from, to),
    walk: (path) => walkFiles(directory, path),
    look: (paths) => lookAtAll(paths.map(at)),
    move: (moves, ifGone) => moveFiles(directory, moves, ifGone),
    syncNames: (folder) => syncDirectory(at(folder)),
    remove: (path) =>
      rm(at(path), { recursive: true, force: true }).catch((thrown) => {
        throw unwritable(path, thrown);
      }),
  };
}

function readWhole(directory: string, path: string): Promise<Buffer | null> {
  return readFile(join(directory, path)).catch((thrown) => {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(thrown))) return null;
    throw unreadable(`${path} cannot be read`, thrown);
  });
}

async function walkFiles(directory: string, path: string): Promise<string[]> {
  const files: string[] = [];
  let folders = [path];
  while (folders.length > 0) {
    const entries = await mapAtOnce(folders, LOOK_CONCURRENCY, async (folder) => {
      const listed = await readdir(join(directory, folder), { withFileTypes: true }).catch((thrown) => {
        const errno = errnoOf(thrown);
        if (errno === 'ENOTDIR') files.push(folder);
        else if (errno !== 'ENOENT') throw unreadable(`${folder} cannot be listed`, thrown);
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
  await mapAtOnce([...byFolder], LOOK_CONCURRENCY, async ([folder, expected]) => {
    const present = new Set(await listFolder(directory, folder));
    for (const path of expected) if (!present.has(basename(path))) absent.add(path);
  });
  return absent;
}

/** A missing folder is empty; a folder that cannot be read says nothing about its content. */
async function listFolder(directory: string, folder: string): Promise<string[]> {
  try {
    return await readdir(join(directory, folder));
  } catch (thrown) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(thrown))) return [];
    throw unreadable(`${folder === '' ? directory : folder} cannot be listed`, thrown);
  }
}

/** Writes to a partial file next to the target. Errors name the target, because users do not know partial files. */
function stepsOf(directory: string, path: string): WriteSteps {
  const target = join(directory, path);
  const temporary = `${target}.${randomUUID()}${PARTIAL_SUFFIX}`;
  return {
    temporary,
    refusal: (at, thrown) => unwritable(at === temporary ? target : at === target ? path : at, thrown),
  };
}

async function moveFiles(directory: string, moves: readonly Move[], ifGone: 'skip' | 'fail'): Promise<void> {
  const folders = new Set<string>();
  const made = new Set<string>();
  for (const { from, to } of moves) {
    const [source, target] = [join(directory, from), join(directory, to)];
    if (!made.has(dirname(target))) {
      // A new folder's own name has to be durable too. An existing one may have been made by a process that ended
      // before it synced the name, so the folder above is always synced.
      for (const created of await makeFolder(dirname(target))) folders.add(dirname(created));
      if (dirname(to) !== '.') folders.add(dirname(dirname(target)));
      made.add(dirname(target));
    }
    try {
      await rename(source, target);
    } catch (thrown) {
      if (ifGone === 'skip' && errnoOf(thrown) === 'ENOENT' && (await lookAt(source)) === null) continue;
      throw unwritable(to, thrown);
    }
    folders.add(dirname(target)).add(dirname(source));
  }
  for (const folder of folders) await syncDirectory(folder);
}

async function linkFile(directory: string, from: string, to: string): Promise<'linked' | 'taken' | 'gone'> {
  const target = join(directory, to);
  for (const made of await makeFolder(dirname(target))) await syncDirectory(dirname(made));
  try {
    // link(2) fails when the name exists; a file that appears under the name is complete and synced.
    await link(join(directory, from), target);
  } catch (thrown) {
    if (errnoOf(thrown) === 'EEXIST') return 'taken';
    if (errnoOf(thrown) === 'ENOENT' && (await lookAt(join(directory, from))) === null) return 'gone';
    throw unwritable(to, thrown);
  }
  await syncDirectory(dirname(target));
  return 'linked';
}

async function renameThing(directory: string, from: string, to: string): Promise<boolean> {
  const [source, target] = [join(directory, from), join(directory, to)];
  try {
    await rename(source, target);
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT' && (await lookAt(source)) === null) return false;
    throw unwritable(to, thrown);
  }
  for (const folder of new Set([dirname(source), dirname(target)])) await syncDirectory(folder);
  return true;
}

/** @throws {EdrlakeError} `LAKE_UNWRITABLE` */
async function syncDirectory(path: string): Promise<void> {
  await syncNames(path).catch((thrown) => {
    throw unwritable(path, thrown);
  });
}
