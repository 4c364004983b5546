// A commit, from the first comparison to the end. What a crash in each state leaves is in docs/lake-format.md.
//
//   compared ──► staged ──► listed ──► moved ──► COMMITTED ──► tidied
//      ▲   commit.ts │  apply-commit.ts: manifest, files, log entry, trash
//      │             ▼         │
//      └── another writer took the version: everything back, drafted again (optimistic-retry.ts)
//
//   compared   the batch against the newest version: new, changed, unchanged (classify-batch.ts, id-index.ts)
//   staged     data files, index files and the log entry are in the work folder, synced
//   listed     the manifest names the files that are about to move
//   moved      the files are in the table folders, each seen there in its size
//   COMMITTED  the log entry has its name: nothing undoes it
//   tidied     replaced files are in the trash, the manifest is gone

import { type DataFile, EdrlakeError, type RowBatch, type StagedBatch, type WindowProof } from '@edrlake/core';
import type { CommitTools } from '../log/commit-context.ts';
import { type LakeState, newsIn } from '../log/lake-state.ts';
import { stateAsCounted } from '../log/state-as-counted.ts';
import { partitionDay } from '../log/table-rows.ts';
import { resizedFiles } from '../storage/checksum.ts';
import type { DuckDbSession } from '../storage/duckdb.ts';
import { buildLogEntry, type FileSchema, NO_INDEX_CHANGE, schemaOnTop } from './build-log-entry.ts';
import { dropLostFiles } from './drop-lost-files.ts';
import type { Classification, CommitEngine } from './engine.ts';
import { type IndexChange, openIdIndex, stageIndexChange } from './id-index.ts';
import { type CommitNames, commitWithRetry, type DraftedCommit } from './optimistic-retry.ts';
import { findOtherVersions } from './other-versions.ts';
import { ownerToRecord } from './owner.ts';

