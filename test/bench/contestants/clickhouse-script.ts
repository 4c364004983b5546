import { type ColumnSpec, quoteText, type TableSpec } from '@edrlake/core';
import { type FieldType, isList, recordStructure, type Structure, TABLES, WHOLE } from './floor-script.ts';

/** Placeholder: the files of a step, as ClickHouse's `{a,b}`. */
export const PAGES = '%PAGES%';
/** The same for its number. */
const STEP = '%STEP%';

const READING = [
  'input_format_json_read_bools_as_strings = 1',
  'input_format_json_read_numbers_as_strings = 1',
  'input_format_json_read_objects_as_strings = 1',
  'input_format_json_read_arrays_as_strings = 1',
  'input_format_null_as_default = 1',
  'input_format_skip_unknown_fields = 1',
  'input_format_parallel_parsing = 0',
  'max_threads = 1',
  'max_insert_threads = 1',
].join(', ');
const WRITING = [
  "output_format_parquet_compression_method = 'zstd'",
  'output_format_parquet_parallel_encoding = 0',
  'engine_file_truncate_on_insert = 1',
  'max_threads = 1',
].join(', ');

/** What the floor does with a step of pages, in ClickHouse's SQL. Booleans stay text, because some come as text. */
export function clickHouseScript(folder: string): string[] {
  const structure = recordStructure(declaredType, 'Nullable(String)');
  const columns = Object.entries(structure).map(([name, type]) => `${quoted(name)} ${typeText(type)}`);
  const text = columns.join(', ').replaceAll("'", "\\'");
  return [
    `CREATE TABLE IF NOT EXISTS pages (${columns.join(', ')}) ENGINE = Memory`,
    'TRUNCATE TABLE pages',
    `INSERT INTO pages SELECT * FROM file('${PAGES}', 'JSONEachRow', '${text}') SETTINGS ${READING}`,
    ...TABLES.map((table) => {
      const target = quoteText(`${folder}/${table.name}/event_date={_partition_id}/step${STEP}.parquet`);
      const rows = table.name === 'events' ? eventsSql(table) : childSql(table);
      return `INSERT INTO FUNCTION file(${target}, 'Parquet') PARTITION BY event_date ${rows} SETTINGS ${WRITING}`;
    }),
  ];
}

function declaredType({ type }: ColumnSpec): string {
  if (type === 'integer') return 'Nullable(Int32)';
  return type === 'bigint' ? 'Nullable(Int64)' : 'Nullable(String)';
}

function typeText(type: FieldType): string {
  if (typeof type === 'string') return type;
  return isList(type) ? `Array(${tupleText(type[0])})` : tupleText(type);
}

function tupleText(structure: Structure): string {
  return `Tuple(${Object.entries(structure)
    .map(([name, type]) => `${quoted(name)} ${typeText(type)}`)
    .join(', ')})`;
}

function quoted(name: string): string {
  return `\`${name}\``;
}

function pathSql(path: string): string {
  return path.split('.').map(quoted).join('.');
}

const DAY = 'substring(dateTime, 1, 10) AS event_date';

function timeSql(value: string): string {
  return `parseDateTime64BestEffortOrNull(substring(${value}, 1, 23), 3, 'UTC')`;
}

function valueSql(column: ColumnSpec, base: string): string {
  const values = column.paths.map((path) => {
    const [section = '', ...inside] = path.split('.');
    const keys = inside.map(quoteText).join(', ');
    const isInside = WHOLE.has(section) && inside.length > 0;
    const value = isInside ? `nullIf(JSONExtractString(${quoted(section)}, ${keys}), '')` : `${base}${pathSql(path)}`;
    return column.type === 'timestamp' ? timeSql(value) : value;
  });
  return values.length === 1 ? (values[0] ?? 'NULL') : `coalesce(${values.join(', ')})`;
}

function eventsSql({ columns }: TableSpec): string {
  const values = columns
    .filter(({ name, paths }) => name !== 'event_date' && paths.length > 0)
    .map((column) => `${valueSql(column, '')} AS ${quoted(column.name)}`);
  return `SELECT ${DAY}, ${values.join(', ')} FROM pages`;
}

function childSql({ columns, arrays }: TableSpec): string {
  const values = columns.flatMap((column) => {
    if (column.name === 'indicator_set') return ['array AS indicator_set'];
    if (column.name === 'agent_id') return ['agent_id'];
    return column.paths.length === 0 ? [] : [`${valueSql(column, 'item.')} AS ${quoted(column.name)}`];
  });
  const rows = (arrays ?? []).map((array) => {
    const items = pathSql(array);
    const key = `${DAY}, id AS event_id, ${timeSql('dateTime')} AS event_time, asset.agentId AS agent_id`;
    const item = `${quoteText(array)} AS array, place - 1 AS position, item`;
    return `SELECT ${key}, ${item} FROM pages ARRAY JOIN ${items} AS item, arrayEnumerate(${items}) AS place`;
  });
  return `SELECT event_date, event_id, event_time, position, ${values.join(', ')} FROM (${rows.join(' UNION ALL ')})`;
}
