import { randomUUID } from 'node:crypto';
import {
  type Clock,
  type DataFile,
  EdrlakeError,
  idHashSql,
  isoInstant,
  type StagedBatch,
  type WindowProof,
} from '@edrlake/core';
import { type IndexChange, openIndex, stageIndexChange, unreadableIndex } from './identity-index.ts';
import { type LakeState, type LogEntry, newsIn, sameSchema, schemaOf } from './lake-state.ts';
import { FOLDERS, FORMAT } from './layout.ts';
import { publish, settle } from './publish.ts';
import { markUndelivered, type Rewrite, rewriteWithoutGone } from './rewrite.ts';
import { type Screening, screenBatch, TEMP } from './screen-batch.ts';
import type { Move } from './store.ts';
import { rowsOf } from './table-rows.ts';
import type { Workbench } from './workbench.ts';

/** What a caller wants to become part of the lake, all of it or nothing. */
export interface CommitRequest {
  /** Staged rows on the lake's connection, or null where only proofs are to be recorded. The caller drops it. */
  readonly batch: StagedBatch | null;
  /** One for each window whose records are in the batch. */
  readonly proofs: readonly WindowProof[];
  readonly runId: string;
  /**
   * Deletes stored events that lie in a proven window and were not delivered with this batch: the windows must be those
   * of the batch. Windows on the processed axis, with a filter or a state, and mismatches delete nothing.
   */
  readonly replace?: boolean;
}

/** What a commit did. */
export interface CommitResult {
  /** The version this commit made, or the newest one where there was nothing to commit. */
  readonly version: number;
  readonly newEvents: number;
  readonly changedEvents: number;
  readonly unchangedEvents: number;
  /** Stored events that `replace` deleted. */
  readonly deletedEvents: number;
  readonly filesAdded: number;
  readonly filesRemoved: number;
}

/** Each lost race means that another writer committed, so this bounds how many others may be served first. */
const MAX_TRIES = 32;

/** Staged data files of an earlier attempt, which fit again when screening comes out the same. */
interface Staged {
  readonly fingerprint: string;
  readonly files: readonly DataFile[];
}

/**
 * Commits a batch: compares it with the newest version, stages files for what is new, and publishes them. When another
 * writer was faster the comparison is made again with what that one committed.
 * @throws {EdrlakeError} `LAKE_CONTENDED` (`retry`) when others won every time, `LAKE_UNWRITABLE`, `LAKE_CORRUPT`. After
 * an error the lake is as before; only where tidying up after the point of no return failed is the commit in it.
 */
export async function commit(bench: Workbench, request: CommitRequest): Promise<CommitResult> {
  const commitId = newCommitId(bench.clock);
  const stage = `${bench.workFolder}/${commitId}`;
  let earlier: Staged | null = null;
  try {
    for (let attempt = 1; attempt <= MAX_TRIES; attempt += 1) {
      const state = await bench.log.refresh();
      const base = state.version;
      const prepared = await prepareUnlessOvertaken(bench, state, request, { commitId, stage, earlier });
      if (prepared !== null) {
        const { entry, screening, deletedEvents } = prepared;
        if (entry === null) return resultOf(base, screening, 0, null);
        earlier = prepared.staged;
        if (await publish(bench, entry, prepared.moves)) {
          await settle(bench, entry);
          await bench.log.refresh();
          await bench.log.checkpointIfDue();
          const result = resultOf(entry.version, screening, deletedEvents, entry);
          reportCommit(bench, result);
          return result;
        }
      }
      bench.emit({ type: 'commit-contended', version: base + 1, attempt });
    }
  } finally {
    for (const table of Object.values(TEMP)) await bench.connection.run(`DROP TABLE IF EXISTS temp.${table}`);
    await bench.store.remove(stage);
  }
  throw new EdrlakeError('LAKE_CONTENDED', `other writers committed first ${MAX_TRIES} times in a row`, {
    disposition: 'retry',
    hint: 'Run again; let fewer processes write to this lake at once.',
  });
}

interface Prepared {
  readonly screening: Screening;
  readonly deletedEvents: number;
  readonly staged: Staged;
  /** null when there is nothing to commit. */
  readonly entry: LogEntry | null;
  readonly moves: readonly Move[];
}

interface Attempt {
  readonly commitId: string;
  readonly stage: string;
  readonly earlier: Staged | null;
}

/** null when what was read had been moved away by a writer that was faster. */
async function prepareUnlessOvertaken(
  bench: Workbench,
  state: LakeState,
  request: CommitRequest,
  attempt: Attempt,
): Promise<Prepared | null> {
  const base = state.version;
  try {
    return await prepare(bench, state, request, attempt);
  } catch (thrown) {
    if (thrown instanceof EdrlakeError || (await bench.log.refresh()).version === base) throw explain(thrown);
    return null;
  }
}

