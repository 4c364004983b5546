// The link of the log entry is the commit point: before it everything is undone, after it everything is finished. A
// process that takes over a dead writer's commit renames the staging folder first, so that the link can only fail.

import { randomUUID } from 'node:crypto';
import { type Clock, EdrlakeError, isoInstant, toEdrlakeError } from '@edrlake/core';
import type { CommitTools } from '../log/commit-context.ts';
import { frozenState, type IdentityFile, type LakeState, type LogEntry, type LoggedFile } from '../log/lake-state.ts';
import { refuseOlderProgram } from '../log/prepare-directory.ts';
import { sumFile } from '../storage/checksum.ts';
import { explainFileError } from '../storage/file-errors.ts';
import { stagePath } from '../storage/layout.ts';
import type { Move, SummedFile } from '../storage/store.ts';
import { applyCommit, finalizeCommit, releaseCommit } from './apply-commit.ts';

/** A commit that is ready to be applied on top of one version. */
export interface DraftedCommit<T> {
  /** null when there is nothing to commit. */
  readonly entry: LogEntry | null;
  /** From the staging folder to the final paths. */
  readonly moves: readonly Move[];
  readonly outcome: T;
}

/** Where a commit stages its files, and its id: both stay the same in all of its attempts. */
export interface CommitNames {
  readonly commitId: string;
  /** Relative to the lake. Removed when the commit ends. */
  readonly stage: string;
  /**
   * Begins the names of its files: the commit id, except in further attempts on an object store. There an attempt
   * never writes to a name of an earlier one, because a request of that one may still be on its way.
   */
  readonly fileStem: string;
}

/** How a commit ended. */
export interface Committed<T> {
  /** The version this commit made, or the newest one where there was nothing to commit. */
  readonly version: number;
  readonly entry: LogEntry | null;
  readonly outcome: T;
}

/**
 * Each lost race means that another writer committed, so this is the number of commits that may come first. Requests to
 * an object store take longer than the work between them, so that chance decides each race: of ten writers that never
 * pause, one in thirty loses 32 times in a row, and none 200 times.
 */
const MAX_ATTEMPTS = { disk: 32, objects: 200 } as const;

/**
 * Drafts a commit on the newest version and applies it. When another writer commits first, it is drafted again on top
 * of that version.
 * @param draft the part that no reader can see; a crash in it leaves only the work folder
 * @throws {EdrlakeError} `LAKE_CONTENDED` (`retry`) when other writers won every time, `LEASE_LOST`, `LAKE_UNWRITABLE`,
 * `LAKE_CORRUPT`. After an error the lake is unchanged, except where only the work after the commit point failed: then
 * the commit is in it, and the message says so.
 */
export async function commitWithRetry<T>(
  context: CommitTools,
  draft: (state: LakeState, names: CommitNames) => Promise<DraftedCommit<T>>,
): Promise<Committed<T>> {
  const commitId = newCommitId(context.clock);
  const startedAtMs = context.clock.nowMs();
  const stage = stagePath(context.workFolder, commitId);
  const attempts = context.store.remote === null ? MAX_ATTEMPTS.disk : MAX_ATTEMPTS.objects;
  try {
    for (let attempt = 1; attempt <= attempts; attempt += 1) {
      const state = frozenState(await context.log.refresh());
      const base = state.version;
      refuseOlderProgram(state, context.tables);
      const fileStem = attempt > 1 && context.store.remote !== null ? newCommitId(context.clock) : commitId;
      const drafted = await draftUnlessOvertaken(context, base, () => draft(state, { commitId, stage, fileStem }));
      if (drafted !== null) {
        const { outcome } = drafted;
        if (drafted.entry === null) return { version: base, entry: null, outcome };
        const entry = await withChecksums(context, drafted.entry, drafted.moves);
        if (await applyCommit(context, entry, drafted.moves)) {
          await tidyUp(context, entry);
          reportCommit(context, entry, startedAtMs);
          return { version: entry.version, entry, outcome };
        }
      }
      context.emit({ type: 'commit-contended', version: base + 1, attempt });
    }
  } catch (thrown) {
    throw await orLostLease(context, thrown);
  } finally {
    releaseCommit(commitId);
    // What remains is removed with the work folder; an error here would hide how the commit ended.
    await context.store.remove(stage).catch(() => undefined);
  }
  throw new EdrlakeError('LAKE_CONTENDED', `other writers committed first ${attempts} times in a row`, {
    disposition: 'retry',
    hint: 'Run again; let fewer processes write to this lake at once.',
  });
}

