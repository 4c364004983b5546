import type { DuckDBConnection } from '@duckdb/node-api';
import {
  type ColumnSpec,
  type Day,
  EdrlakeError,
  filePattern,
  queriedType,
  quoteFile,
  quoteName,
  quoteText,
  type TableSpec,
  textListSql,
} from '@edrlake/core';
import type { Store } from '../storage/store.ts';
import type { ViewPlace } from '../storage/view-place.ts';
import type { LoggedFile, Schema } from './lake-state.ts';

/** What is needed to read the files of a table. */
export interface TableReader {
  readonly store: Store;
  readonly schemas: ReadonlyMap<number, Schema>;
}

/** Whether the table's rows belong to an event, and are deleted with it. */
export function isEventTable(table: TableSpec): boolean {
  return table.partitionBy === 'event_date';
}

/**
 * A DuckDB query with exactly the table's columns, in order and in their queried types, over some of its files of
 * any format; a column that a file's schema version lacks is NULL. The partition column comes from the folder's
 * name, so that files are pruned by it without being opened. `withFile` adds a column `lake_file` with the path DuckDB
 * read the row from, `withPlace` that and `lake_row`, the number of the row in the file from 0; `place` finds the files
 * where the lake is when the query runs.
 */
export function tableRowsSql(
  reader: TableReader,
  table: TableSpec,
  files: readonly LoggedFile[],
  options: { readonly withFile?: boolean; readonly withPlace?: boolean; readonly place?: ViewPlace } = {},
): string {
  const kinds = new Map(
    files.map(({ schemaVersion, format = 1 }) => [`${schemaVersion} ${format}`, { schemaVersion, format }]),
  );
  const selects = [...kinds.values()].map(({ schemaVersion, format }) => {
    const alike = files.filter((file) => file.schemaVersion === schemaVersion && (file.format ?? 1) === format);
    const present = new Set(reader.schemas.get(schemaVersion)?.[table.name]?.map(({ name }) => name));
    const columns = table.columns.map((column) =>
      present.has(column.name) ? storedColumnSql(column, format) : nullColumnSql(column),
    );
    if (options.withFile || options.withPlace) columns.push('filename AS lake_file');
    if (options.withPlace) columns.push('file_row_number AS lake_row');
    const paths = alike.map(({ path }) => path);
    const list = options.place?.filesSql(paths) ?? listSql(reader.store, paths);
    const types = `hive_types = {${quoteName(table.partitionBy)}: DATE}`;
    const fileColumn = options.withPlace
      ? ', filename = true, file_row_number = true'
      : options.withFile
        ? ', filename = true'
        : '';
    return `SELECT ${columns.join(', ')} FROM read_parquet(${list}, hive_partitioning = true, ${types}${fileColumn})`;
  });
  const all = selects.join(' UNION ALL ');
  if (options.place !== undefined && all !== '') return `SELECT * FROM (${all}) WHERE ${options.place.guardSql}`;
  if (all !== '') return all;
  const nothing = table.columns.map(nullColumnSql);
  if (options.withFile) nothing.push('NULL::VARCHAR AS lake_file');
  return `SELECT ${nothing.join(', ')} WHERE false`;
}

/** What a statement names as literals is brought from an object store. */
function listSql(store: Store, paths: readonly string[]): string {
  const locations = paths.map((path) => store.locate(path));
  return store.remote === null ? textListSql(locations.map(filePattern)) : `[${locations.map(quoteFile).join(', ')}]`;
}

function storedColumnSql({ name, type }: ColumnSpec, format: number): string {
  const column = quoteName(name);
  if (type === 'json' && format > 1) return `${column}::JSON AS ${column}`;
  // Format 1 has times without a zone, which are UTC.
  return type === 'timestamp' && format === 1 ? `make_timestamptz(epoch_us(${column})) AS ${column}` : column;
}

function nullColumnSql({ name, type }: ColumnSpec): string {
  return `NULL::${queriedType(type)} AS ${quoteName(name)}`;
}

/** The table with some of its columns: DuckDB plans each column of a query, also those that no statement asks for. */
export function narrowed(table: TableSpec, columns: readonly string[]): TableSpec {
  return { ...table, columns: table.columns.filter(({ name }) => columns.includes(name)) };
}

/** A row as plain values: numbers and booleans as such, 64-bit numbers and all other types as text. */
export type PlainRow = Readonly<Record<string, string | number | boolean | null>>;

/** Runs one statement and returns all of its rows; only for results known to be small. */
export async function rowsOf(connection: DuckDBConnection, sql: string): Promise<PlainRow[]> {
  const reader = await connection.runAndReadAll(sql);
  return reader.getRowObjectsJson() as PlainRow[];
}

/**
 * SQL for the value of a text column in the `record` of a reject, read from where events have it; NULL where there is
 * none.
 * @param events the spec of the events table
 */
export function recordValueSql(events: TableSpec, column: string): string {
  const paths = events.columns.find(({ name }) => name === column)?.paths ?? [];
  const values = paths.map((path) => `nullif(trim(json_extract_string(record, ${quoteText(`$.${path}`)})), '')`);
  return `coalesce(${[...values, 'NULL::VARCHAR', 'NULL::VARCHAR'].join(', ')})`;
}

/** The UTC day a file's folder is named after. */
export function partitionDay({ partition }: Pick<LoggedFile, 'partition'>): Day {
  return partition.slice(partition.indexOf('=') + 1);
}

/** The spec of a table by name. */
export function tableNamed(tables: readonly TableSpec[], name: string): TableSpec {
  const table = tables.find((candidate) => candidate.name === name);
  if (table === undefined) throw new EdrlakeError('BUG', `there is no table ${name}`);
  return table;
}
