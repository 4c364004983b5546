import { randomUUID } from 'node:crypto';
import { quoteFile, quoteName, quoteText, sum, type TableSpec } from '@edrlake/core';
import type { CommitContext } from '../log/commit-context.ts';
import type { LoggedFile } from '../log/lake-state.ts';
import { type TableReader, tableNamed, tableRowsSql } from '../log/table-rows.ts';
import { damagedFiles, sumFile } from '../storage/checksum.ts';
import { fileProgress } from '../storage/file-progress.ts';
import { FOLDERS } from '../storage/layout.ts';
import { hasIndex, type IndexSegment, indexedColumns, readSegments, writeSegments } from './index-files.ts';
import { keySql, keyTextsSql } from './index-keys.ts';
import { partsOf } from './index-parts.ts';

/** What a run on the index did. */
export interface IndexReport {
  /** Data files that were read into the index. */
  readonly indexed: number;
  /** Data files that the index knows now, and those that it is about. */
  readonly known: number;
  readonly files: number;
  readonly bytes: number;
  /** Bytes of all data files of the lake. */
  readonly dataBytes: number;
}

/** Files of the index of one level that are merged into one of the next. */
const FAN_IN = 8;
/** Entries of a merged file: DuckDB sorts these in the least memory that it may be given, twice as many it does not. */
const MAX_ENTRIES = 10_000_000;
/** Rows and files that are read into one file of the index. */
const MAX_ROWS = 1_000_000;
const MAX_FILES = 200;

type IndexContext = Pick<CommitContext, 'store' | 'log' | 'tables' | 'connection' | 'workFolder' | 'emit'>;

/**
 * Brings the index to the newest version: reads the files that it does not know, forgets those that are gone. A data
 * file is compared with its checksum first, so that what the index says of it holds for the bytes that were committed.
 * Files are named by paths that are used once, so an index that is behind is incomplete, never wrong.
 * @param rebuild forgets the index that is there
 * @throws {EdrlakeError} `LAKE_UNWRITABLE`, `INTERRUPTED`
 */
export async function updateIndex(context: IndexContext, rebuild: boolean, signal: AbortSignal): Promise<IndexReport> {
  const { store, log, tables } = context;
  const { files: all, schemas } = await log.refresh();
  const indexed = new Set(tables.filter((table) => indexedColumns(table).length > 0).map(({ name }) => name));
  const files = [...all.values()].filter(({ table }) => indexed.has(table));
  const known = rebuild ? [] : await intactSegments(context);
  const covered = new Set(known.flatMap((segment) => segment.files.map(([path]) => path)));
  const missing = files.filter(({ path }) => !covered.has(path));
  const damaged = new Set(await damagedFiles(store, missing));
  const reader = { store, schemas };
  let segments = known.filter((segment) => segment.files.some(([path]) => all.has(path)));
  const sound = missing.filter((file) => !damaged.has(file));
  const onIndexed = fileProgress(context.emit, 'index', sound.length);
  for (const group of groupsOf(sound)) {
    signal.throwIfAborted();
    segments.push(await writeSegment(context, entriesSql(reader, tables, group), group.map(identityOf), 0));
    onIndexed(group.length);
  }
  segments = await mergedSegments(context, segments, all, signal);
  const isChanged = rebuild || missing.length > damaged.size || segments.length !== known.length;
  if (isChanged || !(await hasIndex(store))) {
    await writeSegments(store, tables, segments);
    await removeUnnamed(context, segments);
  }
  const now = new Set(segments.flatMap((segment) => segment.files.map(([path]) => path)));
  return {
    indexed: missing.length - damaged.size,
    known: files.filter(({ path }) => now.has(path)).length,
    files: files.length,
    bytes: sum(segments, ({ fileBytes }) => fileBytes),
    dataBytes: sum(all.values(), ({ fileBytes }) => fileBytes),
  };
}

/** Segments that are there and whole; none where the manifest cannot be understood. */
async function intactSegments({ store, tables }: Pick<IndexContext, 'store' | 'tables'>): Promise<IndexSegment[]> {
  const segments = (await readSegments(store, tables)) ?? [];
  const damaged = new Set(await damagedFiles(store, segments));
  return segments.filter((segment) => !damaged.has(segment));
}

function identityOf({ path, crc32 }: LoggedFile): readonly [string, number | null] {
  return [path, crc32 ?? null];
}

function* groupsOf(files: readonly LoggedFile[]): Generator<LoggedFile[]> {
  let group: LoggedFile[] = [];
  let rows = 0;
  for (const file of files) {
    if (group.length > 0 && (group.length === MAX_FILES || rows + file.rowCount > MAX_ROWS)) {
      yield group;
      [group, rows] = [[], 0];
    }
    group.push(file);
    rows += file.rowCount;
  }
  if (group.length > 0) yield group;
}

