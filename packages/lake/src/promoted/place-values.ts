import type { Cell, ColumnSpec, PromotedFrom, RowBatch, TableSpec, UnknownField } from '@edrlake/core';
import { valueTextAt, withoutPath, withPath } from './extra-text.ts';
import { fittingCell, jsonTextOf } from './promoted-value.ts';

/** A column that takes values out of `extra`. */
export type PromotedColumn = ColumnSpec & { readonly promoted: PromotedFrom };

/** The promoted columns of a table, in order. */
export function promotedColumns({ columns }: TableSpec): readonly PromotedColumn[] {
  return columns.filter((column): column is PromotedColumn => column.promoted !== undefined);
}

/** The value that a column takes out of the text of `extra`; null where it takes none. */
export function takenValue(extra: string, column: PromotedColumn): Cell {
  const json = valueTextAt(extra, column.promoted.path);
  return json === null ? null : fittingCell(json, column);
}

/** The text of `extra` without what the columns take; null where nothing is left. */
export function restOfExtra(extra: string, columns: readonly PromotedColumn[]): string | null {
  let rest: string | null = extra;
  for (const column of columns) {
    if (rest !== null && takenValue(rest, column) !== null) rest = withoutPath(rest, column.promoted.path);
  }
  return rest;
}

/** A row of a table's dataset, by column, as the lake stores it. */
export function placedRow(table: TableSpec, row: Readonly<Record<string, Cell>>): Readonly<Record<string, Cell>> {
  const promoted = promotedColumns(table);
  const { extra } = row;
  if (promoted.length === 0 || typeof extra !== 'string') return row;
  const taken = promoted.map((column) => [column.name, takenValue(extra, column)] as const);
  return { ...row, extra: restOfExtra(extra, promoted), ...Object.fromEntries(taken) };
}

/**
 * A stored row by the columns of its dataset: the values of promoted columns are in `extra` again.
 * @param placeTaken makes the error for a column whose value `extra` has as well
 */
export function returnedRow(
  table: TableSpec,
  row: Readonly<Record<string, Cell>>,
  placeTaken: (column: PromotedColumn) => Error,
): Readonly<Record<string, Cell>> {
  let extra = typeof row.extra === 'string' ? row.extra : null;
  const promoted = promotedColumns(table);
  for (const column of promoted) {
    const cell = row[column.name] ?? null;
    if (cell === null) continue;
    extra = withPath(extra, column.promoted.path, jsonTextOf(cell, column));
    if (extra === null) throw placeTaken(column);
  }
  const names = new Set(promoted.map(({ name }) => name));
  const listed = Object.entries(row).filter(([name]) => !names.has(name));
  return promoted.length === 0 ? row : { ...Object.fromEntries(listed), extra };
}

/** The table with the columns of its dataset alone. */
export function withoutPromotedColumns(table: TableSpec): TableSpec {
  return { ...table, columns: table.columns.filter(({ promoted }) => promoted === undefined) };
}

/** The fields that no column takes: those found, without those that the lake has promoted. */
export function withoutPromoted(
  fields: readonly UnknownField[],
  tables: readonly TableSpec[],
): readonly UnknownField[] {
  const taken = new Set(
    tables.flatMap((table) => {
      const places = table.arrays === null ? [''] : table.arrays.map((array) => `${array}[].`);
      return promotedColumns(table).flatMap(({ promoted }) =>
        places.map((place) => `${place}${promoted.path.join('.')}`),
      );
    }),
  );
  return fields.filter(({ path }) => !taken.has(path));
}

/**
 * The rows of a batch as the lake stores them: each with its promoted columns after those of the dataset. The same
 * values as `placedRowsSql` makes.
 */
export function placedBatch(batch: RowBatch, tables: readonly TableSpec[]): RowBatch {
  const rows = { ...batch.rows };
  for (const table of tables) {
    const promoted = promotedColumns(table);
    const ofTable = batch.rows[table.name];
    if (promoted.length === 0 || ofTable === undefined) continue;
    const extraAt = table.columns.findIndex(({ name }) => name === 'extra');
    rows[table.name] = ofTable.map(({ idHash, row }) => {
      const extra = row[extraAt] ?? null;
      const taken = promoted.map((column) => (typeof extra === 'string' ? takenValue(extra, column) : null));
      const rest = typeof extra === 'string' ? restOfExtra(extra, promoted) : null;
      return { idHash, row: [...row.with(extraAt, rest), ...taken] };
    });
  }
  return { ...batch, rows };
}
