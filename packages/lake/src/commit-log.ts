import { EdrlakeError } from '@edrlake/core';
import {
  applyEntry,
  type CommitSummary,
  emptyState,
  type IdentityFile,
  type LakeState,
  type LogEntry,
  type LoggedFile,
  type LoggedProof,
  type Schema,
} from './lake-state.ts';
import { checkpointPath, entryPath, FOLDERS, FORMAT, parseLogName } from './layout.ts';
import type { LoggedLoss } from './losses.ts';
import type { Store } from './store.ts';

/** The commit log: the truth about a lake. */
export interface CommitLog {
  /**
   * Applies what other writers have committed since, and returns the state: the same object as before, grown, unless entries
   * were vacuumed that it had not seen. Treat it as read-only.
   */
  refresh(): Promise<LakeState>;
  /**
   * The point of no return of a commit: afterwards readers see it. Returns false when another writer took the version.
   * A crash leaves either no entry or a whole one.
   */
  append(entry: LogEntry): Promise<boolean>;
  /** Writes a checkpoint of the state as it is. */
  checkpoint(): Promise<void>;
  /** Writes a checkpoint when the log since the last one has grown long. It is derived: a crash loses nothing. */
  checkpointIfDue(): Promise<void>;
}

/** Entries read at the same time. */
const READ_CONCURRENCY = 32;

/** A checkpoint is not worth it before so many entries, and overdue after so many. */
const MIN_ENTRIES = 16;
const MAX_ENTRIES = 256;

/** A checkpoint being replaced while it is read is looked for again this often. */
const LOAD_TRIES = 3;

/** Checkpoints that stay, so that a reader that just found one can still read it. */
const CHECKPOINTS_KEPT = 2;

/**
 * Reads the newest checkpoint and the entries after it.
 * @throws {EdrlakeError} `LAKE_CORRUPT` when an entry is missing or unreadable, `LAKE_INCOMPATIBLE` when a newer edrlake wrote it.
 */
export async function openCommitLog(store: Store): Promise<CommitLog> {
  let { state, checkpointItems } = await load(store);
  let entriesSince = 0;
  let itemsSince = 0;
  let mayBeBehind = false;
  const note = (entry: LogEntry) => {
    entriesSince += 1;
    itemsSince += entry.added.length + entry.removed.length + entry.proofs.length + 1;
  };
  const refresh = async () => {
    for (;;) {
      const read = await readEntries(store, state.version + 1);
      for (const entry of read) {
        // Another caller may have applied it meanwhile.
        if (entry.version <= state.version) continue;
        applyEntry(state, entry);
        note(entry);
      }
      if (read.length === READ_CONCURRENCY) continue;
      if (read.length > 0 || !(mayBeBehind || (await isVacuumed(store, state.version)))) return state;
      mayBeBehind = false;
      const [newest = 0] = await checkpointVersions(store);
      if (newest <= state.version) return state;
      ({ state, checkpointItems } = await load(store));
    }
  };
  const checkpoint = async () => {
    await store.put(checkpointPath(state.version), JSON.stringify(toCheckpoint(state)));
    checkpointItems = itemsOf(state);
    entriesSince = 0;
    itemsSince = 0;
    for (const version of (await checkpointVersions(store)).slice(CHECKPOINTS_KEPT)) {
      await store.remove(checkpointPath(version));
    }
  };
  await refresh();
  return {
    refresh,
    checkpoint,
    append: async (entry) => {
      // The name may be free because the entry that had it was vacuumed.
      const [newest = 0] = await checkpointVersions(store);
      mayBeBehind = newest >= entry.version;
      if (mayBeBehind) return false;
      const path = entryPath(entry.version);
      try {
        if (!(await store.putIfAbsent(path, JSON.stringify(entry)))) return await isOurs(store, entry);
      } catch (thrown) {
        // The name may have appeared although making it durable failed: then it is committed, and saying otherwise would
        // take away files that readers already see.
        if (!(await isOurs(store, entry))) throw thrown;
      }
      return true;
    },
    checkpointIfDue: async () => {
      const grown = entriesSince >= MIN_ENTRIES && itemsSince >= checkpointItems / 2;
      if (grown || entriesSince >= MAX_ENTRIES) await checkpoint();
    },
  };
}

/** Entries are vacuumed oldest first, so while that of a version is there nothing after it has gone unseen. */
async function isVacuumed(store: Store, version: number): Promise<boolean> {
  if (version === 0) return true;
  const [entry] = await store.look([entryPath(version)]);
  return entry === null;
}

/** Reads one entry; null when nobody has written it yet. */
export async function readEntry(store: Store, version: number): Promise<LogEntry | null> {
  const text = await store.read(entryPath(version));
  if (text === null) return null;
  const entry = parse(entryPath(version), text) as LogEntry;
  checkFormat(entryPath(version), entry.format);
  return entry;
}

