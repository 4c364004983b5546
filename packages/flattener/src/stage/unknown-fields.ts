import { quoteName, quoteText, rowsOf, type SqlConnection, type UnknownField } from '@edrlake/core';
import { CHILD_TABLES, DOCUMENTED_LEFTOVERS } from '../spec/lake-tables.ts';
import { RECORD_SECTIONS } from '../sql/irregular.ts';

/** Distinct sets of leftover keys looked at in one table: a source that invents keys must not fill the memory. */
const MAX_SHAPES = 1_000;

/**
 * Fields in the staged rows' `extra` that no document names, by path. Counts are of events, over at most 1,000 distinct
 * sets of leftover keys, the most frequent first.
 */
export async function unknownFieldsOf(
  connection: SqlConnection,
  rowTables: Readonly<Record<string, string>>,
): Promise<readonly UnknownField[]> {
  const found = new Map<string, UnknownField>();
  const note = (path: string, eventCount: number, firstDay: string) => {
    if (DOCUMENTED_LEFTOVERS.includes(path)) return;
    const before = found.get(path);
    found.set(path, {
      path,
      eventCount: eventCount + (before?.eventCount ?? 0),
      firstDay: before !== undefined && before.firstDay < firstDay ? before.firstDay : firstDay,
    });
  };
  const paths = RECORD_SECTIONS.map((path) => (path === '' ? '$' : `$.${path}`));
  for (const row of await shapes(
    connection,
    rowTables.events ?? '',
    `json_keys(extra, [${paths.map(quoteText).join(', ')}])`,
  )) {
    for (const path of leftoverPaths(row.keys as (string[] | null)[])) note(path, row.eventCount, row.firstDay);
  }
  for (const table of CHILD_TABLES) {
    const [array, other] = table.arrays ?? [];
    const set = other === undefined ? quoteText(array ?? '') : 'indicator_set';
    for (const row of await shapes(connection, rowTables[table.name] ?? '', `[[${set}], json_keys(extra)]`)) {
      const [[path] = [], keys] = row.keys as [string[], string[] | null];
      const names = keys === null || keys.length === 0 ? [`${path}[]`] : keys.map((key) => `${path}[].${key}`);
      for (const name of names) note(name, row.eventCount, row.firstDay);
    }
  }
  return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

interface Shape {
  readonly keys: unknown;
  readonly eventCount: number;
  readonly firstDay: string;
}

async function shapes(connection: SqlConnection, table: string, keysSql: string): Promise<readonly Shape[]> {
  const rows = await rowsOf(
    connection,
    `SELECT any_value(keys) AS keys, count(DISTINCT id_hash)::INTEGER AS events, min(event_date)::VARCHAR AS first_day FROM (SELECT ${keysSql} AS keys, id_hash, event_date FROM ${quoteName(table)} WHERE extra IS NOT NULL) GROUP BY hash(keys) ORDER BY events DESC, first_day LIMIT ${MAX_SHAPES}`,
  );
  return rows.map((row) => ({
    keys: row.keys,
    eventCount: Number(row.events),
    firstDay: String(row.first_day),
  }));
}

/** Paths of all keys, except those of sections whose own keys are listed. */
function leftoverPaths(keysBySection: readonly (readonly string[] | null)[]): string[] {
  const isListed = (path: string) => (keysBySection[RECORD_SECTIONS.indexOf(path)] ?? []).length > 0;
  return RECORD_SECTIONS.flatMap((section, index) =>
    (keysBySection[index] ?? [])
      .map((key) => (section === '' ? key : `${section}.${key}`))
      .filter((path) => !(RECORD_SECTIONS.includes(path) && isListed(path))),
  );
}
