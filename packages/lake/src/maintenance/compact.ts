import { type Day, EdrlakeError, isMemoryError, sum, type TimeRange, withRowOrder } from '@edrlake/core';
import { copyToParquet } from '@edrlake/writers';
import { buildLogEntry, type FileSchema, NO_COUNTS, NO_INDEX_CHANGE, schemaOnTop } from '../commit/build-log-entry.ts';
import { type CommitNames, commitWithRetry, type DraftedCommit } from '../commit/optimistic-retry.ts';
import type { CommitContext } from '../log/commit-context.ts';
import { fingerprintOf, printedContentOf, sumDigests } from '../log/content-digest.ts';
import type { LakeState, LoggedFile } from '../log/lake-state.ts';
import { snapshotOf } from '../log/snapshot.ts';
import { partitionDay, rowsOf, tableNamed, tableRowsSql } from '../log/table-rows.ts';
import { refuseDamaged } from '../storage/checksum.ts';
import { isFileError } from '../storage/file-errors.ts';
import { fileProgress } from '../storage/file-progress.ts';
import { bytesOf, halvesOf, type MergeGroup, mostRows, planCompaction } from './plan-compaction.ts';

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
 * DuckDB's memory for each value of a merged file. Its sort spills, but the buffers of the Parquet writer do not:
 * 200,000 wide events of 70 columns were merged within 512 MB, 800,000 were not.
 */
const BYTES_PER_CELL = 36;

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
 * columns. A commit holds whole days. Sorting spills to disk. Commits of other writers stay: a file that they have
 * replaced is not merged.
 * @param run `signal` is checked between files; what was committed by then stays
 * @throws {EdrlakeError} as `commitWithRetry`, `INTERRUPTED`; `BUG` when the rows are not equal, with nothing changed
 */
export async function compact(
  context: CommitContext,
  options: CompactOptions,
  run: { readonly runId: string; readonly signal: AbortSignal; readonly afterCommit: () => Promise<void> },
): Promise<CompactReport> {
  const sizes = {
    targetFileBytes: options.targetFileBytes ?? DEFAULT_TARGET_BYTES,
    minFiles: options.minFiles ?? 2,
    maxCells: (await memoryLimitBytes(context)) / BYTES_PER_CELL,
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
      const work = { groups, maxCells: sizes.maxCells, onMerged };
      merged ??= await inOneThread(context, () => stageMerged(context, state, names, work, run.signal));
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
 * Runs `work` with one DuckDB thread. A merged file is mostly one unit of work for DuckDB; a second thread waited for
 * it, and took a quarter of the CPU time by that.
 */
async function inOneThread<T>({ connection }: CommitContext, work: () => Promise<T>): Promise<T> {
  const [before] = await rowsOf(connection, "SELECT current_setting('threads')::VARCHAR AS threads");
  await connection.run('SET threads = 1');
  try {
    return await work();
  } finally {
    await connection.run(`SET threads = ${before?.threads}`);
  }
}

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
  readonly maxCells: number;
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
  { groups, maxCells, onMerged }: StagedWork,
  signal: AbortSignal,
): Promise<readonly Merged[]> {
  const fileSchema = schemaOnTop(state, context.tables);
  const merged: Merged[] = [];
  const open = [...groups].reverse();
  for (let number = 0, group = open.pop(); group !== undefined; number += 1, group = open.pop()) {
    signal.throwIfAborted();
    if (!isIn(state, group)) continue;
    try {
      merged.push({ group, output: await mergeOne(context, state, names, { group, number, fileSchema, maxCells }) });
      onMerged(group.inputs.length);
    } catch (thrown) {
      // The plan's limit was measured on other rows than these: fewer rows at once need less memory.
      if (isMemoryError(thrown)) open.push(...halvesOf(group));
      else if (!isAboutFile(thrown) || isIn(await context.log.refresh(), group)) throw thrown;
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

interface MergeTask {
  readonly group: MergeGroup;
  readonly number: number;
  readonly fileSchema: FileSchema;
  readonly maxCells: number;
}

async function mergeOne(
  context: CommitContext,
  state: LakeState,
  { fileStem, stage }: CommitNames,
  { group, number, fileSchema, maxCells }: MergeTask,
): Promise<LoggedFile> {
  const { partition, inputs } = group;
  // As it is now: a column may have been promoted since the compaction was planned.
  const table = tableNamed(context.tables, group.table.name);
  const { schemaVersion, schema, fieldIds } = fileSchema;
  await refuseDamaged(context.store, inputs);
  const path = `${table.name}/${partition}/${fileStem}-c${number}.parquet`;
  const staged = `${stage}/${path}`;
  const location = context.store.locate(staged);
  const reader = { store: context.store, schemas: state.schemas };
  const before = tableRowsSql(reader, table, inputs);
  const maxRows = sum(inputs, ({ rowCount }) => rowCount);
  // A file that is too large to be sorted keeps its order.
  const layout = maxRows > mostRows(table, maxCells) ? 'arrival' : 'sorted';
  const shape = { layout, maxRows, fieldIds: fieldIds[table.name] ?? {} } as const;
  const write = () => copyToParquet(context.connection, before, table, location, shape);
  const written = layout === 'sorted' ? await write() : await withRowOrder(context.connection, write);
  const output: LoggedFile = { table: table.name, partition, path, schemaVersion, ...written };
  const schemas = new Map(state.schemas).set(schemaVersion, schema);
  const after = tableRowsSql({ store: context.store, schemas }, table, [{ ...output, path: staged }]);
  return { ...output, digest: await keptDigest(context, { ...group, table }, before, after) };
}

/**
 * The digest of the merged rows, which are compared with the rows that they replace: by the digests of these where all
 * have one, else by a fingerprint.
 * @throws {EdrlakeError} `BUG` when they are not equal; `LAKE_CORRUPT` when they hold other values than were committed
 */
async function keptDigest(
  { connection }: CommitContext,
  { table, partition, inputs }: MergeGroup,
  before: string,
  after: string,
): Promise<string> {
  const { digest, fingerprint: found } = await printedContentOf(connection, table, after);
  const known = inputs.flatMap((file) => file.digest ?? []);
  const isKnown = known.length === inputs.length;
  if (isKnown && sumDigests(known) === digest) return digest;
  // Only a comparison with the rows as they are now says whether the merge or its inputs are wrong.
  const expected = await fingerprintOf(connection, table, before);
  if (found !== expected) {
    const files = `${inputs.length} files of ${table.name}/${partition}`;
    throw new EdrlakeError('BUG', `merging ${files} did not keep the rows`, {
      context: { expected, found },
      hint: 'Nothing was changed. Please report this with the version of edrlake.',
    });
  }
  if (!isKnown) return digest;
  throw new EdrlakeError('LAKE_CORRUPT', `the files of ${table.name}/${partition} do not hold what was written`, {
    context: { expected: sumDigests(known), digest },
    hint: 'Nothing was changed. Run edrlake verify, which names the file.',
  });
}

/** DuckDB's memory limit, which it reports as `488.2 MiB`. */
async function memoryLimitBytes(context: CommitContext): Promise<number> {
  const [row] = await rowsOf(context.connection, "SELECT current_setting('memory_limit') AS memory");
  const [amount, unit = ''] = String(row?.memory).split(' ');
  const power = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'].indexOf(unit);
  return Number(amount) * 1024 ** Math.max(0, power);
}
