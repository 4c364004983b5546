import { type ColumnSpec, quoteName, quoteText } from '@edrlake/core';
import type { RecordSpec } from '../spec/record-spec.ts';
import { fieldsOf } from '../spec/source-tree.ts';
import { extraSql, type Irregularities, irregularColumns, type JsonScope, pointerOf } from './extra.ts';
import {
  baseSelect,
  columnSql,
  IRREGULAR_VALUES,
  insideSql,
  joinedSelect,
  leftSql,
  parsedSelect,
  rawName,
  rawSelect,
  structureOf,
  textSelect,
  type ValuesSql,
  valueSelect,
  wholeSectionSql,
} from './fields.ts';
import { unblankSql } from './values.ts';

/** The column that holds an array's JSON text until its child rows are made. */
export function arrayColumn(path: string): string {
  return `array:${path}`;
}

const SCOPE: JsonScope = { json: 'record', pointer: (path) => quoteText(pointerOf(path)) };

/**
 * One row for each record, in DuckDB SQL: the columns of `events` in order, then `reject_reason`, `reject_path` (NULL
 * for an event), `record` (NULL for an event), one `array:<path>` JSON text for each child array, `content_hash`, and
 * the carried columns. A reject's event columns hold what could be read and must not be used.
 * @param staging a relation with `record VARCHAR` (valid JSON, never NULL), its `content_hash`, the carried columns
 *   and, where there are irregularities, those of `irregularColumnsSql`
 * @param carry names of further columns of `staging` or aliased expressions over it, passed through
 */
export function eventsSql(
  spec: RecordSpec,
  staging: string,
  carry: readonly string[],
  irregularities: Irregularities,
): string {
  const { tree } = spec;
  const fields = fieldsOf(tree);
  const structure = quoteText(JSON.stringify(structureOf(tree)));
  const arrays = fields.filter((field) => field.use === 'array');
  const carried = carry.map((expression) => `, ${expression}`).join('');
  const irregular = irregularColumns(irregularities)
    .map((column) => `, ${column}`)
    .join('');
  const names = carry.map((expression) => `, ${expression.replace(/^.* AS /, '')}`).join('');
  const select = (items: readonly string[], from: string) => `SELECT ${['*', ...items].join(', ')} FROM ${from}`;
  const extra = `${extraSql(tree, SCOPE, (field) => leftSql(field, SCOPE), irregularities)}::JSON`;
  const columns = spec.events.columns.map(
    (column) => `${eventColumnSql(spec, column, extra, IRREGULAR_VALUES)} AS ${quoteName(column.name)}`,
  );
  return [
    `WITH read AS (SELECT record, content_hash${irregular}${carried}, json_transform(record, ${structure}) AS struct FROM ${staging})`,
    `raw AS (SELECT * EXCLUDE (struct), ${rawSelect('struct', fields).join(', ')} FROM read)`,
    `texts AS (${select(textSelect(fields, SCOPE), 'raw')})`,
    `parsed AS (${select(parsedSelect(fields), 'texts')})`,
    `vals AS (${select(valueSelect(fields), 'parsed')})`,
    `bases AS (${select(baseSelect(fields, IRREGULAR_VALUES), 'vals')})`,
    `joins AS (${select(joinedSelect(fields), 'bases')})`,
    `reasons AS (${select(rejectColumns(spec), 'joins')})`,
  ]
    .join(', ')
    .concat(
      ` SELECT ${columns.join(', ')}, reject_reason, reject_path`,
      ', CASE WHEN reject_reason IS NOT NULL THEN record END AS record',
      arrays
        .map(
          ({ path }) =>
            `, CASE WHEN starts_with(${rawName(path)}, '[') THEN ${rawName(path)} WHEN starts_with(${rawName(path)}, '{') THEN '[' || ${rawName(path)} || ']' END AS ${quoteName(arrayColumn(path))}`,
        )
        .join(''),
      `, content_hash${names} FROM reasons`,
    );
}

/** Why a record is no event, in the order in which a person would check. */
function rejectColumns(spec: RecordSpec): readonly string[] {
  const [id, time] = [eventColumn(spec, 'event_id'), eventColumn(spec, 'event_time')];
  const isBlank = time.paths.map((path) => `(${unblankSql(rawName(path))}) IS NULL`).join(' AND ');
  const [idPath, timePath] = [quoteText(id.paths[0] ?? ''), quoteText(time.paths[0] ?? '')];
  return [
    `CASE WHEN ${columnSql(id, IRREGULAR_VALUES)} IS NULL THEN CASE WHEN json_type(record) = 'OBJECT' THEN 'no id' ELSE 'not an object' END` +
      ` WHEN ${columnSql(time, IRREGULAR_VALUES)} IS NULL THEN CASE WHEN ${isBlank} THEN 'no event time' ELSE 'unreadable event time' END` +
      ' END AS reject_reason',
    `CASE reject_reason WHEN 'no id' THEN ${idPath} WHEN 'no event time' THEN ${timePath} WHEN 'unreadable event time' THEN ${timePath} END AS reject_path`,
  ];
}

function eventColumn({ events }: RecordSpec, name: string): ColumnSpec {
  return events.columns.find((column) => column.name === name) as ColumnSpec;
}

/** A column of `events` from the fields' values, under the names of `fields.ts`. @param extra the SQL of `extra` */
export function eventColumnSql(spec: RecordSpec, column: ColumnSpec, extra: string, values: ValuesSql): string {
  if (column.name === 'event_date') return `${columnSql(eventColumn(spec, 'event_time'), values)}::DATE`;
  if (column.name === 'extra') return extra;
  const path = column.paths[0] ?? '';
  if (column.type === 'json') return wholeSectionSql(path);
  const section = path.slice(0, Math.max(path.indexOf('.'), 0));
  const isInside = spec.events.columns.some((other) => other.type === 'json' && other.paths.includes(section));
  return isInside ? insideSql(column, section, path) : columnSql(column, values);
}
