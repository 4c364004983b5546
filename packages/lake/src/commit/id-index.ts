import { dirname } from 'node:path';
import { idHashSql, makeFolder, quoteFile, quoteText, syncPath, type TableSpec } from '@edrlake/core';
import type { CommitContext, CommitTools } from '../log/commit-context.ts';
import { HASHES_AT_ONCE, ID_HASHES, slicesOf } from '../log/id-hashes.ts';
import type { IdentityFile, LakeState } from '../log/lake-state.ts';
import { rowsOf, tableNamed, tableRowsSql } from '../log/table-rows.ts';
import { damagedFiles } from '../storage/checksum.ts';
import { EVENTS, FOLDERS, indexName } from '../storage/layout.ts';
import type { Store } from '../storage/store.ts';
import type { CommitNames } from './optimistic-retry.ts';

/**
 * The id index says which ids the lake holds, in files of
 * `id_hash UBIGINT, content_hash UBIGINT, event_date DATE, version BIGINT`. For one `id_hash` the entry of the highest
 * version is valid; an entry without a content hash says that the content is unknown, or that the event was deleted. An
 * event may be stored on the day of any entry of its hash. Entries are never changed, so merging files is
 * concatenation.
 */
const COLUMNS = 'id_hash, content_hash, event_date, version';

/**
 * Files of one level that are merged into one of the next: n commits leave at most 7 files on each of log8(n) levels.
 */
const FILES_PER_LEVEL = 8;

/** The level of an index built from the data files: higher than merging reaches, so that it is rarely copied again. */
const REBUILT_LEVEL = 16;

/** Random 64-bit numbers do not compress, and snappy adds almost no time. */
const COPY_OPTIONS = 'FORMAT parquet, COMPRESSION snappy, RETURN_STATS true';

/** The index as one commit reads it. */
export interface IndexView {
  /** Files of the log, or the rebuilt one, with the path that DuckDB opens. */
  readonly files: readonly { readonly file: IdentityFile; readonly location: string }[];
  /** The staged file that replaces all others because one of them was lost; null where none was. */
  readonly rebuilt: { readonly file: IdentityFile; readonly staged: string } | null;
}

/**
 * Opens the index of a version of the lake. When one of its files is lost or damaged, the index is rebuilt from the
 * data files, into the staging folder: the content of every event is then unknown, and the next delivery of one is
 * compared row by row.
 */
export async function openIdIndex(
  { store }: Pick<CommitTools, 'store'>,
  state: LakeState,
  { stage, fileStem }: CommitNames,
  writeClaims: WriteClaims,
): Promise<IndexView> {
  const files = [...state.identityFiles.values()];
  if (await isWhole(store, files)) {
    return { files: files.map((file) => ({ file, location: store.locate(file.path) })), rebuilt: null };
  }
  return rebuildIndex({ store }, state, { stage, fileStem }, writeClaims);
}

/** Writes the index entries of all rows of a state into a file, an absolute path. @returns how many there are */
export type WriteClaims = (state: LakeState, file: string) => Promise<number>;

/** Builds an index from the data files, in the staging folder. */
export async function rebuildIndex(
  { store }: Pick<CommitTools, 'store'>,
  state: LakeState,
  { stage, fileStem }: Pick<CommitNames, 'stage' | 'fileStem'>,
  writeClaims: WriteClaims,
): Promise<IndexView> {
  const staged = `${stage}/ids/${fileStem}-rebuilt.parquet`;
  const rowCount = await writeClaims(state, store.locate(staged));
  const file = { path: `${FOLDERS.ids}/${fileStem}-rebuilt.parquet`, rowCount, level: REBUILT_LEVEL };
  return { files: [{ file, location: store.locate(staged) }], rebuilt: { file, staged } };
}

/**
 * Files that were read as a whole and found intact, with the time of their last change: each is read once a process.
 */
const verified = new WeakMap<Store, Map<string, number>>();

async function isWhole(store: Store, files: readonly IdentityFile[]): Promise<boolean> {
  const known = verified.get(store) ?? new Map<string, number>();
  verified.set(store, known);
  const things = await store.look(files.map(({ path }) => path));
  await store.remote?.bring(files);
  const unread = files.filter(({ path }, position) => known.get(path) !== things[position]?.changedAtMs);
  if (things.includes(null) || (await damagedFiles(store, unread)).length > 0) return false;
  for (const [position, { path }] of files.entries()) known.set(path, things[position]?.changedAtMs ?? 0);
  return true;
}

/**
 * The number of stored events that the index does not name: they would be written again when they are delivered.
 * `ID_HASHES` has all of them.
 */
export async function unknownEvents(
  { connection }: Pick<CommitContext, 'connection'>,
  view: Pick<IndexView, 'files'>,
  hashesAtOnce = HASHES_AT_ONCE,
): Promise<number> {
  const entries = entriesSql(view.files.map(({ location }) => location));
  let unknown = 0;
  for (const isIn of await slicesOf(connection, hashesAtOnce)) {
    const named = `SELECT id_hash, event_date FROM (${entries}) WHERE ${isIn}`;
    const sql = `SELECT count(*)::INTEGER AS unknown FROM (FROM ${ID_HASHES} WHERE ${isIn}) c ANTI JOIN (${named}) e USING (id_hash, event_date)`;
    const [row] = await rowsOf(connection, sql);
    unknown += Number(row?.unknown);
  }
  return unknown;
}

