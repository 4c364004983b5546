import { type DataFile, EdrlakeError, idHashSql, type StagedBatch, type WindowProof } from '@edrlake/core';
import { writeStagedRows } from '@edrlake/writers';
import type { CommitContext } from '../log/commit-context.ts';
import { type LakeState, newsIn } from '../log/lake-state.ts';
import { rowsOf } from '../log/table-rows.ts';
import { resizedFiles } from '../storage/checksum.ts';
import type { DuckDbSession } from '../storage/duckdb.ts';
import { indexName } from '../storage/layout.ts';
import { buildLogEntry, NO_INDEX_CHANGE, schemaOnTop } from './build-log-entry.ts';
import { type Classification, classifyBatch, EMPTY_CLASSIFICATION, findKnown, TEMP_TABLES } from './classify-batch.ts';
import { markUndelivered, type Rewrite, rewriteWithoutDeleted } from './copy-on-write.ts';
import { dropLostFiles } from './drop-lost-files.ts';
import { type IndexChange, openIdIndex, stageIndexChange } from './id-index.ts';
import { type CommitNames, commitWithRetry, type DraftedCommit } from './optimistic-retry.ts';
import { findOtherVersions } from './other-versions.ts';

/** The changes of one commit. All of them become part of the lake, or none. */
export interface CommitRequest {
  /** Staged rows on the session's connection, or null where only proofs are recorded. The caller drops it. */
  readonly batch: StagedBatch | null;
  /** Where the batch was staged; the lake's own connection unless given. */
  readonly session?: DuckDbSession;
  /** One for each window whose records are in the batch. */
  readonly proofs: readonly WindowProof[];
  readonly runId: string;
  /**
   * Deletes stored events of a proven window that were not delivered with this batch: the windows must be those of the
   * batch. Windows on the processed axis, with a filter or a state, and mismatches delete nothing.
   */
  readonly replace?: boolean;
}

/** What a commit changed. */
export interface CommitResult {
  /** The version this commit made, or the newest one where there was nothing to commit. */
  readonly version: number;
  readonly newEvents: number;
  readonly changedEvents: number;
  readonly unchangedEvents: number;
  /** Records of the batch that are not stored because another version of their event is, under another time. */
  readonly otherVersions: number;
  /** Stored events that `replace` deleted. */
  readonly deletedEvents: number;
  readonly filesAdded: number;
  readonly filesRemoved: number;
}

/** Staged data files of an earlier attempt. They are used again when the comparison has the same result. */
interface Staged {
  readonly fingerprint: string;
  readonly files: readonly DataFile[];
}

/** Each further attempt means that more files were found to be lost, or that another writer has replaced them. */
const MAX_TRIES = 5;

/**
 * Commits a batch: compares it with the newest version, stages files for what is new, and publishes them. When another
 * writer commits first, the batch is compared again with that version. An event counts as unchanged only while the
 * files that hold it exist: lost files are removed from the lake first, so that their events are written again.
 * @throws {EdrlakeError} as `commitWithRetry`
 */
export async function commit(context: CommitContext, request: CommitRequest): Promise<CommitResult> {
  for (let tries = 1; ; tries += 1) {
    const { result, lost } = await commitOnce(context, request);
    if (result !== null) return result;
    if (tries === MAX_TRIES) throw stillLost(lost[0] ?? '');
    await dropLostFiles(context, request.runId, new Set());
  }
}

function stillLost(path: string): EdrlakeError {
  return new EdrlakeError('LAKE_CORRUPT', `${path} is missing, and could not be removed from the lake`, {
    disposition: 'retry',
    context: { path },
    hint: 'Run again; let fewer processes write to this lake at once.',
  });
}

async function commitOnce(
  context: CommitContext,
  request: CommitRequest,
): Promise<{ readonly result: CommitResult | null; readonly lost: readonly string[] }> {
  let earlier: Staged | null = null;
  try {
    const { version, entry, outcome } = await commitWithRetry<Outcome>(context, async (state, names) => {
      const prepared = await prepare(context, state, request, { ...names, earlier });
      earlier = prepared.outcome.staged;
      return prepared;
    });
    if (outcome.lost.length > 0) return { result: null, lost: outcome.lost };
    const { newEvents, changedEvents, unchangedEvents } = outcome.screening;
    const [filesAdded, filesRemoved] = [entry?.added.length ?? 0, entry?.removed.length ?? 0];
    const deletedEvents = entry === null ? 0 : outcome.deletedEvents;
    const { otherVersions } = outcome;
    const events = { newEvents, changedEvents, unchangedEvents, otherVersions, deletedEvents };
    const result = { version, ...events, filesAdded, filesRemoved };
    return { result, lost: [] };
  } finally {
    for (const table of Object.values(TEMP_TABLES)) await context.connection.run(`DROP TABLE IF EXISTS temp.${table}`);
  }
}

