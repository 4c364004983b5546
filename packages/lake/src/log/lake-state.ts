import {
  type ColumnType,
  type DataFile,
  type Day,
  EdrlakeError,
  intersect,
  isAhead,
  type PromotedFrom,
  rangeOfDays,
  SETTLE_LAG_MS,
  type TableSpec,
  type WindowProof,
} from '@edrlake/core';
import { countedAtOf } from '../proofs/dated-proofs.ts';
import { type Arrivals, type LoggedLostDay, type LostDay, noteArrivals, recoveredDays } from '../proofs/lost-days.ts';
import { applyOtherVersions, type LoggedOtherVersion, type VersionsOfEvent } from '../proofs/other-versions.ts';
import { isRefuting, type LoggedRecount, type Recount, supersededRecounts } from '../proofs/recounts.ts';
import { areDisjoint, sameScope } from '../proofs/window-filters.ts';

/** One column of a schema version. */
export interface SchemaColumn {
  readonly name: string;
  readonly type: ColumnType;
  /** Its Parquet field id, unique in the table and never given to another column. Not in schemas of format 1. */
  readonly id?: number;
  /** Only of a column that the dataset does not have: where in `extra` its values were. */
  readonly promoted?: PromotedFrom;
}

/** Columns of each table by name, in the order of the table. */
export type Schema = Readonly<Record<string, readonly SchemaColumn[]>>;

/** A data file and the schema its columns follow. */
export interface LoggedFile extends DataFile {
  readonly schemaVersion: number;
  /** Of its values, see `contentOf`. Only where the commit that wrote it read them, as compaction does. */
  readonly digest?: string;
}

/** One file of the id index. */
export interface IdentityFile {
  /** Relative to the lake. */
  readonly path: string;
  readonly rowCount: number;
  /** 0 for the file of one commit; merging files of one level makes a file of the next. */
  readonly level: number;
  /** Size and CRC-32 of its bytes. Not in files that an older edrlake wrote. */
  readonly fileBytes?: number;
  readonly crc32?: number;
}

/** What a commit did to the events; all zero where it brought only proofs. */
export interface CommitCounts {
  readonly newEvents: number;
  readonly changedEvents: number;
  /** Delivered again without a difference, or older than what is stored. */
  readonly unchangedEvents: number;
  /** Stored events that `replace` deleted, or whose files, or files of child rows, are lost. */
  readonly deletedEvents: number;
}

/** One file of `_log`: everything one commit changed, in all tables. */
export interface LogEntry extends CommitCounts {
  readonly format: number;
  readonly version: number;
  readonly commitId: string;
  /** Of the entry before it. Not in the first entry, nor in those of an older edrlake. */
  readonly previousCommitId?: string;
  readonly runId: string;
  /** ISO 8601, UTC. */
  readonly committedAt: string;
  readonly schemaVersion: number;
  /** Only where this commit starts the schema version. */
  readonly schema?: Schema;
  readonly added: readonly LoggedFile[];
  /** Paths. */
  readonly removed: readonly string[];
  readonly idsAdded: readonly IdentityFile[];
  readonly idsRemoved: readonly string[];
  readonly proofs: readonly WindowProof[];
  /** Only where this commit records that files are lost. */
  readonly losses?: readonly LostDay[];
  /** Only where this commit brings other events to days that lost some. */
  readonly arrivals?: readonly Arrivals[];
  /** Only where this commit met other versions of events, or forgets earlier ones. */
  readonly otherVersions?: readonly VersionsOfEvent[];
  /** Only where this commit records later counts of proven days. */
  readonly recounts?: readonly Recount[];
  /** Only where this commit is the first to know some of it. */
  readonly owner?: LoggedOwner;
}

/** A proof and the version that brought it. */
export interface LoggedProof {
  readonly version: number;
  readonly proof: WindowProof;
}

/** Whose lake it is. */
export interface LoggedOwner {
  /** Its name in the configuration. */
  readonly subscription: string;
  /** That of its events; null before the first one that says it. */
  readonly customerId: string | null;
  /** That of the login, as its token says it; null where it says none. */
  readonly tenant: string | null;
}

/** One line of the history. */
export interface CommitSummary extends CommitCounts {
  readonly version: number;
  readonly runId: string;
  readonly committedAtMs: number;
  readonly filesAdded: number;
  readonly filesRemoved: number;
  readonly windows: number;
}

