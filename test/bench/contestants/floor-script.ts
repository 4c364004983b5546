import { type ColumnSpec, quoteName, quoteText, stagedType, type TableSpec } from '@edrlake/core';
import { QUALYS_EDR } from '@edrlake/datasets';

/** The tables that the floor writes. */
export const FLOOR_TABLES = ['events', 'certificates', 'indicators', 'interfaces'] as const;

/** The fields of a record: names and their members, with types of one SQL dialect at the leaves. */
export interface Structure {
  [name: string]: FieldType;
}

/** A type, the members of an object, or those of the objects in a list. */
export type FieldType = string | Structure | readonly [Structure];

/** Their specs, events first. */
export const TABLES = FLOOR_TABLES.map((name) => QUALYS_EDR.tables.find((table) => table.name === name) as TableSpec);
const EVENTS = TABLES[0] as TableSpec;

/** Sections that are kept whole; columns inside them are read from their text. */
export const WHOLE: ReadonlySet<string> = new Set(
  EVENTS.columns.filter(({ type }) => type === 'json').flatMap(({ paths }) => paths),
);

/**
 * All fields that the four tables take from a record, with the types that hand-written SQL would declare.
 * @param json the type of a section that is kept whole
 */
export function recordStructure(declared: (column: ColumnSpec) => string, json: string): Structure {
  const structure: Structure = {};
  for (const column of EVENTS.columns) {
    for (const path of column.paths) {
      if (WHOLE.has(path)) structure[path] = json;
      else if (!WHOLE.has(path.split('.')[0] ?? '')) put(structure, path, declared(column));
    }
  }
  for (const table of TABLES.slice(1)) {
    const element: Structure = {};
    for (const column of table.columns) for (const path of column.paths) put(element, path, declared(column));
    for (const array of table.arrays ?? []) put(structure, array, [element]);
  }
  return structure;
}

/**
 * Times are read as text and shortened, because parsing their offset by a format takes twice as long as everything else
 * together.
 */
function declaredType(column: ColumnSpec): string {
  return column.type === 'timestamp' ? 'VARCHAR' : stagedType(column.type);
}

function put(structure: Structure, path: string, type: FieldType): void {
  const names = path.split('.');
  let level = structure;
  for (const name of names.slice(0, -1)) {
    level[name] ??= {};
    level = level[name] as Structure;
  }
  level[names.at(-1) ?? ''] ??= type;
}

function structText(structure: Structure): string {
  const fields = Object.entries(structure).map(([name, type]) => `${quoteName(name)} ${typeText(type)}`);
  return `STRUCT(${fields.join(', ')})`;
}

function typeText(type: FieldType): string {
  if (typeof type === 'string') return type;
  return isList(type) ? `${structText(type[0])}[]` : structText(type);
}

/** Whether a field is a list of objects. */
export function isList(type: Structure | readonly [Structure]): type is readonly [Structure] {
  return Array.isArray(type);
}

/** `left(x, 23)` leaves `2020-08-17T04:00:00.123`. */
function valueSql(column: ColumnSpec, base: string): string {
  const values = column.paths.map((path) => {
    const [section = '', ...inside] = path.split('.');
    const value =
      WHOLE.has(section) && inside.length > 0
        ? `json_extract_string(${quoteName(section)}, ${quoteText(`$.${inside.join('.')}`)})`
        : `${base}${path.split('.').map(quoteName).join('.')}`;
    return column.type === 'timestamp' ? `left(${value}, 23)::TIMESTAMP` : value;
  });
  return values.length === 1 ? (values[0] ?? 'NULL') : `coalesce(${values.join(', ')})`;
}

function eventsSql(pages: string): string {
  const columns = EVENTS.columns.flatMap((column) => {
    if (column.name === 'event_date') return ['left("dateTime", 10)::DATE AS event_date'];
    return column.paths.length === 0 ? [] : [`${valueSql(column, '')} AS ${quoteName(column.name)}`];
  });
  return `SELECT ${columns.join(', ')} FROM ${pages}`;
}

const KEY = 'left("dateTime", 10)::DATE AS event_date, id AS event_id, left("dateTime", 23)::TIMESTAMP AS event_time';

function childSql(table: TableSpec, pages: string): string {
  const columns = table.columns.flatMap((column) => {
    if (column.name === 'indicator_set') return ['"set" AS indicator_set'];
    if (column.name === 'agent_id') return ['"agentId" AS agent_id'];
    return column.paths.length === 0 ? [] : [`${valueSql(column, 'item.')} AS ${quoteName(column.name)}`];
  });
  const rows = (table.arrays ?? []).map((array) => {
    const items = array.split('.').map(quoteName).join('.');
    const position = `generate_subscripts(${items}, 1) - 1 AS "position"`;
    return `SELECT ${KEY}, asset."agentId" AS "agentId", ${quoteText(array)} AS "set", ${position}, unnest(${items}) AS item FROM ${pages}`;
  });
  return `SELECT event_date, event_id, event_time, "position", ${columns.join(', ')} FROM (${rows.join(' UNION ALL ')})`;
}

/** Some of the pages: the floor reads them together, and writes files of their own. */
export interface FloorStep {
  readonly files: readonly string[];
  /** The folder of the tables. */
  readonly folder: string;
  /** Numbers the files of this step, so that steps do not overwrite those of others. */
  readonly number: number;
}

/** The statements that turn page files into rows of four partitioned tables. */
export function floorScript({ files, folder, number }: FloorStep): string[] {
  const copies = TABLES.map((table) => {
    const options = [
      'FORMAT parquet',
      'COMPRESSION zstd',
      'PARTITION_BY (event_date)',
      `FILENAME_PATTERN 'step${number}_{i}'`,
      'OVERWRITE_OR_IGNORE',
    ];
    return `COPY (${rowsSql(table)}) TO ${quoteText(`${folder}/${table.name}`)} (${options.join(', ')})`;
  });
  return [readingSql(files), ...copies];
}

/** The rows of a table, from the temporary table `pages`. */
export function rowsSql(table: TableSpec): string {
  return table === EVENTS ? eventsSql('pages') : childSql(table, 'pages');
}

/** The statements that write the rows of the temporary table `pages` into one Parquet file for each table. */
export function encodingScript(folder: string, compression: string): string[] {
  return TABLES.map((table) => {
    const rows = `SELECT * EXCLUDE (event_date) FROM ${quoteName(`rows_${table.name}`)}`;
    return `COPY (${rows}) TO ${quoteText(`${folder}/${table.name}.parquet`)} (FORMAT parquet, ${compression})`;
  });
}

/** The statements that make the four tables in memory, as `rows_<table>`. */
export function tablesInMemory(files: readonly string[]): string[] {
  return [
    readingSql(files),
    ...TABLES.map((table) => {
      return `CREATE OR REPLACE TEMP TABLE ${quoteName(`rows_${table.name}`)} AS ${rowsSql(table)}`;
    }),
  ];
}

/** Makes the temporary table `pages` of page files. */
export function readingSql(files: readonly string[]): string {
  const structure = Object.entries(recordStructure(declaredType, 'JSON')).map(
    ([name, type]) => `${quoteText(name)}: ${quoteText(typeText(type))}`,
  );
  const source = `read_json([${files.map(quoteText).join(', ')}], format = 'array', columns = {${structure.join(', ')}})`;
  return `CREATE OR REPLACE TEMP TABLE pages AS SELECT * FROM ${source}`;
}
