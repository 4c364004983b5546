import {
  type Cell,
  type ColumnSpec,
  type Dataset,
  type Day,
  dayOf,
  isoInstant,
  MS_PER_DAY,
  type TableSpec,
} from '@edrlake/core';
import { flattenOne } from '@edrlake/flattener';
import { type FoundEvent, OWN_MEMBER, placedRow, type QueryValue } from '@edrlake/lake';

/** A value that the API and the lake do not have in the same way. */
export interface EventDifference {
  readonly table: string;
  /** Of a child row, its place in the delivered array; null for the event itself. */
  readonly position: number | null;
  /** null where one side has the whole row and the other none. */
  readonly column: string | null;
  /** null: it has none. */
  readonly inApi: QueryValue;
  readonly inLake: QueryValue;
}

/**
 * Compares what the API says about one event now with the stored rows, value by value, after flattening it by the rules
 * of the dataset. Lists and details of an API may differ in what they deliver, so a difference is not an error.
 * @param text JSON of the event as the API gives it
 * @param tables of the lake, where it has promoted columns
 */
export function compareEvent(
  dataset: Dataset,
  text: string,
  found: FoundEvent,
  today: Day,
  tables: readonly TableSpec[] = dataset.tables,
): readonly EventDifference[] {
  const flat = flattenOne(dataset, text, today);
  return tables
    .filter(({ partitionBy }) => partitionBy === 'event_date')
    .flatMap((spec) => {
      const { name, columns, arrayColumn } = spec;
      const stored = found.tables.find(({ table }) => table === name)?.rows ?? [];
      const delivered = (flat[name] ?? []).map((row) => plainRow(columns, placedRow(spec, row)));
      const sides = pairs(
        delivered,
        stored.map(({ values }) => values),
        arrayColumn,
      );
      return sides.flatMap(([inApi, inLake]) => rowDifferences(name, columns, inApi, inLake));
    });
}

type PlainRow = Readonly<Record<string, QueryValue>>;

/** Rows of the same array and position; the one of the events table has neither. */
function pairs(
  api: readonly PlainRow[],
  lake: readonly PlainRow[],
  arrayColumn = '',
): (readonly [PlainRow | null, PlainRow | null])[] {
  const keyOf = (row: PlainRow) => JSON.stringify([row[arrayColumn] ?? null, row.position ?? null]);
  const inLake = new Map(lake.map((row) => [keyOf(row), row]));
  const both = api.map((row) => [row, inLake.get(keyOf(row)) ?? null] as const);
  const inApi = new Set(api.map(keyOf));
  return [...both, ...lake.filter((row) => !inApi.has(keyOf(row))).map((row) => [null, row] as const)];
}

function rowDifferences(
  table: string,
  columns: readonly ColumnSpec[],
  api: PlainRow | null,
  lake: PlainRow | null,
): EventDifference[] {
  const position = (api ?? lake)?.position;
  const place = { table, position: typeof position === 'number' ? position : null };
  if (api === null || lake === null) {
    return [{ ...place, column: null, inApi: api && valuesOf(api), inLake: lake && valuesOf(lake) }];
  }
  return columns.flatMap(({ name, type }) => {
    const [inApi, inLake] = [api[name] ?? null, lake[name] ?? null];
    const isSame = type === 'json' ? sameJson(inApi, inLake) : inApi === inLake;
    return isSame ? [] : [{ ...place, column: name, inApi, inLake }];
  });
}

function valuesOf(row: PlainRow): QueryValue {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));
}

/** The order of members carries no meaning. */
function sameJson(a: QueryValue, b: QueryValue): boolean {
  if (typeof a !== 'string' || typeof b !== 'string') return a === b;
  return JSON.stringify(sorted(delivered(a))) === JSON.stringify(sorted(delivered(b)));
}

/** Without what edrlake notes itself. */
function delivered(text: string): unknown {
  return JSON.parse(text, (name, value: unknown) => (name === OWN_MEMBER ? undefined : value));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value)
    .sort(([x], [y]) => (x < y ? -1 : 1))
    .map(([name, member]) => [name, sorted(member)]);
}

function plainRow(columns: readonly ColumnSpec[], row: Readonly<Record<string, Cell>>): PlainRow {
  return Object.fromEntries(columns.map(({ name, type }) => [name, plainCell(type, row[name] ?? null)]));
}

/** As queries show it. */
function plainCell(type: ColumnSpec['type'], cell: Cell): QueryValue {
  if (cell === null) return null;
  if (type === 'timestamp') return isoInstant(Number(cell));
  if (type === 'date') return dayOf(Number(cell) * MS_PER_DAY);
  if (typeof cell === 'bigint') return Number.isSafeInteger(Number(cell)) ? Number(cell) : cell;
  return cell;
}
