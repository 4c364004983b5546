import {
  type Dataset,
  dayOf,
  didYouMean,
  EdrlakeError,
  quoteName,
  quoteText,
  type TableSpec,
  type TimeRange,
} from '@edrlake/core';
import { OWN_MEMBER } from '@edrlake/lake';

/** Characters of a sample that are shown. */
const SAMPLE_LENGTH = 40;

/** DuckDB's names of the types of JSON values, and how they are shown. */
const TYPE_NAMES = [
  ['VARCHAR', 'text'],
  ['BOOLEAN', 'boolean'],
  ['ARRAY', 'array'],
] as const;

/** The tables that have an `extra`. */
function driftTables(dataset: Dataset): readonly TableSpec[] {
  return dataset.tables.filter(({ columns }) => columns.some(({ name }) => name === 'extra'));
}

/**
 * A statement over the views of a lake: a row for each path in `extra` with first and last day, number and share of the
 * rows, the JSON types seen, up to three short samples, and whether the dataset knows the path as one without a column.
 * Members of arrays are not looked at: an array is one value. What edrlake notes itself is left out. The path of an
 * element that is no object is `$`.
 * @param table one table; null: all that have an `extra`
 * @throws {EdrlakeError} `USAGE` for a table that has none
 */
export function driftSql(dataset: Dataset, table: string | null, range: TimeRange | null): string {
  const tables = driftTables(dataset).filter(({ name }) => table === null || name === table);
  if (tables.length === 0) {
    const names = driftTables(dataset).map(({ name }) => name);
    const near = didYouMean(table ?? '', names);
    throw new EdrlakeError('USAGE', `${dataset.name} has no table ${table} with a column extra`, {
      hint: near === null ? `These have one: ${names.join(', ')}.` : `Did you mean ${near}?`,
    });
  }
  const leftovers = dataset.leftovers.map(quoteText).join(', ');
  const of = tables.map((spec) => pathsSql(spec, range, spec.arrays === null ? leftovers : ''));
  return `SELECT * FROM (${of.join(' UNION ALL ')}) ORDER BY "table" <> 'events', "table", rows DESC, path`;
}

function pathsSql({ name, arrays }: TableSpec, range: TimeRange | null, leftovers: string): string {
  const from = quoteName(name);
  const where = range === null ? 'true' : inRangeSql(range);
  const known = leftovers === '' ? 'false' : `path IN (${leftovers})`;
  const type = TYPE_NAMES.reduce(
    (rest, [duckDb, shown]) => `WHEN '${duckDb}' THEN '${shown}' ${rest}`,
    "ELSE CASE WHEN contains(j.type, 'INT') THEN 'integer' ELSE 'number' END END",
  );
  const text = `left(CASE WHEN j.type = 'VARCHAR' THEN j.atom ->> '$' ELSE coalesce(j.atom, j.value)::VARCHAR END, ${SAMPLE_LENGTH})`;
  const path = "CASE WHEN j.fullkey = '$' THEN '$' ELSE j.fullkey[3:] END";
  const leaves = `SELECT t.event_date AS day, ${path} AS path, CASE j.type ${type} AS kind, ${text} AS sample
    FROM ${from} t, json_tree(t.extra) j
    WHERE t.extra IS NOT NULL AND ${where} AND j.type NOT IN ('OBJECT', 'NULL') AND NOT regexp_matches(j.fullkey, '\\[[0-9]+\\]')
      AND NOT starts_with(j.fullkey, '$.${OWN_MEMBER}.')`;
  // Three samples that need no list of all values.
  const samples = 'list_sort(list_distinct([min(sample), any_value(sample), max(sample)]))';
  return `SELECT ${quoteText(name)} AS "table", path, min(day) AS first_day, max(day) AS last_day, count(*) AS rows,
      round(100 * count(*) / (SELECT count(*) FROM ${from} t WHERE ${where}), 4) AS percent,
      list_sort(list(DISTINCT kind)) AS types, ${samples} AS samples, ${arrays === null ? known : 'false'} AS documented
    FROM (${leaves}) GROUP BY path`;
}

/** The days as constants, so that files of others are not opened. */
function inRangeSql({ startMs, endMs }: TimeRange): string {
  const days = `t.event_date BETWEEN DATE '${dayOf(startMs)}' AND DATE '${dayOf(endMs - 1)}'`;
  return `${days} AND t.event_time >= make_timestamptz(${startMs * 1000}) AND t.event_time < make_timestamptz(${endMs * 1000})`;
}
