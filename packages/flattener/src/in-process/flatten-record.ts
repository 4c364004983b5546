import { type ColumnSpec, type Day, MS_PER_DAY, type Row, type TableSpec } from '@edrlake/core';
import type { RecordSpec } from '../spec/record-spec.ts';
import { elementTree, type SourceSection } from '../spec/source-tree.ts';
import { columnValue, extraOf, valueAt } from './flatten-section.ts';
import { isList, isSection, type JsonObject, type JsonValue, jsonText, memberOf } from './json-tree.ts';
import { textOf, unblank, type Value } from './values.ts';

/** The member that wrappers hold a record in. */
const WRAPPED = 'data';

/** Where a record was fetched, for its reject. */
export interface Fetched {
  /** null: in no window. */
  readonly windowId: string | null;
  readonly ingestDay: Day;
}

/** Rows by table name; only tables that got rows. An event's rows, or one reject. */
export type FlatRecord = ReadonlyMap<string, readonly Row[]>;

/** What a record says. */
export interface ReadRecord {
  /** The values of the record's columns, as far as they could be read. */
  readonly event: ReadonlyMap<string, Value>;
  /** Why it is no event; null where it is one. */
  readonly reject: { readonly reason: string; readonly path: string | null } | null;
  /** The rows of an event. */
  readonly rows: FlatRecord;
}

/** What no column takes of a record or of an element. */
type ExtraOf = (section: JsonObject, tree: SourceSection) => string | null;

/**
 * Flattens one record as delivered.
 * @param broken why the record could not be read whole; then it becomes a reject, of the members that it has
 */
export function flattenRecord(
  spec: RecordSpec,
  delivered: JsonValue,
  fetched: Fetched,
  broken: string | null = null,
): FlatRecord {
  const record = wrappedRecord(spec, delivered);
  const { event, rows, ...read } = readRecord(spec, record, extraOf);
  const reject = broken !== null && isSection(record) ? { reason: broken, path: null } : read.reject;
  if (reject === null) return rows;
  return new Map([['rejects', [rejectRow({ ...reject, record: jsonText(record) }, event, fetched)]]]);
}

/** Reads a record without a wrapper. */
export function readRecord(spec: RecordSpec, record: JsonValue, extraOf: ExtraOf): ReadRecord {
  const { events, children } = spec;
  const event = new Map<string, Value>();
  const rejected = (reason: string, path: string | null): ReadRecord => {
    return { event, reject: { reason, path }, rows: new Map() };
  };
  if (!isSection(record)) return rejected('not an object', null);
  for (const column of events.columns) {
    if (column.paths.length > 0) event.set(column.name, columnValue(record, column));
  }
  const timeMs = event.get('event_time') ?? null;
  if ((event.get('event_id') ?? null) === null) return rejected('no id', pathsOf(events, 'event_id')[0] ?? null);
  if (timeMs === null) {
    const paths = pathsOf(events, 'event_time');
    const isMissing = paths.every((path) => unblank(textOf(valueAt(record, path))) === null);
    return rejected(isMissing ? 'no event time' : 'unreadable event time', paths[0] ?? null);
  }
  event.set('event_date', Math.floor(Number(timeMs) / MS_PER_DAY));
  event.set('extra', extraOf(record, spec.tree));
  const rows = new Map<string, readonly Row[]>();
  rows.set(events.name, [events.columns.map((column) => event.get(column.name) ?? null)]);
  for (const table of children) {
    const elements = (table.arrays ?? []).flatMap((path) => childRows(table, path, { record, event }, extraOf));
    if (elements.length > 0) rows.set(table.name, elements);
  }
  return { event, reject: null, rows };
}

/**
 * Returns the record inside a wrapper, `{"sortValues":[…],"data":{…}}`, with the wrapper's other members; any other
 * value as it is. A wrapper is an object without a member that the tables know. Its `data` is an object with a member
 * for each required column, and without a member of the same name as another one of the wrapper. The page scan, which
 * does the same for bulk, never shows a wrapper to the SQL.
 */
function wrappedRecord({ shape, events }: RecordSpec, record: JsonValue): JsonValue {
  if (!isSection(record)) return record;
  const data = memberOf(record, WRAPPED);
  if (!isSection(data)) return record;
  const others = Object.entries(record).filter(([name]) => name !== WRAPPED);
  const required = shape.required.map((column) => events.columns.find(({ name }) => name === column)?.paths ?? []);
  const isWhole = required.every((names) => names.some((name) => memberOf(data, name) !== undefined));
  const isKnown = (name: string) => shape.members.some((member) => member.name === name);
  const isClear = others.every(([name]) => !isKnown(name) && memberOf(data, name) === undefined);
  return isWhole && isClear ? Object.fromEntries([...Object.entries(data), ...others]) : record;
}

function pathsOf(table: TableSpec, column: string): readonly string[] {
  return table.columns.find(({ name }) => name === column)?.paths ?? [];
}

function childRows(
  table: TableSpec,
  path: string,
  { record, event }: { readonly record: JsonObject; readonly event: ReadonlyMap<string, Value> },
  extraOf: ExtraOf,
): Row[] {
  const delivered = valueAt(record, path);
  const elements = isSection(delivered) ? [delivered] : delivered;
  if (!isList(elements)) return [];
  const tree = elementTree(table.columns);
  const cellOf = (column: ColumnSpec, element: JsonValue, position: number): Value => {
    if (column.name === 'position') return position;
    if (column.name === table.arrayColumn) return path;
    if (column.name === 'extra') return isSection(element) ? extraOf(element, tree) : jsonText(element);
    if (column.paths.length === 0) return event.get(column.name) ?? null;
    return isSection(element) ? columnValue(element, column) : null;
  };
  return elements.flatMap((element, position) =>
    element === null ? [] : [table.columns.map((column) => cellOf(column, element, position))],
  );
}

/**
 * A row of the table of rejects.
 * @param why `record`: JSON text of what is kept of it
 * @param event the values of the record's columns, as far as they could be read
 */
export function rejectRow(
  why: { readonly reason: string; readonly path: string | null; readonly record: string },
  event: ReadonlyMap<string, Value>,
  fetched: Fetched,
): Row {
  const ingestDay = Date.parse(fetched.ingestDay) / MS_PER_DAY;
  const known = ['event_id', 'event_time', 'processed_time'].map((name) => event.get(name) ?? null);
  return [ingestDay, fetched.windowId, why.reason, why.path, ...known, why.record];
}
