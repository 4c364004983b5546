import {
  type Day,
  EdrlakeError,
  isMemoryError,
  memoryReturner,
  sum,
  type TimeRange,
  withSettings,
} from '@edrlake/core';
import { buildLogEntry, NO_COUNTS, NO_INDEX_CHANGE, schemaOnTop } from '../commit/build-log-entry.ts';
import { type CommitNames, commitWithRetry, type DraftedCommit } from '../commit/optimistic-retry.ts';
import type { CommitContext } from '../log/commit-context.ts';
import type { LakeState, LoggedFile } from '../log/lake-state.ts';
import { snapshotOf } from '../log/snapshot.ts';
import { partitionDay, rowsOf } from '../log/table-rows.ts';
import { isFileError } from '../storage/file-errors.ts';
import { fileProgress } from '../storage/file-progress.ts';
import { mergeFiles } from './merge-files.ts';
import { bytesOf, halvesOf, type MergeGroup, planCompaction } from './plan-compaction.ts';

/** What to compact, and to which size. */
export interface CompactOptions {
  /** Only days that the range touches; rejects by the day they were fetched. Everything unless given. */
  readonly range?: TimeRange;
  /**
   * The approximate size of a merged file, 256 MiB unless given; files of half of that are left alone. 128 to 512 MB
   * suit DuckDB and other engines. Merged files are smaller where the lake's memory limit requires it.
   */
  readonly targetFileBytes?: number;
  /**
   * The number of small sorted files of one table and day that are worth merging; 2 unless given, which is also the
   * least. Files that are not sorted yet are sorted in any case.
   */
  readonly minFiles?: number;
  /** Rewrite exactly the files of an older format instead, of any size and order. */
  readonly migrates?: boolean;
}

