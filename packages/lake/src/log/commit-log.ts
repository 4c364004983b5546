import { EdrlakeError, toEdrlakeError } from '@edrlake/core';
import { checkpointPath, entryPath, FOLDERS, parseLogName } from '../storage/layout.ts';
import type { Store } from '../storage/store.ts';
import { applyEntry, emptyState, isLinked, type LakeState, type LogEntry } from './lake-state.ts';
import {
  checkpointText,
  forgetUnlessListed,
  hasEntryBefore,
  LOG_HINT,
  type LogListing,
  listLog,
  readCheckpoint,
  readEntry,
  readWholeEntry,
} from './log-files.ts';

/** The commit log. It alone decides what a lake contains. */
export interface CommitLog {
  /**
   * Applies the commits of other writers since the last call, and returns the state: the same object, grown, unless
   * entries that it had not seen were vacuumed, or the log is another one now. Treat it as read-only.
   * @throws {EdrlakeError} `LAKE_CORRUPT` also where the log became another one while it was followed for writing
   */
  refresh(): Promise<LakeState>;
  /** The state as it was last refreshed. */
  known(): LakeState;
  /**
   * The commit point: afterwards readers see the commit. A crash leaves either no entry or a whole one.
   * @param staged path of the entry's text, written and synced
   * @throws {EdrlakeError} `LAKE_UNWRITABLE`, `LAKE_CORRUPT`, `LAKE_CONTENDED` while the log is rebuilt; then the entry
   * is certainly not in the log.
   */
  append(entry: LogEntry, staged: string): Promise<Appended>;
  /** Writes a checkpoint of the state as it is. */
  checkpoint(): Promise<void>;
  /** Writes a checkpoint when many entries have come since the last one. It is derived: a crash loses nothing. */
  checkpointIfDue(): Promise<void>;
}

/**
 * How appending ended. `taken`: another writer took the version. `fenced`: another process took the staged entry away,
 * so that it can never be appended. `doubt`: the entry may or may not be in the log, because the disk failed both while
 * it was written and while it was read back; the error says so.
 */
export type Appended = 'committed' | 'taken' | 'fenced' | { readonly doubt: EdrlakeError };

/** Entries read in parallel. */
const READ_CONCURRENCY = 32;

/** A checkpoint is written after the first number of entries if it pays, after the second in any case. */
const MIN_ENTRIES = 16;
const MAX_ENTRIES = 64;

/** Attempts to load a log that changes while it is read. */
const LOAD_ATTEMPTS = 3;

/** Checkpoints that are kept, so that a reader that has just listed one can still read it. */
const CHECKPOINTS_KEPT = 2;

/**
 * Reads the newest checkpoint and the entries after it. The folder is listed, so that a missing entry is not mistaken
 * for the end of the log.
 * @param follows `reader`: also another log, where one is restored over it; `writer`: refuses that, because it has
 * reported what may be lost
 * @throws {EdrlakeError} `LAKE_CORRUPT` when an entry is missing or unreadable, `LAKE_INCOMPATIBLE` when a newer
 * edrlake wrote it.
 */
