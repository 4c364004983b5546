import {
  type ColumnSpec,
  quoteName,
  quoteText,
  type RecordShape,
  type ShapeMember,
  SPOOL_MEMBERS,
  type TableSpec,
} from '@edrlake/core';
import type { RecordSpec } from '../spec/record-spec.ts';
import { elementTree, fieldsOf, type SourceField } from '../spec/source-tree.ts';
import { baseSelect, CONFORMING_VALUES, columnSql, parsedName, rawName, textName, wholeSectionSql } from './fields.ts';
import { eventColumnSql } from './irregular-events.ts';
import { plainTimeSql } from './values.ts';

// Records that fit the shape of their dataset: every value has the type it is read with, so that nothing has to be
// looked at twice.

/** The column that holds an array's elements until its child rows are made. */
function listColumn(path: string): string {
  return `list:${path}`;
}

/** What `read_json` is to read: a struct of all known members but leftovers, and the spool's own two. */
function columnsOf({ shape }: RecordSpec): Readonly<Record<string, string>> {
  return {
    ...Object.fromEntries(typedMembers(shape.members).map((member) => [member.name, typeOf(member)])),
    [SPOOL_MEMBERS.extra]: 'JSON',
    [SPOOL_MEMBERS.irregular]: 'VARCHAR',
  };
}

/** The columns that hold the elements of child arrays. */
export function listColumnsOf({ tree }: RecordSpec): readonly string[] {
  return fieldsOf(tree)
    .filter((field) => field.use === 'array')
    .map(({ path }) => listColumn(path));
}

/**
 * The lines of spooled pages as a relation, in delivered order: the known members with their types, and DuckDB's
 * `file_index`, the position of the page in the list: much less than `filename`, a text in every row.
 * @param files a SQL list of paths
 * @param maxLineBytes of the longest line
 */
export function linesSql(spec: RecordSpec, files: string, maxLineBytes: number): string {
  const columns = Object.entries(columnsOf(spec)).map(([name, type]) => `${quoteText(name)}: ${quoteText(type)}`);
  return `read_json(${files}, columns = {${columns.join(', ')}}, format = 'newline_delimited', maximum_object_size = ${maxLineBytes})`;
}

/** A relation like that of `linesSql` without a line. */
export function noLinesSql(spec: RecordSpec): string {
  const columns = Object.entries({ ...columnsOf(spec), file_index: 'UBIGINT' });
  return `(SELECT ${columns.map(([name, type]) => `NULL::${type} AS ${quoteName(name)}`).join(', ')} WHERE false)`;
}

/**
 * One row for each line, in DuckDB SQL: the columns of `events` in order, then `irregular` (the text of an irregular
 * record, whose other columns are all NULL), one `list:<path>` for each child array, `content_hash` and `file_index`.
 * @param lines as of `linesSql`
 */
export function conformingEventsSql(spec: RecordSpec, lines: string): string {
  const fields = fieldsOf(spec.tree);
  const names = Object.keys(columnsOf(spec)).map(quoteName);
  const lists = fields.filter((field) => field.use === 'array');
  const read = [
    ...fields.flatMap((field) => plainFieldSql(field)),
    // By the names that the fields have got in the same list.
    ...baseSelect(fields, CONFORMING_VALUES),
    ...lists.map(({ path }) => `${reference(path)} AS ${quoteName(listColumn(path))}`),
    `${quoteName(SPOOL_MEMBERS.extra)} AS "extra"`,
    `${quoteName(SPOOL_MEMBERS.irregular)} AS irregular`,
    `hash(${names.join(', ')}) AS content_hash`,
    'file_index::INTEGER AS file_index',
  ];
  const row = spec.events.columns.map(
    (column) => `${eventColumnSql(spec, column, '"extra"', CONFORMING_VALUES)} AS ${quoteName(column.name)}`,
  );
  const rest = ['irregular', ...listColumnsOf(spec).map(quoteName), 'content_hash', 'file_index'];
  return `SELECT ${[...row, ...rest].join(', ')} FROM (SELECT ${read.join(', ')} FROM ${lines})`;
}