/** SQL of the entries of some files, each once: a key, and the position of a file that may hold the value. */
function entriesSql(reader: TableReader, tables: readonly TableSpec[], files: readonly LoggedFile[]): string {
  const positions = new Map(files.map(({ path }, position) => [path, position]));
  const names = [...new Set(files.map(({ table }) => table))];
  const selects = names.flatMap((name) => {
    const table = tableNamed(tables, name);
    const ofTable = files.filter((file) => file.table === name);
    const rows = tableRowsSql(reader, table, ofTable, { withFile: true });
    const places = ofTable.map(({ path }) => `(${quoteText(reader.store.locate(path))}, ${positions.get(path) ?? -1})`);
    const numbered = `SELECT * FROM (${rows}) JOIN (VALUES ${places.join(', ')}) AS p(location, file) ON location = lake_file`;
    return indexedColumns(table).map(({ name: column, observable }) => {
      const values = `SELECT DISTINCT ${quoteName(column)} AS v, file FROM (${numbered}) WHERE ${quoteName(column)} IS NOT NULL`;
      const texts = `SELECT unnest(${keyTextsSql(observable, 'v')}) AS text, file FROM (${values})`;
      return `SELECT ${keySql(`'${observable}'`, 'text')} AS key, file FROM (${texts})`;
    });
  });
  return `SELECT DISTINCT key, file FROM (${selects.join(' UNION ALL ')})`;
}

/** @param entries SQL of different entries */
async function writeSegment(
  { store, connection, workFolder }: IndexContext,
  entries: string,
  files: IndexSegment['files'],
  level: number,
): Promise<IndexSegment> {
  const name = randomUUID();
  const staged = `${workFolder}/values-${name}.parquet`;
  const path = `${FOLDERS.values}/${name}.parquet`;
  // Sorted keys become differences of few bits.
  const rows = await connection.run(
    `COPY (SELECT key, file FROM (${entries}) ORDER BY key, file) TO ${quoteText(store.locate(staged))}
     (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2)`,
  );
  const checksum = await sumFile(store.locate(staged));
  const fileBytes = checksum?.bytes ?? 0;
  const parts = await partsOf(connection, store.locate(staged), fileBytes);
  await store.move([{ from: staged, to: path }], 'fail');
  return {
    path,
    fileBytes,
    crc32: checksum?.crc32 ?? 0,
    rowCount: rows.rowsChanged,
    level,
    files,
    ...(parts && { parts }),
  };
}

/**
 * Merges segments level by level, up to a size that can be sorted, and leaves out data files that are gone. No two
 * segments know one data file, so that their entries differ.
 */
async function mergedSegments(
  context: IndexContext,
  segments: readonly IndexSegment[],
  alive: ReadonlyMap<string, unknown>,
  signal: AbortSignal,
): Promise<IndexSegment[]> {
  let current = [...segments];
  for (let level = 0; current.some((segment) => segment.level >= level); level += 1) {
    const ofLevel = current.filter((segment) => segment.level === level && segment.rowCount * 2 <= MAX_ENTRIES);
    if (ofLevel.length < FAN_IN) continue;
    for (const group of mergeableGroups(ofLevel)) {
      signal.throwIfAborted();
      const one = await mergeSegments(context, group, alive, level + 1);
      current = [...current.filter((segment) => !group.includes(segment)), one];
    }
  }
  return current;
}

/** Groups of at least two segments that are small enough together. */
function mergeableGroups(segments: readonly IndexSegment[]): IndexSegment[][] {
  const groups: IndexSegment[][] = [[]];
  let entries = 0;
  for (const segment of segments) {
    if (entries + segment.rowCount > MAX_ENTRIES) {
      groups.push([]);
      entries = 0;
    }
    groups.at(-1)?.push(segment);
    entries += segment.rowCount;
  }
  return groups.filter((group) => group.length > 1);
}

async function mergeSegments(
  context: IndexContext,
  segments: readonly IndexSegment[],
  alive: ReadonlyMap<string, unknown>,
  level: number,
): Promise<IndexSegment> {
  const files: (readonly [string, number | null])[] = [];
  const parts = segments.map((segment) => {
    const places = segment.files.map((file) => (alive.has(file[0]) ? files.push(file) - 1 : null));
    const list = `[${places.map((place) => place ?? 'NULL').join(', ')}]`;
    const rows = `read_parquet(${quoteFile(context.store.locate(segment.path))})`;
    return `SELECT key, ${list}[file + 1]::INTEGER AS file FROM ${rows}`;
  });
  const merged = `SELECT * FROM (${parts.join(' UNION ALL ')}) WHERE file IS NOT NULL`;
  return writeSegment(context, merged, files, level);
}

/** Files of the index that the manifest no longer names. A reader that misses one reads the data files instead. */
async function removeUnnamed({ store }: IndexContext, segments: readonly IndexSegment[]): Promise<void> {
  const named = new Set(segments.map(({ path }) => path));
  for (const name of await store.list(FOLDERS.values)) {
    const path = `${FOLDERS.values}/${name}`;
    if (name.endsWith('.parquet') && !named.has(path)) await store.remove(path);
  }
}
