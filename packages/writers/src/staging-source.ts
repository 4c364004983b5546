import type { DuckDBConnection } from '@duckdb/node-api';
import { EdrlakeError, type FetchedWindow, quoteName, quoteText } from '@edrlake/core';
import { NO_ODDITIES, type Oddities, oddColumnsSql, odditiesOf, oddRecordsSql } from '@edrlake/flattener';
import { rowsOf } from './rows.ts';

/** The spooled records of a batch as a relation, and what is odd in them. */
export interface StagingSource {
  /**
   * A table expression, a row a record, in delivered order: `record VARCHAR` (valid JSON), `content_hash UBIGINT` of it,
   * `filename VARCHAR` and, where there are oddities, the columns that say so.
   */
  readonly relation: string;
  readonly oddities: Oddities;
}

/** Temporary tables of `openSpool`: `pages` (`filename`, `window_no`) and the odd records. To be dropped after staging. */
export const SPOOL_TABLES = ['pages', 'odd_records'] as const;

/**
 * Opens the windows' pages for reading by SQL, and finds out which records hold what the spec does not name.
 * @throws {EdrlakeError} `BODY_BROKEN` when a page cannot be read.
 */
export async function openSpool(
  connection: DuckDBConnection,
  windows: readonly FetchedWindow[],
  tableName: (name: (typeof SPOOL_TABLES)[number]) => string,
): Promise<StagingSource> {
  const pages = windows.flatMap((window, windowNo) =>
    window.pages.filter((page) => page.recordCount > 0).map((page) => ({ path: page.path, windowNo })),
  );
  const table = quoteName(tableName('pages'));
  await connection.run(`CREATE OR REPLACE TEMP TABLE ${table} (filename VARCHAR, window_no INTEGER)`);
  if (pages.length === 0) {
    const none = 'NULL::VARCHAR AS record, NULL::UBIGINT AS content_hash';
    return { relation: `(SELECT ${none}, filename FROM ${table} WHERE false)`, oddities: NO_ODDITIES };
  }
  const values = pages.map((page) => `(${quoteText(page.path)}, ${page.windowNo})`);
  await connection.run(`INSERT INTO ${table} VALUES ${values.join(', ')}`);
  const files = `[${pages.map((page) => quoteText(page.path)).join(', ')}]`;
  const oddRecords = quoteName(tableName('odd_records'));
  const open = async (records: string): Promise<StagingSource> => {
    const oddities = await odditiesIn(connection, `(${records})`, oddRecords);
    const hashed = `SELECT record, hash(record) AS content_hash, filename FROM (${records})`;
    const marked = ['*', ...oddColumnsSql(oddRecords, oddities)].join(', ');
    return { relation: `(SELECT ${marked} FROM (${hashed}))`, oddities };
  };
  try {
    return await open(`SELECT json::VARCHAR AS record, filename FROM read_ndjson_objects(${files}, filename = true)`);
  } catch (error) {
    if (!/malformed json/i.test(String(error))) throw unreadable(error);
  }
  try {
    return await open(linesSql(files));
  } catch (error) {
    throw unreadable(error);
  }
}

async function odditiesIn(connection: DuckDBConnection, records: string, oddRecords: string): Promise<Oddities> {
  await connection.run(`CREATE OR REPLACE TEMP TABLE ${oddRecords} AS ${oddRecordsSql(records)}`);
  const [union] = await rowsOf(connection, `SELECT coalesce(bit_or(odd), 0)::VARCHAR AS odd FROM ${oddRecords}`);
  const odd = BigInt(String(union?.odd));
  return odditiesOf(odd);
}

/** Every line, valid or not: text that is no JSON becomes a JSON string, so that it ends as a reject and not as a failed batch. */
function linesSql(files: string): string {
  const options =
    "columns = {'line': 'VARCHAR'}, delim = '\x01', quote = '', escape = '', header = false, auto_detect = false, filename = true";
  const record = 'CASE WHEN json_valid(line) THEN line ELSE to_json(line)::VARCHAR END';
  return `SELECT ${record} AS record, filename FROM read_csv(${files}, ${options}) WHERE line IS NOT NULL AND trim(line) <> ''`;
}

function unreadable(cause: unknown): EdrlakeError {
  return new EdrlakeError('BODY_BROKEN', `a spooled page cannot be read: ${String(cause)}`, {
    disposition: 'retry',
    cause,
    hint: 'Fetch the windows of this batch again.',
  });
}