export async function openCommitLog(store: Store, follows: 'reader' | 'writer' = 'writer'): Promise<CommitLog> {
  let listed = await listFromCopy(store);
  let { state, checkpointItems } = await load(store, listed);
  let entriesSince = 0;
  let itemsSince = 0;
  let mayBeBehind = false;
  let isOpening = true;
  const newestEntry = watchNewestEntry(store);
  const note = (entry: LogEntry) => {
    entriesSince += 1;
    itemsSince += entry.added.length + entry.removed.length + entry.proofs.length + 1;
  };
  const refresh = async () => {
    for (let group = store.remote === null ? READ_CONCURRENCY : 1; ; ) {
      const read = await readEntries(store, state.version + 1, group);
      for (const entry of read) {
        // Another caller may have applied it meanwhile.
        if (entry.version <= state.version) continue;
        // Where an entry is missing between, `applyEntry` refuses it.
        if (entry.version === state.version + 1 && !isLinked(state.commitId, entry)) return another();
        applyEntry(state, entry);
        note(entry);
      }
      if (read.length === group) {
        group = Math.min(2 * group, READ_CONCURRENCY);
        continue;
      }
      const newest = read.length > 0 ? 'known' : await newestEntry(state);
      if (newest === 'another') return another();
      if (newest === 'known' && (read.length > 0 || !mayBeBehind)) return state;
      mayBeBehind = false;
      const listing = await listLog(store);
      if ((listing.checkpoints[0] ?? 0) > state.version) ({ state, checkpointItems } = await load(store, listing));
      else if (newest === 'gone' && newestOf(listing) < state.version) return another();
      else return state;
    }
  };
  /** The log is not the one that was followed: an older one was restored, and may have gone on. */
  const another = async () => {
    await forgetCopies(store, () => true);
    const found = await loadWhole(store);
    if (follows === 'writer' && !isOpening) throw replacedLog(state, found.state.version);
    ({ state, checkpointItems } = found);
    [entriesSince, itemsSince] = [0, 0];
    return state;
  };
  const checkpoint = async () => {
    await store.put(checkpointPath(state.version), checkpointText(state));
    checkpointItems = itemsOf(state);
    entriesSince = 0;
    itemsSince = 0;
    for (const version of (await listLog(store)).checkpoints.slice(CHECKPOINTS_KEPT)) {
      await store.remove(checkpointPath(version));
    }
  };
  // There are entries above the last one read: either writers have committed since, or an entry between is missing.
  for (let attempt = 1; (await refresh()).version < newestOf(listed); attempt += 1) {
    if (attempt === LOAD_ATTEMPTS) throw holeAfter(state.version, newestOf(listed));
    listed = await listLog(store);
    if ((listed.checkpoints[0] ?? 0) > state.version) ({ state, checkpointItems } = await load(store, listed));
  }
  // A checkpoint of which there was a copy names no entry before it.
  const newest = store.remote === null || state.version === 0 ? null : await readWholeEntry(store, state.version);
  if (newest !== null && state.commitId !== null && newest.commitId !== state.commitId) await another();
  isOpening = false;
  return {
    refresh,
    known: () => state,
    checkpoint,
    append: async (entry, staged) => {
      const listing = await listLog(store, entry.version - 1);
      // The name may be free because the entry that had it was vacuumed.
      mayBeBehind = (listing.checkpoints[0] ?? 0) >= entry.version;
      if (mayBeBehind) return 'taken';
      if (!(await hasEntryBefore(store, entry, listing))) {
        // They would be taken for a sign of lost entries. No request was sent that could make them part of a version.
        if (store.remote !== null) for (const { path } of entry.idsAdded) await store.remove(path);
        throw replacedLog(state, newestOf(listing));
      }
      if (newestOf(listing) > entry.version && !listing.entries.includes(entry.version)) {
        const between = await readEntry(store, entry.version);
        if (between === null) throw holeAfter(entry.version - 1, newestOf(listing));
      }
      return await putEntry(store, entry, staged);
    },
    checkpointIfDue: async () => {
      const grown = entriesSince >= MIN_ENTRIES && itemsSince >= checkpointItems / 2;
      if (grown || entriesSince >= MAX_ENTRIES) await checkpoint();
    },
  };
}

/**
 * What is older than the newest checkpoint of which this machine has a copy need not be listed again. Copies of what
 * the log no longer has are forgotten, because an older log may have been restored; and that of the newest entry,
 * unless it is known to be the same. It names the one before it: so all that lead to it are of the same history.
 */
async function listFromCopy(store: Store): Promise<LogListing> {
  const copies = ((await store.remote?.copies(FOLDERS.log)) ?? []).map(parseLogName);
  const newest = Math.max(0, ...copies.map((name) => (name?.isCheckpoint ? name.version : 0)));
  let [from, listed] = [newest, await listLog(store, newest)];
  if (listed.checkpoints.length === 0 && newest > 0) [from, listed] = [0, await listLog(store)];
  const there = { entries: new Set(listed.entries), checkpoints: new Set(listed.checkpoints) };
  await forgetCopies(store, ({ version, isCheckpoint }) => {
    if (version < from) return false;
    return !(isCheckpoint ? there.checkpoints : there.entries).has(version);
  });
  await forgetUnlessListed(store, entryPath(newestOf(listed)));
  return listed;
}

async function forgetCopies(
  { remote }: Store,
  isStale: (name: NonNullable<ReturnType<typeof parseLogName>>) => boolean,
): Promise<void> {
  const copies = (await remote?.copies(FOLDERS.log)) ?? [];
  const stale = copies.filter((name) => {
    const parsed = parseLogName(name);
    return parsed !== null && isStale(parsed);
  });
  await remote?.forgetCopies(stale.map((name) => `${FOLDERS.log}/${name}`));
}

async function putEntry(store: Store, entry: LogEntry, staged: string): Promise<Appended> {
  let failure: unknown = null;
  let linked: Awaited<ReturnType<Store['link']>> = 'taken';
  try {
    linked = await store.link(staged, entryPath(entry.version));
    if (linked === 'linked') return 'committed';
    if (typeof linked === 'object') return { doubt: inDoubt(entry, linked.doubt) };
  } catch (thrown) {
    failure = thrown;
  }
  // The name may have appeared although making it durable failed. Then the commit is final: undoing it would remove
  // files that readers already see.
  let found: LogEntry | null;
  try {
    found = await readEntry(store, entry.version);
  } catch (thrown) {
    // The claim of a rebuilding has the name, so the entry has not.
    if (thrown instanceof EdrlakeError && thrown.code === 'LAKE_CONTENDED') throw thrown;
    return { doubt: inDoubt(entry, failure ?? thrown) };
  }
  if (found?.commitId === entry.commitId) return 'committed';
  if (failure !== null) throw failure;
  return linked === 'gone' ? 'fenced' : 'taken';
}

