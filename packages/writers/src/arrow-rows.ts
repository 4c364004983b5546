import { type Day, dayOf, type TableSpec } from '@edrlake/core';
import type { Table } from 'apache-arrow';

/** A value of an Arrow row: times and dates as UTC epoch milliseconds, 64-bit integers as bigint. */
export type Cell = string | number | bigint | boolean | null;

/**
 * Rows by partition day, oldest first; those of a day in the table's sort order, NULLs last, as compaction sorts them.
 */
export function partitionedRows(table: TableSpec, rows: Table): ReadonlyMap<Day, readonly (readonly Cell[])[]> {
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
