import { idHashSql, MAX_OTHER_VERSIONS, quoteName, quoteText, type StagedBatch } from '@edrlake/core';
import { writeStagedRows } from '@edrlake/writers';
import type { CommitContext } from '../log/commit-context.ts';
import { readRowCounts } from '../log/footers.ts';
import type { LakeState, LoggedFile } from '../log/lake-state.ts';
import { isEventTable, partitionDay, rowsOf, tableNamed, tableRowsSql } from '../log/table-rows.ts';
import { promotedColumns } from '../promoted/place-values.ts';
import { EVENTS, REJECTS } from '../storage/layout.ts';
import { loadWithDuckDb } from '../storage/load-duckdb.ts';
import { classifyBatch, findKnown, TEMP_TABLES } from './classify-batch.ts';
import { markUndelivered, rewriteWithoutDeleted } from './copy-on-write.ts';
import type { CommitEngine, MetVersion } from './engine.ts';
import { claimsSql, claimsWriter, entriesSql, entriesWriter } from './id-index.ts';
import { parentsOf, rowsIn } from './lost-rows.ts';

/**
 * Computes with DuckDB, in SQL over temporary tables of its connection.
 * @param staged rows on the same connection, with the columns of the dataset
 */
export function duckDbEngine(context: CommitContext, staged: StagedBatch | null): CommitEngine {
  const { connection } = context;
  let batch = staged;
  let views: readonly string[] = [];
  // Of the last comparison: whether the lake has any event of the batch.
  let hasMet = true;
  return {
    findKnown: async (index) => {
      if (staged !== null && context.tables.some((table) => promotedColumns(table).length > 0)) {
        const { placeStaged } = await loadWithDuckDb(() => import('../promoted/promoted-sql.ts'));
        const placed = await placeStaged(connection, staged.rowTables, context.tables);
        batch = { ...staged, rowTables: placed.rowTables };
        views = [...new Set([...views, ...placed.views])];
      } else batch = staged;
      return findKnown(context, index, batch);
    },
    classify: async (state) => {
      const found = await classifyBatch(context, state, batch);
      hasMet = found.changedEvents + found.unchangedEvents > 0;
      return found;
    },
    markUndelivered: (state, proofs) => markUndelivered(context, state, batch, proofs),
    metVersions: async () => (batch === null || !hasMet ? [] : screened(context, batch)),
    customers: async (column) => {
      if (batch === null) return [];
      return distinctTexts(connection, quoteName(batch.rowTables[EVENTS] ?? ''), column);
    },
    storedCustomers: async (state, column) => {
      const files = [...state.files.values()].filter(({ table }) => table === EVENTS);
      if (files.length === 0) return [];
      const reader = { store: context.store, schemas: state.schemas };
      return distinctTexts(connection, `(${tableRowsSql(reader, tableNamed(context.tables, EVENTS), files)})`, column);
    },
    newIds: async () => {
      const isNew = `SELECT event_id FROM ${TEMP_TABLES.screen} WHERE verdict = 'new' AND event_id IS NOT NULL`;
      return (await rowsOf(connection, isNew)).map(({ event_id }) => String(event_id));
    },
    writeRows: async (directory, fileStem, fieldIds) => {
      if (batch === null) return [];
      const [row] = await rowsOf(connection, `SELECT count(*)::INTEGER AS rows FROM ${TEMP_TABLES.except}`);
      const exceptTable = Number(row?.rows) === 0 ? null : TEMP_TABLES.except;
      return writeStagedRows(connection, context.tables, batch, { directory, fileStem, exceptTable, fieldIds });
    },
    rewriteWithoutGone: (state, names, fileSchema) => rewriteWithoutDeleted(context, state, names, fileSchema),
    ownEntries: (version) => entriesWriter(context, ownEntriesSql(version)),
    writeClaims: claimsWriter(context),
    countRows: (files) => readRowCounts(context, files),
    markIncomplete: (present, lost) => markIncomplete(context, present, lost),
    voidedEntries: (present, lost, index, version) =>
      entriesWriter(context, voidedClaimsSql(context, present, lost, entriesSql(index), version)),
    release: async () => {
      for (const view of views) await connection.run(`DROP VIEW IF EXISTS temp.${quoteName(view)}`);
      for (const table of Object.values(TEMP_TABLES)) await connection.run(`DROP TABLE IF EXISTS temp.${table}`);
    },
  };
}

async function distinctTexts(
  connection: CommitContext['connection'],
  rows: string,
  column: string,
): Promise<readonly string[]> {
  const name = quoteName(column);
  const distinct = `SELECT DISTINCT ${name} AS value FROM ${rows} WHERE ${name} IS NOT NULL LIMIT 2`;
  return (await rowsOf(connection, distinct)).map(({ value }) => String(value));
}

