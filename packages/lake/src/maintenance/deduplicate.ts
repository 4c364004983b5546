import {
  BEST_VERSION_FIRST,
  type Day,
  dayOf,
  idHashSql,
  quoteName,
  quoteText,
  sum,
  type TableSpec,
  type TimeRange,
} from '@edrlake/core';
import { copyToParquet } from '@edrlake/writers';
import { buildLogEntry, type FileSchema, NO_COUNTS, schemaOnTop } from '../commit/build-log-entry.ts';
import { TEMP_TABLES } from '../commit/classify-batch.ts';
import { rewriteWithoutDeleted } from '../commit/copy-on-write.ts';
import {
  claimsWriter,
  entriesWriter,
  openIdIndex,
  rebuildIndex,
  stageIndexChange,
  unknownEvents,
} from '../commit/id-index.ts';
import { type CommitNames, commitWithRetry, type DraftedCommit } from '../commit/optimistic-retry.ts';
import type { CommitContext } from '../log/commit-context.ts';
import type { LakeState, LoggedFile } from '../log/lake-state.ts';
import { isEventTable, partitionDay, rowsOf, tableNamed, tableRowsSql } from '../log/table-rows.ts';
import { refuseDamaged } from '../storage/checksum.ts';
import { EVENTS, firstWrittenStem } from '../storage/layout.ts';

/** What removing duplicates changed. */
export interface DeduplicateReport {
  /** null where nothing had to be committed. */
  readonly version: number | null;
  /** Events that were stored more than once, or whose child rows were. */
  readonly events: number;
  /** Rows that were removed, in all tables: older or equal copies, and child rows without their event. */
  readonly removedRows: number;
  /** Days with such rows, oldest first. */
  readonly days: readonly Day[];
  /** Whether the id index was damaged, or did not name all events, and was rebuilt from the data files. */
  readonly isIndexRebuilt: boolean;
}

/** Temporary tables of this work, in addition to `TEMP.gone`. */
const SUSPECTS = 'lake_suspects';
const WINNERS = 'lake_winners';
const ORIGINS = 'lake_origins';

/**
 * Leaves one copy of each event, in one commit: the best version (`BEST_VERSION_FIRST`), or of equal ones the one that
 * was committed last. Its child rows are those that were written with it; where files were merged since, one for each
 * position. Child rows whose event is not stored on their day are removed. An id index that is damaged or does not name
 * all events is rebuilt.
 * @param range only days that it touches; everything unless given
 * @throws {EdrlakeError} as `commitWithRetry`; `LAKE_CORRUPT` when a file that holds such rows is damaged
 */
export async function deduplicate(
  context: CommitContext,
  range: TimeRange | undefined,
  runId: string,
): Promise<DeduplicateReport> {
  try {
    const { entry, outcome } = await commitWithRetry(context, (state, names) =>
      draftWithoutCopies(context, state, { range, runId }, names),
    );
    return { ...outcome, version: entry?.version ?? null };
  } finally {
    for (const table of [SUSPECTS, WINNERS, ORIGINS, TEMP_TABLES.gone]) {
      await context.connection.run(`DROP TABLE IF EXISTS temp.${table}`);
    }
  }
}

