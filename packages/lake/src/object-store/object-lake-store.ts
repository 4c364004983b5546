import { createHash } from 'node:crypto';
import { lstat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  EdrlakeError,
  errnoOf,
  type ObjectAddress,
  quoteFile,
  quoteText,
  systemClock,
  unreadable,
} from '@edrlake/core';
import { mapAtOnce } from '../storage/at-once.ts';
import type { StoredThing } from '../storage/file-status.ts';
import { FOLDERS, FORMAT_FILE, isOfTheMachine, parseLogName } from '../storage/layout.ts';
import { localStore, type ReadsChoice, type RemoteFiles, type Store } from '../storage/store.ts';
import { type FileCache, fileCache } from './file-cache.ts';
import { type ObjectStore, type PutOutcome, REQUEST_CONCURRENCY } from './object-store.ts';

/** The folder of copies, in the work folder. */
export const CACHE_FOLDER = 'cache';

/** Copies of data files kept on this machine, unless the user says otherwise. */
const CACHE_BYTES = 20 * 1024 ** 3;

/** More files than this in one folder of the lake are looked at by listing it. */
const HEADS_AT_MOST = 12;

/** For how long what a listing showed is believed of files that nothing but a vacuum or a person removes. */
const SEEN_MS = 60_000;

/** How a lake in an object store is read. */
export interface ObjectReading {
  /** Copies of data files kept on this machine. */
  readonly cacheBytes?: number | undefined;
  readonly reads?: ReadsChoice | undefined;
}

const BY_ITSELF: ReadsChoice = { way: 'auto', httpfsFile: null };

/**
 * A store whose shared part is in an object store. What belongs to this machine is in its work folder: unfinished work,
 * leases, runs, and copies of objects, which never change.
 * @param work absolute path of the work folder
 */
export function objectLakeStore(
  objects: ObjectStore,
  address: ObjectAddress,
  work: string,
  { cacheBytes = CACHE_BYTES, reads = BY_ITSELF }: ObjectReading = {},
): Store {
  const local = localStore(work);
  const shared = sharedFiles(objects, address, work, { cacheBytes, reads });
  const { cache } = shared;
  return {
    address: address.text,
    remote: shared.remote,
    locate: (path) => (isOfTheMachine(path) && path !== '' ? local.locate(path) : cache.locate(path)),
    putIfAbsent: async (path, text) => {
      if (isOfTheMachine(path)) return local.putIfAbsent(path, text);
      const outcome = await shared.putIfAbsent(path, text);
      if (typeof outcome === 'object') throw outcome.doubt;
      return outcome === 'created';
    },
    put: (path, text) => (isOfTheMachine(path) ? local.put(path, text) : shared.put(path, text)),
    read: (path) => (isOfTheMachine(path) ? local.read(path) : shared.read(path)),
    readBytes: (path) => (isOfTheMachine(path) ? local.readBytes(path) : shared.readBytes(path)),
    list: async (folder, after) => {
      if (isOfTheMachine(folder)) return local.list(folder, after);
      return (await shared.listed(folder, after)).filter((name) => !name.includes('/'));
    },
    absent: async (paths) => {
      const found = await shared.lookAt(paths.filter((path) => !isOfTheMachine(path)));
      const gone = [...found].flatMap(([path, thing]) => (thing === null ? [path] : []));
      return new Set([...(await local.absent(paths.filter(isOfTheMachine))), ...gone]);
    },
    look: async (paths) => {
      const mine = paths.filter(isOfTheMachine);
      const here = new Map((await local.look(mine)).map((thing, position) => [mine[position] ?? '', thing]));
      const there = await shared.lookAt(paths.filter((path) => !isOfTheMachine(path)));
      return paths.map((path) => here.get(path) ?? there.get(path) ?? null);
    },
    move: async (moves, ifGone) => {
      // Taking back what was uploaded needs nothing: the staged files are still there, and objects that no log entry
      // names are nothing until a vacuum removes them. Nor do replaced files leave their place before that.
      const here = moves.filter(({ from, to }) => isOfTheMachine(from) && isOfTheMachine(to));
      await local.move(here, ifGone);
      const upwards = moves.filter(({ from, to }) => isOfTheMachine(from) && !isOfTheMachine(to));
      await mapAtOnce(upwards, REQUEST_CONCURRENCY, ({ from, to }) => shared.upload(local.locate(from), to, ifGone));
    },
    link: async (from, to) => {
      if (isOfTheMachine(to)) return local.link(from, to);
      const text = await local.read(from);
      if (text === null) return 'gone';
      const outcome = await shared.putIfAbsent(to, text);
      return outcome === 'created' ? 'linked' : outcome;
    },
    rename: (from, to) => local.rename(from, to),
    walk: async (path) => {
      if (isOfTheMachine(path)) return local.walk(path);
      return (await shared.listed(path)).map((name) => `${path}/${name}`);
    },
    syncNames: async (folder) => {
      if (isOfTheMachine(folder)) await local.syncNames(folder);
    },
    remove: (path) => (isOfTheMachine(path) ? local.remove(path) : shared.remove(path)),
  };
}