async function screened(context: CommitContext, batch: StagedBatch): Promise<MetVersion[]> {
  const ms = (time: string) => `epoch_ms(${time})::DOUBLE`;
  const delivered = [`d.event_type`, 'd.agent_id', ms('d.event_time'), ms('d.processed_time')];
  const stored = ['s.stored_type', 's.stored_agent', ms('s.stored_time'), ms('s.stored_processed')];
  const columns = ['type', 'agent', 'event_ms', 'processed_ms'];
  const either = columns.flatMap((name, n) => [
    `CASE WHEN s.verdict = 'dropped' THEN ${delivered[n]} ELSE ${stored[n]} END AS ${name}`,
    `CASE WHEN s.verdict = 'dropped' THEN ${stored[n]} ELSE ${delivered[n]} END AS kept_${name}`,
  ]);
  const rows = await rowsOf(
    context.connection,
    `SELECT s.event_id, s.verdict, ${either.join(', ')} FROM ${TEMP_TABLES.screen} s
     JOIN ${quoteName(batch.rowTables[EVENTS] ?? '')} d USING (id_hash)
     WHERE s.verdict IN ('dropped', 'changed') AND d.event_time <> s.stored_time
     ORDER BY s.event_id LIMIT ${MAX_OTHER_VERSIONS}`,
  );
  const text = (value: unknown) => (value === null ? null : String(value));
  const number = (value: unknown) => (value === null ? null : Number(value));
  return rows.map((row) => ({
    isListed: row.verdict === 'dropped',
    version: {
      eventId: String(row.event_id),
      eventType: text(row.type),
      agentId: text(row.agent),
      eventMs: Number(row.event_ms),
      processedMs: number(row.processed_ms),
      stored: { eventMs: Number(row.kept_event_ms), processedMs: number(row.kept_processed_ms) },
    },
  }));
}

/**
 * The index entries of a commit: the rows that it writes, the events that it found equal although their content hash
 * differs, and the events that `replace` deletes. The content of deleted events becomes unknown, so that they are
 * written if the API delivers them again.
 */
function ownEntriesSql(version: number): string {
  return `
    SELECT id_hash, content_hash, coalesce(CASE WHEN verdict = 'unchanged' THEN stored_date END, event_date) AS event_date, ${version}::BIGINT AS version
    FROM ${TEMP_TABLES.screen} WHERE verdict IN ('new', 'changed') OR (verdict = 'unchanged' AND stored_date IS NOT NULL)
    UNION ALL
    SELECT ${idHashSql('event_id')}, NULL, event_date, ${version}::BIGINT
    FROM ${TEMP_TABLES.gone} WHERE event_id NOT IN (SELECT event_id FROM ${TEMP_TABLES.screen} WHERE verdict = 'changed')`;
}

/**
 * Makes `TEMP.gone`: stored events that may have lost child rows, and the lost events of child rows that remain.
 * @returns how many of these events are stored
 */
async function markIncomplete(
  context: CommitContext,
  present: LakeState,
  lost: readonly LoggedFile[],
): Promise<number> {
  const { connection } = context;
  const reader = { store: context.store, schemas: present.schemas };
  const files = [...present.files.values()];
  const rowsFrom = (table: string, some: readonly LoggedFile[]) =>
    `SELECT event_id, event_date FROM (${tableRowsSql(reader, tableNamed(context.tables, table), some)})`;
  const ofDay = (table: string, partition: string) =>
    files.filter((file) => file.table === table && file.partition === partition);
  const eventTables = context.tables.filter(isEventTable).map(({ name }) => name);
  const lostHere = lost.filter(({ table }) => eventTables.includes(table));
  await connection.run(`CREATE OR REPLACE TEMP TABLE ${TEMP_TABLES.gone} (event_id VARCHAR, event_date DATE)`);
  const parents = new Map(
    lostHere
      .filter(({ table }) => table !== EVENTS)
      .flatMap((child) => parentsOf(child, ofDay(EVENTS, child.partition)))
      .map((file) => [file.path, file]),
  );
  if (parents.size > 0)
    await connection.run(`INSERT INTO ${TEMP_TABLES.gone} ${rowsFrom(EVENTS, [...parents.values()])}`);
  const givenUp = rowsIn([...parents.values()]);
  for (const partition of new Set(lostHere.filter(({ table }) => table === EVENTS).map((file) => file.partition))) {
    const stored = rowsFrom(EVENTS, ofDay(EVENTS, partition));
    for (const table of eventTables.filter((name) => name !== EVENTS)) {
      await connection.run(
        `INSERT INTO ${TEMP_TABLES.gone} SELECT DISTINCT event_id, event_date FROM (${rowsFrom(table, ofDay(table, partition))}) WHERE event_id NOT IN (SELECT event_id FROM (${stored})) AND event_id NOT IN (SELECT event_id FROM ${TEMP_TABLES.gone})`,
      );
    }
  }
  return givenUp;
}

/**
 * Index entries that withdraw what the index says of the days with lost files, where the lake no longer holds it. Where
 * rejects are lost, all rejects are compared, because equal records are numbered through the whole lake.
 */
function voidedClaimsSql(
  context: CommitContext,
  present: LakeState,
  lost: readonly LoggedFile[],
  entries: string,
  version: number,
): string {
  const files = [...present.files.values()];
  const lostRejects = lost.filter(({ table }) => table === REJECTS);
  const looked = [...lost, ...(lostRejects.length === 0 ? [] : files.filter(({ table }) => table === REJECTS))];
  const days = new Set(looked.map(partitionDay));
  const dayList = [...days].map((day) => `DATE ${quoteText(day)}`).join(', ');
  const held = files.filter((file) => file.table === REJECTS || days.has(partitionDay(file)));
  const stored = claimsSql(context, { ...present, files: new Map(held.map((file) => [file.path, file])) });
  const gone = `SELECT ${idHashSql('event_id')} FROM ${TEMP_TABLES.gone}`;
  return `
    SELECT DISTINCT id_hash, NULL::UBIGINT AS content_hash, event_date, ${version}::BIGINT AS version FROM (${entries})
    WHERE event_date IN (${dayList})
      AND (id_hash IN (${gone}) OR id_hash NOT IN (SELECT id_hash FROM (${stored}) WHERE id_hash IS NOT NULL))`;
}
