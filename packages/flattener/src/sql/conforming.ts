import {
  type ColumnSpec,
  quoteName,
  quoteText,
  type RecordShape,
  type ShapeMember,
  SPOOL_MEMBERS,
  type TableSpec,
} from '@edrlake/core';
import { EVENTS } from '../spec/events-table.ts';
import { RECORD_SHAPE } from '../spec/record-shape.ts';
import { elementTree, fieldsOf, RECORD_TREE, type SourceField } from '../spec/source-tree.ts';
import { baseSelect, CONFORMING_VALUES, columnSql, parsedName, rawName, textName } from './fields.ts';
import { eventColumnSql } from './irregular-events.ts';
import { plainTimeSql } from './values.ts';

// Records that fit `RECORD_SHAPE`: every value has the type it is read with, so that nothing has to be looked at twice.

/** The column that holds an array's elements until its child rows are made. */
function listColumn(path: string): string {
  return `list:${path}`;
}

/** What `read_json` is to read: a struct of all known members but leftovers, and the spool's own two. */
const COLUMNS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(typedMembers(RECORD_SHAPE.members).map((member) => [member.name, typeOf(member)])),
  [SPOOL_MEMBERS.extra]: 'JSON',
  [SPOOL_MEMBERS.irregular]: 'VARCHAR',
};

/** The columns that hold the elements of child arrays. */
export const LIST_COLUMNS: readonly string[] = fieldsOf(RECORD_TREE)
  .filter((field) => field.use === 'array')
  .map(({ path }) => listColumn(path));

/**
 * The lines of spooled pages as a relation, in delivered order: the known members with their types, and `filename`.
 * @param files a SQL list of paths
 * @param maxLineBytes of the longest line
 */
export function linesSql(files: string, maxLineBytes: number): string {
  const columns = Object.entries(COLUMNS).map(([name, type]) => `${quoteText(name)}: ${quoteText(type)}`);
  return `read_json(${files}, columns = {${columns.join(', ')}}, format = 'newline_delimited', filename = true, maximum_object_size = ${maxLineBytes})`;
}

/** A relation like that of `linesSql` without a line. */
export function noLinesSql(): string {
  const columns = Object.entries({ ...COLUMNS, filename: 'VARCHAR' });
  return `(SELECT ${columns.map(([name, type]) => `NULL::${type} AS ${quoteName(name)}`).join(', ')} WHERE false)`;
}

/**
 * One row for each line, in DuckDB SQL: the columns of `events` in order, then `irregular` (the text of an irregular
 * record, whose other columns are all NULL), one `list:<path>` for each child array, `content_hash` and `filename`.
 * @param lines as of `linesSql`
 */
export function conformingEventsSql(lines: string): string {
  const fields = fieldsOf(RECORD_TREE);
  const names = Object.keys(COLUMNS).map(quoteName);
  const lists = fields.filter((field) => field.use === 'array');
  const read = [
    ...fields.flatMap((field) => plainFieldSql(field)),
    // By the names that the fields have got in the same list.
    ...baseSelect(fields, CONFORMING_VALUES),
    ...lists.map(({ path }) => `${reference(path)} AS ${quoteName(listColumn(path))}`),
    `${quoteName(SPOOL_MEMBERS.extra)} AS "extra"`,
    `${quoteName(SPOOL_MEMBERS.irregular)} AS irregular`,
    `hash(${names.join(', ')}) AS content_hash`,
    'filename',
  ];
  const row = EVENTS.columns.map(
    (column) => `${eventColumnSql(column, '"extra"', CONFORMING_VALUES)} AS ${quoteName(column.name)}`,
  );
  const rest = ['irregular', ...LIST_COLUMNS.map(quoteName), 'content_hash', 'filename'];
  return `SELECT ${[...row, ...rest].join(', ')} FROM (SELECT ${read.join(', ')} FROM ${lines})`;
}

/**
 * The rows of a child table, as `childRowsSql`.
 * @param events a relation made by `conformingEventsSql`, with `id_hash`, without irregular records
 */
export function conformingChildRowsSql(table: TableSpec, events: string): string {
  const fields = fieldsOf(elementTree(table.columns));
  const fromEvent = table.columns.filter((column) => isFromEvent(column)).map((column) => quoteName(column.name));
  const ofArray = (path: string) => {
    const list = quoteName(listColumn(path));
    const elements = `SELECT ${fromEvent.join(', ')}, id_hash, generate_subscripts(${list}, 1) - 1 AS position, unnest(${list}) AS element FROM ${events} WHERE ${list} IS NOT NULL`;
    const read = fields.flatMap((field) => plainFieldSql(field, 'element.'));
    const extra = `element.${quoteName(SPOOL_MEMBERS.extra)} AS "extra"`;
    const texts = `SELECT * EXCLUDE (element), ${[...read, extra].join(', ')} FROM (${elements})`;
    const columns = table.columns.map((column) => `${childColumnSql(column, path)} AS ${quoteName(column.name)}`);
    return `SELECT ${columns.join(', ')}, id_hash FROM (${texts})`;
  };
  return (table.arrays ?? []).map(ofArray).join(' UNION ALL ');
}

function childColumnSql(column: ColumnSpec, path: string): string {
  if (isFromEvent(column)) return quoteName(column.name);
  if (column.name === 'position') return 'position::INTEGER';
  if (column.name === 'indicator_set') return quoteText(path);
  return column.name === 'extra' ? '"extra"' : columnSql(column, CONFORMING_VALUES);
}

/** Columns without a path that the event has under the same name. */
export function isFromEvent(column: ColumnSpec): boolean {
  return column.paths.length === 0 && !['position', 'indicator_set', 'extra'].includes(column.name);
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
  return members.filter(({ kind }) => kind !== 'leftover');
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