interface Outcome {
  readonly screening: Classification;
  readonly deletedEvents: number;
  readonly otherVersions: number;
  readonly staged: Staged;
  /** Files of the days that the index names for the batch, where they are lost; then nothing was staged. */
  readonly lost: readonly string[];
}

interface Attempt extends CommitNames {
  readonly earlier: Staged | null;
}

/** The part of an attempt that no reader can see. A crash leaves only the work folder. */
async function prepare(
  context: CommitContext,
  state: LakeState,
  request: CommitRequest,
  { commitId, stage, earlier }: Attempt,
): Promise<DraftedCommit<Outcome>> {
  const { batch, proofs } = request;
  const index = await openIdIndex(context, state, stage, commitId);
  const known = await findKnown(context, state, index, batch);
  const lost = (await resizedFiles(context.store, known)).map(({ path }) => path);
  if (lost.length > 0) {
    const staged = earlier ?? { fingerprint: '', files: [] };
    const nothing = { screening: EMPTY_CLASSIFICATION, deletedEvents: 0, otherVersions: 0 };
    return { outcome: { ...nothing, staged, lost }, entry: null, moves: [] };
  }
  const screening = await classifyBatch(context, state, batch);
  const deletedEvents = request.replace === true ? await markUndelivered(context, state, batch, proofs) : 0;
  context.onStep('screened');
  const written = screening.newEvents + screening.changedEvents + screening.newRejects;
  const news = newsIn(state, proofs);
  const met = await findOtherVersions(context, state, batch, news);
  const changesFiles = written + deletedEvents > 0 || index.rebuilt !== null;
  const staged = await stageRows(context, batch, written, screening, { commitId, stage, earlier });
  const outcome = { screening, deletedEvents, otherVersions: met.listed, staged, lost };
  if (!changesFiles && news.length + met.news.length === 0) return { outcome, entry: null, moves: [] };

  const { schemaVersion } = schemaOnTop(state, context.tables);
  const version = state.version + 1;
  const rewrite: Rewrite = await rewriteWithoutDeleted(context, state, stage, commitId, schemaVersion);
  const ids: IndexChange = changesFiles
    ? await stageIndexChange(context, state, index, ownEntriesSql(version), stage, indexName(commitId, version))
    : NO_INDEX_CHANGE;
  context.onStep('staged');
  const { newEvents, changedEvents, unchangedEvents } = screening;
  const draft = buildLogEntry(
    context,
    state,
    { commitId, stage },
    {
      runId: request.runId,
      counts: { newEvents, changedEvents, unchangedEvents, deletedEvents },
      added: [...staged.files.map((file) => ({ ...file, schemaVersion })), ...rewrite.added],
      removed: rewrite.removed,
      ids,
      proofs: news,
      losses: [],
      otherVersions: met.news,
    },
  );
  return { outcome, ...draft };
}

/** Writes the new and changed rows, unless an earlier attempt wrote the same ones. */
async function stageRows(
  context: CommitContext,
  batch: StagedBatch | null,
  written: number,
  screening: Classification,
  { commitId, stage, earlier }: Attempt,
): Promise<Staged> {
  const { fingerprint } = screening;
  if (earlier?.fingerprint === fingerprint) return earlier;
  for (const file of earlier?.files ?? []) await context.store.remove(`${stage}/${file.path}`);
  if (batch === null || written === 0) return { fingerprint, files: [] };
  const [row] = await rowsOf(context.connection, `SELECT count(*)::INTEGER AS rows FROM ${TEMP_TABLES.except}`);
  const except = Number(row?.rows) === 0 ? null : TEMP_TABLES.except;
  const target = { directory: context.store.locate(stage), fileStem: commitId, exceptTable: except };
  return { fingerprint, files: await writeStagedRows(context.connection, context.tables, batch, target) };
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