/** @throws {EdrlakeError} `LAKE_INCOMPATIBLE` when what was found is of a format this edrlake does not know. */
export function checkFormat(path: string, format: unknown): void {
  if (format === FORMAT) return;
  throw new EdrlakeError(
    'LAKE_INCOMPATIBLE',
    `${path} has format ${String(format)}, this edrlake knows format ${FORMAT}`,
    {
      context: { path, known: FORMAT },
      hint: 'A newer edrlake has written this lake: update edrlake on this machine.',
    },
  );
}

async function isOurs(store: Store, entry: LogEntry): Promise<boolean> {
  return (await readEntry(store, entry.version))?.commitId === entry.commitId;
}

/** The entries from `first` on, at most `READ_CONCURRENCY`, up to the first that does not exist yet. */
async function readEntries(store: Store, first: number): Promise<LogEntry[]> {
  const next = await readEntry(store, first);
  if (next === null) return [];
  const versions = Array.from({ length: READ_CONCURRENCY - 1 }, (_, offset) => first + 1 + offset);
  const others = await Promise.all(versions.map((version) => readEntry(store, version)));
  const end = others.indexOf(null);
  const following = others.slice(0, end === -1 ? others.length : end).filter((entry) => entry !== null);
  return [next, ...following];
}

async function load(store: Store): Promise<{ state: LakeState; checkpointItems: number }> {
  for (let tries = 0; tries < LOAD_TRIES; tries += 1) {
    const [newest] = await checkpointVersions(store);
    if (newest === undefined) break;
    const text = await store.read(checkpointPath(newest));
    // A writer replaced it by a newer one between the two calls.
    if (text === null) continue;
    const checkpoint = parse(checkpointPath(newest), text) as Checkpoint;
    checkFormat(checkpointPath(newest), checkpoint.format);
    const state = fromCheckpoint(checkpoint);
    return { state, checkpointItems: itemsOf(state) };
  }
  await checkBeginning(store);
  return { state: emptyState(), checkpointItems: 0 };
}

/** Without a checkpoint the log has to start at version 1. */
async function checkBeginning(store: Store): Promise<void> {
  const versions = (await store.list(FOLDERS.log)).flatMap((name) => parseLogName(name)?.version ?? []);
  if (versions.length === 0 || versions.includes(1)) return;
  throw new EdrlakeError('LAKE_CORRUPT', `${entryPath(1)} is missing, and there is no checkpoint`, {
    hint: 'Restore the _log folder from a backup. The data files themselves are not affected.',
  });
}

/** Newest first. */
async function checkpointVersions(store: Store): Promise<number[]> {
  return (await store.list(FOLDERS.log))
    .map(parseLogName)
    .flatMap((name) => (name?.isCheckpoint ? [name.version] : []))
    .sort((a, b) => b - a);
}

/** The state as one file, so that a reader need not start from the first entry. */
interface Checkpoint {
  readonly format: number;
  readonly version: number;
  readonly schemaVersion: number;
  readonly schemas: readonly (readonly [number, Schema])[];
  readonly files: readonly LoggedFile[];
  readonly identityFiles: readonly IdentityFile[];
  readonly proofs: readonly LoggedProof[];
  readonly commits: readonly CommitSummary[];
  readonly losses?: readonly LoggedLoss[];
}

function toCheckpoint(state: LakeState): Checkpoint {
  return {
    format: FORMAT,
    version: state.version,
    schemaVersion: state.schemaVersion,
    schemas: [...state.schemas],
    files: [...state.files.values()],
    identityFiles: [...state.identityFiles.values()],
    proofs: [...state.proofs.values()],
    commits: state.commits,
    losses: [...state.losses.values()],
  };
}

function fromCheckpoint(checkpoint: Checkpoint): LakeState {
  return {
    version: checkpoint.version,
    schemaVersion: checkpoint.schemaVersion,
    schemas: new Map(checkpoint.schemas),
    files: new Map(checkpoint.files.map((file) => [file.path, file])),
    identityFiles: new Map(checkpoint.identityFiles.map((file) => [file.path, file])),
    proofs: new Map(checkpoint.proofs.map((logged) => [logged.proof.window.id, logged])),
    commits: [...checkpoint.commits],
    losses: new Map((checkpoint.losses ?? []).map((loss) => [loss.day, loss])),
  };
}

function itemsOf(state: LakeState): number {
  return state.files.size + state.proofs.size + state.commits.length;
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    throw new EdrlakeError('LAKE_CORRUPT', `${path} is not whole: ${String(thrown)}`, {
      cause: thrown,
      hint: 'Restore it from a backup; log entries are never changed once written.',
    });
  }
}