function inDoubt(entry: LogEntry, failure: unknown): EdrlakeError {
  const { message, hint } = toEdrlakeError(failure);
  return new EdrlakeError(
    'LAKE_UNWRITABLE',
    `version ${entry.version} may or may not be committed: ${message}. Nothing was taken back`,
    {
      cause: failure,
      context: { version: entry.version, commitId: entry.commitId },
      hint: `${hint ?? 'Check the disk.'} The next command that writes finds out and tidies up.`,
    },
  );
}

/**
 * Looks whether the newest entry of a state is still in the log, and of the same commit: it is read again where its
 * file is another one. Entries are vacuumed oldest first: while it exists, none after it was removed unseen.
 */
function watchNewestEntry(store: Store): (state: LakeState) => Promise<'known' | 'gone' | 'another'> {
  let [seen, seenAs] = ['', ''];
  let isOwn = false;
  return async ({ version, commitId }) => {
    if (version === 0) return 'gone';
    const path = entryPath(version);
    const [thing] = await store.look([path]);
    if (thing == null) return 'gone';
    const [now, nowAs] = [`${version} ${commitId}`, `${thing.bytes} ${thing.changedAtMs}`];
    if (commitId === null || (now === seen && nowAs === seenAs)) return 'known';
    // In an object store each look is a request, and it was read or written moments ago. At first, an own one has no
    // date.
    if (store.remote !== null && (now !== seen || isOwn)) {
      [seen, seenAs, isOwn] = [now, nowAs, thing.changedAtMs === 0];
      return 'known';
    }
    await store.remote?.forgetCopies([path]);
    const entry = await readWholeEntry(store, version);
    if (entry !== null && entry.commitId !== commitId) return 'another';
    if (entry !== null) [seen, seenAs] = [now, nowAs];
    return 'known';
  };
}

/**
 * The entries from `first` on, at most `READ_CONCURRENCY`, up to the first that does not exist yet. In an object store
 * each question costs a request, so that `askedFor` begins with 1 and is doubled by the caller.
 */
async function readEntries(store: Store, first: number, askedFor: number): Promise<LogEntry[]> {
  const next = await readEntry(store, first);
  if (next === null) return [];
  const versions = Array.from({ length: askedFor - 1 }, (_, offset) => first + 1 + offset);
  const others = await Promise.all(versions.map((version) => readEntry(store, version)));
  const end = others.indexOf(null);
  const following = others.slice(0, end === -1 ? others.length : end).filter((entry) => entry !== null);
  return [next, ...following];
}

async function load(
  store: Store,
  first: LogListing,
): Promise<{ readonly state: LakeState; readonly checkpointItems: number }> {
  let listing = first;
  for (let attempt = 0; attempt < LOAD_ATTEMPTS; attempt += 1) {
    const [newest] = listing.checkpoints;
    if (newest === undefined) break;
    const state = await readCheckpoint(store, newest);
    if (state !== null) return { state, checkpointItems: itemsOf(state) };
    // A writer replaced it by a newer one between the two calls.
    listing = await listLog(store);
  }
  // Without a checkpoint the log has to start at version 1.
  if (listing.entries.length > 0 && !listing.entries.includes(1)) {
    throw new EdrlakeError('LAKE_CORRUPT', `${entryPath(1)} is missing, and there is no checkpoint`, {
      hint: LOG_HINT,
    });
  }
  return { state: emptyState(), checkpointItems: 0 };
}

/** The state of the whole log as it is now. */
async function loadWhole(store: Store): ReturnType<typeof load> {
  const listing = await listLog(store);
  const { state, checkpointItems } = await load(store, listing);
  for (;;) {
    const read = await readEntries(store, state.version + 1, READ_CONCURRENCY);
    for (const entry of read) applyEntry(state, entry);
    if (read.length < READ_CONCURRENCY) break;
  }
  if (state.version < newestOf(listing)) throw holeAfter(state.version, newestOf(listing));
  return { state, checkpointItems };
}

function replacedLog(before: LakeState, newest: number): EdrlakeError {
  const { version, commitId } = before;
  return new EdrlakeError(
    'LAKE_CORRUPT',
    `the log is no longer the one that this command has followed to version ${version}, commit ${commitId}`,
    {
      context: { version, commitId, newest },
      hint: 'An older log was restored meanwhile, so that what was committed before may be lost. Run it again.',
    },
  );
}

function newestOf({ entries, checkpoints }: LogListing): number {
  return Math.max(entries.at(-1) ?? 0, checkpoints[0] ?? 0);
}

function holeAfter(version: number, newest: number): EdrlakeError {
  return new EdrlakeError(
    'LAKE_CORRUPT',
    `${entryPath(version + 1)} is missing, though the log goes on to version ${newest}`,
    { context: { version: version + 1, newest }, hint: LOG_HINT },
  );
}

function itemsOf(state: LakeState): number {
  return state.files.size + state.proofs.size + state.commits.length;
}