/**
 * The rows of a child table, as `childRowsSql`.
 * @param events a relation made by `conformingEventsSql`, with `id_hash`, without irregular records
 */
export function conformingChildRowsSql(table: TableSpec, events: string): string {
  const fields = fieldsOf(elementTree(table.columns));
  const fromEvent = table.columns
    .filter((column) => isFromEvent(table, column))
    .map((column) => quoteName(column.name));
  const ofArray = (path: string) => {
    const list = quoteName(listColumn(path));
    const elements = `SELECT ${fromEvent.join(', ')}, id_hash, generate_subscripts(${list}, 1) - 1 AS position, unnest(${list}) AS element FROM ${events} WHERE ${list} IS NOT NULL`;
    const read = fields.flatMap((field) => plainFieldSql(field, 'element.'));
    const extra = `element.${quoteName(SPOOL_MEMBERS.extra)} AS "extra"`;
    const texts = `SELECT * EXCLUDE (element), ${[...read, extra].join(', ')} FROM (${elements})`;
    const columns = table.columns.map(
      (column) => `${childColumnSql(table, column, path)} AS ${quoteName(column.name)}`,
    );
    return `SELECT ${columns.join(', ')}, id_hash FROM (${texts})`;
  };
  return (table.arrays ?? []).map(ofArray).join(' UNION ALL ');
}

function childColumnSql(table: TableSpec, column: ColumnSpec, path: string): string {
  if (isFromEvent(table, column)) return quoteName(column.name);
  if (column.name === 'position') return 'position::INTEGER';
  if (column.name === table.arrayColumn) return quoteText(path);
  if (column.name === 'extra') return '"extra"';
  return column.type === 'json' ? wholeSectionSql(column.paths[0] ?? '') : columnSql(column, CONFORMING_VALUES);
}

/** Columns without a path that the event has under the same name. */
export function isFromEvent({ arrayColumn }: TableSpec, { name, paths }: ColumnSpec): boolean {
  return paths.length === 0 && ![arrayColumn, 'position', 'extra'].includes(name);
}

/**
 * A field under the names that the expressions over fields use: its text, its parsed value, or a whole section's text.
 */
function plainFieldSql({ path, use, column }: SourceField, prefix = ''): string[] {
  const value = `${prefix}${reference(path)}`;
  if (use === 'json') return [`${value}::VARCHAR AS ${rawName(path)}`];
  if (use !== 'value' || column === null) return [];
  // Blank text was hidden from the reader, and paths were normalised.
  if (column.type === 'text') return [`${value} AS ${textName(path)}`];
  return [`${column.type === 'timestamp' ? plainTimeSql(value) : value} AS ${parsedName(column, path)}`];
}

function reference(path: string): string {
  return path.split('.').map(quoteName).join('.');
}

function typedMembers(members: RecordShape['members']): readonly ShapeMember[] {
  return members.filter(isTyped);
}

/** A section of nothing but leftovers has no type either: what it holds is in `#extra`. */
function isTyped(member: ShapeMember): boolean {
  if (!('members' in member)) return member.kind !== 'leftover';
  return member.kind === 'list' || member.members.some(isTyped);
}

function typeOf(member: ShapeMember): string {
  if ('members' in member) {
    const inside = typedMembers(member.members).map((one) => `${quoteName(one.name)} ${typeOf(one)}`);
    if (member.kind === 'section') return `STRUCT(${inside.join(', ')})`;
    return `STRUCT(${[...inside, `${quoteName(SPOOL_MEMBERS.extra)} JSON`].join(', ')})[]`;
  }
  switch (member.kind) {
    case 'integer':
      return 'INTEGER';
    case 'bigint':
      return 'BIGINT';
    case 'boolean':
      return 'BOOLEAN';
    case 'json':
      return 'JSON';
    default:
      return 'VARCHAR';
  }
}