/** The result of applying all entries up to a version. Grows in place as entries are applied. */
export interface LakeState {
  version: number;
  /** Of the entry that made the version; null before the first, and where an older edrlake did not record it. */
  commitId: string | null;
  schemaVersion: number;
  /** Schema versions from 1; index 0 is unused. */
  readonly schemas: Map<number, Schema>;
  /** By path, in commit order. */
  readonly files: Map<string, LoggedFile>;
  readonly identityFiles: Map<string, IdentityFile>;
  /** By window id, the newest proof of a window last. */
  readonly proofs: Map<string, LoggedProof>;
  readonly commits: CommitSummary[];
  /** Days that lost rows and have not recovered them. */
  readonly losses: Map<Day, LoggedLostDay>;
  /** Versions of events that are counted by proofs and not stored, by event id. */
  readonly otherVersions: Map<string, readonly LoggedOtherVersion[]>;
  /** The newest recount of each day. One that refutes a day ends when all of the day is proven anew. */
  readonly recounts: Map<Day, LoggedRecount>;
  /** null for a lake that was never written for a subscription. */
  owner: LoggedOwner | null;
}

/** The state of a lake without a commit. */
export function emptyState(): LakeState {
  return {
    version: 0,
    commitId: null,
    schemaVersion: 0,
    schemas: new Map(),
    files: new Map(),
    identityFiles: new Map(),
    proofs: new Map(),
    commits: [],
    losses: new Map(),
    otherVersions: new Map(),
    recounts: new Map(),
    owner: null,
  };
}

/** A copy that does not grow when other writers commit. */
export function frozenState(state: LakeState): LakeState {
  return {
    ...state,
    schemas: new Map(state.schemas),
    files: new Map(state.files),
    identityFiles: new Map(state.identityFiles),
    proofs: new Map(state.proofs),
    losses: new Map(state.losses),
    otherVersions: new Map(state.otherVersions),
    recounts: new Map(state.recounts),
    commits: [...state.commits],
  };
}

/**
 * Whether an entry may follow a commit. An older edrlake did not note which one it does: then nothing contradicts it.
 * @param commitId of the entry before; null where it is not known
 */
export function isLinked(commitId: string | null, { previousCommitId }: Pick<LogEntry, 'previousCommitId'>): boolean {
  return previousCommitId === undefined || commitId === null || previousCommitId === commitId;
}

/**
 * Applies the entry that follows the state's version. @throws {EdrlakeError} `LAKE_CORRUPT` when it follows another
 * one.
 */
export function applyEntry(state: LakeState, entry: LogEntry): void {
  const { version, previousCommitId } = entry;
  const isNext = version === state.version + 1;
  if (!isNext || !isLinked(state.commitId, entry)) {
    const found = isNext ? `an entry ${version} that follows another commit than ${state.commitId}` : `${version}`;
    throw new EdrlakeError('LAKE_CORRUPT', `expected log entry ${state.version + 1}, found ${found}`, {
      context: { version, expected: state.commitId, previousCommitId: previousCommitId ?? null },
      hint: 'Log files of two histories are mixed: restore the _log folder from one backup, or run: edrlake rebuild-log',
    });
  }
  state.commitId = entry.commitId;
  state.version = entry.version;
  state.schemaVersion = entry.schemaVersion;
  if (entry.owner !== undefined) state.owner = entry.owner;
  if (entry.schema !== undefined) state.schemas.set(entry.schemaVersion, entry.schema);
  for (const path of entry.removed) state.files.delete(path);
  for (const file of entry.added) state.files.set(file.path, file);
  for (const path of entry.idsRemoved) state.identityFiles.delete(path);
  for (const file of entry.idsAdded) state.identityFiles.set(file.path, file);
  const heard = entry.proofs.filter((proof) => !saysNothing(state, proof));
  applyOtherVersions(state.otherVersions, heard, entry.otherVersions ?? []);
  for (const proof of heard) {
    // Deleted first, so that a renewed proof moves to the end: the order of the map is that of the commits.
    state.proofs.delete(proof.window.id);
    state.proofs.set(proof.window.id, { version: entry.version, proof });
  }
  for (const { day, rowCount } of entry.losses ?? []) {
    const before = state.losses.get(day)?.rowCount ?? 0;
    state.losses.set(day, { day, rowCount: Math.max(before, rowCount), version: entry.version });
  }
  if (state.losses.size > 0) {
    noteArrivals(state.losses, entry.arrivals ?? []);
    const healed = recoveredDays(state.losses.values(), state.files.values(), state.proofs.values());
    for (const day of healed) state.losses.delete(day);
  }
  if (entry.proofs.length > 0) {
    for (const day of supersededRecounts(state.recounts.values(), state.proofs.values())) state.recounts.delete(day);
  }
  for (const recount of entry.recounts ?? []) state.recounts.set(recount.day, { ...recount, version: entry.version });
  state.commits.push({
    version: entry.version,
    runId: entry.runId,
    committedAtMs: Date.parse(entry.committedAt),
    newEvents: entry.newEvents,
    changedEvents: entry.changedEvents,
    unchangedEvents: entry.unchangedEvents,
    deletedEvents: entry.deletedEvents,
    filesAdded: entry.added.length,
    filesRemoved: entry.removed.length,
    windows: entry.proofs.length,
  });
}

