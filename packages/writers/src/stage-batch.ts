import type { DuckDBConnection } from '@duckdb/node-api';
import {
  type Day,
  EdrlakeError,
  type FetchedWindow,
  idHashSql,
  quoteName,
  quoteText,
  type StagedBatch,
} from '@edrlake/core';
import { arrayColumn, CHILD_TABLES, childRowsSql, eventsSql, LAKE_TABLES, oddElementsSql } from '@edrlake/flattener';
import { rowsOf } from './rows.ts';
import { openSpool, SPOOL_TABLES } from './staging-source.ts';
import { unknownFieldsOf } from './unknown-fields.ts';
import { stagedWindowsOf } from './window-stats.ts';
import { writeStagedRows } from './write-parquet.ts';

/** What distinguishes a batch from others on the same connection. */
export interface StageOptions {
  /** Begins the name of every temporary table: unique among the batches alive on the connection. */
  readonly prefix: string;
  /** UTC day that becomes the rejects' partition. */
  readonly ingestDay: Day;
}

/** Columns of the events table that only staging needs. */
const BOOKKEEPING = ['reject_reason', 'reject_path', 'record', 'filename', 'content_hash'];

/**
 * Flattens the spooled pages of some windows into temporary tables, one row an event id: of several records with one id the
 * one with the newest `processed_time` stays, of equals the one delivered last. Every record is a row, a duplicate of a row,
 * or a reject. The pages are only read; nothing is written outside the connection's temporary tables, which hold about twice
 * the pages' bytes. On an error all of them are dropped again.
 * @throws {EdrlakeError} `BODY_BROKEN` (`retry`) when a page cannot be read or does not hold the records it was said to.
 */
export async function stageBatch(
  connection: DuckDBConnection,
  windows: readonly FetchedWindow[],
  options: StageOptions,
): Promise<StagedBatch> {
  const tableName = (name: string) => `${options.prefix}_${name}`;
  const names = [...LAKE_TABLES.map((table) => table.name), 'identity', ...SPOOL_TABLES].map(tableName);
  const drop = async () => {
    for (const name of names) await connection.run(`DROP TABLE IF EXISTS temp.${quoteName(name)}`);
  };
  try {
    return await withSettings(connection, () => stage(connection, windows, options.ingestDay, tableName, drop));
  } catch (error) {
    await drop();
    throw error;
  }
}

