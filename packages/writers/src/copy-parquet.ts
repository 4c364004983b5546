import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  type DataFile,
  type FileLayout,
  makeFolder,
  PROMOTED_KEY,
  promotedNote,
  quoteName,
  quoteText,
  rowsOf,
  type SqlConnection,
  storedValueSql,
  syncPath,
  type TableSpec,
} from '@edrlake/core';

/** Rows of one row group. DuckDB keeps statistics and bloom filters per row group. */
const ROW_GROUP_ROWS = 122_880;

/** How the values of data files are encoded; see `DataFile`. */
export const FILE_FORMAT = 2;

/** zstd's first level makes files no larger than its third here, in two thirds of the time. */
const COPY_OPTIONS: readonly string[] = [
  'FORMAT parquet',
  'COMPRESSION zstd',
  'COMPRESSION_LEVEL 1',
  `ROW_GROUP_SIZE ${ROW_GROUP_ROWS}`,
];

/**
 * The encodings of version 2 save an eighth of the bytes where little is in dictionaries. No bloom filters, because
 * compaction rewrites these files soon.
 */
const UNSORTED: readonly string[] = ['PARQUET_VERSION V2', 'WRITE_BLOOM_FILTER false'];

/**
 * The share of distinct values up to which a column gets a dictionary. A dictionary of values that come once or twice
 * is larger than the values: ids and times took an eighth more, and their bloom filters 2 bytes a row each.
 */
const DICTIONARY_SHARE = 0.45;

/** Below this a file's columns are read as fast as its bloom filters, which are up to 7 % of it. */
const BLOOM_FILTER_ROWS = 10_000;

/** Of row groups without a value, this share is read in vain. DuckDB's default of 0.01 takes 1.5 bytes more a row. */
const FALSE_POSITIVES = 0.05;

/**
 * Dictionaries are no larger than the rows may need: DuckDB allocates and clears this limit for every column, however
 * few rows come, which is 60 ms of CPU for a file of a few events. Only columns with a dictionary get a bloom filter.
 * The encodings of version 1 are those that every reader knows; version 2 would save 2 %.
 */
function sortedOptions(maxRows: number): readonly string[] {
  const distinctValues = Math.max(1, Math.floor(Math.min(ROW_GROUP_ROWS, maxRows) * DICTIONARY_SHARE));
  return [
    'PARQUET_VERSION V1',
    `DICTIONARY_SIZE_LIMIT ${distinctValues}`,
    'STRING_DICTIONARY_PAGE_SIZE_LIMIT 16777216',
    `WRITE_BLOOM_FILTER ${maxRows >= BLOOM_FILTER_ROWS}`,
    `BLOOM_FILTER_FALSE_POSITIVE_RATIO ${FALSE_POSITIVES}`,
  ];
}

/** The Parquet field id of each column by name. Readers of table formats find columns by it. */
export type FieldIds = Readonly<Record<string, number>>;

/** How a data file is written. */
export interface FileShape {
  readonly layout: FileLayout;
  readonly fieldIds: FieldIds;
  /** An upper bound of the rows, where it is known: it bounds the dictionaries of a sorted file. */
  readonly maxRows?: number;
  /** The rows already come in the order of the layout, and are written in it. */
  readonly isInOrder?: boolean;
  /**
   * The bounds of the rows' times, where they are known. DuckDB returns those of every column or none, which is a third
   * of the time that a small file takes.
   */
  readonly times?: FileTimes;
}

/** Bounds of the times in a data file, as `DataFile` has them. */
export type FileTimes = Pick<DataFile, 'newestEventMs' | 'processedMs'>;

/** What a data file holds, as the statement that wrote it said. */
export type WrittenFile = Pick<
  DataFile,
  'rowCount' | 'fileBytes' | 'layout' | 'format' | 'newestEventMs' | 'processedMs'
>;

/**
 * Writes one data file and syncs it, but not its name. First writes, rewrites and compaction all use this, so that they
 * agree on columns and encoding. Makes its folder. A crash leaves a file that may be broken.
 * @param rowsSql a query or table expression with at least the table's columns, in their staged or queried types
 * @param file absolute path
 */
export async function copyToParquet(
  connection: SqlConnection,
  rowsSql: string,
  table: TableSpec,
  file: string,
  shape: FileShape,
): Promise<WrittenFile> {
  await makeFolder(dirname(file));
  const [stats] = await rowsOf(connection, copyToParquetSql(rowsSql, table, file, shape));
  await syncPath(file);
  const { layout, times } = shape;
  return {
    rowCount: Number(times === undefined ? stats?.count : stats?.Count),
    fileBytes: times === undefined ? Number(stats?.file_size_bytes) : (await stat(file)).size,
    layout,
    format: FILE_FORMAT,
    ...(times ?? returnedTimes(table, stats)),
  };
}

