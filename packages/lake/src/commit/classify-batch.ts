import { type Day, isBetterVersionSql, quoteName, quoteText, type StagedBatch, storedValueSql } from '@edrlake/core';
import type { CommitContext } from '../log/commit-context.ts';
import type { LakeState } from '../log/lake-state.ts';
import { filesInPartitions, snapshotOf } from '../log/snapshot.ts';
import { isEventTable, rowsOf, tableNamed, tableRowsSql } from '../log/table-rows.ts';
import type { Arrivals } from '../proofs/lost-days.ts';
import { EVENTS } from '../storage/layout.ts';
import type { Classification } from './engine.ts';
import { entriesSql } from './id-index.ts';

/** Temporary tables of a commit, on its DuckDB connection until the commit ends. */
export const TEMP_TABLES = {
  known: 'lake_known',
  /**
   * One row for each staged event or reject: `id_hash, event_id, event_date, processed_time, content_hash, verdict`,
   * and of the stored version of a known event `stored_date, stored_time, stored_processed, stored_type,
   * stored_agent`.
   */
  screen: 'lake_screen',
  differing: 'lake_differing',
  /** `id_hash` of the staged rows that are not written. */
  except: 'lake_except',
  /** `event_id, event_date` (the day they are stored on) of the events whose stored rows are removed. */
  gone: 'lake_gone',
} as const;

/**
 * Makes `TEMP.known`: the index entries of the batch's events and rejects.
 * @returns the days that these entries name
 */
