import { idHashSql, quoteText } from '@edrlake/core';
import type { CommitContext } from '../log/commit-context.ts';
import { readFooters } from '../log/footers.ts';
import type { LakeState, LoggedFile } from '../log/lake-state.ts';
import { isEventTable, partitionDay, tableNamed, tableRowsSql } from '../log/table-rows.ts';
import type { LostDay } from '../proofs/lost-days.ts';
import { EVENTS, firstWrittenStem, indexName, REJECTS } from '../storage/layout.ts';
import { buildLogEntry, NO_COUNTS, schemaOnTop } from './build-log-entry.ts';
import { TEMP_TABLES } from './classify-batch.ts';
import { rewriteWithoutDeleted } from './copy-on-write.ts';
import { claimsSql, entriesSql, openIdIndex, stageIndexChange } from './id-index.ts';
import { type CommitNames, commitWithRetry, type DraftedCommit } from './optimistic-retry.ts';

/**
 * Commits that data files are lost. Rows that are incomplete without them are removed as well: events whose child rows
 * are lost, and child rows whose events are lost. Afterwards the id index names none of these events, so that they are
 * written when they are delivered again; until then coverage reports their days as mismatches.
 * @param suspects files that are read and compared with their checksums; of all others only size and footer are checked
 * @returns the paths of the lost files; empty, and nothing committed, when no file is lost
 * @throws {EdrlakeError} as `commitWithRetry`
 */
export async function dropLostFiles(
  context: CommitContext,
  runId: string,
  suspects: ReadonlySet<string>,
): Promise<readonly string[]> {
  try {
    const { outcome } = await commitWithRetry(context, (state, names) =>
      draftWithoutLost(context, state, { runId, suspects }, names),
    );
    return outcome;
  } finally {
    await context.connection.run(`DROP TABLE IF EXISTS temp.${TEMP_TABLES.gone}`);
  }
}

async function draftWithoutLost(
  context: CommitContext,
  state: LakeState,
  { runId, suspects }: { readonly runId: string; readonly suspects: ReadonlySet<string> },
  names: CommitNames,
): Promise<DraftedCommit<readonly string[]>> {
  const { lost } = await readFooters(context, [...state.files.values()], ({ path }) => suspects.has(path));
  const outcome = lost.map(({ path }) => path);
  if (lost.length === 0) return { entry: null, moves: [], outcome };
  const lostPaths = new Set(outcome);
  const present: LakeState = { ...state, files: new Map([...state.files].filter(([path]) => !lostPaths.has(path))) };
  const { commitId, stage } = names;
  const givenUp = await markIncomplete(context, present, lost);
  const index = await openIdIndex(context, present, stage, commitId);
  const { schemaVersion } = schemaOnTop(state, context.tables);
  const rewrite = await rewriteWithoutDeleted(context, present, stage, commitId, schemaVersion);
  const version = state.version + 1;
  const locations = index.files.map(({ location }) => location);
  const voided = voidedClaimsSql(context, present, lost, entriesSql(locations), version);
  const ids = await stageIndexChange(context, state, index, voided, stage, indexName(commitId, version));
  context.onStep('staged');
  const draft = buildLogEntry(context, state, names, {
    runId,
    counts: { ...NO_COUNTS, deletedEvents: givenUp + rowsIn(lost.filter(({ table }) => table === EVENTS)) },
    added: rewrite.added,
    removed: [...outcome, ...rewrite.removed],
    ids,
    proofs: [],
    losses: lossesOf(state, lost),
  });
  return { outcome, ...draft };
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
 * The event files of the events whose child rows may be in a lost file: the file that the same commit wrote for the
 * same day, or, where that one was rewritten or merged since, all files of the day.
 */
function parentsOf(child: LoggedFile, eventsOfDay: readonly LoggedFile[]): readonly LoggedFile[] {
  const stem = firstWrittenStem(child.path);
  const partners = stem === null ? [] : eventsOfDay.filter(({ path }) => firstWrittenStem(path) === stem);
  return partners.length > 0 ? partners : eventsOfDay;
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

function lossesOf(state: LakeState, lost: readonly LoggedFile[]): LostDay[] {
  const days = new Set(lost.filter(({ table }) => table !== REJECTS).map(partitionDay));
  const events = [...state.files.values()].filter(({ table }) => table === EVENTS);
  return [...days]
    .sort()
    .map((day) => ({ day, rowCount: rowsIn(events.filter((file) => partitionDay(file) === day)) }));
}

function rowsIn(files: readonly LoggedFile[]): number {
  return files.reduce((sum, { rowCount }) => sum + rowCount, 0);
}
