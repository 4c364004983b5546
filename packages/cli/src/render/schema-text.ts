import { type ColumnSpec, type Dataset, nounText, queriedType, rowMeaning, type TableSpec } from '@edrlake/core';
import { pairsText } from '../text/table-text.ts';
import { wrapWords } from '../text/text-width.ts';

/** A table of a dataset as plain data. */
export interface TableDocument {
  readonly table: string;
  readonly meaning: string;
  readonly partitionBy: string;
  readonly columns: readonly ColumnDocument[];
}

/** A column as plain data. */
export interface ColumnDocument {
  readonly column: string;
  /** As DuckDB has it in the views. */
  readonly type: string;
  readonly unit: string | null;
  readonly meaning: string;
  /** Dotted paths from the event, or from the element of the array; empty where the lake makes the value. */
  readonly source: readonly string[];
}

/** The tables of a dataset with all columns. */
export function schemaDocument({ tables }: Dataset): TableDocument[] {
  return tables.map((table) => ({
    table: table.name,
    meaning: rowMeaning(table),
    partitionBy: table.partitionBy,
    columns: table.columns.map((column) => ({
      column: column.name,
      type: queriedType(column.type),
      unit: column.unit ?? null,
      meaning: column.meaning,
      source: column.paths,
    })),
  }));
}

/** Every table with the number of its columns. @param width of a line in cells */
export function tablesOverviewText(dataset: Dataset, width: number): string {
  const lines = dataset.tables.map((table): readonly [string, string] => [
    table.name,
    `${nounText(table.columns.length, 'column')} · ${rowMeaning(table)}`,
  ]);
  return `${pairsText(lines, '', width)}\n`;
}

/** One table, a column a line: type, meaning, unit and where the value comes from. @param width of a line in cells */
export function tableSchemaText(table: TableSpec, width: number): string {
  const head = `${table.name}: ${rowMeaning(table)}. Folders are ${table.partitionBy}=YYYY-MM-DD.`;
  const lines = table.columns.map((column): readonly [string, string] => [column.name, columnText(column)]);
  return `${wrapWords(head, width).join('\n')}\n\n${pairsText(lines, '', width)}\n`;
}

function columnText({ type, meaning, unit, paths }: ColumnSpec): string {
  const said = unit === undefined ? meaning : `${meaning} (${unit})`;
  return [queriedType(type), said, ...(paths.length === 0 ? [] : [paths.join(', ')])].join(' · ');
}
