import { dayOf, MS_PER_DAY, type OwnedRow, type TableSpec, type UnknownField } from '@edrlake/core';
import type { RecordSpec } from '../spec/record-spec.ts';
import { fieldNotes, MAX_SHAPES } from '../stage/unknown-fields.ts';
import { isSection, type JsonValue, memberOf, parseJson } from './json-tree.ts';

/** As `unknownFieldsOf`, of rows in this process. */
export function unknownFieldsIn(
  spec: RecordSpec,
  rows: Readonly<Record<string, readonly OwnedRow[]>>,
): readonly UnknownField[] {
  const found = fieldNotes(spec);
  const sections = spec.sections.map(({ path }) => (path === '' ? [] : path.split('.')));
  const ofEvent = (extra: JsonValue) => sections.map((path) => keysAt(extra, path));
  for (const { shape, eventCount, firstDay } of shapesOf(spec.events, rows.events ?? [], ofEvent)) {
    found.ofEvents(shape as (string[] | null)[], eventCount, firstDay);
  }
  for (const table of spec.children) {
    const { arrayColumn } = table;
    const at = table.columns.findIndex(({ name }) => name === arrayColumn);
    const ofElement = (extra: JsonValue, { row }: OwnedRow) => [
      arrayColumn === undefined ? (table.arrays?.[0] ?? '') : String(row[at]),
      keysAt(extra, []),
    ];
    for (const { shape, eventCount, firstDay } of shapesOf(table, rows[table.name] ?? [], ofElement)) {
      const [path, keys] = shape as [string, string[] | null];
      found.ofElements(path, keys, eventCount, firstDay);
    }
  }
  return found.fields();
}

/** The distinct shapes of `extra`, the most frequent first. */
function shapesOf(table: TableSpec, rows: readonly OwnedRow[], shapeOf: (extra: JsonValue, row: OwnedRow) => unknown) {
  const [extraAt, dayAt] = ['extra', 'event_date'].map((name) => table.columns.findIndex((one) => one.name === name));
  const found = new Map<string, { shape: unknown; owners: Set<bigint>; firstDay: string }>();
  for (const owned of rows) {
    const extra = owned.row[extraAt ?? -1];
    if (typeof extra !== 'string') continue;
    const shape = shapeOf(parseJson(extra), owned);
    const day = dayOf(Number(owned.row[dayAt ?? -1]) * MS_PER_DAY);
    const key = JSON.stringify(shape);
    const known = found.get(key) ?? { shape, owners: new Set<bigint>(), firstDay: day };
    known.owners.add(owned.idHash);
    if (day < known.firstDay) known.firstDay = day;
    found.set(key, known);
  }
  return [...found.values()]
    .map(({ shape, owners, firstDay }) => ({ shape, eventCount: owners.size, firstDay }))
    .sort((a, b) => b.eventCount - a.eventCount || (a.firstDay < b.firstDay ? -1 : 1))
    .slice(0, MAX_SHAPES);
}

/** Empty where it is no object. null where there is nothing. */
function keysAt(extra: JsonValue, path: readonly string[]): string[] | null {
  let value: JsonValue | undefined = extra;
  for (const name of path) value = isSection(value) ? memberOf(value, name) : undefined;
  if (value === undefined) return null;
  return isSection(value) ? Object.keys(value) : [];
}