/**
 * Adds the size and checksum of each staged file to the entry, read back from disk.
 * @throws {EdrlakeError} `LAKE_UNWRITABLE` when a file is not what was written
 */
async function withChecksums({ store }: CommitTools, entry: LogEntry, moves: readonly Move[]): Promise<LogEntry> {
  const stagedAt = new Map(moves.map(({ from, to }) => [to, from]));
  const sum = async <T extends SummedFile>(file: T): Promise<T> => {
    const found = await sumFile(store.locate(stagedAt.get(file.path) ?? file.path));
    if (found !== null && found.bytes === (file.fileBytes ?? found.bytes))
      return { ...file, fileBytes: found.bytes, crc32: found.crc32 };
    const what = found === null ? 'is gone' : `has ${found.bytes} bytes`;
    throw new EdrlakeError('LAKE_UNWRITABLE', `${file.path} was written with ${file.fileBytes} bytes and now ${what}`, {
      context: { path: file.path },
      hint: 'Nothing was committed. Check the disk, and that no other program works in the lake, and run again.',
    });
  };
  const added: LoggedFile[] = [];
  for (const file of entry.added) added.push(await sum(file));
  const idsAdded: IdentityFile[] = [];
  for (const file of entry.idsAdded) idsAdded.push(await sum(file));
  return { ...entry, added, idsAdded };
}

/**
 * The work after the commit point.
 * @throws {EdrlakeError} `LAKE_UNWRITABLE`, `LAKE_CORRUPT`, which say that the commit is in the lake. The manifest
 * stays, so that the next writer continues where this one failed.
 */
async function tidyUp(context: CommitTools, entry: LogEntry): Promise<void> {
  try {
    await finalizeCommit(context, entry);
    await context.log.refresh();
    await context.log.checkpointIfDue();
  } catch (thrown) {
    const { code, message, hint, context } = toEdrlakeError(explainFileError(thrown));
    throw new EdrlakeError(code, `version ${entry.version} is committed, but tidying up after it failed: ${message}`, {
      cause: thrown,
      context: { ...context, version: entry.version },
      hint: `${hint ?? 'Check the disk.'} The next command that writes finishes it.`,
    });
  }
}

/**
 * Prefers `LEASE_LOST` to the original error. A process that takes over this one's work removes its files, and the
 * errors that follow do not name that cause.
 */
async function orLostLease({ lease }: CommitTools, thrown: unknown): Promise<unknown> {
  const isLost = (failure: unknown) => failure instanceof EdrlakeError && failure.code === 'LEASE_LOST';
  const failure: unknown = isLost(thrown) ? thrown : await lease?.confirm().catch((other: unknown) => other);
  return isLost(failure) ? failure : thrown;
}

/**
 * null when a faster writer had already moved away a file that the draft read. DuckDB then reports a missing file, the
 * comparison of checksums a damaged lake. Both are believed only of the newest version, which the next attempt reads.
 */
async function draftUnlessOvertaken<T>(context: CommitTools, base: number, draft: () => Promise<T>): Promise<T | null> {
  try {
    return await draft();
  } catch (thrown) {
    const mayBeOvertaken = !(thrown instanceof EdrlakeError) || thrown.code === 'LAKE_CORRUPT';
    if (!mayBeOvertaken || (await context.log.refresh()).version === base) throw explainFileError(thrown);
    return null;
  }
}

/** A commit id: unique among all writers, and sorted by time. */
function newCommitId(clock: Clock): string {
  const time = isoInstant(clock.nowMs()).replace(/[-:]|\.\d+/g, '');
  return `${time}-${randomUUID().slice(0, 8)}`;
}

function reportCommit({ emit, clock }: CommitTools, entry: LogEntry, startedAtMs: number): void {
  const { version, newEvents, changedEvents, unchangedEvents, added, removed } = entry;
  const [filesAdded, filesRemoved] = [added.length, removed.length];
  const durationMs = clock.nowMs() - startedAtMs;
  emit({ type: 'commit', version, newEvents, changedEvents, unchangedEvents, filesAdded, filesRemoved, durationMs });
}
