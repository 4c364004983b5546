import {
  BEST_VERSION_FIRST,
  type Dataset,
  type Day,
  EdrlakeError,
  type FetchedWindow,
  idHashSql,
  MAX_OTHER_VERSIONS,
  type OtherVersion,
  quoteName,
  quoteText,
  type RejectReason,
  rowsOf,
  type SqlConnection,
  type StagedBatch,
  withRowOrder,
} from '@edrlake/core';
import { type RecordSpec, recordSpecOf } from '../spec/record-spec.ts';
import { conformingChildRowsSql, conformingEventsSql, listColumnsOf } from '../sql/conforming.ts';
import { takeForeign } from './foreign-events.ts';
import { openIrregular } from './irregular-records.ts';
import { SPOOL_TABLES, spooledPages, unreadable } from './staging-source.ts';
import { unknownFieldsOf } from './unknown-fields.ts';
import { stagedWindowsOf } from './window-stats.ts';

/** What a batch holds, and what distinguishes it from others on the same connection. */
export interface StageOptions {
  readonly dataset: Dataset;
  /** Begins the name of every temporary table: unique among the batches alive on the connection. */
  readonly prefix: string;
  /** UTC day that becomes the rejects' partition. */
  readonly ingestDay: Day;
  /** Whose events these are, where that is known: those of other customers become rejects. */
  readonly customerId?: string | null;
}

/** Characters of a record that are shown as a sample. */
const SAMPLE_LENGTH = 200;

/** Columns of the events table that only staging needs. */
const BOOKKEEPING = ['irregular', 'file_index', 'content_hash', 'place'];

/**
 * Flattens the spooled pages of some windows into temporary tables, one row for each event id: of several records with
 * one id the best version stays (`BEST_VERSION_FIRST`), of equals the one delivered last. Every record is a row, a
 * duplicate of a row, or a reject. The pages are only read; nothing is written outside the connection's temporary
 * tables, which hold about twice the pages' bytes. On an error all of them are dropped again.
 * @throws {EdrlakeError} `BODY_BROKEN` (`retry`) when a page cannot be read or holds another number of records.
 */
export async function stageBatch(
  connection: SqlConnection,
  windows: readonly FetchedWindow[],
  options: StageOptions,
): Promise<StagedBatch> {
  const { dataset } = options;
  const tableName = (name: string) => `${options.prefix}_${name}`;
  try {
    return await withRowOrder(connection, () => stage(connection, recordSpecOf(dataset), windows, options, tableName));
  } catch (error) {
    const tables = [...dataset.tables.map((table) => table.name), 'identity', ...SPOOL_TABLES];
    await dropTables(connection, tables.map(tableName));
    throw error;
  }
}

/** Drops the temporary tables of a batch, on the connection on which it was staged. */
export async function dropStagedBatch(connection: SqlConnection, batch: StagedBatch): Promise<void> {
  await dropTables(connection, [batch.identityTable, ...Object.values(batch.rowTables)]);
}

async function dropTables(connection: SqlConnection, names: readonly string[]): Promise<void> {
  for (const name of names) await connection.run(`DROP TABLE IF EXISTS temp.${quoteName(name)}`);
}