/** The part of a lake that all machines share. Paths are relative to the lake. */
function sharedFiles(
  objects: ObjectStore,
  address: ObjectAddress,
  work: string,
  { cacheBytes, reads }: { readonly cacheBytes: number; readonly reads: ReadsChoice },
) {
  const keyOf = (path: string) => (address.prefix === '' ? path : `${address.prefix}/${path}`);
  const pathOf = (key: string) => (address.prefix === '' ? key : key.slice(address.prefix.length + 1));
  const cache = fileCache(objects, { directory: join(work, CACHE_FOLDER), keyOf, limitBytes: cacheBytes });
  const seen = seenThings();
  /** Of files that never change, as they were listed. */
  const etags = new Map<string, string>();
  /** Files that were uploaded, and the staged file that was: an attempt that is repeated uploads only what is new. */
  const uploaded = new Map<string, string>();
  const keepText = async (path: string, content: string | Uint8Array) => {
    if (!neverChanges(path)) return;
    await cache.writeText(path, Buffer.from(content).toString('utf8')).catch(() => undefined);
  };
  const listed = async (folder: string, after?: string): Promise<string[]> => {
    const prefix = `${keyOf(folder)}/`;
    const found = await objects.list(prefix, after === undefined ? undefined : `${prefix}${after}`);
    seen.note(found.map((object) => ({ ...object, path: pathOf(object.key) })));
    for (const { key, etag = '' } of found) if (neverChanges(pathOf(key))) etags.set(pathOf(key), etag);
    return found.map(({ key }) => key.slice(prefix.length));
  };
  return {
    cache,
    listed,
    lookAt: (paths: readonly string[]) => lookAt(paths, seen, listed, (path) => objects.stat(keyOf(path))),
    remote: {
      ...remoteFiles(objects, cache, { keyOf, pathOf }),
      ...{ reads, addressOf: (path: string) => `${address.text}/${path}` },
      isCopyAsListed: async (path: string) => {
        const copy = await cache.readText(path);
        return copy !== null && createHash('md5').update(copy).digest('hex') === etags.get(path);
      },
    },
    upload: async (location: string, path: string, ifGone: 'skip' | 'fail'): Promise<void> => {
      const identity = await identityOf(location);
      if (identity === null && ifGone === 'skip') return;
      if (identity === null) throw new EdrlakeError('LAKE_UNWRITABLE', `the staged file of ${path} is gone`);
      if (uploaded.get(path) === identity.text) return;
      const isProven = await objects.putFile(keyOf(path), location);
      uploaded.set(path, identity.text);
      if (isProven) seen.note([{ path, bytes: identity.bytes, changedAtMs: 0 }]);
      else seen.forget(path);
      await cache.keep(path, location);
    },
    putIfAbsent: async (path: string, content: string | Uint8Array): Promise<PutOutcome> => {
      const outcome = await objects.putIfAbsent(keyOf(path), content);
      if (outcome !== 'created') return outcome;
      seen.note([{ path, bytes: Buffer.from(content).length, changedAtMs: 0 }]);
      await keepText(path, content);
      return outcome;
    },
    put: async (path: string, content: string | Uint8Array): Promise<void> => {
      await objects.put(keyOf(path), content);
      seen.forget(path);
      await keepText(path, content);
    },
    readBytes: (path: string) => objects.get(keyOf(path)),
    read: async (path: string): Promise<string | null> => {
      const copy = neverChanges(path) ? await cache.readText(path) : null;
      if (copy !== null) return copy;
      const text = (await objects.get(keyOf(path)))?.toString('utf8') ?? null;
      if (text !== null) await keepText(path, text);
      return text;
    },
    remove: async (path: string): Promise<void> => {
      await objects.delete(keyOf(path));
      seen.forget(path);
      uploaded.delete(path);
      await cache.forget(path);
    },
  };
}

