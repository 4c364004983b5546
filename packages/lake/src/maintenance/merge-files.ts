import { EdrlakeError, sum, type TableSpec, withRowOrder } from '@edrlake/core';
import { copyToParquet, type FileShape, type WrittenFile, writeSortedRun } from '@edrlake/writers';
import type { FileSchema } from '../commit/build-log-entry.ts';
import type { CommitNames } from '../commit/optimistic-retry.ts';
import type { CommitContext } from '../log/commit-context.ts';
import { fingerprintOf, printedContentOf, sumDigests } from '../log/content-digest.ts';
import type { LakeState, LoggedFile } from '../log/lake-state.ts';
import { type TableReader, tableNamed, tableRowsSql } from '../log/table-rows.ts';
import { refuseDamaged } from '../storage/checksum.ts';
import type { MergeGroup } from './plan-compaction.ts';
import { runCuts } from './sorted-runs.ts';

/** From this share of what is sorted at once on, memory is worth returning. */
const MUCH = 1 / 4;

/** One file to be made of several. */
export interface MergeTask {
  readonly group: MergeGroup;
  /** Of the file in its commit. */
  readonly number: number;
  readonly fileSchema: FileSchema;
  /** The most rows times columns that are sorted at once. */
  readonly cellsAtOnce: number;
  /** See `memoryReturner`. */
  readonly returnMemory: () => Promise<void>;
  /** Checked between the steps of a large file. */
  readonly signal: AbortSignal;
}

/**
 * Writes the sorted file of a group into the staging folder, and compares its rows with those of its inputs.
 * @throws {EdrlakeError} `BUG` when they are not equal; `LAKE_CORRUPT` for an input that is damaged
 */
export async function mergeFiles(
  context: CommitContext,
  state: LakeState,
  { fileStem, stage }: CommitNames,
  { group, number, fileSchema, cellsAtOnce, returnMemory, signal }: MergeTask,
): Promise<LoggedFile> {
  const { store, connection } = context;
  const { partition, inputs } = group;
  // As it is now: a column may have been promoted since the compaction was planned.
  const table = tableNamed(context.tables, group.table.name);
  const { schemaVersion, schema, fieldIds } = fileSchema;
  await refuseDamaged(store, inputs);
  const path = `${table.name}/${partition}/${fileStem}-c${number}.parquet`;
  const staged = `${stage}/${path}`;
  const before = tableRowsSql({ store, schemas: state.schemas }, table, inputs);
  const reader = { store, schemas: new Map(state.schemas).set(schemaVersion, schema) };
  const maxRows = sum(inputs, ({ rowCount }) => rowCount);
  const shape = { layout: 'sorted', maxRows, fieldIds: fieldIds[table.name] ?? {} } as const;
  const file = { table: table.name, partition, path: staged, schemaVersion };
  const cells = maxRows * table.columns.length;
  const runs = Math.ceil(cells / cellsAtOnce);
  const written =
    runs < 2
      ? await copyToParquet(connection, before, table, store.locate(staged), shape)
      : await copyInRuns(context, reader, table, { before, file, runs, shape, returnMemory, signal });
  if (cells > cellsAtOnce * MUCH) await returnMemory();
  const output: LoggedFile = { ...file, path, ...written };
  const after = tableRowsSql(reader, table, [{ ...output, path: staged }]);
  return { ...output, digest: await keptDigest(context, { ...group, table }, before, after) };
}

/** A file that is too large to be sorted at once. */
interface LargeFile {
  /** SQL of its rows. */
  readonly before: string;
  readonly file: Pick<LoggedFile, 'table' | 'partition' | 'path' | 'schemaVersion'>;
  readonly runs: number;
  readonly shape: FileShape;
  readonly returnMemory: () => Promise<void>;
  readonly signal: AbortSignal;
}

/**
 * Sorts ranges of the sort key one after the other into files of their own, and then writes these one behind the other.
 * DuckDB would spill such a sort, in more time than reading the rows once for each range takes; and this needs no more
 * memory for more rows.
 */
async function copyInRuns(
  { store, connection }: CommitContext,
  reader: TableReader,
  table: TableSpec,
  { before, file, runs, shape, returnMemory, signal }: LargeFile,
): Promise<WrittenFile> {
  const cuts = await runCuts(connection, table, before, runs);
  const parts: LoggedFile[] = [];
  try {
    for (const [number, range] of cuts.ranges.entries()) {
      signal.throwIfAborted();
      const path = file.path.replace(/\.parquet$/, `-run${number}.parquet`);
      const rows = `SELECT * FROM (${before}) WHERE ${range}`;
      parts.push({ ...file, path, ...(await writeSortedRun(connection, rows, table, store.locate(path))) });
      await returnMemory();
    }
    signal.throwIfAborted();
    const sorted = tableRowsSql(reader, table, parts);
    const location = store.locate(file.path);
    return await withRowOrder(connection, () =>
      copyToParquet(connection, sorted, table, location, { ...shape, isInOrder: true }),
    );
  } finally {
    await cuts.drop();
    for (const { path } of parts) await store.remove(path);
  }
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
