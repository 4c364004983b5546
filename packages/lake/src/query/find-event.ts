import type { DuckDBConnection } from '@duckdb/node-api';
import { idHash, intersect, quoteText, type TableSpec, type TimeAxis, type WindowProof } from '@edrlake/core';
import { entriesSql } from '../commit/id-index.ts';
import type { CommitContext } from '../log/commit-context.ts';
import type { CommitSummary, LakeState, LoggedFile } from '../log/lake-state.ts';
import type { Snapshot } from '../log/snapshot.ts';
import { isEventTable, partitionDay, rowsOf, tableNamed, tableRowsSql } from '../log/table-rows.ts';
import type { LoggedOtherVersion } from '../proofs/other-versions.ts';
import { holdsAtom } from '../proofs/window-filters.ts';
import { damagedFiles, resizedFiles } from '../storage/checksum.ts';
import { isFileError } from '../storage/file-errors.ts';
import { REJECTS } from '../storage/layout.ts';
import { type Reading, withLatestSnapshot } from '../verify/with-latest-snapshot.ts';
import { plainValue, type QueryValue } from './values.ts';

/** A stored row, and its place. */
export interface FoundRow {
  /** By column, in the order of the table. */
  readonly values: Readonly<Record<string, QueryValue>>;
  /** Relative to the lake. */
  readonly file: string;
  /** Of the row in its file, from 0. */
  readonly rowNumber: number;
}

/** The rows of one table. */
export interface FoundRows {
  readonly table: string;
  readonly rows: readonly FoundRow[];
}

/**
 * What a commit said about an event, as far as the id index keeps it. `stored`: it brought the first version that is
 * known. `replaced`: it brought another one. `confirmed`: the event was delivered again with other text and equal
 * values. `replaced-or-confirmed`: one of the two, of a commit that did both. `withdrawn`: the event was deleted, or
 * its files were lost. `rebuilt`: the index was made anew from the data files, and says nothing of before.
 */
export type EventWriteKind = 'stored' | 'replaced' | 'confirmed' | 'replaced-or-confirmed' | 'withdrawn' | 'rebuilt';

/** A commit that wrote about an event. */
export interface EventWrite {
  readonly kind: EventWriteKind;
  /** The day of the event in that version. */
  readonly day: string;
  /** null where the index was rebuilt. */
  readonly commit: CommitSummary | null;
}

/** A window that selects an event by one of its times, and the version of the lake that holds its newest proof. */
export interface EventWindow {
  readonly version: number;
  readonly proof: WindowProof;
}

/** All that a lake records about one event. */
export interface FoundEvent {
  readonly eventId: string;
  /** Of the lake. */
  readonly version: number;
  /** `events` first, with one row where the event is stored; then child tables that have rows of it. */
  readonly tables: readonly FoundRows[];
  /** Records with this id that could not become events; looked for only where it is not stored. */
  readonly rejects: readonly FoundRow[];
  /** Oldest first; empty where the id index is damaged. */
  readonly writes: readonly EventWrite[];
  /** The newest first. A window with a filter of the user may or may not have listed the event. */
  readonly windows: readonly EventWindow[];
  /** Versions that the API listed under another time and that are not stored. */
  readonly otherVersions: readonly LoggedOtherVersion[];
  /** Data files of its days that are missing or cut, so that rows may be missing here. Relative paths. */
  readonly lostFiles: readonly string[];
}

/** Windows of one event are its day's, and of syncs; more than this tell nothing new. */
const MAX_WINDOWS = 50;

/**
 * Looks an event up by its id, in all tables. The id index says on which days it may be stored; without an answer from
 * it, its files are compared with their checksums, and where one is damaged all days are read.
 */
export function findEvent(context: CommitContext, eventId: string): Promise<FoundEvent> {
  return withLatestSnapshot(context, async (snapshot, state): Promise<Reading<FoundEvent>> => {
    const entries = await indexEntries(context, state, eventId);
    let found = await rowsOnDays(context, snapshot, state, eventId, entries && new Set(entries.map(({ day }) => day)));
    const { store } = context;
    const isUnsure = found.tables.length === 0 && entries !== null;
    if (isUnsure && (await damagedFiles(store, [...state.identityFiles.values()])).length > 0) {
      found = await rowsOnDays(context, snapshot, state, eventId, null);
    }
    const times = timesOf(found.tables[0]?.rows[0]);
    const rejects =
      times === null
        ? await rowsIn(context, state, tableNamed(context.tables, REJECTS), snapshot.files[REJECTS] ?? [], eventId)
        : [];
    const value: FoundEvent = {
      eventId,
      version: snapshot.version,
      tables: found.tables,
      rejects,
      writes: writesOf(entries ?? [], snapshot.commits),
      windows: times === null ? [] : windowsOf(state, times),
      otherVersions: state.otherVersions.get(eventId) ?? [],
      lostFiles: found.lost.map(({ path }) => path),
    };
    return { value, lost: found.lost };
  });
}

interface IndexEntry {
  readonly day: string;
  readonly version: number;
  readonly isKnown: boolean;
}

