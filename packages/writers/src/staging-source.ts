import type { DuckDBConnection } from '@duckdb/node-api';
import { EdrlakeError, type FetchedWindow, quoteName, quoteText } from '@edrlake/core';
import { type Oddities, odditiesOf, recordShapesSql } from '@edrlake/flattener';
import { rowsOf } from './rows.ts';

/** The spooled records of a batch as a relation, and what is odd in them. */
export interface StagingSource {
  /** A table expression with `record VARCHAR` (valid JSON), `page_no INTEGER` and `window_no INTEGER`, in delivered order. */
  readonly relation: string;
  readonly oddities: Oddities;
}

/**
 * Opens the windows' pages for reading by SQL and finds out which keys they hold. Leaves one temporary table, `pagesTable`.
 * @throws {EdrlakeError} `BODY_BROKEN` when a page cannot be read.
 */
export async function openSpool(
  connection: DuckDBConnection,
  windows: readonly FetchedWindow[],
  pagesTable: string,
): Promise<StagingSource> {
  const pages = windows.flatMap((window, windowNo) =>
    window.pages.filter((page) => page.recordCount > 0).map((page) => ({ path: page.path, windowNo })),
  );
  const table = quoteName(pagesTable);
  await connection.run(`CREATE OR REPLACE TEMP TABLE ${table} (path VARCHAR, page_no INTEGER, window_no INTEGER)`);
  if (pages.length === 0) {
    const relation = `(SELECT NULL::VARCHAR AS record, page_no, window_no FROM ${table} WHERE false)`;
    return { relation, oddities: odditiesOf([]) };
  }
  const values = pages.map((page, pageNo) => `(${quoteText(page.path)}, ${pageNo}, ${page.windowNo})`);
  await connection.run(`INSERT INTO ${table} VALUES ${values.join(', ')}`);
  const files = `[${pages.map((page) => quoteText(page.path)).join(', ')}]`;
  const strict = numbered(
    `SELECT json::VARCHAR AS record, filename FROM read_ndjson_objects(${files}, filename = true)`,
    table,
  );
  try {
    return { relation: strict, oddities: await oddities(connection, strict) };
  } catch (error) {
    if (!/malformed json/i.test(String(error))) throw unreadable(error);
  }
  const lenient = numbered(linesSql(files), table);
  try {
    return { relation: lenient, oddities: await oddities(connection, lenient) };
  } catch (error) {
    throw unreadable(error);
  }
}

/** Every line, valid or not: text that is no JSON becomes a JSON string, so that it ends as a reject and not as a failed batch. */
function linesSql(files: string): string {
  const options =
    "columns = {'line': 'VARCHAR'}, delim = '\x01', quote = '', escape = '', header = false, auto_detect = false, filename = true";
  const record = 'CASE WHEN json_valid(line) THEN line ELSE to_json(line)::VARCHAR END';
  return `SELECT ${record} AS record, filename FROM read_csv(${files}, ${options}) WHERE line IS NOT NULL AND trim(line) <> ''`;
}

function numbered(records: string, pagesTable: string): string {
  return `(SELECT record, page_no, window_no FROM (${records}) JOIN ${pagesTable} ON filename = path)`;
}

async function oddities(connection: DuckDBConnection, relation: string): Promise<Oddities> {
  const shapes = await rowsOf(connection, recordShapesSql(relation));
  return odditiesOf(shapes.map((row) => row.keys as (string[] | null)[]));
}

function unreadable(cause: unknown): EdrlakeError {
  return new EdrlakeError('BODY_BROKEN', `a spooled page cannot be read: ${String(cause)}`, {
    disposition: 'retry',
    cause,
    hint: 'Fetch the windows of this batch again.',
  });
}