/**
 * The current columns of the tables, as the log stores them.
 * @param before the schema that they follow
 * @param earlier all schemas of the lake: no new column gets an id that one of them has given to another
 */
export function schemaOf(tables: readonly TableSpec[], before: Schema = {}, earlier: Iterable<Schema> = []): Schema {
  const all = [before, ...earlier];
  return Object.fromEntries(
    tables.map((table) => {
      const ids = all.flatMap((schema) => (schema[table.name] ?? []).map(({ id = 0 }) => id));
      return [table.name, columnsOf(table, before[table.name] ?? [], Math.max(0, ...ids) + 1)];
    }),
  );
}

function columnsOf(table: TableSpec, before: readonly SchemaColumn[], firstFree: number): SchemaColumn[] {
  const known = new Map(before.flatMap(({ name, id }) => (id === undefined ? [] : [[name, id] as const])));
  let next = firstFree;
  return table.columns.map(({ name, type, promoted }) => {
    const id = known.get(name) ?? next++;
    return { name, type, id, ...(promoted && { promoted }) };
  });
}

/** Whether two schemas have the same tables and columns in the same order. */
export function sameSchema(a: Schema | undefined, b: Schema): boolean {
  return a !== undefined && JSON.stringify(a) === JSON.stringify(b);
}

/**
 * The proofs of a commit that add information to the log. A proof is left out when three conditions hold: the log has
 * it with the same numbers, all of its range had settled when the older one was made, and no later proof of the same
 * axis and scope overlaps its range. Then the older proof is still the effective one. Where a recount refutes a day of
 * it, the same numbers are news as well.
 */
export function newsIn(state: LakeState, proofs: readonly WindowProof[]): WindowProof[] {
  return proofs.filter((proof) => {
    if (saysNothing(state, proof)) return false;
    const known = state.proofs.get(proof.window.id);
    return (
      known === undefined ||
      !sameNumbers(known.proof, proof) ||
      isOvertaken(state, known) ||
      isRecounted(state, known) ||
      isBetterDated(known.proof, proof) ||
      isTriedAgain(known.proof, proof)
    );
  });
}

/** A zero that no empty page confirmed does not replace an older proof. */
function saysNothing(state: LakeState, { window, verdict }: WindowProof): boolean {
  const known = state.proofs.get(window.id);
  return verdict === 'unverified' && known !== undefined && known.proof.verdict !== 'unverified';
}

/** The date of a rejected window decides when a sync tries it again. */
function isTriedAgain(older: WindowProof, newer: WindowProof): boolean {
  return newer.verdict === 'rejected' && countedAtOf(older) < countedAtOf(newer);
}

/** Whether the older proof was made too early to be final, or by a clock that was ahead. */
function isBetterDated(older: WindowProof, newer: WindowProof): boolean {
  const [olderMs, newerMs] = [countedAtOf(older), countedAtOf(newer)];
  if (isAhead(olderMs, newerMs)) return true;
  return newerMs > olderMs && olderMs < older.window.range.endMs + SETTLE_LAG_MS;
}

function sameNumbers(a: WindowProof, b: WindowProof): boolean {
  const numbers = ({
    counted,
    fetched,
    distinct,
    rejected,
    duplicates,
    duplicatesPerDay,
    verdict,
    perDay,
    rejectedPerDay,
  }: WindowProof) =>
    JSON.stringify([
      ...[counted, fetched, distinct, rejected, duplicates ?? 0, duplicatesPerDay ?? null, verdict],
      ...[perDay, rejectedPerDay].map((days) => Object.entries(days).sort()),
    ]);
  return numbers(a) === numbers(b);
}

/** Whether a recount has refuted some of it since. */
function isRecounted(state: LakeState, { version, proof }: LoggedProof): boolean {
  return [...state.recounts.values()].some(
    (recount) =>
      recount.version > version &&
      isRefuting(recount) &&
      intersect(rangeOfDays(recount.day), proof.window.range) !== null,
  );
}

function isOvertaken(state: LakeState, known: LoggedProof): boolean {
  const { window } = known.proof;
  for (const { version, proof } of state.proofs.values()) {
    if (version <= known.version) continue;
    if (proof.window.axis !== window.axis || !sameScope(proof.window.scope, window.scope)) continue;
    if (intersect(proof.window.range, window.range) === null) continue;
    if (!areDisjoint(proof.window.cuts, window.cuts)) return true;
  }
  return false;
}
