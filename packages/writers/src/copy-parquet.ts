import { dirname } from 'node:path';
import {
  type DataFile,
  type FileLayout,
  makeFolder,
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

const COPY_OPTIONS: readonly string[] = [
  'FORMAT parquet',
  'COMPRESSION zstd',
  `ROW_GROUP_SIZE ${ROW_GROUP_ROWS}`,
  'RETURN_STATS true',
];

/**
 * zstd's first level makes files no larger here, in two thirds of the time. No bloom filters, because compaction
 * rewrites these files soon. Without large dictionaries the encodings of version 2 save an eighth of the bytes.
 */
const CHEAP: readonly string[] = ['PARQUET_VERSION V2', 'COMPRESSION_LEVEL 1', 'WRITE_BLOOM_FILTER false'];

/**
 * Dictionaries as large as the rows may need: DuckDB allocates and clears this limit for every column, however few rows
 * come, which is 60 ms of CPU for a file of a few events. With them the encodings of version 1, which every reader
 * knows, make files as small as those of version 2.
 */
function largeDictionaries(maxRows: number): readonly string[] {
  const distinctValues = Math.min(ROW_GROUP_ROWS / 2, Math.max(1, maxRows));
  return [
    'PARQUET_VERSION V1',
    `DICTIONARY_SIZE_LIMIT ${distinctValues}`,
    'STRING_DICTIONARY_PAGE_SIZE_LIMIT 16777216',
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
}

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
  return writtenFile(table, shape.layout, stats);
}

/** SQL that yields one row of statistics of the file (`filename, count, file_size_bytes, …`). */
function copyToParquetSql(
  rowsSql: string,
  table: TableSpec,
  file: string,
  { layout, fieldIds, maxRows = ROW_GROUP_ROWS }: FileShape,
): string {
  const columns = table.columns.filter(({ name }) => name !== table.partitionBy);
  const values = columns.map(({ name, type }) => `${storedValueSql(type, quoteName(name))} AS ${quoteName(name)}`);
  const ids = columns.map(({ name }) => `${quoteName(name)}: ${fieldIds[name]}`);
  const isSorted = layout === 'sorted';
  const order = isSorted ? ` ORDER BY ${table.sortBy.map(quoteName).join(', ')}` : '';
  const options = [
    ...COPY_OPTIONS,
    `FIELD_IDS {${ids.join(', ')}}`,
    ...(isSorted ? largeDictionaries(maxRows) : CHEAP),
  ].join(', ');
  return `COPY (SELECT ${values.join(', ')} FROM (${rowsSql})${order}) TO ${quoteText(file)} (${options})`;
}

function writtenFile(
  table: TableSpec,
  layout: FileLayout,
  stats: Readonly<Record<string, unknown>> | undefined,
): WrittenFile {
  const newestEventMs = table.name === 'events' ? boundMs(stats, 'event_time', 'max') : null;
  const fromMs = boundMs(stats, 'processed_time', 'min');
  const toMs = boundMs(stats, 'processed_time', 'max');
  return {
    rowCount: Number(stats?.count),
    fileBytes: Number(stats?.file_size_bytes),
    layout,
    format: FILE_FORMAT,
    ...(newestEventMs === null ? {} : { newestEventMs }),
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
