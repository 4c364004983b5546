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
import { copyToParquet, type FieldIds, type FileTimes, fileTimes } from './copy-parquet.ts';

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
  batch: Pick<StagedBatch, 'rowTables'>,
  target: WriteTarget,
): Promise<readonly DataFile[]> {
  return withRowOrder(connection, async () => {
    const files: DataFile[] = [];
    const rowsOfTable = ({ name }: TableSpec) => rowsSql(batch.rowTables[name] ?? '', target.exceptTable);
    const days = tables.map((table, place) => daysSql(table, place, rowsOfTable(table)));
    const wanted = `SELECT * REPLACE (day::VARCHAR AS day) FROM (${days.join(' UNION ALL ')}) ORDER BY place, day`;
    for (const { place, day, newest, earliest, latest } of await rowsOf(connection, wanted)) {
      const table = tables[Number(place)];
      if (table === undefined) continue;
      const ofDay = `SELECT * FROM (${rowsOfTable(table)}) WHERE ${quoteName(table.partitionBy)} = DATE ${quoteText(String(day))}`;
      const times = fileTimes(msOf(newest), msOf(earliest), msOf(latest));
      files.push(
        await writeFile(connection, ofDay, table, { partition: `${table.partitionBy}=${day}`, times }, target),
      );
    }
    return files;
  });
}

/** A row for each day: `place`, `day`, and in epoch milliseconds the bounds of the times that a data file has. */
function daysSql({ name, columns, partitionBy }: TableSpec, place: number, rows: string): string {
  const isProcessed = columns.some((column) => column.name === 'processed_time');
  const ms = (isThere: boolean, time: string) => (isThere ? `epoch_ms(${time})` : 'NULL::BIGINT');
  const bounds = [
    `${ms(name === 'events', 'max(event_time)')} AS newest`,
    `${ms(isProcessed, 'min(processed_time)')} AS earliest`,
    `${ms(isProcessed, 'max(processed_time)')} AS latest`,
  ];
  return `SELECT ${place} AS place, ${quoteName(partitionBy)} AS day, ${bounds.join(', ')} FROM (${rows}) GROUP BY ALL`;
}

function msOf(value: unknown): number | null {
  return value === null ? null : Number(value);
}

function rowsSql(rowTable: string, exceptTable: string | null): string {
  const rows = `SELECT * FROM ${quoteName(rowTable)}`;
  return exceptTable === null ? rows : `${rows} WHERE id_hash NOT IN (SELECT id_hash FROM ${quoteName(exceptTable)})`;
}

async function writeFile(
  connection: SqlConnection,
  rows: string,
  table: TableSpec,
  { partition, times }: { readonly partition: string; readonly times: FileTimes },
  { directory, fileStem, fieldIds }: WriteTarget,
): Promise<DataFile> {
  const path = `${table.name}/${partition}/${fileStem}-0.parquet`;
  const written = await copyToParquet(connection, rows, table, join(directory, path), {
    layout: 'arrival',
    fieldIds: fieldIds[table.name] ?? {},
    times,
  });
  return { table: table.name, partition, path, ...written };
}