/** Everything of an attempt that happens before anyone could see it. A crash leaves only the work folder. */
async function prepare(
  bench: Workbench,
  state: LakeState,
  request: CommitRequest,
  { commitId, stage, earlier }: Attempt,
): Promise<Prepared> {
  const { batch, proofs } = request;
  const index = await openIndex(bench, state, stage, commitId);
  const screening = await screenBatch(bench, state, index, batch);
  const deletedEvents = request.replace === true ? await markUndelivered(bench, state, batch, proofs) : 0;
  bench.onStep('screened');
  const written = screening.newEvents + screening.changedEvents + screening.newRejects;
  const news = newsIn(state, proofs);
  const changesFiles = written + deletedEvents > 0 || index.rebuilt !== null;
  const staged = await stageRows(bench, batch, written, screening, { commitId, stage, earlier });
  if (!changesFiles && news.length === 0) return { screening, deletedEvents, staged, entry: null, moves: [] };

  const schema = schemaOf(bench.tables);
  const isNewSchema = !sameSchema(state.schemas.get(state.schemaVersion), schema);
  const schemaVersion = state.schemaVersion + (isNewSchema ? 1 : 0);
  const version = state.version + 1;
  const rewrite: Rewrite = await rewriteWithoutGone(bench, state, stage, commitId, schemaVersion);
  const ids: IndexChange = changesFiles
    ? await stageIndexChange(bench, state, index, ownEntriesSql(version), stage, indexName(commitId, version))
    : { added: [], removed: [] };
  bench.onStep('staged');
  const added = [...staged.files.map((file) => ({ ...file, schemaVersion })), ...rewrite.added];
  const { newEvents, changedEvents, unchangedEvents } = screening;
  return {
    screening,
    deletedEvents,
    staged,
    moves: [
      ...added.map(({ path }) => ({ from: `${stage}/${path}`, to: path })),
      ...ids.added.map((id) => ({ from: id.staged, to: id.file.path })),
    ],
    entry: {
      format: FORMAT,
      version,
      commitId,
      runId: request.runId,
      committedAt: isoInstant(bench.clock.nowMs()),
      newEvents,
      changedEvents,
      unchangedEvents,
      deletedEvents,
      schemaVersion,
      ...(isNewSchema ? { schema } : {}),
      added,
      removed: rewrite.removed,
      idsAdded: ids.added.map(({ file }) => file),
      idsRemoved: ids.removed,
      proofs: news,
    },
  };
}

/** Writes the rows that are not unchanged, unless an earlier attempt wrote just the same. */
async function stageRows(
  bench: Workbench,
  batch: StagedBatch | null,
  written: number,
  screening: Screening,
  { commitId, stage, earlier }: Attempt,
): Promise<Staged> {
  const { fingerprint } = screening;
  if (earlier?.fingerprint === fingerprint) return earlier;
  for (const file of earlier?.files ?? []) await bench.store.remove(`${stage}/${file.path}`);
  if (batch === null || written === 0) return { fingerprint, files: [] };
  const [row] = await rowsOf(bench.connection, `SELECT count(*)::INTEGER AS rows FROM ${TEMP.except}`);
  const except = Number(row?.rows) === 0 ? null : TEMP.except;
  return { fingerprint, files: await batch.write(bench.store.locate(stage), commitId, except) };
}

/**
 * The index entries of a commit: what it writes, what it found to be the same in another spelling, and the events that
 * `replace` deletes, whose content becomes unknown so that they would be written if they ever came back.
 */
function ownEntriesSql(version: number): string {
  return `
    SELECT id_hash, content_hash, coalesce(CASE WHEN verdict = 'unchanged' THEN stored_date END, event_date) AS event_date, ${version}::BIGINT AS version
    FROM ${TEMP.screen} WHERE verdict IN ('new', 'changed') OR (verdict = 'unchanged' AND stored_date IS NOT NULL)
    UNION ALL
    SELECT ${idHashSql('event_id')}, NULL, event_date, ${version}::BIGINT
    FROM ${TEMP.gone} WHERE event_id NOT IN (SELECT event_id FROM ${TEMP.screen} WHERE verdict = 'changed')`;
}

/** Each attempt merges other files, so that each needs a name of its own. */
function indexName(commitId: string, version: number): string {
  return `${commitId}-v${version}`;
}

/** Sorts by time and is unique among all writers. */
function newCommitId(clock: Clock): string {
  const time = isoInstant(clock.nowMs()).replace(/[-:]|\.\d+/g, '');
  return `${time}-${randomUUID().slice(0, 8)}`;
}

function resultOf(version: number, screening: Screening, deletedEvents: number, entry: LogEntry | null): CommitResult {
  const { newEvents, changedEvents, unchangedEvents } = screening;
  const [filesAdded, filesRemoved] = [entry?.added.length ?? 0, entry?.removed.length ?? 0];
  return { version, newEvents, changedEvents, unchangedEvents, deletedEvents, filesAdded, filesRemoved };
}

function reportCommit({ emit }: Workbench, result: CommitResult): void {
  const { version, newEvents, changedEvents, unchangedEvents, filesAdded, filesRemoved } = result;
  emit({ type: 'commit', version, newEvents, changedEvents, unchangedEvents, filesAdded, filesRemoved });
}

/** DuckDB's errors about files, as something a person can act on. */
function explain(thrown: unknown): unknown {
  if (thrown instanceof EdrlakeError || !(thrown instanceof Error)) return thrown;
  const { message } = thrown;
  if (!/^(IO|Invalid Input) Error|No files found|Invalid Error/.test(message)) return thrown;
  if (message.includes(`/${FOLDERS.ids}/`)) return unreadableIndex(thrown);
  if (/No space left|Could not write|Read-only file system|Permission denied/.test(message)) {
    return new EdrlakeError('LAKE_UNWRITABLE', message, {
      cause: thrown,
      hint: 'Free some space, or check the permissions.',
    });
  }
  return new EdrlakeError('LAKE_CORRUPT', `a data file cannot be read: ${message}`, {
    cause: thrown,
    hint: 'A file of the lake was removed or changed by hand: restore it from a backup.',
  });
}