async function draftWithoutCopies(
  context: CommitContext,
  state: LakeState,
  { range, runId }: { readonly range: TimeRange | undefined; readonly runId: string },
  names: CommitNames,
): Promise<DraftedCommit<Omit<DeduplicateReport, 'version'>>> {
  const days = await findSuspects(context, state, range);
  const view = await openIdIndex(context, state, names, claimsWriter(context));
  const isShort = view.rebuilt === null && (await unknownEvents(context, state, view)) > 0;
  const index = isShort ? await rebuildIndex(context, state, names, claimsWriter(context)) : view;
  const outcome = { events: 0, removedRows: 0, days, isIndexRebuilt: index.rebuilt !== null };
  if (days.length === 0 && index.rebuilt === null) return { entry: null, moves: [], outcome };
  const fileSchema = schemaOnTop(state, context.tables);
  const kept = await writeWinners(context, state, new Set(days), { ...names, ...fileSchema });
  const rewrite = await rewriteWithoutDeleted(context, state, names, fileSchema);
  const version = state.version + 1;
  const places = `SELECT event_id, event_date FROM ${WINNERS} UNION ALL SELECT event_id, event_date FROM ${TEMP_TABLES.gone} WHERE event_id NOT IN (SELECT event_id FROM ${WINNERS})`;
  const claims = `SELECT ${idHashSql('event_id')} AS id_hash, NULL::UBIGINT AS content_hash, event_date, ${version}::BIGINT AS version FROM (${places})`;
  const ids = await stageIndexChange(context, state, index, names, entriesWriter(context, claims));
  context.onStep('staged');
  const [row] = await rowsOf(context.connection, `SELECT count(*)::INTEGER AS events FROM ${SUSPECTS}`);
  const removed = rewrite.removed.map((path) => state.files.get(path)).filter((file) => file !== undefined);
  const added = [...rewrite.added, ...kept];
  const draft = buildLogEntry(context, state, names, {
    runId,
    counts: { ...NO_COUNTS, deletedEvents: rowsIn(removed, EVENTS) - rowsIn(added, EVENTS) },
    ...{ added, removed: rewrite.removed, ids, proofs: [], losses: [] },
  });
  return {
    ...draft,
    outcome: { ...outcome, events: Number(row?.events), removedRows: rowsIn(removed) - rowsIn(added) },
  };
}

function rowsIn(files: readonly LoggedFile[], table?: string): number {
  return sum(files, (file) => (table === undefined || file.table === table ? file.rowCount : 0));
}

/**
 * Makes two tables. `SUSPECTS` has the ids of events that are stored more than once, whose child rows are, or that have
 * child rows on a day without the event. `TEMP.gone` has these ids with every day on which they have rows.
 * @returns those days, oldest first
 */
async function findSuspects(
  context: Pick<CommitContext, 'store' | 'tables' | 'connection'>,
  state: LakeState,
  range: TimeRange | undefined,
): Promise<Day[]> {
  const { connection } = context;
  const isWanted = (file: LoggedFile) => {
    const day = partitionDay(file);
    return range === undefined || (dayOf(range.startMs) <= day && day <= dayOf(range.endMs - 1));
  };
  const rows = (table: TableSpec) => {
    const files = [...state.files.values()].filter((file) => file.table === table.name && isWanted(file));
    return tableRowsSql({ store: context.store, schemas: state.schemas }, table, files);
  };
  const events = rows(tableNamed(context.tables, EVENTS));
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${SUSPECTS} AS SELECT event_id FROM (${events}) GROUP BY event_id HAVING count(*) > 1`,
  );
  const add = (ids: string) =>
    connection.run(
      `INSERT INTO ${SUSPECTS} SELECT DISTINCT event_id FROM (${ids}) WHERE event_id NOT IN (SELECT event_id FROM ${SUSPECTS})`,
    );
  const eventTables = context.tables.filter(isEventTable);
  for (const table of eventTables.filter(({ name }) => name !== EVENTS)) {
    await add(`SELECT event_id FROM (${rows(table)}) GROUP BY ${sameRow(table)} HAVING count(*) > 1`);
    await add(`SELECT c.event_id FROM (${rows(table)}) c ANTI JOIN (${events}) e USING (event_id, event_date)`);
  }
  const places = eventTables.map((table) => `SELECT event_id, event_date FROM (${rows(table)})`).join(' UNION ALL ');
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${TEMP_TABLES.gone} AS SELECT DISTINCT event_id, event_date FROM (${places}) WHERE event_id IN (SELECT event_id FROM ${SUSPECTS})`,
  );
  const days = await rowsOf(
    connection,
    `SELECT DISTINCT event_date::VARCHAR AS day FROM ${TEMP_TABLES.gone} ORDER BY 1`,
  );
  return days.map(({ day }) => String(day));
}

/** The number of events that `deduplicate` would change. */
export async function countSuspects(
  context: Pick<CommitContext, 'store' | 'tables' | 'connection'>,
  state: LakeState,
): Promise<number> {
  await findSuspects(context, state, undefined);
  const [row] = await rowsOf(context.connection, `SELECT count(*)::INTEGER AS events FROM ${SUSPECTS}`);
  return Number(row?.events);
}

