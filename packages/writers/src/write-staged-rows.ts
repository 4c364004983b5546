import { join } from 'node:path';
import {
  type DataFile,
  quoteName,
  quoteText,
  rowsOf,
  type SqlConnection,
  type StagedBatch,
  type TableSpec,
  withRowOrder,
} from '@edrlake/core';
import { copyToParquet, type FieldIds } from './copy-parquet.ts';

/** Where staged rows go: `directory/<table>/<partition>/<fileStem>-0.parquet`. */
export interface WriteTarget {
  readonly directory: string;
  readonly fileStem: string;
  /** Temporary table of `id_hash` values whose events and rejects are left out, or null to write everything. */
  readonly exceptTable: string | null;
  /** By table name. */
  readonly fieldIds: Readonly<Record<string, FieldIds>>;
}

/**
 * Writes one file for each table and partition that has rows, synced, in the order of the tables and the days, with the
 * rows in the order of arrival. A crash leaves some of the files, and the last one possibly broken, in `directory`: it
 * must not be a table folder.
 * @param connection the one on which the batch was staged
 * @returns the files, with paths relative to `directory`
 */
export function writeStagedRows(
  connection: SqlConnection,
  tables: readonly TableSpec[],
  batch: StagedBatch,
  target: WriteTarget,
): Promise<readonly DataFile[]> {
  return withRowOrder(connection, async () => {
    const files: DataFile[] = [];
    for (const table of tables) {
      const rows = rowsSql(batch.rowTables[table.name] ?? '', target.exceptTable);
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
  });
}

function rowsSql(rowTable: string, exceptTable: string | null): string {
  const rows = `SELECT * FROM ${quoteName(rowTable)}`;
  return exceptTable === null ? rows : `${rows} WHERE id_hash NOT IN (SELECT id_hash FROM ${quoteName(exceptTable)})`;
}

async function writeFile(
  connection: SqlConnection,
  rows: string,
  table: TableSpec,
  partition: string,
  { directory, fileStem, fieldIds }: WriteTarget,
): Promise<DataFile> {
  const path = `${table.name}/${partition}/${fileStem}-0.parquet`;
  const written = await copyToParquet(connection, rows, table, join(directory, path), {
    layout: 'arrival',
    fieldIds: fieldIds[table.name] ?? {},
  });
  return { table: table.name, partition, path, ...written };
}
