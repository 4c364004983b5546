import { type ColumnSpec, stagedType, quoteName, quoteText, type TableSpec } from '@edrlake/core';
import { QUALYS_EDR } from '@edrlake/datasets';

/** The tables that the floor writes. */
export const FLOOR_TABLES = ['events', 'certificates', 'indicators', 'interfaces'] as const;

/** A structure for `read_json`: names and their members, with DuckDB types at the leaves. */
interface Structure {
  [name: string]: Structure | string;
}

const TABLES = FLOOR_TABLES.map((name) => QUALYS_EDR.tables.find((table) => table.name === name) as TableSpec);
const EVENTS = TABLES[0] as TableSpec;

/** Sections that are kept whole; columns inside them are read from their text. */
const WHOLE = new Set(EVENTS.columns.filter(({ type }) => type === 'json').flatMap(({ paths }) => paths));

/** All fields that the four tables take from a record, with the types that hand-written SQL would declare. */
function recordStructure(): Structure {
  const structure: Structure = {};
  for (const column of EVENTS.columns) {
    for (const path of column.paths) {
      if (WHOLE.has(path)) structure[path] = 'JSON';
      else if (!WHOLE.has(path.split('.')[0] ?? '')) put(structure, path, declaredType(column));
    }
  }
  for (const table of TABLES.slice(1)) {
    const element: Structure = {};
    for (const column of table.columns) for (const path of column.paths) put(element, path, declaredType(column));
    for (const array of table.arrays ?? []) put(structure, array, `${structText(element)}[]`);
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

function put(structure: Structure, path: string, type: string): void {
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

function typeText(type: Structure | string): string {
  return typeof type === 'string' ? type : structText(type);
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

/** All tables from one read of the pages, or each table from a read of its own. */
export type FloorWay = 'temp-table' | 'scan-per-table';

/** The statements that turn page files into four partitioned tables below a folder. */
export function floorScript(files: readonly string[], folder: string, way: FloorWay): string[] {
  const structure = Object.entries(recordStructure()).map(
    ([name, type]) => `${quoteText(name)}: ${quoteText(typeText(type))}`,
  );
  const pages = `read_json([${files.map(quoteText).join(', ')}], format = 'array', columns = {${structure.join(', ')}})`;
  const source = way === 'temp-table' ? 'pages' : pages;
  const copies = TABLES.map((table) => {
    const rows = table === EVENTS ? eventsSql(source) : childSql(table, source);
    const target = quoteText(`${folder}/${table.name}`);
    return `COPY (${rows}) TO ${target} (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (event_date))`;
  });
  return way === 'temp-table' ? [`CREATE TEMP TABLE pages AS SELECT * FROM ${pages}`, ...copies] : copies;
}
