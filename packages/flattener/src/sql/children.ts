import { quoteName, quoteText, type TableSpec } from '@edrlake/core';
import { elementTree, fieldsOf } from '../spec/source-tree.ts';
import { isFromEvent } from './conforming.ts';
import { extraSql, type JsonScope, NO_IRREGULARITIES } from './extra.ts';
import {
  columnSql,
  IRREGULAR_VALUES,
  leftSql,
  parsedSelect,
  rawSelect,
  structureOf,
  textSelect,
  valueSelect,
  wholeSectionSql,
} from './fields.ts';
import { isIrregularArraySql } from './irregular.ts';
import { arrayColumn } from './irregular-events.ts';

const SCOPE: JsonScope = {
  json: 'array_json',
  pointer: (path) => `('/' || position${path === '' ? '' : ` || ${quoteText(`/${path}`)}`})`,
};

/**
 * The rows of a child table, in DuckDB SQL: the table's columns in order, then `id_hash`. One row for each element that
 * is not null, `position` its place in the array; an element that is no object has only its `extra`.
 * @param events a relation made by `eventsSql` with `id_hash` carried, without rejects
 * @param irregularArrays dotted paths of the arrays with an element that has unknown keys or is no object; the others
 *   are not searched
 */
export function childRowsSql(table: TableSpec, events: string, irregularArrays: readonly string[]): string {
  return (table.arrays ?? [])
    .map((path) => arrayRowsSql(table, path, events, irregularArrays.includes(path)))
    .join(' UNION ALL ');
}

function arrayRowsSql(table: TableSpec, path: string, events: string, isIrregular: boolean): string {
  const tree = elementTree(table.columns);
  const fields = fieldsOf(tree);
  const structure = quoteText(JSON.stringify([structureOf(tree)]));
  const fromEvent = table.columns
    .filter((column) => isFromEvent(table, column))
    .map((column) => quoteName(column.name));
  const array = quoteName(arrayColumn(path));
  const arrays = `SELECT *, ${array} AS array_json FROM ${events} WHERE ${array} IS NOT NULL`;
  const irregular = isIrregular ? `, ${isIrregularArraySql(table)} AS is_irregular` : '';
  const list = `SELECT ${fromEvent.join(', ')}, id_hash, array_json${irregular}, json_transform(array_json, ${structure}) AS elements FROM (${arrays})`;
  const select = (items: readonly string[], from: string) => `SELECT ${['*', ...items].join(', ')} FROM (${from})`;
  const elements = `SELECT * EXCLUDE (elements), generate_subscripts(elements, 1) - 1 AS position, unnest(elements) AS element FROM (${list})`;
  const raw = `SELECT * EXCLUDE (element), ${rawSelect('element', fields).join(', ')} FROM (${elements}) WHERE element IS NOT NULL`;
  const values = select(valueSelect(fields), select(parsedSelect(fields), select(textSelect(fields, SCOPE), raw)));
  const irregularities = isIrregular
    ? { unknownKeysIn: new Map([['', 'is_irregular']]), brokenSections: new Map() }
    : NO_IRREGULARITIES;
  const known = extraSql(tree, SCOPE, (field) => leftSql(field, SCOPE), irregularities);
  const whole = `json_extract(array_json, ${SCOPE.pointer('')})::VARCHAR`;
  const extra = isIrregular
    ? `CASE WHEN is_irregular AND json_type(array_json, ${SCOPE.pointer('')}) <> 'OBJECT' THEN ${whole} ELSE ${known} END`
    : known;
  const columns = table.columns.map((column) => {
    const name = quoteName(column.name);
    if (isFromEvent(table, column)) return name;
    if (column.name === 'position') return `position::INTEGER AS ${name}`;
    if (column.name === table.arrayColumn) return `${quoteText(path)} AS ${name}`;
    if (column.name === 'extra') return `(${extra})::JSON AS ${name}`;
    if (column.type === 'json') return `${wholeSectionSql(column.paths[0] ?? '')} AS ${name}`;
    return `${columnSql(column, IRREGULAR_VALUES)} AS ${name}`;
  });
  return `SELECT ${columns.join(', ')}, id_hash FROM (${values})`;
}