/** SQL that yields one row: statistics of the file (`filename, count, file_size_bytes, …`), or only its `Count`. */
function copyToParquetSql(
  rowsSql: string,
  table: TableSpec,
  file: string,
  { layout, fieldIds, maxRows = ROW_GROUP_ROWS, isInOrder = false, times }: FileShape,
): string {
  const ids = storedColumns(table).map(({ name }) => `${quoteName(name)}: ${fieldIds[name]}`);
  const isSorted = layout === 'sorted';
  const note = promotedNote(table);
  const options = [
    ...COPY_OPTIONS,
    ...(note === null ? [] : [`KV_METADATA {${quoteText(PROMOTED_KEY)}: ${quoteText(note)}}`]),
    `RETURN_STATS ${times === undefined}`,
    `FIELD_IDS {${ids.join(', ')}}`,
    ...(isSorted ? sortedOptions(maxRows) : UNSORTED),
  ].join(', ');
  const rows = storedRowsSql(rowsSql, table, isSorted && !isInOrder);
  return `COPY (${rows}) TO ${quoteText(file)} (${options})`;
}

function storedColumns({ columns, partitionBy }: TableSpec): TableSpec['columns'] {
  return columns.filter(({ name }) => name !== partitionBy);
}

function storedRowsSql(rowsSql: string, table: TableSpec, isOrdered: boolean): string {
  const values = storedColumns(table).map(
    ({ name, type }) => `${storedValueSql(type, quoteName(name))} AS ${quoteName(name)}`,
  );
  const order = isOrdered ? ` ORDER BY ${table.sortBy.map(quoteName).join(', ')}` : '';
  return `SELECT ${values.join(', ')} FROM (${rowsSql})${order}`;
}

/** Small row groups are sorted and read again in little memory; nothing else is gained in a file that is soon gone. */
const RUN_OPTIONS: readonly string[] = [
  'FORMAT parquet',
  'COMPRESSION uncompressed',
  'PARQUET_VERSION V2',
  'ROW_GROUP_SIZE 20480',
  'WRITE_BLOOM_FILTER false',
];

/**
 * Writes a part of a sorted file that is too large to be sorted at once, in order and as fast as can be. It is no data
 * file of a lake: nothing of it is synced. Makes its folder.
 * @param rowsSql as for `copyToParquet`
 * @param file absolute path
 */
export async function writeSortedRun(
  connection: SqlConnection,
  rowsSql: string,
  table: TableSpec,
  file: string,
): Promise<Pick<WrittenFile, 'rowCount' | 'fileBytes' | 'layout' | 'format'>> {
  await makeFolder(dirname(file));
  const rows = storedRowsSql(rowsSql, table, true);
  const [written] = await rowsOf(connection, `COPY (${rows}) TO ${quoteText(file)} (${RUN_OPTIONS.join(', ')})`);
  const { size } = await stat(file);
  return { rowCount: Number(written?.Count), fileBytes: size, layout: 'sorted', format: FILE_FORMAT };
}

function returnedTimes(table: TableSpec, stats: Readonly<Record<string, unknown>> | undefined): FileTimes {
  return fileTimes(
    table.name === 'events' ? boundMs(stats, 'event_time', 'max') : null,
    boundMs(stats, 'processed_time', 'min'),
    boundMs(stats, 'processed_time', 'max'),
  );
}

/** Epoch milliseconds; null where there is no such time. */
export function fileTimes(newestMs: number | null, fromMs: number | null, toMs: number | null): FileTimes {
  return {
    ...(newestMs === null ? {} : { newestEventMs: newestMs }),
    ...(fromMs === null || toMs === null ? {} : { processedMs: [fromMs, toMs] }),
  };
}

/** DuckDB's maps, as lists of key and value; the names of columns are quoted. */
type Entries<V> = readonly { readonly key: string; readonly value: V }[];

/** The smallest or largest instant of a column; null where there is none. */
function boundMs(
  stats: Readonly<Record<string, unknown>> | undefined,
  column: string,
  which: 'min' | 'max',
): number | null {
  const columns = stats?.column_statistics;
  if (!Array.isArray(columns)) return null;
  const ofColumn = (columns as Entries<Entries<string>>).find(({ key }) => key === quoteName(column));
  const text = ofColumn?.value.find(({ key }) => key === which)?.value ?? '';
  // `2020-08-17 10:00:00.123+00`, in the zone of the connection, which is UTC.
  const ms = Date.parse(text.replace(' ', 'T').replace(/\+00$/, 'Z'));
  return Number.isNaN(ms) ? null : ms;
}