export async function findKnown(
  { connection }: CommitContext,
  index: readonly string[],
  batch: StagedBatch | null,
): Promise<ReadonlySet<Day>> {
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${TEMP_TABLES.known} AS SELECT * FROM (${entriesSql(index)}) WHERE id_hash IN (SELECT id_hash FROM (${stagedSql(batch)}))`,
  );
  const days = await rowsOf(connection, `SELECT DISTINCT event_date::VARCHAR AS day FROM ${TEMP_TABLES.known}`);
  return new Set(days.map(({ day }) => String(day)));
}

function stagedSql(batch: StagedBatch | null): string {
  return batch === null
    ? 'SELECT NULL::VARCHAR AS event_id, NULL::DATE AS event_date, NULL::TIMESTAMP AS processed_time, NULL::UBIGINT AS id_hash, NULL::UBIGINT AS content_hash WHERE false'
    : `SELECT event_id, event_date, processed_time, id_hash, content_hash FROM ${quoteName(batch.identityTable)}`;
}

/**
 * Compares a batch with a version of the lake; needs `TEMP.known`. Afterwards `TEMP.screen` says of each staged event
 * whether it is `new`, `changed` (the delivered rows replace the stored ones), `unchanged`, or `dropped` because a
 * better version is stored (`BEST_VERSION_FIRST`). `TEMP.except` holds the unchanged and dropped ones, `TEMP.gone` the
 * changed ones. Only files of the days that the index names are read, and none when no id is known.
 */
export async function classifyBatch(
  context: CommitContext,
  state: LakeState,
  batch: StagedBatch | null,
): Promise<Classification> {
  const { connection } = context;
  // The hash of a reject covers its whole record: a known hash is the same record again, unless its file is lost.
  await connection.run(`
    CREATE OR REPLACE TEMP TABLE ${TEMP_TABLES.screen} AS
    SELECT s.*, NULL::DATE AS stored_date, NULL::TIMESTAMPTZ AS stored_time, NULL::TIMESTAMPTZ AS stored_processed,
      NULL::VARCHAR AS stored_type, NULL::VARCHAR AS stored_agent,
      CASE WHEN n.id_hash IS NULL THEN 'new'
           WHEN (s.event_id IS NULL AND n.content_hash IS NOT NULL) OR n.content_hash = s.content_hash THEN 'unchanged'
           ELSE 'candidate' END AS verdict
    FROM (${stagedSql(batch)}) s LEFT JOIN (
      SELECT id_hash, content_hash FROM ${TEMP_TABLES.known}
      QUALIFY row_number() OVER (PARTITION BY id_hash ORDER BY version DESC) = 1
    ) n USING (id_hash)`);
  if (batch !== null && (await hasVerdict(context, 'candidate'))) {
    await findStored(context, state, batch);
    if (await hasVerdict(context, 'changed')) await compareRows(context, state, batch);
  }
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${TEMP_TABLES.except} AS SELECT id_hash FROM ${TEMP_TABLES.screen} WHERE verdict IN ('unchanged', 'dropped')`,
  );
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${TEMP_TABLES.gone} AS SELECT event_id, stored_date AS event_date FROM ${TEMP_TABLES.screen} WHERE verdict = 'changed'`,
  );
  return { ...(await summarize(context)), arrivals: await findArrivals(context, state) };
}

/**
 * Looks the candidates up by their exact ids, on the days that the index names for their hashes. A candidate that is
 * not found shares its hash with another event, or was deleted: it is new.
 */
async function findStored(context: CommitContext, state: LakeState, batch: StagedBatch): Promise<void> {
  const days = await rowsOf(
    context.connection,
    `SELECT DISTINCT event_date::VARCHAR AS day FROM ${TEMP_TABLES.known} WHERE id_hash IN (SELECT id_hash FROM ${TEMP_TABLES.screen} WHERE verdict = 'candidate')`,
  );
  const rows = storedRowsSql(
    context,
    state,
    EVENTS,
    days.map(({ day }) => String(day)),
  );
  const known = `event_id IN (SELECT event_id FROM ${TEMP_TABLES.screen} WHERE verdict = 'candidate')`;
  const delivered = quoteName(batch.rowTables[EVENTS] ?? '');
  await context.connection.run(`
    UPDATE ${TEMP_TABLES.screen} SET
      verdict = CASE WHEN ${isBetterVersionSql('stored', 'delivered')} THEN 'dropped' ELSE 'changed' END,
      stored_date = stored.event_date, stored_time = stored.event_time, stored_processed = stored.processed_time,
      stored_type = stored.event_type, stored_agent = stored.agent_id
    FROM (SELECT event_id, event_date, event_time, processed_time, event_type, agent_id FROM (${rows}) WHERE ${known}) stored
    JOIN (SELECT event_id, event_time, processed_time FROM ${delivered} WHERE ${known}) delivered USING (event_id)
    WHERE ${TEMP_TABLES.screen}.event_id = stored.event_id AND verdict = 'candidate'`);
  await context.connection.run(`UPDATE ${TEMP_TABLES.screen} SET verdict = 'new' WHERE verdict = 'candidate'`);
}

/** An event is unchanged when its rows are equal in every table, even if the text of its record differs. */
async function compareRows(context: CommitContext, state: LakeState, batch: StagedBatch): Promise<void> {
  const changed = `FROM ${TEMP_TABLES.screen} WHERE verdict = 'changed'`;
  const days = await rowsOf(context.connection, `SELECT DISTINCT stored_date::VARCHAR AS day ${changed}`);
  await context.connection.run(`CREATE OR REPLACE TEMP TABLE ${TEMP_TABLES.differing} (event_id VARCHAR)`);
  for (const table of context.tables.filter(isEventTable)) {
    const columns = table.columns.map(({ name, type }) => storedValueSql(type, quoteName(name))).join(', ');
    const rowTable = batch.rowTables[table.name];
    if (rowTable === undefined) continue;
    const delivered = `SELECT ${columns} FROM ${quoteName(rowTable)} WHERE id_hash IN (SELECT id_hash ${changed})`;
    const stored = `SELECT ${columns} FROM (${storedRowsSql(
      context,
      state,
      table.name,
      days.map(({ day }) => String(day)),
    )}) WHERE event_id IN (SELECT event_id ${changed})`;
    await context.connection.run(`
      INSERT INTO ${TEMP_TABLES.differing}
      SELECT event_id FROM (${delivered} EXCEPT ALL ${stored}) UNION
      SELECT event_id FROM (${stored} EXCEPT ALL ${delivered})`);
  }
  await context.connection.run(
    `UPDATE ${TEMP_TABLES.screen} SET verdict = 'unchanged' WHERE verdict = 'changed' AND event_id NOT IN (SELECT event_id FROM ${TEMP_TABLES.differing})`,
  );
}

function storedRowsSql(context: CommitContext, state: LakeState, tableName: string, days: readonly string[]): string {
  const table = tableNamed(context.tables, tableName);
  const partitions = new Set(days.map((day) => `${table.partitionBy}=${day}`));
  const files = filesInPartitions(snapshotOf(state, []).files[tableName], partitions);
  return tableRowsSql({ store: context.store, schemas: state.schemas }, table, files);
}

async function hasVerdict(context: CommitContext, verdict: string): Promise<boolean> {
  const sql = `SELECT 1 FROM ${TEMP_TABLES.screen} WHERE verdict = ${quoteText(verdict)} LIMIT 1`;
  return (await rowsOf(context.connection, sql)).length > 0;
}

/** An event that was lost has an entry for its day, which says that it is gone. */
async function findArrivals({ connection }: CommitContext, { losses }: LakeState): Promise<Arrivals[]> {
  if (losses.size === 0) return [];
  const lostDays = [...losses.keys()].map((day) => `DATE ${quoteText(day)}`).join(', ');
  const rows = await rowsOf(
    connection,
    `SELECT event_date::VARCHAR AS day, count(*)::DOUBLE AS row_count FROM ${TEMP_TABLES.screen}
     WHERE event_id IS NOT NULL AND event_date IN (${lostDays})
       AND (verdict = 'new' AND (id_hash, event_date) NOT IN (SELECT (id_hash, event_date) FROM ${TEMP_TABLES.known})
         OR verdict = 'changed' AND stored_date <> event_date)
     GROUP BY ALL ORDER BY day`,
  );
  return rows.map((row) => ({ day: String(row.day), rowCount: Number(row.row_count) }));
}

async function summarize(context: CommitContext): Promise<Omit<Classification, 'arrivals'>> {
  const count = (condition: string) => `count(*) FILTER (WHERE ${condition})`;
  const [row] = await rowsOf(
    context.connection,
    `SELECT ${count("verdict = 'new' AND event_id IS NOT NULL")} AS fresh, ${count("verdict = 'changed'")} AS changed,
      ${count("verdict IN ('unchanged', 'dropped') AND event_id IS NOT NULL")} AS unchanged,
      ${count("verdict = 'new' AND event_id IS NULL")} AS rejects,
      bit_xor(CASE WHEN verdict IN ('new', 'changed') THEN id_hash ELSE 0::UBIGINT END)::VARCHAR AS written
    FROM ${TEMP_TABLES.screen}`,
  );
  const newEvents = Number(row?.fresh);
  const changedEvents = Number(row?.changed);
  const newRejects = Number(row?.rejects);
  return {
    newEvents,
    changedEvents,
    unchangedEvents: Number(row?.unchanged),
    newRejects,
    fingerprint: `${newEvents + changedEvents}:${newRejects}:${row?.written}`,
  };
}
