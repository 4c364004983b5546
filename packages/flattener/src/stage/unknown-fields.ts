import { quoteName, quoteText, rowsOf, type SqlConnection, type UnknownField } from '@edrlake/core';
import type { RecordSpec } from '../spec/record-spec.ts';
import { keysSql } from '../sql/irregular.ts';

/** Distinct sets of leftover keys looked at in one table: a source that invents keys must not fill the memory. */
export const MAX_SHAPES = 1_000;

/**
 * Fields in the staged rows' `extra` that no document names, by path. Counts are of events, over at most 1,000 distinct
 * sets of leftover keys, the most frequent first.
 */
export async function unknownFieldsOf(
  connection: SqlConnection,
  spec: RecordSpec,
  rowTables: Readonly<Record<string, string>>,
): Promise<readonly UnknownField[]> {
  const found = fieldNotes(spec);
  const withExtra = await tablesWithExtra(connection, ['events', ...spec.children.map(({ name }) => name)], rowTables);
  if (withExtra.has('events')) {
    for (const row of await shapes(connection, rowTables.events ?? '', keysSql(spec, 'extra'))) {
      found.ofEvents(row.keys as (string[] | null)[], row.eventCount, row.firstDay);
    }
  }
  for (const table of spec.children) {
    if (!withExtra.has(table.name)) continue;
    const { arrayColumn } = table;
    const set = arrayColumn === undefined ? quoteText(table.arrays?.[0] ?? '') : quoteName(arrayColumn);
    for (const row of await shapes(connection, rowTables[table.name] ?? '', `[[${set}], json_keys(extra)]`)) {
      const [[path] = [], keys] = row.keys as [string[], string[] | null];
      found.ofElements(String(path), keys, row.eventCount, row.firstDay);
    }
  }
  return found.fields();
}

/** In most batches no element of an array has a field that its table lacks, and looking for shapes takes longer. */
async function tablesWithExtra(
  connection: SqlConnection,
  tables: readonly string[],
  rowTables: Readonly<Record<string, string>>,
): Promise<ReadonlySet<string>> {
  const counts = tables.map((table, n) => `(SELECT count(extra) FROM ${quoteName(rowTables[table] ?? '')}) AS n${n}`);
  const [row] = await rowsOf(connection, `SELECT ${counts.join(', ')}`);
  return new Set(tables.filter((_, n) => Number(row?.[`n${n}`]) > 0));
}

/** Collects unknown fields from the sets of keys that `extra` has. */
export function fieldNotes(spec: RecordSpec) {
  const documented = [...spec.dataset.leftovers, ...spec.dataset.wrapperMembers];
  const sections = spec.sections.map(({ path }) => path);
  const found = new Map<string, UnknownField>();
  const note = (path: string, eventCount: number, firstDay: string) => {
    if (documented.includes(path)) return;
    const before = found.get(path);
    found.set(path, {
      path,
      eventCount: eventCount + (before?.eventCount ?? 0),
      firstDay: before !== undefined && before.firstDay < firstDay ? before.firstDay : firstDay,
    });
  };
  return {
    /** @param keysBySection of an event's `extra`, in the order of the sections; null where there is no such section */
    ofEvents: (keysBySection: readonly (readonly string[] | null)[], eventCount: number, firstDay: string) => {
      for (const path of leftoverPaths(sections, keysBySection)) note(path, eventCount, firstDay);
    },
    /** @param keys of the `extra` of an element of the array; null or empty where it is no object */
    ofElements: (path: string, keys: readonly string[] | null, eventCount: number, firstDay: string) => {
      const names = keys === null || keys.length === 0 ? [`${path}[]`] : keys.map((key) => `${path}[].${key}`);
      for (const name of names) note(name, eventCount, firstDay);
    },
    /** In the order of their paths. */
    fields: (): readonly UnknownField[] => [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1)),
  };
}

interface Shape {
  readonly keys: unknown;
  readonly eventCount: number;
  readonly firstDay: string;
}

async function shapes(connection: SqlConnection, table: string, keysSql: string): Promise<readonly Shape[]> {
  const rows = await rowsOf(
    connection,
    `SELECT any_value(keys) AS keys, count(DISTINCT id_hash)::INTEGER AS events, min(event_date)::VARCHAR AS first_day FROM (SELECT ${keysSql} AS keys, id_hash, event_date FROM ${quoteName(table)} WHERE extra IS NOT NULL) GROUP BY hash(keys::VARCHAR) ORDER BY events DESC, first_day LIMIT ${MAX_SHAPES}`,
  );
  return rows.map((row) => ({
    keys: row.keys,
    eventCount: Number(row.events),
    firstDay: String(row.first_day),
  }));
}

/** Paths of all keys, except those of sections whose own keys are listed. */
function leftoverPaths(sections: readonly string[], keysBySection: readonly (readonly string[] | null)[]): string[] {
  const isListed = (path: string) => (keysBySection[sections.indexOf(path)] ?? []).length > 0;
  return sections.flatMap((section, index) =>
    (keysBySection[index] ?? [])
      .map((key) => (section === '' ? key : `${section}.${key}`))
      .filter((path) => !(sections.includes(path) && isListed(path))),
  );
}