/**
 * The columns that are equal when one row is a copy of another: the event, its array where a table has several, and the
 * position in it. The order of sorted files ends with these columns.
 */
function sameRow({ columns, sortBy }: TableSpec): string {
  const key = sortBy.slice(sortBy.indexOf('event_id'));
  if (key.includes('event_id') && key.includes('position')) return key.map(quoteName).join(', ');
  const names = columns.map(({ name }) => name);
  return names.includes('position') ? 'event_id, position' : names.map(quoteName).join(', ');
}

/**
 * Writes the rows of the suspects that are kept, one file for each table and day. Makes `WINNERS`:
 * `event_id, event_date, stem`.
 */
async function writeWinners(
  context: CommitContext,
  state: LakeState,
  days: ReadonlySet<Day>,
  { fileStem, stage, schemaVersion, fieldIds }: CommitNames & FileSchema,
): Promise<LoggedFile[]> {
  const { connection, store } = context;
  const files = [...state.files.values()].filter((file) => days.has(partitionDay(file)));
  await refuseDamaged(store, files);
  const origins = files.map(({ path }, order) => {
    const stem = firstWrittenStem(path);
    const location = quoteText(store.locate(path));
    return `(${location}, ${order}, ${stem === null ? 'NULL::VARCHAR' : quoteText(stem)}, ${/-r\d+\.parquet$/.test(path)})`;
  });
  const list = origins.length === 0 ? "(''::VARCHAR, 0, NULL::VARCHAR, false)" : origins.join(', ');
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${ORIGINS} AS SELECT * FROM (VALUES ${list}) AS o(location, place, stem, is_rewritten)`,
  );
  const suspectsIn = (table: TableSpec) => {
    const ofTable = files.filter((file) => file.table === table.name);
    const rows = tableRowsSql({ store, schemas: state.schemas }, table, ofTable, { withFile: true });
    return `SELECT r.*, o.place AS lake_place, o.stem AS lake_stem, o.is_rewritten AS lake_rewritten FROM (${rows}) r JOIN ${ORIGINS} o ON o.location = r.lake_file WHERE r.event_id IN (SELECT event_id FROM ${SUSPECTS})`;
  };
  const best = `SELECT * FROM (${suspectsIn(tableNamed(context.tables, EVENTS))}) QUALIFY row_number() OVER (PARTITION BY event_id ORDER BY ${BEST_VERSION_FIRST}, lake_place DESC) = 1`;
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${WINNERS} AS SELECT event_id, event_date, lake_stem AS stem FROM (${best})`,
  );
  const added: LoggedFile[] = [];
  for (const table of context.tables.filter(isEventTable)) {
    // While an event is still in the file that its batch wrote, so are its child rows, unless that file was merged.
    // Rows in files of other batches, or in rewritten ones, belong to another copy.
    const ofWinner = `SELECT c.* FROM (${suspectsIn(table)}) c JOIN ${WINNERS} w USING (event_id, event_date) WHERE w.stem IS NULL OR w.stem = c.lake_stem OR (c.lake_stem IS NULL AND NOT c.lake_rewritten)`;
    const children = `SELECT * FROM (${ofWinner}) QUALIFY row_number() OVER (PARTITION BY ${sameRow(table)} ORDER BY lake_stem IS NULL, lake_place DESC) = 1`;
    const rows = table.name === EVENTS ? best : children;
    const maxRows = sum(files, (file) => (file.table === table.name ? file.rowCount : 0));
    for (const day of days) {
      const partition = `${table.partitionBy}=${day}`;
      const path = `${table.name}/${partition}/${fileStem}-d0.parquet`;
      const location = store.locate(`${stage}/${path}`);
      const ofDay = `SELECT * FROM (${rows}) WHERE event_date = DATE ${quoteText(day)}`;
      const shape = { layout: 'sorted', maxRows, fieldIds: fieldIds[table.name] ?? {} } as const;
      const written = await copyToParquet(connection, ofDay, table, location, shape);
      if (written.rowCount === 0) await store.remove(`${stage}/${path}`);
      else added.push({ table: table.name, partition, path, ...written, schemaVersion });
    }
  }
  return added;
}
