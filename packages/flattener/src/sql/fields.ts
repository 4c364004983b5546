import { type ColumnSpec, quoteName, quoteText, stagedType } from '@edrlake/core';
import type { SourceField, SourceSection } from '../spec/source-tree.ts';
import { type JsonScope, unblankJsonSql } from './extra.ts';
import {
  basePathSql,
  joinedNormalSql,
  joinedSql,
  parseSql,
  pathSql,
  ruledSql,
  unblankSql,
  unwrapSql,
} from './values.ts';

/** A column with the rule `file-path`. */
type ComposedColumn = ColumnSpec & Required<Pick<ColumnSpec, 'parts'>>;

/** Names of the intermediate columns. The prefixes cannot be the beginning of a lake column's name. */
export const rawName = (path: string) => quoteName(`raw:${path}`);
export const textName = (path: string) => quoteName(`text:${path}`);
/** Text is its own parsed value, and a value without a rule its own ruled one: no column is made twice. */
export const parsedName = (column: ColumnSpec, path: string) =>
  column.type === 'text' ? textName(path) : quoteName(`parsed:${path}`);
const valueName = (column: ColumnSpec, path: string) =>
  column.rule === undefined ? parsedName(column, path) : quoteName(`value:${path}`);

const baseName = ({ name }: ColumnSpec) => quoteName(`base:${name}`);
const joinedName = ({ name }: ColumnSpec) => quoteName(`joined:${name}`);

/** The structure for `json_transform`: columns' fields as text, everything that is kept whole as JSON. */
export function structureOf(section: SourceSection): Record<string, unknown> {
  return Object.fromEntries(
    section.members.map((member) => [
      member.name,
      member.kind === 'section' ? structureOf(member) : member.use === 'value' ? 'VARCHAR' : 'JSON',
    ]),
  );
}

/** `struct."file"."path" AS "raw:file.path"` for every field. */
export function rawSelect(struct: string, fields: readonly SourceField[]): string[] {
  return fields.map((field) => {
    const member = field.path.split('.').map(quoteName).join('.');
    return `${struct}.${member}${field.use === 'value' ? '' : '::VARCHAR'} AS ${rawName(field.path)}`;
  });
}

/** Text without blanks and arrays, for every field that feeds a column. */
export function textSelect(fields: readonly SourceField[], scope: JsonScope): string[] {
  return valuesOf(fields).map((field) => {
    const raw = rawName(field.path);
    const text =
      field.column.type === 'text'
        ? unwrapSql(raw, `json_type(${scope.json}, ${scope.pointer(field.path)})`)
        : unblankSql(raw);
    return `${text} AS ${textName(field.path)}`;
  });
}

/** The typed value of the text, NULL where it says none; text columns keep their text and are not listed. */
export function parsedSelect(fields: readonly SourceField[]): string[] {
  return valuesOf(fields)
    .filter(({ column }) => column.type !== 'text')
    .map(({ column, path }) => `${parseSql(column, textName(path))} AS ${parsedName(column, path)}`);
}

/**
 * How a query says what a field of a column is after the column's rule, and what a path composed with a file's name is.
 */
export interface ValuesSql {
  value(column: ColumnSpec, path: string): string;
  composed(column: ComposedColumn): string;
}

/** Of conforming records: in one expression each, because a step of a query is planned for all of its columns. */
export const CONFORMING_VALUES: ValuesSql = {
  value: (column, path) => (isPath(column) ? textName(path) : ruledSql(column, parsedName(column, path))),
  composed: (column) => joinedNormalSql(baseName(column), textName(column.parts.name)),
};

/** Of any other records: the columns of `valueSelect`, which are used several times, and of `joinedSelect`. */
export const IRREGULAR_VALUES: ValuesSql = { value: valueName, composed: (column) => pathSql(joinedName(column)) };

/** The columns of `IRREGULAR_VALUES`, for columns that have a rule. */
export function valueSelect(fields: readonly SourceField[]): string[] {
  return valuesOf(fields)
    .filter(({ column }) => column.rule !== undefined)
    .map(({ column, path }) => `${ruledSql(column, parsedName(column, path))} AS ${valueName(column, path)}`);
}