/** The result of a compaction. Files and bytes are of the days and tables that were merged, before and after. */
export interface CompactReport {
  /** Oldest first. */
  readonly compactedDays: readonly Day[];
  /** Days of the range with nothing to merge or to sort, or whose files another writer replaced meanwhile. */
  readonly skippedDays: number;
  readonly commits: number;
  readonly filesBefore: number;
  readonly filesAfter: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

const DEFAULT_TARGET_BYTES = 256 * 1024 * 1024;

/**
 * DuckDB's memory for each value that is sorted at once, so that its sort does not spill: 83,000 wide events of 70
 * columns were sorted in 512 MB, 167,000 took seven times as long because their sort spilled.
 */
const BYTES_PER_CELL = 90;

/** A file that needs more is read once more for each of its runs: files of more rows are not made. */
const MAX_RUNS = 16;

/** After an error about memory less is sorted at once, down to this share; then fewer files are merged. */
const LEAST_SHARE = 1 / 8;

/** The most that one commit merges, unless a single day has more. Bounds the additional disk space. */
const COMMIT_BYTES = 1024 * 1024 * 1024;
const COMMIT_GROUPS = 256;

/** A merged file in the staging folder. */
interface Merged {
  readonly group: MergeGroup;
  readonly output: LoggedFile;
}

/**
 * Merges many small files into few sorted ones, day by day, and sorts files in order of arrival. Before the commit that
 * exchanges them, each new file is compared with those that it replaces: by number of rows and by hashes of all
 * columns. A commit holds whole days. A file that cannot be sorted in memory is sorted range by range. Commits of other
 * writers stay: a file that they have replaced is not merged.
 * @param run `signal` is checked between files; what was committed by then stays
 * @throws {EdrlakeError} as `commitWithRetry`, `INTERRUPTED`; `BUG` when the rows are not equal, with nothing changed
 */
export async function compact(
  context: CommitContext,
  options: CompactOptions,
  run: { readonly runId: string; readonly signal: AbortSignal; readonly afterCommit: () => Promise<void> },
): Promise<CompactReport> {
  const cellsAtOnce = (await memoryLimitBytes(context)) / BYTES_PER_CELL;
  const returnMemory = await memoryReturner(context.connection);
  const sizes = {
    targetFileBytes: options.targetFileBytes ?? DEFAULT_TARGET_BYTES,
    minFiles: options.minFiles ?? 2,
    maxCells: MAX_RUNS * cellsAtOnce,
    migrates: options.migrates ?? false,
  };
  const snapshot = snapshotOf(await context.log.refresh(), []);
  const plan = planCompaction(snapshot, context.tables, options.range ?? null, sizes);
  const done: Merged[] = [];
  let commits = 0;
  const onMerged = fileProgress(context.emit, options.migrates === true ? 'migrate' : 'compact', filesOf(plan.groups));
  for (const groups of inCommits(plan.groups)) {
    run.signal.throwIfAborted();
    let merged: readonly Merged[] | null = null;
    const { entry, outcome } = await commitWithRetry(context, async (state, names) => {
      const work = { groups, cellsAtOnce, returnMemory, onMerged };
      merged ??= await withSettings(context.connection, MERGING, () =>
        stageMerged(context, state, names, work, run.signal),
      );
      return draftMerged(context, state, names, run.runId, merged);
    });
    if (entry === null) continue;
    commits += 1;
    done.push(...outcome);
    await run.afterCommit();
  }
  const inputs = done.flatMap(({ group }) => group.inputs);
  const outputs = done.map(({ output }) => output);
  const compactedDays = [...new Set(outputs.map(partitionDay))].sort();
  return {
    compactedDays,
    skippedDays: plan.days.size - compactedDays.length,
    commits,
    filesBefore: inputs.length,
    filesAfter: outputs.length,
    bytesBefore: bytesOf(inputs),
    bytesAfter: bytesOf(outputs),
  };
}

/**
 * How DuckDB is set while files are merged. A merged file is mostly one unit of work; a second thread waited for it,
 * and took a quarter of the CPU time by that. Inputs are read once or twice: keeping what was read is 40 MiB for
 * nothing.
 */
const MERGING: Readonly<Record<string, string>> = { threads: '1', enable_external_file_cache: 'false' };

/** Groups of whole days, each as large as one commit allows. */
function* inCommits(groups: readonly MergeGroup[]): Generator<MergeGroup[]> {
  let some: MergeGroup[] = [];
  for (const group of groups) {
    const last = some.at(-1);
    const isFull = some.length >= COMMIT_GROUPS || sum(some, (each) => each.inputBytes) >= COMMIT_BYTES;
    if (last !== undefined && isFull && partitionDay(last) !== partitionDay(group)) {
      yield some;
      some = [];
    }
    some.push(group);
  }
  if (some.length > 0) yield some;
}

interface StagedWork {
  readonly groups: readonly MergeGroup[];
  readonly cellsAtOnce: number;
  /** See `memoryReturner`. */
  readonly returnMemory: () => Promise<void>;
  /** Called with the number of files that were merged. */
  readonly onMerged: (files: number) => void;
}

function filesOf(groups: readonly MergeGroup[]): number {
  return sum(groups, ({ inputs }) => inputs.length);
}

/** Writes the merged files into the staging folder. A crash leaves only the work folder. */
async function stageMerged(
  context: CommitContext,
  state: LakeState,
  names: CommitNames,
  { groups, cellsAtOnce: most, returnMemory, onMerged }: StagedWork,
  signal: AbortSignal,
): Promise<readonly Merged[]> {
  const fileSchema = schemaOnTop(state, context.tables);
  const merged: Merged[] = [];
  const open = groups.map((group) => ({ group, cellsAtOnce: most })).reverse();
  for (let number = 0, next = open.pop(); next !== undefined; number += 1, next = open.pop()) {
    const { group, cellsAtOnce } = next;
    signal.throwIfAborted();
    if (!isIn(state, group)) continue;
    try {
      const task = { ...{ group, number, fileSchema, cellsAtOnce }, returnMemory, signal };
      merged.push({ group, output: await mergeFiles(context, state, names, task) });
      onMerged(group.inputs.length);
    } catch (thrown) {
      // The sizes were measured on other rows than these.
      if (isMemoryError(thrown)) {
        if (cellsAtOnce > most * LEAST_SHARE) open.push({ group, cellsAtOnce: cellsAtOnce / 2 });
        else open.push(...halvesOf(group).map((half) => ({ group: half, cellsAtOnce })));
      } else if (!isAboutFile(thrown) || isIn(await context.log.refresh(), group)) throw thrown;
      // Otherwise another writer has replaced an input while it was read.
    }
  }
  context.onStep('staged');
  return merged;
}

/** Whether a file was missing or damaged, by an error of DuckDB or by its checksum. */
function isAboutFile(thrown: unknown): boolean {
  return isFileError(thrown) || (thrown instanceof EdrlakeError && thrown.code === 'LAKE_CORRUPT');
}

/** Drafts a commit of the merged files whose inputs are all still part of the version. */
function draftMerged(
  context: CommitContext,
  state: LakeState,
  names: CommitNames,
  runId: string,
  merged: readonly Merged[],
): DraftedCommit<readonly Merged[]> {
  const { schemaVersion } = schemaOnTop(state, context.tables);
  // A file's columns are those of its schema version: another writer may have started a newer one since.
  const outcome = merged.filter(({ group, output }) => isIn(state, group) && output.schemaVersion === schemaVersion);
  if (outcome.length === 0) return { entry: null, moves: [], outcome };
  const draft = buildLogEntry(context, state, names, {
    runId,
    counts: NO_COUNTS,
    added: outcome.map(({ output }) => output),
    removed: outcome.flatMap(({ group }) => group.inputs.map(({ path }) => path)),
    ids: NO_INDEX_CHANGE,
    proofs: [],
    losses: [],
  });
  return { outcome, ...draft };
}

function isIn(state: LakeState, { inputs }: MergeGroup): boolean {
  return inputs.every(({ path }) => state.files.has(path));
}

/** DuckDB's memory limit, which it reports as `488.2 MiB`. */
async function memoryLimitBytes(context: CommitContext): Promise<number> {
  const [row] = await rowsOf(context.connection, "SELECT current_setting('memory_limit') AS memory");
  const [amount, unit = ''] = String(row?.memory).split(' ');
  const power = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'].indexOf(unit);
  return Number(amount) * 1024 ** Math.max(0, power);
}
