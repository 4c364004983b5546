import { type ColumnSpec, type Day, quoteName, quoteText, type TableSpec } from '@edrlake/core';
import type { ReadBack } from './build.ts';
import { CHILD_KEYS, type ChildPlan, type ClassPlan, childListName, type MappingPlan } from './class-plan.ts';
import { inOrder, isThereSql, valueSql } from './node.ts';
import { structSql, textSql } from './values.ts';

/** A part of the events of one day: those whose id falls into a bucket. */
export interface Slice {
  readonly day: Day;
  readonly bucket: number;
  /** At least 1. */
  readonly buckets: number;
}

/** Columns beside the attributes: whose event it is, and how many values of the source it has, typed or not. */
export const METER = { account: '#account', fields: '#fields', untyped: '#untyped' } as const;

/** Marks the leftovers of an element that has no object of its own. */
export const ABSENT = '#absent';

/** SQL of the uid of the class that an event becomes, over the columns of events. */
export function classUidSql({ types, others }: MappingPlan): string {
  const cases = [...types].map(([type, classes]) => {
    const fits = classes.map(({ built, facts }) => `WHEN ${isThereSql(built.object)} THEN ${facts.uid}`);
    return `WHEN ${quoteText(type)} THEN CASE ${fits.join(' ')} ELSE ${others.facts.uid} END`;
  });
  return `CASE event_type ${cases.join(' ')} ELSE ${others.facts.uid} END`;
}

/** SQL that is true for the rows of a slice, of any table. */
function sliceSql({ day, bucket, buckets }: Slice, relation: string): string {
  const date = `${relation}.event_date = DATE ${quoteText(day)}`;
  return buckets === 1 ? date : `${date} AND hash(${relation}.event_id) % ${buckets} = ${bucket}`;
}