async function stage(
  connection: SqlConnection,
  spec: RecordSpec,
  windows: readonly FetchedWindow[],
  { dataset, ingestDay, customerId = null }: StageOptions,
  tableName: (name: string) => string,
): Promise<StagedBatch> {
  const events = quoteName(tableName('events'));
  const rejects = quoteName(tableName('rejects'));
  const { lines, pages } = spooledPages(spec, windows);
  await readPlain(connection, spec, events, lines);
  const irregular = await openIrregular(connection, spec, events, tableName);
  const own =
    dataset.customer === undefined || customerId === null ? null : { column: dataset.customer, id: customerId };
  const rejected =
    own === null
      ? irregular.rejects
      : await takeForeign(connection, events, irregular, own, quoteName(tableName('foreign_events')));
  const records = `SELECT file_index, event_date, event_time, event_type, event_id, id_hash, processed_time, coalesce(place, rowid) AS place, NULL AS reject_reason FROM ${events} UNION ALL SELECT file_index, event_date, event_time, NULL AS event_type, event_id, id_hash, processed_time, NULL AS place, reject_reason FROM ${rejected}`;
  const stagedWindows = await stagedWindowsOf(
    connection,
    `(${records}) JOIN ${pages} AS pages USING (file_index)`,
    windows,
  );
  const hasRejects = stagedWindows.some(({ rejectedCount }) => rejectedCount > 0);
  const rejectReasons = hasRejects ? await rejectReasonsOf(connection, rejected) : [];
  await makeRejects(
    connection,
    rejects,
    `${rejected} JOIN ${pages} AS pages USING (file_index)`,
    quoteText(ingestDay),
    windows,
  );
  const otherVersions = await removeDuplicates(connection, events, pages);
  for (const table of spec.children) {
    const rows = [conformingChildRowsSql(table, events), ...(await irregular.childRows(table))];
    const name = quoteName(tableName(table.name));
    await connection.run(`CREATE OR REPLACE TEMP TABLE ${name} AS ${rows.join(' UNION ALL ')}`);
  }
  const identityTable = tableName('identity');
  await makeIdentities(connection, quoteName(identityTable), events, rejects);
  for (const column of [...listColumnsOf(spec), ...BOOKKEEPING]) await dropColumn(connection, events, column);
  await dropColumn(connection, rejects, 'content_hash');
  await dropTables(connection, SPOOL_TABLES.map(tableName));
  const rowTables = Object.fromEntries(spec.dataset.tables.map((table) => [table.name, tableName(table.name)]));
  return {
    identityTable,
    rowTables,
    windows: stagedWindows,
    otherVersions,
    unknownFields: await unknownFieldsOf(connection, spec, rowTables),
    rejectReasons,
  };
}

/**
 * Reads all lines. Irregular records become rows that have only their text, so that all rows are in delivered order.
 */
async function readPlain(connection: SqlConnection, spec: RecordSpec, events: string, lines: string): Promise<void> {
  const plain = `SELECT *, ${idHashSql('event_id')} AS id_hash, NULL::BIGINT AS place FROM (${conformingEventsSql(spec, lines)})`;
  try {
    await connection.run(`CREATE OR REPLACE TEMP TABLE ${events} AS ${plain}`);
  } catch (error) {
    throw unreadable(error);
  }
}

/**
 * Gives rejects a table of their own. Two identical records in one window are two rejects, and the same window
 * delivered again yields the same two: the identity is the record's text and its number among equal ones.
 */
