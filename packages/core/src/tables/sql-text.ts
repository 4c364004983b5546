import type { DataFile, FileLayout } from './data-file.ts';
import type { TableSpec } from './table-spec.ts';

/** Rows of one row group. DuckDB keeps statistics and bloom filters per row group. */
export const ROW_GROUP_ROWS = 122_880;

const COPY_OPTIONS: readonly string[] = [
  'FORMAT parquet',
  'COMPRESSION zstd',
  'PARQUET_VERSION V2',
  `ROW_GROUP_SIZE ${ROW_GROUP_ROWS}`,
  'RETURN_STATS true',
];

/** The first level makes files no larger here, in two thirds of the time; no bloom filters, because compaction rewrites these files soon. */
const CHEAP: readonly string[] = ['COMPRESSION_LEVEL 1', 'WRITE_BLOOM_FILTER false'];

/**
 * Dictionaries as large as the rows may need: DuckDB allocates and clears this limit for every column, however few rows
 * come, which is 60 ms of CPU for a file of a few events.
 */
function largeDictionaries(maxRows: number): readonly string[] {
  const distinctValues = Math.min(ROW_GROUP_ROWS / 2, Math.max(1, maxRows));
  return [`DICTIONARY_SIZE_LIMIT ${distinctValues}`, 'STRING_DICTIONARY_PAGE_SIZE_LIMIT 16777216'];
}

/**
 * The one statement that writes a data file, so that first writes, rewrites and compaction agree on columns and encoding.
 * Returns DuckDB SQL that yields one row of file statistics (`filename, count, file_size_bytes, …`).
 * @param rowsSql a query or table expression with exactly the table's columns
 * @param maxRows an upper bound of the rows, where it is known: it bounds the dictionaries of a sorted file
 */
export function copyToParquetSql(
  rowsSql: string,
  table: TableSpec,
  file: string,
  { layout, maxRows = ROW_GROUP_ROWS }: { readonly layout: FileLayout; readonly maxRows?: number },
): string {
  const columns = table.columns.map((column) => quoteName(column.name)).join(', ');
  const isSorted = layout === 'sorted';
  const order = isSorted ? ` ORDER BY ${table.sortBy.map(quoteName).join(', ')}` : '';
  const options = [...COPY_OPTIONS, ...(isSorted ? largeDictionaries(maxRows) : CHEAP)].join(', ');
  return `COPY (SELECT ${columns} FROM (${rowsSql})${order}) TO ${quoteText(file)} (${options})`;
}

/** What the row of statistics that writing a data file yields says about it. */
export function writtenFile(
  table: TableSpec,
  layout: FileLayout,
  stats: Readonly<Record<string, unknown>> | undefined,
): Pick<DataFile, 'rowCount' | 'fileBytes' | 'layout' | 'newestEventMs' | 'processedMs'> {
  const newestEventMs = table.name === 'events' ? boundMs(stats, 'event_time', 'max') : null;
  const fromMs = boundMs(stats, 'processed_time', 'min');
  const toMs = boundMs(stats, 'processed_time', 'max');
  return {
    rowCount: Number(stats?.count),
    fileBytes: Number(stats?.file_size_bytes),
    layout,
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
  const ms = Date.parse(`${text.replace(' ', 'T')}Z`);
  return Number.isNaN(ms) ? null : ms;
}

/** A SQL string literal. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A SQL string literal for what reads files by name: there DuckDB takes `*`, `?` and `[` for patterns of other names. */
export function quoteFile(path: string): string {
  return quoteText(path.replaceAll(/[*?[]/g, '[$&]'));
}

/** A SQL identifier. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/**
 * The SQL of the 64-bit identity of an event id (or of a reject's record): the low half of its MD5, so that it stays the
 * same across DuckDB versions. Two ids may share it; callers compare the ids themselves after a match.
 */
export function idHashSql(textSql: string): string {
  return `(md5_number(${textSql}) & 18446744073709551615::UHUGEINT)::UBIGINT`;
}
