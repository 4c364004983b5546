import { type ColumnType, type Dataset, MS_PER_DAY, type TableSpec } from '@edrlake/core';
import {
  Bool,
  type DataType,
  DateDay,
  Int32,
  Int64,
  makeBuilder,
  Table,
  TimestampMillisecond,
  Utf8,
} from 'apache-arrow';
import { recordSpecOf } from '../spec/record-spec.ts';
import { type Fetched, flattenRecord, type Row } from './flatten-record.ts';
import { isList, type JsonValue, parseJson } from './json-tree.ts';
import type { Value } from './values.ts';

/**
 * Flattens records in this process, without DuckDB: for single events, for tests, and where no native code may run. It
 * takes about ten times as long as the SQL. Rows are in delivered order; records with one id all become rows: the
 * writer decides.
 * @param text newline-delimited JSON, one record a line, or one JSON array of records
 * @returns one Arrow table for each of the dataset's tables by name, also for those without rows; timestamps are UTC
 * milliseconds
 */
export function flattenRecords(dataset: Dataset, text: string, fetched: Fetched): Readonly<Record<string, Table>> {
  const spec = recordSpecOf(dataset);
  const { tables } = dataset;
  const rows = new Map<string, Row[]>(tables.map((table) => [table.name, []]));
  for (const record of recordsOf(text)) {
    for (const [table, added] of flattenRecord(spec, record, fetched)) rows.get(table)?.push(...added);
  }
  return Object.fromEntries(tables.map((table) => [table.name, arrowTable(table, rows.get(table.name) ?? [])]));
}

/** The records of a page in either form. A line that is no JSON counts as the JSON string of its text. */
function recordsOf(text: string): readonly JsonValue[] {
  if (text.trimStart().startsWith('[')) {
    const whole = parsedOrText(text);
    if (isList(whole)) return whole;
  }
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.map(parsedOrText);
}

function parsedOrText(text: string): JsonValue {
  try {
    return parseJson(text);
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}

function arrowTable(table: TableSpec, rows: readonly Row[]): Table {
  const vectors = table.columns.map((column, index) => {
    const builder = makeBuilder({ type: arrowType(column.type), nullValues: [null] });
    for (const row of rows) builder.append(arrowValue(column.type, row[index] ?? null));
    return [column.name, builder.finish().toVector()] as const;
  });
  return new Table(Object.fromEntries(vectors));
}

/** The Arrow type a column has. JSON is text. */
function arrowType(type: ColumnType): DataType {
  switch (type) {
    case 'integer':
      return new Int32();
    case 'bigint':
      return new Int64();
    case 'boolean':
      return new Bool();
    case 'timestamp':
      return new TimestampMillisecond();
    case 'date':
      return new DateDay();
    default:
      return new Utf8();
  }
}

/** Date builders take milliseconds. */
function arrowValue(type: ColumnType, value: Value): Value {
  return type === 'date' && typeof value === 'number' ? value * MS_PER_DAY : value;
}
