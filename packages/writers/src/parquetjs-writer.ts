/// <reference path="./parquetjs-lite.d.ts" />
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type ColumnType, type DataFile, type Day, dayOf, makeFolder, syncPath, type TableSpec } from '@edrlake/core';
import type { Table } from 'apache-arrow';
import parquet, { type FieldDefinition, type ParquetSchema } from 'parquetjs-lite';
import { ROW_GROUP_ROWS } from './copy-parquet.ts';

/** A value of an Arrow row: times and dates as UTC epoch milliseconds, 64-bit integers as bigint. */
type Cell = string | number | bigint | boolean | null;

/**
 * Writes Arrow tables as `writeStagedRows` would, without native code: for places where DuckDB cannot run. Files are
 * `directory/<table>/<partition>/<fileStem>-0.parquet`, one for each table and partition that has rows, synced. Columns
 * and types are the same; rows are in the table's sort order. The library knows no zstd, so files are compressed with
 * gzip, and they have no statistics. It takes about ten times as long. Every row is written: rows with one `event_id`
 * are not reduced to one. A crash leaves a part of the files, the last one without its footer, in `directory`: it must
 * not be a table folder.
 * @param rowsByTable rows by table name; a table without an entry gets no file
 */
export async function writeArrowTables(
  tables: readonly TableSpec[],
  rowsByTable: Readonly<Record<string, Table>>,
  directory: string,
  fileStem: string,
): Promise<readonly DataFile[]> {
  const files: DataFile[] = [];
  for (const table of tables) {
    const rows = rowsByTable[table.name];
    if (rows === undefined) continue;
    for (const [day, ofDay] of partitionedRows(table, rows)) {
      const partition = `${table.partitionBy}=${day}`;
      const path = `${table.name}/${partition}/${fileStem}-0.parquet`;
      await makeFolder(join(directory, table.name, partition));
      const fileBytes = await writeFile(table, ofDay, join(directory, path));
      files.push({ table: table.name, partition, path, rowCount: ofDay.length, fileBytes, layout: 'sorted' });
    }
  }
  return files;
}

/**
 * Rows by partition day, oldest first; those of a day in the table's sort order, NULLs last, as compaction sorts them.
 */
function partitionedRows(table: TableSpec, rows: Table): ReadonlyMap<Day, readonly (readonly Cell[])[]> {
  const vectors = table.columns.map((column) => rows.getChild(column.name));
  const days = new Map<Day, Cell[][]>();
  const partitionIndex = indexOf(table, table.partitionBy);
  for (let index = 0; index < rows.numRows; index += 1) {
    const row = vectors.map((vector) => (vector?.get(index) ?? null) as Cell);
    const day = dayOf(Number(row[partitionIndex]));
    const ofDay = days.get(day) ?? [];
    ofDay.push(row);
    days.set(day, ofDay);
  }
  const sortIndexes = table.sortBy.map((name) => indexOf(table, name));
  const sorted = [...days].sort(([a], [b]) => (a < b ? -1 : 1));
  return new Map(sorted.map(([day, ofDay]) => [day, ofDay.sort((a, b) => compareRows(a, b, sortIndexes))]));
}

function indexOf(table: TableSpec, name: string): number {
  return table.columns.findIndex((column) => column.name === name);
}

function compareRows(a: readonly Cell[], b: readonly Cell[], indexes: readonly number[]): number {
  for (const index of indexes) {
    const order = compareCells(a[index] ?? null, b[index] ?? null);
    if (order !== 0) return order;
  }
  return 0;
}

function compareCells(a: Cell, b: Cell): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return a < b ? -1 : a > b ? 1 : 0;
}

async function writeFile(table: TableSpec, rows: readonly (readonly Cell[])[], file: string): Promise<number> {
  const schema = new parquet.ParquetSchema(
    Object.fromEntries(table.columns.map((column) => [column.name, fieldOf(column.type)])),
  );
  const writer = await parquet.ParquetWriter.openFile(schema, file, {
    rowGroupSize: ROW_GROUP_ROWS,
    useDataPageV2: false,
  });
  try {
    for (const row of rows) {
      const cells = table.columns.map((column, index) => [column.name, encoded(column.type, row[index] ?? null)]);
      await writer.appendRow(Object.fromEntries(cells));
    }
  } finally {
    nameFinalTypes(schema, table);
    await writer.close();
  }
  await syncPath(file);
  return (await stat(file)).size;
}

/**
 * How a column is handed to the library. Its own INT64 goes through a double and its own JSON quotes text again, so
 * both are handed over as a type that leaves the value alone and get their real name in the footer (`nameFinalTypes`).
 */
function fieldOf(type: ColumnType): FieldDefinition {
  const types = {
    text: 'UTF8',
    json: 'UTF8',
    integer: 'INT32',
    bigint: 'TIMESTAMP_MILLIS',
    boolean: 'BOOLEAN',
    timestamp: 'TIMESTAMP_MICROS',
    date: 'DATE',
  } as const;
  return { type: types[type], optional: true, compression: 'GZIP', statistics: false };
}

function encoded(type: ColumnType, cell: Cell): unknown {
  if (cell === null) return null;
  if (type === 'bigint') return exactInteger(BigInt(cell));
  return type === 'timestamp' || type === 'date' ? new Date(Number(cell)) : cell;
}

/** What the library takes for a date and asks for its time: the way past its conversion to a double. */
function exactInteger(value: bigint): object {
  return Object.create(Date.prototype, { getTime: { value: () => value } });
}

function nameFinalTypes(schema: ParquetSchema, table: TableSpec): void {
  for (const column of table.columns) {
    const field = schema.fields[column.name];
    if (field === undefined) continue;
    if (column.type === 'bigint') field.originalType = undefined;
    if (column.type === 'json') field.originalType = 'JSON';
  }
}