/** Many files of one folder are looked at by listing it. @returns what is at each path */
async function lookAt(
  paths: readonly string[],
  seen: ReturnType<typeof seenThings>,
  list: (folder: string) => Promise<unknown>,
  stat: (path: string) => Promise<StoredThing | null>,
): Promise<Map<string, StoredThing | null>> {
  const found = new Map<string, StoredThing | null>();
  const byFolder = new Map<string, string[]>();
  for (const path of paths) {
    const known = seen.get(path);
    if (known !== undefined) {
      found.set(path, known);
      continue;
    }
    const [folder = ''] = path.split('/', 1);
    byFolder.set(folder, [...(byFolder.get(folder) ?? []), path]);
  }
  for (const [folder, unknown] of byFolder) {
    if (unknown.length > HEADS_AT_MOST) {
      await list(folder);
      for (const path of unknown) found.set(path, seen.get(path) ?? null);
      continue;
    }
    await mapAtOnce(unknown, REQUEST_CONCURRENCY, async (path) => {
      const thing = await stat(path);
      found.set(path, thing);
      if (thing !== null) seen.note([{ ...thing, path }]);
    });
  }
  return found;
}

function remoteFiles(
  objects: ObjectStore,
  cache: FileCache,
  { keyOf, pathOf }: { readonly keyOf: (path: string) => string; readonly pathOf: (key: string) => string },
): Omit<RemoteFiles, 'reads' | 'addressOf' | 'isCopyAsListed'> {
  return {
    bring: cache.bring,
    present: cache.present,
    directAccess: objects.directAccess,
    bringAgain: async (files) => {
      for (const { path } of files) await cache.forget(path);
      await cache.bring(files);
    },
    bringNamed: async (sql, describe) => {
      const paths = new Set<string>();
      for (const root of new Set([quoteFile, quoteText].map((quote) => `${quote(cache.locate('')).slice(0, -1)}/`))) {
        for (let at = sql.indexOf(root); at !== -1; at = sql.indexOf(root, at + 1)) {
          paths.add(sql.slice(at + root.length, sql.indexOf("'", at + root.length)));
        }
      }
      if (paths.size > 0) await cache.bring([...paths].map(describe));
    },
    copies: async (folder) => (await cache.list(folder)).filter((name) => neverChanges(`${folder}/${name}`)),
    forgetCopies: async (paths) => {
      for (const path of paths) await cache.forget(path);
    },
    traffic: objects.traffic,
    remember: async () => {},
    unfinishedUploads: async (beforeMs) => {
      const open = await objects.openUploads(keyOf(''));
      return open.flatMap(({ key, id, begunAtMs }) => (begunAtMs < beforeMs ? [{ path: pathOf(key), id }] : []));
    },
    abortUpload: ({ path, id }) => objects.abortUpload({ key: keyOf(path), id, begunAtMs: 0 }),
    close: objects.close,
  };
}

/**
 * Whether a file has one content for ever. The documents of proofs are written again, and the marker of a lake is
 * compared with its copy.
 */
function neverChanges(path: string): boolean {
  if (path === FORMAT_FILE) return false;
  return dirname(path) === FOLDERS.log && parseLogName(path.slice(FOLDERS.log.length + 1)) !== null;
}

/** A staged file as it is now: a file that was written again differs. */
async function identityOf(location: string): Promise<{ readonly text: string; readonly bytes: number } | null> {
  const found = await lstat(location).catch((thrown) => {
    if (errnoOf(thrown) === 'ENOENT') return null;
    throw unreadable(`${location} cannot be looked at`, thrown);
  });
  return found === null ? null : { text: `${found.ino} ${found.size} ${found.mtimeMs}`, bytes: found.size };
}

/** What requests of the last minute have shown. A missing object is asked for again each time. */
function seenThings() {
  const things = new Map<string, StoredThing & { readonly seenAtMs: number }>();
  return {
    note: (found: readonly (StoredThing & { readonly path: string })[]) => {
      const seenAtMs = systemClock.nowMs();
      for (const { path, bytes, changedAtMs } of found) things.set(path, { bytes, changedAtMs, seenAtMs });
    },
    get: (path: string): StoredThing | undefined => {
      const thing = things.get(path);
      return thing !== undefined && systemClock.nowMs() - thing.seenAtMs <= SEEN_MS ? thing : undefined;
    },
    forget: (path: string) => things.delete(path),
  };
}