/** The entries of the event's hash, oldest first; null where a file of the index is lost. */
async function indexEntries(
  { store, connection }: CommitContext,
  state: LakeState,
  eventId: string,
): Promise<readonly IndexEntry[] | null> {
  const files = [...state.identityFiles.values()];
  if ((await resizedFiles(store, files)).length > 0) return null;
  const entries = entriesSql(files.map(({ path }) => store.locate(path)));
  const columns = 'event_date::VARCHAR AS day, version::INTEGER AS version, content_hash IS NOT NULL AS known';
  const sql = `SELECT DISTINCT ${columns} FROM (${entries}) WHERE id_hash = ${idHash(eventId)}::UBIGINT ORDER BY version, known`;
  try {
    const rows = await rowsOf(connection, sql);
    return rows.map((row) => ({ day: String(row.day), version: Number(row.version), isKnown: row.known === true }));
  } catch (thrown) {
    if (isFileError(thrown)) return null;
    throw thrown;
  }
}

/** @param days null: all of them */
async function rowsOnDays(
  context: CommitContext,
  snapshot: Snapshot,
  state: LakeState,
  eventId: string,
  days: ReadonlySet<string> | null,
): Promise<{ readonly tables: readonly FoundRows[]; readonly lost: readonly LoggedFile[] }> {
  const isAsked = (file: LoggedFile) => days === null || days.has(partitionDay(file));
  const tables: FoundRows[] = [];
  const lost: LoggedFile[] = [];
  for (const table of context.tables.filter(isEventTable)) {
    const files = (snapshot.files[table.name] ?? []).filter(isAsked);
    const gone = new Set(await resizedFiles(context.store, files));
    lost.push(...gone);
    const rows = await rowsIn(
      context,
      state,
      table,
      files.filter((file) => !gone.has(file)),
      eventId,
    );
    if (rows.length > 0) tables.push({ table: table.name, rows });
  }
  return { tables, lost };
}

async function rowsIn(
  { store, connection }: CommitContext,
  { schemas }: LakeState,
  table: TableSpec,
  files: readonly LoggedFile[],
  eventId: string,
): Promise<readonly FoundRow[]> {
  if (files.length === 0) return [];
  const paths = new Map(files.map(({ path }) => [store.locate(path), path]));
  const rows = tableRowsSql({ store, schemas }, table, files, { withPlace: true });
  const order = table.columns.some(({ name }) => name === 'position') ? 'position, ' : '';
  const sql = `SELECT * FROM (${rows}) WHERE event_id = ${quoteText(eventId)} ORDER BY ${order}lake_file, lake_row`;
  return (await plainRows(connection, sql)).map(({ lake_file: file, lake_row: row, ...values }) => ({
    values,
    file: paths.get(String(file)) ?? String(file),
    rowNumber: Number(row),
  }));
}

async function plainRows(connection: DuckDBConnection, sql: string): Promise<Record<string, QueryValue>[]> {
  const reader = await connection.runAndReadAll(sql);
  const names = reader.columnNames();
  return reader
    .getRows()
    .map((row) => Object.fromEntries(row.map((value, position) => [names[position] ?? '', plainValue(value)])));
}

function writesOf(entries: readonly IndexEntry[], commits: readonly CommitSummary[]): EventWrite[] {
  const byVersion = new Map(commits.map((commit) => [commit.version, commit]));
  let isStored = false;
  return entries.map(({ day, version, isKnown }) => {
    const commit = byVersion.get(version) ?? null;
    if (version === 0) {
      isStored = true;
      return { kind: 'rebuilt', day, commit: null };
    }
    const kind = kindOf(isKnown, isStored, commit);
    isStored = isKnown;
    return { kind, day, commit };
  });
}

function kindOf(isKnown: boolean, isStored: boolean, commit: CommitSummary | null): EventWriteKind {
  if (!isKnown) return 'withdrawn';
  if (!isStored) return 'stored';
  if (commit?.changedEvents === 0) return 'confirmed';
  return commit?.unchangedEvents === 0 ? 'replaced' : 'replaced-or-confirmed';
}

interface EventTimes {
  readonly eventMs: number;
  readonly processedMs: number | null;
  readonly type: string | null;
  readonly agent: string | null;
}

function timesOf(row: FoundRow | undefined): EventTimes | null {
  if (row === undefined) return null;
  const { event_time: time, processed_time: processed, event_type: type, agent_id: agent } = row.values;
  const text = (value: QueryValue | undefined) => (typeof value === 'string' ? value : null);
  const processedText = text(processed);
  return {
    eventMs: Date.parse(String(time)),
    processedMs: processedText === null ? null : Date.parse(processedText),
    type: text(type),
    agent: text(agent),
  };
}

function windowsOf({ proofs }: LakeState, { eventMs, processedMs, ...atom }: EventTimes): EventWindow[] {
  const instants: Readonly<Record<TimeAxis, number | null>> = { event: eventMs, processed: processedMs };
  const found = [...proofs.values()].filter(({ proof: { window } }) => {
    const ms = instants[window.axis];
    return (
      ms !== null && intersect(window.range, { startMs: ms, endMs: ms + 1 }) !== null && holdsAtom(window.cuts, atom)
    );
  });
  return found.sort((a, b) => b.version - a.version).slice(0, MAX_WINDOWS);
}