async function makeRejects(
  connection: SqlConnection,
  rejects: string,
  placed: string,
  ingestDay: string,
  windows: readonly FetchedWindow[],
): Promise<void> {
  const ids = `[${windows.map((window) => quoteText(window.window.id)).join(', ')}]::VARCHAR[]`;
  const numbered = `SELECT *, row_number() OVER (PARTITION BY record, window_no) AS copy FROM ${placed}`;
  const columns = `DATE ${ingestDay} AS ingest_date, (${ids})[window_no + 1] AS window_id, reject_reason AS reason, reject_path AS path, event_id, event_time, processed_time, record::JSON AS record`;
  const hash = idHashSql("record || '#' || copy");
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${rejects} AS SELECT ${columns}, ${hash} AS id_hash, content_hash FROM (${numbered}) QUALIFY row_number() OVER (PARTITION BY ${hash} ORDER BY window_no) = 1`,
  );
}

/**
 * Leaves one row for each event id. Most batches hold no duplicate, and then only the hashes are grouped.
 * @returns the best versions of other windows than that of the row that stays, where their event times differ
 */
async function removeDuplicates(connection: SqlConnection, events: string, pages: string): Promise<OtherVersion[]> {
  const repeated = `SELECT id_hash FROM ${events} GROUP BY id_hash HAVING count(*) > 1`;
  const anyRepeated = () => rowsOf(connection, `SELECT 1 FROM (${repeated}) LIMIT 1`);
  if ((await anyRepeated()).length === 0) return [];
  const best = `ORDER BY ${BEST_VERSION_FIRST}, place DESC`;
  const placed = `SELECT e.rowid AS row, window_no, event_id, event_type, agent_id, event_time, processed_time, coalesce(place, e.rowid) AS place FROM ${events} e JOIN ${pages} AS pages USING (file_index) WHERE id_hash IN (${repeated})`;
  const ranks = `row_number() OVER (PARTITION BY event_id ${best}) AS rank, row_number() OVER (PARTITION BY event_id, window_no ${best}) AS rank_in_window`;
  const kept = ['event_time', 'processed_time'].map(
    (time) => `first(${time}) OVER (PARTITION BY event_id ${best}) AS kept_${time}`,
  );
  const ranked = `SELECT *, ${ranks}, ${kept.join(', ')} FROM (${placed})`;
  const others = await rowsOf(connection, otherVersionsSql(ranked));
  await connection.run(`DELETE FROM ${events} WHERE rowid IN (SELECT row FROM (${ranked}) WHERE rank > 1)`);
  const clash = await anyRepeated();
  if (clash.length > 0) {
    throw new EdrlakeError('BUG', 'two event ids of one batch share a 64-bit identity', {
      hint: 'Export a smaller range, and report the two ids.',
    });
  }
  return others.map(otherVersionOf);
}

function otherVersionsSql(ranked: string): string {
  const times = ['event_time', 'processed_time', 'kept_event_time', 'kept_processed_time'];
  const columns = [
    'event_id',
    'event_type',
    'agent_id',
    ...times.map((time) => `epoch_ms(${time})::DOUBLE AS ${time}`),
  ];
  return `SELECT ${columns.join(', ')} FROM (${ranked}) v WHERE rank > 1 AND rank_in_window = 1 AND v.event_time <> v.kept_event_time ORDER BY event_id LIMIT ${MAX_OTHER_VERSIONS}`;
}

function otherVersionOf(row: Readonly<Record<string, unknown>>): OtherVersion {
  const text = (value: unknown) => (value === null ? null : String(value));
  const number = (value: unknown) => (value === null ? null : Number(value));
  return {
    eventId: String(row.event_id),
    eventType: text(row.event_type),
    agentId: text(row.agent_id),
    eventMs: Number(row.event_time),
    processedMs: number(row.processed_time),
    stored: { eventMs: Number(row.kept_event_time), processedMs: number(row.kept_processed_time) },
  };
}

async function makeIdentities(
  connection: SqlConnection,
  identity: string,
  events: string,
  rejects: string,
): Promise<void> {
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${identity} AS SELECT event_id, event_date, processed_time, id_hash, content_hash FROM ${events} UNION ALL SELECT NULL, ingest_date, NULL, id_hash, content_hash FROM ${rejects}`,
  );
}

async function dropColumn(connection: SqlConnection, table: string, column: string): Promise<void> {
  await connection.run(`ALTER TABLE ${table} DROP COLUMN ${quoteName(column)}`);
}

/** Why records became rejects, the most frequent reason first, each with the beginning of one record on one line. */
async function rejectReasonsOf(connection: SqlConnection, rejects: string): Promise<readonly RejectReason[]> {
  const sample = `min(left(record, ${SAMPLE_LENGTH + 1}))`;
  const rows = await rowsOf(
    connection,
    `SELECT reject_reason AS reason, count(*)::INTEGER AS count, ${sample} AS sample FROM ${rejects} GROUP BY reject_reason ORDER BY count DESC, reason`,
  );
  return rows.map((row) => ({
    reason: String(row.reason),
    count: Number(row.count),
    sample: oneLine(String(row.sample)),
  }));
}

/** The beginning of a record, on one line. */
export function oneLine(text: string): string {
  const shown = text.slice(0, 2 * SAMPLE_LENGTH).replace(/\p{Cc}+/gu, ' ');
  return shown.length > SAMPLE_LENGTH ? `${shown.slice(0, SAMPLE_LENGTH - 1)}…` : shown;
}