/** What file names are to be appended to, for columns that are composed: its uses only name it. */
export function baseSelect(fields: readonly SourceField[], values: ValuesSql): string[] {
  return composedOf(fields).map((column) => {
    const { directory, name } = column.parts;
    const field = valuesOf(fields).find(({ path }) => path === directory);
    const directorySql = field === undefined ? 'NULL' : values.value(field.column, directory);
    return `${basePathSql(chosenSql(column, values), directorySql, textName(name))} AS ${baseName(column)}`;
  });
}

/** What is to be normalised for the composed paths of `IRREGULAR_VALUES`, after `baseSelect`. */
export function joinedSelect(fields: readonly SourceField[]): string[] {
  return composedOf(fields).map(
    (column) => `${joinedSql(baseName(column), textName(column.parts.name))} AS ${joinedName(column)}`,
  );
}

/** A column with paths. */
export function columnSql(column: ColumnSpec, values: ValuesSql): string {
  const value = chosenSql(column, values);
  return isComposed(column) ? `coalesce(${values.composed(column)}, ${value})` : value;
}

/** The first alternative that says something. */
function chosenSql(column: ColumnSpec, { value }: ValuesSql): string {
  const values = column.paths.map((path) => value(column, path));
  if (values.length === 0) return `NULL::${stagedType(column.type)}`;
  return values.length === 1 ? (values[0] ?? '') : `coalesce(${values.join(', ')})`;
}

/**
 * The JSON text of what a field's column could not take, NULL where it took everything: text that does not parse, or an
 * alternative that says something else than the chosen one. null for fields that are always taken.
 */
export function leftSql(field: SourceField, scope: JsonScope): string | null {
  const raw = rawName(field.path);
  switch (field.use) {
    case 'json':
      return null;
    case 'leftover':
      return `nullif(${raw}, 'null')`;
    case 'array':
      return `CASE WHEN NOT starts_with(${raw}, '[') AND NOT starts_with(${raw}, '{') THEN nullif(${unblankJsonSql(raw)}, 'null') END`;
    case 'value':
      return field.column === null ? null : leftValueSql(field.path, field.column, scope);
  }
}

function leftValueSql(path: string, column: ColumnSpec, scope: JsonScope): string | null {
  const conditions: string[] = [];
  if (column.type !== 'text') conditions.push(`${textName(path)} IS NOT NULL AND ${parsedName(column, path)} IS NULL`);
  if (column.paths.length > 1) conditions.push(`${valueName(column, path)} <> ${chosenSql(column, IRREGULAR_VALUES)}`);
  if (conditions.length === 0) return null;
  return `CASE WHEN ${conditions.join(' OR ')} THEN json_extract(${scope.json}, ${scope.pointer(path)})::VARCHAR END`;
}

/** A whole section as delivered, NULL when there is nothing in it. */
export function wholeSectionSql(path: string): string {
  const raw = rawName(path);
  return `CASE WHEN ${raw} IN ('null', '{}', '[]') THEN NULL ELSE ${unblankJsonSql(raw)} END::JSON`;
}

/** A column whose field is inside a section that is kept whole: read from that section's text. */
export function insideSql(column: ColumnSpec, section: string, path: string): string {
  const raw = rawName(section);
  const name = path.slice(section.length + 1);
  const pointer = quoteText(`/${name}`);
  const structure = quoteText(JSON.stringify({ [name]: 'VARCHAR' }));
  const text = `(json_transform(${raw}, ${structure})).${quoteName(name)}`;
  const value = column.type === 'text' ? unwrapSql(text, `json_type(${raw}, ${pointer})`) : unblankSql(text);
  return ruledSql(column, parseSql(column, value));
}

function isPath({ rule }: ColumnSpec): boolean {
  return rule === 'path' || rule === 'file-path';
}

/** Composed columns, once each, also where several fields are alternatives for one. */
function composedOf(fields: readonly SourceField[]): readonly ComposedColumn[] {
  return [...new Set(valuesOf(fields).map(({ column }) => column))].filter(isComposed);
}

function isComposed(column: ColumnSpec): column is ComposedColumn {
  return column.parts !== undefined;
}

function valuesOf(fields: readonly SourceField[]): (SourceField & { column: ColumnSpec })[] {
  return fields.filter((field): field is SourceField & { column: ColumnSpec } => field.column !== null);
}
