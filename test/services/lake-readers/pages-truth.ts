import { createHash } from 'node:crypto';
import type { ColumnSpec, TableSpec } from '@edrlake/core';
import { QUALYS_EDR } from '@edrlake/datasets';

// What the columns of the lake must hold, made of the pages by `JSON.parse` and plain access to members: neither of
// the ways in which edrlake flattens has a part in it. Only the names of members come from the dataset.

/** Anything that `JSON.parse` gives. */
type Json = null | boolean | number | string | readonly Json[] | { readonly [member: string]: Json };

/** A row before it is hashed: what a column's text is made of, by the names of columns. */
interface Source {
  /** The record, or the element of an array. */
  readonly item: Json;
  /** Values that are not members of `item`. */
  readonly given: Readonly<Record<string, Json>>;
}

/** Some fields come as a list of the one value that they otherwise are. */
function single(value: Json): Json {
  if (!Array.isArray(value) || value.length !== 1) return value;
  return typeof value[0] === 'object' ? value : (value[0] ?? null);
}

function member(value: Json, path: string): Json {
  let found: Json | undefined = value;
  for (const name of path.split('.')) {
    if (found === null || typeof found !== 'object' || Array.isArray(found)) return null;
    found = (found as { readonly [member: string]: Json })[name];
    if (found === undefined) return null;
  }
  return found;
}

/** Blank text is nothing. */
function isNothing(value: Json): boolean {
  return value === null || (typeof value === 'string' && value.trim() === '');
}

/** As the readers say a value: times as microseconds, everything else as it is written in JSON. */
function textOf({ type, rule }: ColumnSpec, value: Json): string | null {
  if (isNothing(value)) return null;
  if (type === 'timestamp') {
    const ms = Date.parse(String(value).replace(/\+0000$/, 'Z'));
    // Of a creation, 1970 says that it is not known.
    return rule === 'creation-time' && ms === 0 ? null : String(1_000 * ms);
  }
  return typeof value === 'string' && type !== 'json' ? value : JSON.stringify(value);
}

function rowsOf({ arrays, arrayColumn }: TableSpec, event: Json): readonly Source[] {
  const given = {
    event_id: member(event, 'id'),
    event_time: member(event, 'dateTime'),
    event_date: String(member(event, 'dateTime')).slice(0, 10),
    agent_id: member(event, 'asset.agentId'),
  };
  if (arrays === null) return [{ item: event, given }];
  return arrays.flatMap((path) => {
    const items = member(event, path);
    return (Array.isArray(items) ? items : []).map((item: Json, position) => {
      const place = { position, ...(arrayColumn !== undefined && { [arrayColumn]: path }) };
      return { item, given: { ...given, ...place } };
    });
  });
}

/**
 * Columns that are not simply a member: paths are put together and cleaned, and `extra` is the rest. Readers are
 * compared with each other in these, and the writers as well.
 */
export const MADE_COLUMNS = [
  'actor_image_path',
  'extra',
  'file_extension',
  'file_full_path',
  'file_path',
  'process_full_path',
];

/** The digests of all other columns, by table, as `read_lake.py` makes them. */
export function columnsOf(events: readonly object[]): Readonly<Record<string, Readonly<Record<string, string>>>> {
  const tables = QUALYS_EDR.tables.filter(({ partitionBy }) => partitionBy === 'event_date');
  const digests = tables.map((table): [string, Record<string, string>] => {
    const rows = events.flatMap((event) => rowsOf(table, event as Json));
    const columns = table.columns.filter(({ name }) => !MADE_COLUMNS.includes(name));
    return [table.name, Object.fromEntries(columns.map((column) => [column.name, digestOf(column, rows)]))];
  });
  return Object.fromEntries(digests);
}

function digestOf(column: ColumnSpec, rows: readonly Source[]): string {
  const { name, paths } = column;
  const texts = rows.map(({ item, given }) => {
    const delivered = paths.map((path) => single(member(item, path))).find((value) => !isNothing(value));
    return JSON.stringify(textOf(column, name in given ? (given[name] ?? null) : (delivered ?? null)));
  });
  return createHash('md5').update(byCodePoint(texts).join('\n')).digest('hex');
}

/** In the order of Python's `sorted`. */
function byCodePoint(texts: readonly string[]): string[] {
  return texts.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
