import { BEST_VERSION_FIRST, type Day, idHashSql, quoteText, sum, type TableSpec, type TimeRange } from '@edrlake/core';
import { copyToParquet } from '@edrlake/writers';
import { buildLogEntry, type FileSchema, NO_COUNTS, schemaOnTop } from '../commit/build-log-entry.ts';
import { TEMP_TABLES } from '../commit/classify-batch.ts';
import { rewriteWithoutDeleted } from '../commit/copy-on-write.ts';
import {
  claimsWriter,
  entriesWriter,
  type IndexView,
  openIdIndex,
  rebuildIndex,
  stageIndexChange,
  unknownEvents,
} from '../commit/id-index.ts';
import { type CommitNames, commitWithRetry, type DraftedCommit } from '../commit/optimistic-retry.ts';
import type { CommitContext } from '../log/commit-context.ts';
import { hashIds, ID_HASHES } from '../log/id-hashes.ts';
import type { LakeState, LoggedFile } from '../log/lake-state.ts';
import { isEventTable, partitionDay, rowsOf, tableNamed, tableRowsSql } from '../log/table-rows.ts';
import { refuseDamaged } from '../storage/checksum.ts';
import { EVENTS, firstWrittenStem } from '../storage/layout.ts';
import { findSuspects, SUSPECTS, sameRow } from './find-suspects.ts';

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

/** Temporary tables of this work, in addition to those of `findSuspects`. */
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
    for (const table of [SUSPECTS, ID_HASHES, WINNERS, ORIGINS, TEMP_TABLES.gone]) {
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
  const days = await findSuspects(context, state, { range });
  const view = await openIdIndex(context, state, names, claimsWriter(context));
  const isShort = view.rebuilt === null && (await isIndexShort(context, state, view, range));
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

async function isIndexShort(
  context: CommitContext,
  state: LakeState,
  view: IndexView,
  range: TimeRange | undefined,
): Promise<boolean> {
  // Those of the range are there already.
  if (range !== undefined) await hashIds(context, state);
  return (await unknownEvents(context, view)) > 0;
}

function rowsIn(files: readonly LoggedFile[], table?: string): number {
  return sum(files, (file) => (table === undefined || file.table === table ? file.rowCount : 0));
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