/** SQL of the events of a slice that become a class, as attributes, with the columns of `METER`. */
export function eventsSql(plan: MappingPlan, ofClass: ClassPlan, slice: Slice): string {
  const { events, mapping } = plan;
  const { built, children, facts } = ofClass;
  const members = inOrder(built.object);
  const objects = members.map(([name, member]) => `${valueSql(member)} AS ${objectName(name)}`);
  const root = (name: string) => objectName(name);
  const columns = events.columns.filter(({ name }) => name !== events.partitionBy);
  const rests = columns.map((column) => restOf(column, built.readBacks, root, 'TRUE'));
  const entries = [
    ...rests,
    ...children.map(({ table }) => entrySql(`${rest(table)} IS NOT NULL`, table.name, rest(table))),
  ];
  const sum = (count: string, ofTable: (table: TableSpec) => string) =>
    [count, ...children.map(({ table }) => `coalesce(${ofTable(table)}, 0)`)].join(' + ');
  const lists = children.map(({ table }) => table.name);
  const tables = children.map((child) => `${quoteName(`#of ${child.table.name}`)} AS (${childSql(child, slice)})`);
  const joins = children.map(({ table }) => `LEFT JOIN ${quoteName(`#of ${table.name}`)} USING (event_id)`);
  return `WITH "#events" AS MATERIALIZED (SELECT * FROM events e WHERE ${sliceSql(slice, 'e')} AND ${classUidSql(plan)} = ${facts.uid}), ${tables.join(', ')}
SELECT ${members.map(([name]) => `${objectName(name)} AS ${quoteName(name)}`).join(', ')},
CASE WHEN cardinality("#rest") > 0 THEN "#rest" END AS unmapped,
${quoteName(mapping.account)} AS ${quoteName(METER.account)},
${sum(countSql(columns), counted)} AS ${quoteName(METER.fields)},
${sum(leftSql('"#rest"', lists), uncounted)} AS ${quoteName(METER.untyped)}
FROM (SELECT *, ${mapSql(entries)} AS "#rest"
FROM (SELECT *, ${objects.join(', ')} FROM "#events" ${joins.join(' ')}))`;
}

/** SQL of findings: rows of a child table as attributes, with the columns of `METER`; nothing of them is read back. */
export function findingsSql(plan: MappingPlan, finding: MappingPlan['findings'][number], slice: Slice): string {
  const { built, source, table } = finding;
  const members = inOrder(built.object);
  const columns = table.columns.map(({ name }) => `c.${quoteName(name)} AS ${quoteName(`${source.table}.${name}`)}`);
  const picked = `SELECT * FROM ${quoteName(source.table)} p WHERE ${sliceSql(slice, 'p')} AND ${source.where}`;
  return `SELECT ${members.map(([name, member]) => `${valueSql(member)} AS ${quoteName(name)}`).join(', ')},
CAST(NULL AS MAP(VARCHAR, VARCHAR)) AS unmapped,
${quoteName(plan.mapping.account)} AS ${quoteName(METER.account)}, 0 AS ${quoteName(METER.fields)}, 0 AS ${quoteName(METER.untyped)}
FROM (SELECT e.*, ${columns.join(', ')} FROM (SELECT * FROM events v WHERE ${sliceSql(slice, 'v')}) e JOIN (${picked}) c USING (event_id))`;
}

/** SQL: for each event the list of objects that rows of a table became, what is left of them, and the counts. */
function childSql({ table, place, fromEvent }: ChildPlan, slice: Slice): string {
  const order = [table.arrayColumn, 'position'].filter((name) => name !== undefined).map(quoteName);
  const named = fromEvent.map((name) => `${quoteName(name)} AS ${quoteName(eventColumn(name))}`);
  const held = (place?.holders ?? []).map(isThereSql).filter((condition) => condition !== 'TRUE');
  if (held.length > 0) named.push(`(${held.join(' AND ')}) AS "#held"`);
  const rows = `SELECT c.*, ${named.map((value) => `e.${value.slice(value.lastIndexOf(' AS ') + 4)}, `).join('')}row_number() OVER (PARTITION BY c.event_id ORDER BY ${order.join(', ')}) AS "#i" FROM ${quoteName(table.name)} c JOIN (SELECT ${['event_id', ...named].join(', ')} FROM "#events") e USING (event_id) WHERE ${sliceSql(slice, 'c')}`;
  const needs = [...(held.length > 0 ? ['"#held"'] : []), ...(place?.isList === false ? ['"#i" = 1'] : [])];
  const object = place === null ? 'NULL' : valueSql(place.built.object);
  const only = needs.length === 0 ? object : `CASE WHEN ${needs.join(' AND ')} THEN ${object} END`;
  const root = (name: string) => `struct_extract("#o", ${quoteText(name)})`;
  const columns = table.columns.filter(({ name }) => !CHILD_KEYS.has(name));
  const rests = columns.map((column) => {
    if (column.name === 'position') return placeRest();
    if (fromEvent.includes(column.name)) return sameRest(column);
    return restOf(column, place?.built.readBacks ?? [], root, '"#o" IS NOT NULL');
  });
  const unmeasured = ['position', ...fromEvent];
  const counts = countSql(columns.filter(({ name }) => !unmeasured.includes(name)));
  const left = mapSql([...rests, entrySql('"#o" IS NULL', ABSENT, "'true'")]);
  const measured = `SELECT *, ${left} AS "#left" FROM (SELECT *, ${only} AS "#o" FROM (${rows}))`;
  const element = structSql([
    ['i', '"#i"'],
    ['o', '"#o"'],
    ['l', `CASE WHEN cardinality("#left") > 0 THEN to_json("#left")::VARCHAR END`],
  ]);
  // One list that is sorted afterwards: lists with an order of their own take DuckDB four times as long.
  const grouped = `SELECT event_id, list_sort(list(${element})) AS "#e", sum(${counts})::INTEGER AS ${counted(table)}, sum(${leftSql('"#left"', [...unmeasured, ABSENT])})::INTEGER AS ${uncounted(table)} FROM (${measured}) GROUP BY event_id`;
  const objects = `list_transform(list_filter("#e", lambda e: e.o IS NOT NULL), lambda e: e.o)`;
  const texts = `list_transform("#e", lambda e: coalesce(e.l, '{}'))`;
  return `SELECT event_id, CASE WHEN len(${objects}) > 0 THEN ${objects} END AS ${childListName(table.name)},
CASE WHEN len(list_filter("#e", lambda e: e.l IS NOT NULL)) > 0 THEN '[' || array_to_string(${texts}, ',') || ']' END AS ${rest(table)},
${counted(table)}, ${uncounted(table)}
FROM (${grouped})`;
}

/** SQL of the entry of `unmapped`, NULL where attributes hold the value. */
function restOf(
  { name, type }: ColumnSpec,
  readBacks: readonly ReadBack[],
  root: (name: string) => string,
  isThere: string,
): string {
  const column = quoteName(name);
  const readBack = readBacks.find((candidate) => candidate.column === name);
  const differs =
    readBack === undefined ? `${column} IS NOT NULL` : `(${readBack.sql(root, isThere)}) IS DISTINCT FROM ${column}`;
  return entrySql(differs, name, textSql(type, column));
}

function placeRest(): string {
  return entrySql('position IS DISTINCT FROM "#i" - 1', 'position', 'position::VARCHAR');
}

function sameRest({ name, type }: ColumnSpec): string {
  const column = quoteName(name);
  return entrySql(`${column} IS DISTINCT FROM ${quoteName(eventColumn(name))}`, name, textSql(type, column));
}

function entrySql(condition: string, key: string, value: string): string {
  return `CASE WHEN ${condition} THEN {k: ${quoteText(key)}, v: ${value}} END`;
}

function mapSql(entries: readonly string[]): string {
  return `map_from_entries(list_filter([${entries.join(', ')}], lambda e: e IS NOT NULL))`;
}

/** SQL of the number of columns that have a value. */
function countSql(columns: readonly ColumnSpec[]): string {
  return columns.map(({ name }) => `(${quoteName(name)} IS NOT NULL)::INTEGER`).join(' + ');
}

/** SQL of the number of values in a map of `mapSql`, without some keys. */
function leftSql(map: string, without: readonly string[]): string {
  const isCounted = `e.value IS NOT NULL AND e.key NOT IN (${without.map(quoteText).join(', ')})`;
  return `len(list_filter(map_entries(${map}), lambda e: ${isCounted}))`;
}

/** Names of columns inside the statements; none begins so in a dataset. */
function objectName(name: string): string {
  return quoteName(`#a ${name}`);
}

function eventColumn(name: string): string {
  return `#event ${name}`;
}

function rest({ name }: TableSpec): string {
  return quoteName(`#rest ${name}`);
}

function counted({ name }: TableSpec): string {
  return quoteName(`#counted ${name}`);
}

function uncounted({ name }: TableSpec): string {
  return quoteName(`#uncounted ${name}`);
}