/** The changes of one commit. All of them become part of the lake, or none. */
export interface CommitRequest {
  /**
   * Staged rows on the session's connection, or rows of this process; null where only proofs are recorded. The caller
   * drops it.
   */
  readonly batch: StagedBatch | RowBatch | null;
  /** Where the batch was staged, if in DuckDB; the lake's own connection unless given. */
  readonly session?: DuckDbSession;
  /** One for each window whose records are in the batch. */
  readonly proofs: readonly WindowProof[];
  readonly runId: string;
  /**
   * Deletes stored events of a proven window that were not delivered with this batch: the windows must be those of the
   * batch. Windows on the processed axis, with a filter or a state, and mismatches delete nothing.
   */
  readonly replace?: boolean;
  /**
   * The version of the lake before the windows were counted. What other runs have brought since is not deleted: the
   * windows may have been counted and listed without it. Absent: nothing was.
   */
  readonly countedAtVersion?: number;
  /**
   * Aborting it ends the comparison and the writing of rows of this process; nothing is committed then. Where they are
   * in DuckDB, interrupt its connection.
   */
  readonly signal?: AbortSignal;
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
const MAX_ATTEMPTS = 5;

/**
 * Commits a batch: compares it with the newest version, stages files for what is new, and applies it. When another
 * writer commits first, the batch is compared again with that version. An event counts as unchanged only while the
 * files that hold it exist: lost files are removed from the lake first, so that their events are written again.
 * @throws {EdrlakeError} as `commitWithRetry`
 */
export async function commit(tools: CommitTools, engine: CommitEngine, request: CommitRequest): Promise<CommitResult> {
  for (let attempt = 1; ; attempt += 1) {
    const { result, lost } = await commitOnce(tools, engine, request);
    if (result !== null) return result;
    if (attempt === MAX_ATTEMPTS) throw stillLost(lost[0] ?? '');
    await dropLostFiles(tools, engine, request.runId, new Set());
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
  tools: CommitTools,
  engine: CommitEngine,
  request: CommitRequest,
): Promise<{ readonly result: CommitResult | null; readonly lost: readonly string[] }> {
  let earlier: Staged | null = null;
  try {
    const { version, entry, outcome } = await commitWithRetry<Outcome>(tools, async (state, names) => {
      const prepared = await prepare(tools, engine, state, request, { ...names, earlier });
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
    await engine.release();
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
  tools: CommitTools,
  engine: CommitEngine,
  state: LakeState,
  request: CommitRequest,
  attempt: Attempt,
): Promise<DraftedCommit<Outcome>> {
  const { batch, proofs } = request;
  const { store } = tools;
  const index = await openIdIndex(tools, state, attempt, engine.writeClaims);
  const days = await engine.findKnown(index.files.map(({ location }) => location));
  const known = days.size === 0 ? [] : [...state.files.values()].filter((file) => days.has(partitionDay(file)));
  const lost = (await resizedFiles(store, known)).map(({ path }) => path);
  if (lost.length > 0) {
    const staged = attempt.earlier ?? { fingerprint: '', files: [] };
    const nothing = { screening: NOTHING_COMPARED, deletedEvents: 0, otherVersions: 0 };
    return { outcome: { ...nothing, staged, lost }, entry: null, moves: [] };
  }
  const owner = await ownerToRecord(tools, engine, state);
  const screening = await engine.classify(state);
  const { runId, countedAtVersion: version = state.version } = request;
  const deletedEvents =
    request.replace === true
      ? await engine.markUndelivered(await stateAsCounted(store, state, { version, runId }), proofs)
      : 0;
  tools.onStep('screened');
  const written = screening.newEvents + screening.changedEvents + screening.newRejects;
  const news = newsIn(state, proofs);
  const met = await findOtherVersions(engine, state, batch, news);
  const changesFiles = written + deletedEvents > 0 || index.rebuilt !== null;
  const fileSchema = schemaOnTop(state, tools.tables);
  const { schemaVersion } = fileSchema;
  const staged = await stageRows(tools, engine, screening, attempt, fileSchema);
  const outcome = { screening, deletedEvents, otherVersions: met.listed, staged, lost };
  if (!changesFiles && news.length + met.news.length === 0) return { outcome, entry: null, moves: [] };

  const rewrite = await engine.rewriteWithoutGone(state, attempt, fileSchema);
  const ids: IndexChange = changesFiles
    ? await stageIndexChange(tools, state, index, attempt, engine.ownEntries(state.version + 1))
    : NO_INDEX_CHANGE;
  tools.onStep('staged');
  const { newEvents, changedEvents, unchangedEvents } = screening;
  const draft = buildLogEntry(tools, state, attempt, {
    runId: request.runId,
    counts: { newEvents, changedEvents, unchangedEvents, deletedEvents },
    added: [...staged.files.map((file) => ({ ...file, schemaVersion })), ...rewrite.added],
    removed: rewrite.removed,
    ids,
    proofs: news,
    losses: [],
    arrivals: screening.arrivals,
    otherVersions: met.news,
    owner,
  });
  return { outcome, ...draft };
}

const NOTHING_COMPARED: Classification = {
  newEvents: 0,
  changedEvents: 0,
  unchangedEvents: 0,
  newRejects: 0,
  arrivals: [],
  fingerprint: '',
};

/** Writes the new and changed rows, unless an earlier attempt wrote the same ones. */
async function stageRows(
  { store }: CommitTools,
  engine: CommitEngine,
  { fingerprint, newEvents, changedEvents, newRejects }: Classification,
  { fileStem, stage, earlier }: Attempt,
  { fieldIds, schemaVersion }: FileSchema,
): Promise<Staged> {
  // Another schema has other columns for the same rows.
  const written = `${schemaVersion} ${fingerprint}`;
  if (earlier?.fingerprint === written) return earlier;
  for (const file of earlier?.files ?? []) await store.remove(`${stage}/${file.path}`);
  if (newEvents + changedEvents + newRejects === 0) return { fingerprint: written, files: [] };
  return { fingerprint: written, files: await engine.writeRows(store.locate(stage), fileStem, fieldIds) };
}
