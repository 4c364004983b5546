import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import {
  copyToParquetSql,
  type DataFile,
  quoteName,
  quoteText,
  syncPath,
  type TableSpec,
  writtenFile,
} from '@edrlake/core';
import { LAKE_TABLES } from '@edrlake/flattener';
import { rowsOf } from './rows.ts';

/** Where staged rows go: `directory/<table>/<partition>/<fileStem>-0.parquet`. */
export interface WriteTarget {
  readonly directory: string;
  readonly fileStem: string;
  /** Temporary table of `id_hash` values to leave out, or null to write everything. */
  readonly exceptTable: string | null;
}

/**
 * Writes one file for each table and partition that has rows, synced, in the order of the tables and the days; rows as they lie in the
 * temporary tables, where the connection preserves that.
 * A crash leaves a part of the files, and the last one possibly broken, in `directory`: it must not be a table folder.
 */
export async function writeStagedRows(
  connection: DuckDBConnection,
  rowTables: Readonly<Record<string, string>>,
  target: WriteTarget,
): Promise<readonly DataFile[]> {
  const files: DataFile[] = [];
  for (const table of LAKE_TABLES) {
    const rows = rowsSql(rowTables[table.name] ?? '', target.exceptTable);
    const day = quoteName(table.partitionBy);
    const days = await rowsOf(
      connection,
      `SELECT day::VARCHAR AS day FROM (SELECT DISTINCT ${day} AS day FROM (${rows})) ORDER BY day`,
    );
    for (const { day: value } of days) {
      const ofDay = `SELECT * FROM (${rows}) WHERE ${day} = DATE ${quoteText(String(value))}`;
      files.push(await writeFile(connection, ofDay, table, `${table.partitionBy}=${value}`, target));
    }
  }
  return files;
}

function rowsSql(rowTable: string, exceptTable: string | null): string {
  const rows = `SELECT * FROM ${quoteName(rowTable)}`;
  return exceptTable === null ? rows : `${rows} WHERE id_hash NOT IN (SELECT id_hash FROM ${quoteName(exceptTable)})`;
}

async function writeFile(
  connection: DuckDBConnection,
  rows: string,
  table: TableSpec,
  partition: string,
  { directory, fileStem }: WriteTarget,
): Promise<DataFile> {
  const path = `${table.name}/${partition}/${fileStem}-0.parquet`;
  await mkdir(join(directory, table.name, partition), { recursive: true });
  const file = join(directory, path);
  const [stats] = await rowsOf(connection, copyToParquetSql(rows, table, file, { layout: 'arrival' }));
  await syncPath(file);
  return {
    table: table.name,
    partition,
    path,
    ...writtenFile(table, 'arrival', stats),
  };
}