async function stage(
  connection: DuckDBConnection,
  windows: readonly FetchedWindow[],
  ingestDay: Day,
  tableName: (name: string) => string,
  drop: () => Promise<void>,
): Promise<StagedBatch> {
  const events = quoteName(tableName('events'));
  const source = await openSpool(connection, windows, tableName);
  const flat = eventsSql(source.relation, ['filename'], source.oddities);
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${events} AS SELECT *, ${idHashSql('event_id')} AS id_hash FROM (${flat})`,
  );
  const placed = `(SELECT * FROM ${events} JOIN ${quoteName(tableName('pages'))} USING (filename))`;
  const stagedWindows = await stagedWindowsOf(connection, placed, windows);
  await splitRejects(connection, events, placed, quoteName(tableName('rejects')), quoteText(ingestDay), windows);
  await removeDuplicates(connection, events);
  const odd = await oddArraysOf(connection, events);
  for (const table of CHILD_TABLES) {
    const name = quoteName(tableName(table.name));
    await connection.run(`CREATE OR REPLACE TEMP TABLE ${name} AS ${childRowsSql(table, events, odd)}`);
    for (const path of table.arrays ?? []) await dropColumn(connection, events, arrayColumn(path));
  }
  const identityTable = tableName('identity');
  await makeIdentities(connection, quoteName(identityTable), events, quoteName(tableName('rejects')));
  for (const column of BOOKKEEPING) await dropColumn(connection, events, column);
  const rejects = quoteName(tableName('rejects'));
  await dropColumn(connection, rejects, 'content_hash');
  for (const name of SPOOL_TABLES) await connection.run(`DROP TABLE IF EXISTS temp.${quoteName(tableName(name))}`);
  const rowTables = Object.fromEntries(LAKE_TABLES.map((table) => [table.name, tableName(table.name)]));
  return {
    identityTable,
    rowTables,
    windows: stagedWindows,
    unknownFields: await unknownFieldsOf(connection, rowTables),
    write: (directory, fileStem, exceptTable) =>
      writeStagedRows(connection, rowTables, { directory, fileStem, exceptTable }),
    drop,
  };
}

/**
 * How the connection is set while a batch is staged, whatever it is set to otherwise. Rows keep the order of the pages:
 * `removeDuplicates` tells by row ids what was delivered later. No statement here holds a query twice, and looking for one takes a
 * quarter of the time a statement is planned.
 */
const SETTINGS: Readonly<Record<string, string>> = {
  preserve_insertion_order: 'true',
  disabled_optimizers: 'common_subplan',
};

/** Runs something with `SETTINGS` and puts back what was set before, also after an error. */
async function withSettings<T>(connection: DuckDBConnection, run: () => Promise<T>): Promise<T> {
  const names = Object.keys(SETTINGS);
  const current = names.map((name) => `current_setting('${name}')::VARCHAR AS ${name}`).join(', ');
  const [before = {}] = await rowsOf(connection, `SELECT ${current}`);
  const set = (values: Readonly<Record<string, unknown>>) =>
    connection.run(names.map((name) => `SET ${name} = ${quoteText(String(values[name] ?? ''))}`).join('; '));
  await set(SETTINGS);
  try {
    return await run();
  } finally {
    await set(before);
  }
}

/**
 * Moves rejects to their own table. Two identical records in one window are two rejects, and the same window delivered again
 * yields the same two: the identity is the record's text and its number among its equals.
 */
async function splitRejects(
  connection: DuckDBConnection,
  events: string,
  placed: string,
  rejects: string,
  ingestDay: string,
  windows: readonly FetchedWindow[],
): Promise<void> {
  const ids = `[${windows.map((window) => quoteText(window.window.id)).join(', ')}]::VARCHAR[]`;
  const numbered = `SELECT *, row_number() OVER (PARTITION BY record, window_no) AS copy FROM ${placed} WHERE reject_reason IS NOT NULL`;
  const columns = `DATE ${ingestDay} AS ingest_date, (${ids})[window_no + 1] AS window_id, reject_reason AS reason, reject_path AS path, event_id, event_time, processed_time, record::JSON AS record`;
  const hash = idHashSql("record || '#' || copy");
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${rejects} AS SELECT ${columns}, ${hash} AS id_hash, content_hash FROM (${numbered}) QUALIFY row_number() OVER (PARTITION BY ${hash} ORDER BY window_no) = 1`,
  );
  await connection.run(`DELETE FROM ${events} WHERE reject_reason IS NOT NULL`);
}

/** Leaves one row an event id. Most batches hold no duplicate, and then only the hashes are grouped. */
async function removeDuplicates(connection: DuckDBConnection, events: string): Promise<void> {
  const repeated = `SELECT id_hash FROM ${events} GROUP BY id_hash HAVING count(*) > 1`;
  const ranked = `SELECT rowid AS row, row_number() OVER (PARTITION BY event_id ORDER BY processed_time DESC NULLS LAST, rowid DESC) AS place FROM ${events} WHERE id_hash IN (${repeated})`;
  await connection.run(`DELETE FROM ${events} WHERE rowid IN (SELECT row FROM (${ranked}) WHERE place > 1)`);
  const clash = await rowsOf(connection, `SELECT 1 FROM (${repeated}) LIMIT 1`);
  if (clash.length > 0) {
    throw new EdrlakeError('BUG', 'two event ids of one batch share a 64-bit identity', {
      hint: 'Export a smaller range, and report the two ids.',
    });
  }
}

/** Dotted paths of the child arrays in which some element holds what the spec does not name. */
async function oddArraysOf(connection: DuckDBConnection, events: string): Promise<readonly string[]> {
  const queries = CHILD_TABLES.flatMap((table) =>
    (table.arrays ?? []).map((path) => oddElementsSql(table, path, events)),
  );
  const found = await rowsOf(connection, queries.join(' UNION ALL '));
  return found.filter((row) => row.is_odd === true).map((row) => String(row.path));
}

async function makeIdentities(
  connection: DuckDBConnection,
  identity: string,
  events: string,
  rejects: string,
): Promise<void> {
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${identity} AS SELECT event_id, event_date, processed_time, id_hash, content_hash FROM ${events} UNION ALL SELECT NULL, ingest_date, NULL, id_hash, content_hash FROM ${rejects}`,
  );
}

async function dropColumn(connection: DuckDBConnection, table: string, column: string): Promise<void> {
  await connection.run(`ALTER TABLE ${table} DROP COLUMN ${quoteName(column)}`);
}
