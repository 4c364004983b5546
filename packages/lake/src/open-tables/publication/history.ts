import { EdrlakeError } from '@edrlake/core';
import type { CommitLog } from '../../log/commit-log.ts';
import type { LogEntry, LoggedFile, Schema } from '../../log/lake-state.ts';
import { listLog, readCheckpoint, readEntry } from '../../log/log-files.ts';
import { trashPath } from '../../storage/layout.ts';
import type { Store } from '../../storage/store.ts';

/** One version of the lake, as far as table formats know such things. */
export interface LakeVersion {
  /** 0: the lake before its first commit. */
  readonly version: number;
  /** null where an older edrlake did not record it, and for version 0. */
  readonly commitId: string | null;
  /** UTC; of version 0 that of the first commit. */
  readonly committedAtMs: number;
  readonly runId: string | null;
  readonly schemaVersion: number;
  readonly schema: Schema;
  /** Files that the version brought and took away, of all tables. Empty for the first version of a history. */
  readonly added: readonly LoggedFile[];
  readonly removed: readonly LoggedFile[];
  /** Whether it only merged files, so that it has the rows of the version before. */
  readonly isRearranged: boolean;
}

/** Versions without a gap, oldest first. */
export interface History {
  /** The oldest version, and all of its files by path. */
  readonly first: LakeVersion;
  readonly firstFiles: ReadonlyMap<string, LoggedFile>;
  /** Those after it. */
  readonly versions: readonly LakeVersion[];
}

/** Entries read in parallel. */
const READ_CONCURRENCY = 32;

/** Attempts to read a log of which older parts are vacuumed meanwhile. */
const READ_ATTEMPTS = 4;

/**
 * The newest versions of the lake: from `after`, where the log still has it, else from the oldest that the log has.
 * @param after -1: as far back as the log goes
 * @throws {EdrlakeError} `LAKE_CORRUPT`
 */
export async function readHistory(store: Store, log: CommitLog, after: number): Promise<History> {
  const newest = (await log.refresh()).version;
  for (let attempt = 1; ; attempt += 1) {
    const history = await tryRead(store, after, newest);
    if (history !== null) return history;
    if (attempt === READ_ATTEMPTS) {
      throw new EdrlakeError('LAKE_CORRUPT', `the log has gaps between version ${Math.max(after, 0)} and ${newest}`, {
        hint: 'edrlake doctor says what is damaged.',
      });
    }
  }
}

/** null where a checkpoint or an entry went away meanwhile. */
async function tryRead(store: Store, after: number, newest: number): Promise<History | null> {
  const { entries, checkpoints } = await listLog(store);
  const base = checkpoints.find((version) => version <= after) ?? (entries[0] === 1 ? 0 : checkpoints.at(-1));
  if (base === undefined) return newest === 0 ? emptyHistory() : null;
  const state = base === 0 ? null : await readCheckpoint(store, base);
  if (base > 0 && state === null) return null;
  const read: LogEntry[] = [];
  for (let next = base + 1; next <= newest; next += READ_CONCURRENCY) {
    const length = Math.min(READ_CONCURRENCY, newest - next + 1);
    const found = await Promise.all(Array.from({ length }, (_, offset) => readEntry(store, next + offset)));
    for (const entry of found) if (entry === null) return null;
    read.push(...found.filter((entry) => entry !== null));
  }
  const schemas = new Map<number, Schema>(state?.schemas ?? []);
  const files = new Map<string, LoggedFile>(state?.files ?? []);
  const start: LakeVersion = {
    version: base,
    commitId: state?.commitId ?? null,
    committedAtMs:
      state?.commits.at(-1)?.committedAtMs ?? Date.parse(read[0]?.committedAt ?? new Date(0).toISOString()),
    runId: state?.commits.at(-1)?.runId ?? null,
    schemaVersion: state?.schemaVersion ?? read[0]?.schemaVersion ?? 0,
    schema: schemas.get(state?.schemaVersion ?? 0) ?? read[0]?.schema ?? {},
    added: [],
    removed: [],
    isRearranged: false,
  };
  const all = new Map(files);
  const versions = read.map((entry) => versionOf(entry, all, schemas));
  return startingAt({ first: start, firstFiles: files, versions }, Math.max(after, base));
}

function versionOf(entry: LogEntry, files: Map<string, LoggedFile>, schemas: Map<number, Schema>): LakeVersion {
  if (entry.schema !== undefined) schemas.set(entry.schemaVersion, entry.schema);
  const removed = entry.removed.flatMap((path) => files.get(path) ?? []);
  for (const { path } of removed) files.delete(path);
  for (const file of entry.added) files.set(file.path, file);
  return {
    version: entry.version,
    commitId: entry.commitId,
    committedAtMs: Date.parse(entry.committedAt),
    runId: entry.runId,
    schemaVersion: entry.schemaVersion,
    schema: schemas.get(entry.schemaVersion) ?? {},
    added: entry.added,
    removed,
    isRearranged: entry.added.length > 0 && entry.added.every(({ path }) => /-c\d+\.parquet$/.test(path)),
  };
}

function emptyHistory(): History {
  const first = { version: 0, commitId: null, committedAtMs: 0, runId: null, schemaVersion: 0, schema: {} };
  return { first: { ...first, added: [], removed: [], isRearranged: false }, firstFiles: new Map(), versions: [] };
}

/** The same history from a later version on. */
export function startingAt({ first, firstFiles, versions }: History, version: number): History {
  const files = new Map(firstFiles);
  let start = first;
  let skipped = 0;
  for (const each of versions) {
    if (each.version > version) break;
    skipped += 1;
    for (const { path } of each.removed) files.delete(path);
    for (const file of each.added) files.set(file.path, file);
    start = { ...each, added: [], removed: [], isRearranged: false };
  }
  return { first: start, firstFiles: files, versions: versions.slice(skipped) };
}

/**
 * The oldest version of which every file is still there, in the lake or in its trash, and has format 2, as table
 * formats need it.
 * @throws {EdrlakeError} `PUBLISH_REFUSED` where files of the newest version have format 1
 */
export async function oldestWhole(store: Store, history: History): Promise<number> {
  const gone = history.versions.flatMap(({ version, removed }) => removed.map((file) => ({ version, file })));
  const absent = await store.absent(gone.map(({ version, file }) => trashPath(version, file.path)));
  const inPlace = await store.absent(gone.map(({ file }) => file.path));
  const isLost = (version: number, { path }: LoggedFile) => absent.has(trashPath(version, path)) && inPlace.has(path);
  const lost = gone.filter(({ version, file }) => isLost(version, file) || isOld(file));
  const oldest = Math.max(history.first.version, ...lost.map(({ version }) => version));
  const live = startingAt(history, Number.MAX_SAFE_INTEGER).firstFiles;
  const old = [...live.values()].filter(isOld);
  const [example] = old;
  if (example === undefined) return oldest;
  throw new EdrlakeError(
    'PUBLISH_REFUSED',
    `${old.length} data file${old.length === 1 ? ' has' : 's have'} format 1, such as ${example.path}`,
    {
      context: { files: old.length },
      hint: 'Their times have no zone, which table formats cannot mix with instants. Run: edrlake migrate',
    },
  );
}

function isOld({ format = 1 }: LoggedFile): boolean {
  return format < 2;
}
