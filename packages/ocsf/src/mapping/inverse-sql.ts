import { type ColumnSpec, EdrlakeError, quoteName, quoteText } from '@edrlake/core';
import type { ReadBack, Root } from './build.ts';
import { CHILD_KEYS, type ChildPlan, type ClassPlan, type MappingPlan } from './class-plan.ts';
import { ABSENT } from './forward-sql.ts';
import { fromTextSql, memberSql } from './values.ts';

/**
 * SQL of the rows of a table that the files of a class were made from, with all columns of the table.
 * @param relation SQL of the rows of the files
 */
export function sourceRowsSql(plan: MappingPlan, ofClass: ClassPlan, table: string, relation: string): string {
  const { events } = plan;
  if (table === events.name) {
    const columns = events.columns.map(({ name }) => name);
    return `SELECT ${columns.map(quoteName).join(', ')} FROM (${eventRowsSql(plan, ofClass, relation, columns, null)})`;
  }
  const child = ofClass.children.find((candidate) => candidate.table.name === table);
  if (child === undefined) throw new EdrlakeError('BUG', `${plan.dataset.name} has no table ${table} of events`);
  const needed = [...CHILD_KEYS, ...child.fromEvent];
  return childRowsSql(child, eventRowsSql(plan, ofClass, relation, needed, child));
}

/** SQL of some columns of the events, and of the list and the leftovers of one child table. */
function eventRowsSql(
  { events }: MappingPlan,
  { built }: ClassPlan,
  relation: string,
  names: readonly string[],
  child: ChildPlan | null,
): string {
  const columns = events.columns.filter(({ name }) => name !== events.partitionBy && names.includes(name));
  const root: Root = (name) => `f.${quoteName(name)}`;
  const values = columns.map((column) => {
    const key = quoteText(column.name);
    const isLeft = `list_contains(map_keys(f.unmapped), ${key})`;
    return columnValue(column, built.readBacks, root, 'TRUE', isLeft, `map_extract(f.unmapped, ${key})[1]`);
  });
  if (child !== null) {
    const { table, place } = child;
    values.push(
      `${place === null ? 'NULL' : listSql(place)} AS ${quoteName(`#list ${table.name}`)}`,
      `map_extract(f.unmapped, ${quoteText(table.name)})[1]::JSON AS ${quoteName(`#left ${table.name}`)}`,
    );
  }
  return `SELECT *, make_timestamp(epoch_us(event_time))::DATE AS event_date FROM (SELECT ${values.join(', ')} FROM (${relation}) f)`;
}

function listSql({ path, isList }: NonNullable<ChildPlan['place']>): string {
  const [first = '', ...inner] = path.split('.');
  const value = inner.reduce(memberSql, `f.${quoteName(first)}`);
  return isList ? value : `CASE WHEN ${value} IS NOT NULL THEN [${value}] END`;
}

/** An element that has no object is only in the leftovers; those that have one follow each other in the list. */
function childRowsSql({ table, place, fromEvent }: ChildPlan, events: string): string {
  const [list, left] = [quoteName(`#list ${table.name}`), quoteName(`#left ${table.name}`)];
  const count = `greatest(coalesce(${place === null ? '0' : `len(${list})`}, 0), coalesce(json_array_length(${left}), 0))::BIGINT`;
  const isAbsent = (at: string) =>
    `coalesce(json_exists(json_extract(${left}, ${at} - 1), ${quoteText(jsonPath(ABSENT))}), FALSE)`;
  const before = `len(list_filter(range(1, "#i" + 1), lambda j: ${isAbsent('j')}))`;
  const object = place === null ? 'NULL' : `CASE WHEN NOT ${isAbsent('"#i"')} THEN ${list}["#i" - ${before}] END`;
  const elements = `SELECT *, ${object} AS "#o", json_extract(${left}, "#i" - 1) AS "#l" FROM (SELECT *, unnest(range(1, ${count} + 1)) AS "#i" FROM (${events}))`;
  const root: Root = (name) => memberSql('"#o"', name);
  const values = table.columns.map((column) => {
    if (CHILD_KEYS.has(column.name)) return quoteName(column.name);
    const path = quoteText(jsonPath(column.name));
    const isLeft = `json_exists("#l", ${path})`;
    const text = `json_extract_string("#l", ${path})`;
    if (column.name === 'position') return either(column, isLeft, text, '("#i" - 1)::INTEGER');
    if (fromEvent.includes(column.name)) return either(column, isLeft, text, quoteName(column.name));
    return columnValue(column, place?.built.readBacks ?? [], root, '"#o" IS NOT NULL', isLeft, text);
  });
  return `SELECT ${values.join(', ')} FROM (${elements})`;
}

function columnValue(
  column: ColumnSpec,
  readBacks: readonly ReadBack[],
  root: Root,
  isThere: string,
  isLeft: string,
  text: string,
): string {
  const readBack = readBacks.find((candidate) => candidate.column === column.name);
  return either(column, isLeft, text, readBack === undefined ? 'NULL' : readBack.sql(root, isThere));
}

function either({ name, type }: ColumnSpec, isLeft: string, text: string, readBack: string): string {
  return `CASE WHEN ${isLeft} THEN ${fromTextSql(type, text)} ELSE ${readBack} END AS ${quoteName(name)}`;
}

function jsonPath(key: string): string {
  return `$."${key}"`;
}