/** A query over all entries of some index files; DuckDB reads only the columns that are used. */
export function entriesSql(locations: readonly string[]): string {
  if (locations.length === 0) {
    return 'SELECT NULL::UBIGINT AS id_hash, NULL::UBIGINT AS content_hash, NULL::DATE AS event_date, NULL::BIGINT AS version WHERE false';
  }
  return `SELECT ${COLUMNS} FROM read_parquet([${locations.map(quoteFile).join(', ')}], hive_partitioning = false)`;
}

/** The index files that a commit adds and removes. */
export interface IndexChange {
  readonly added: readonly { readonly file: IdentityFile; readonly staged: string }[];
  readonly removed: readonly string[];
}

/**
 * Stages the file of a commit's own entries, merged with older files where a level is full. So the number of files and
 * the cost of a commit grow with the logarithm of the number of commits.
 */
export async function stageIndexChange(
  { store }: Pick<CommitTools, 'store'>,
  state: LakeState,
  view: IndexView,
  { stage, fileStem }: CommitNames,
  writeEntries: WriteEntries,
): Promise<IndexChange> {
  const { level, merged } = planMerge(view.files.map(({ file }) => file));
  const locations = view.files.filter(({ file }) => merged.has(file.path)).map(({ location }) => location);
  const name = indexName(fileStem, state.version + 1);
  const staged = `${stage}/ids/${name}.parquet`;
  const rowCount = await writeEntries(locations, store.locate(staged));
  const own = { file: { path: `${FOLDERS.ids}/${name}.parquet`, rowCount, level }, staged };
  if (view.rebuilt !== null) return { added: [view.rebuilt, own], removed: [...state.identityFiles.keys()] };
  return { added: [own], removed: [...merged] };
}

/** Which files the new one is merged with: all of level 0 once there would be eight, then all of level 1, and so on. */
function planMerge(files: readonly IdentityFile[]): { level: number; merged: ReadonlySet<string> } {
  const merged = new Set<string>();
  for (let level = 0; level < REBUILT_LEVEL; level += 1) {
    const ofLevel = files.filter((file) => file.level === level);
    if (ofLevel.length + 1 < FILES_PER_LEVEL) return { level, merged };
    for (const { path } of ofLevel) merged.add(path);
  }
  return { level: REBUILT_LEVEL, merged };
}

/**
 * Writes entries of a commit, followed by those of the merged files, into a file, an absolute path.
 * @returns how many they are
 */
export type WriteEntries = (merged: readonly string[], file: string) => Promise<number>;

/** Writes entries with DuckDB. @param source a query with the index's columns */
export function entriesWriter({ connection }: Pick<CommitContext, 'connection'>, source: string): WriteEntries {
  return async (merged, file) => {
    await makeFolder(dirname(file));
    const sql = merged.length === 0 ? source : `${source} UNION ALL ${entriesSql(merged)}`;
    const [stats] = await rowsOf(connection, `COPY (${sql}) TO ${quoteText(file)} (${COPY_OPTIONS})`);
    await syncPath(file);
    return Number(stats?.count);
  };
}

/** Writes the entries of a state with DuckDB. */
export function claimsWriter(context: Pick<CommitContext, 'store' | 'tables' | 'connection'>): WriteClaims {
  return (state, file) => entriesWriter(context, claimsSql(context, state))([], file);
}

/**
 * The index entries of all rows in the data files of a state, with version 0. The content of events is unknown.
 *
 * Rejects are identified by their record and its number among equal records, as staging numbers them. Equal records in
 * the lake are numbered without a gap, so that counting them again yields the same identities.
 */
export function claimsSql(context: Pick<CommitContext, 'store' | 'tables'>, state: LakeState): string {
  const reader = { store: context.store, schemas: state.schemas };
  const parts = context.tables
    .filter(({ name, partitionBy }) => name === EVENTS || partitionBy === 'ingest_date')
    .map((table) => {
      const rows = tableRowsSql(reader, tableNamed(context.tables, table.name), filesOf(state, table));
      const isEvents = table.name === EVENTS;
      const text = isEvents ? 'event_id' : "record::VARCHAR || '#' || row_number() OVER (PARTITION BY record::VARCHAR)";
      // A reject's record is its content, so any content hash says that it is stored.
      const content = isEvents ? 'NULL::UBIGINT' : '0::UBIGINT';
      return `SELECT ${idHashSql(text)} AS id_hash, ${content} AS content_hash, ${table.partitionBy} AS event_date, 0::BIGINT AS version FROM (${rows})`;
    });
  return parts.join(' UNION ALL ');
}

function filesOf(state: LakeState, table: TableSpec) {
  return [...state.files.values()].filter((file) => file.table === table.name);
}
