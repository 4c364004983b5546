import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import {
  type Beat,
  type Clock,
  closeAfter,
  type Dataset,
  EdrlakeError,
  type Emit,
  type ProcessTable,
  type QueryScope,
  systemBeat,
  systemProcesses,
  type TableFormat,
  type TimeAxis,
  type TimeRange,
  turnTaking,
  usableLakePath,
  type WindowProof,
} from '@edrlake/core';
import { ignoreSteps } from './commit/apply-commit.ts';
import { type CommitRequest, type CommitResult, commit } from './commit/commit.ts';
import { dropLostFiles } from './commit/drop-lost-files.ts';
import { computeEngine, type LakeWriter } from './compute-engine.ts';
import { duckDbSessions } from './duckdb-sessions.ts';
import { type EventLookup, eventLookup } from './event-lookup.ts';
import { huntedAfterCommits, keepDerived, type LakeHunts, lakeHunts } from './lake-hunts.ts';
import {
  type CommitContext,
  type CommitStep,
  type CommitTools,
  type WantedOwner,
  withConnection,
} from './log/commit-context.ts';
import { openCommitLog } from './log/commit-log.ts';
import { liveTables } from './log/live-tables.ts';
import { prepareDirectory, refuseOlderProgram } from './log/prepare-directory.ts';
import { proofsOfRun, type Snapshot } from './log/snapshot.ts';
import { partitionDay } from './log/table-rows.ts';
import { type CompactOptions, type CompactReport, compact } from './maintenance/compact.ts';
import { type DeduplicateReport, deduplicate } from './maintenance/deduplicate.ts';
import { type VacuumOptions, type VacuumReport, vacuum } from './maintenance/vacuum.ts';
import { type Costing, countingCosts } from './object-costs.ts';
import { type ObjectLake, storeAt } from './object-store/open-object-lake.ts';
import type { Publishing } from './open-tables/publish-tables.ts';
import { type Owned, owning, refuseOwner } from './owning.ts';
import { type Promoting, promoting } from './promoting.ts';
import { publishedAfterCommits, publishing, publishSource } from './publish-after-commits.ts';
import type { ArrowResult } from './query/arrow.ts';
import { countFromLog } from './query/count-from-log.ts';
import type { QueryOptions, QueryResult, QueryTarget } from './query/query.ts';
import { dropViews, keepViews } from './query/view-file.ts';
import { type Recounting, recounting } from './recounting.ts';
import { holdLake } from './recovery/hold-lake.ts';
import { recoverForReading } from './recovery/recover-for-reading.ts';
import { refuseLostLog } from './recovery/refuse-lost-log.ts';
import type { DuckDbLimits, DuckDbSession } from './storage/duckdb.ts';
import { explainFileError, explainQueryFailure } from './storage/file-errors.ts';
import { REJECTS } from './storage/layout.ts';
import type { Lease } from './storage/lease.ts';
import { loadWithDuckDb } from './storage/load-duckdb.ts';
import type { Store } from './storage/store.ts';
import { countedTwiceIn, listedTwiceIn } from './verify/counted-twice.ts';
import { coverageOf, type DayCoverage, provenRangesOf } from './verify/coverage.ts';
import { findLost } from './verify/find-lost.ts';
import { type InspectedDay, inspectDays } from './verify/inspect-days.ts';
import { newestEventMs } from './verify/newest-event.ts';
import { type RejectedRange, rejectedRangesOf } from './verify/rejected-ranges.ts';
import { type VerifyReport, verifyFiles } from './verify/verify-files.ts';
import { cachedSnapshot, viewSourceOf } from './view-source.ts';

/** How to open a lake. */
export interface LakeOptions {
  /** Of the lake. For a lake in an object store: of what this machine keeps for it, see `ObjectLake`. */
  readonly directory: string;
  /** Where the lake is, if in an object store. */
  readonly objects?: ObjectLake;
  /**
   * The events that the lake holds. A new lake records its name; a lake of another dataset is refused. A new column of
   * its tables starts a new schema version with the next commit.
   */
  readonly dataset: Dataset;
  readonly clock: Clock;
  readonly emit: Emit;
  /** DuckDB's memory, `512MB` unless given. Queries get the same amount in addition, a commit session half of it. */
  readonly memoryLimit?: string;
  /** DuckDB's threads; one for each core unless given. */
  readonly threads?: number;
  /** Makes an empty lake where there is none. */
  readonly create: boolean;
  /** For which subscription: a new lake records it, and a lake of another one is refused. Absent: for none. */
  readonly owner?: WantedOwner;
  /** Changes nothing on disk except what a crash left behind, see `recoverForReading`. */
  readonly readOnly: boolean;
  /** Whether to wait for commits of processes that cannot be seen from here. Unless given, a writer waits. */
  readonly waits?: boolean;
  /** The processes that may be at work on the lake; those of the machine unless given. */
  readonly processes?: ProcessTable;
  /** What compares batches and writes files; DuckDB unless given. Batches are staged for the same one. */
  readonly writer?: LakeWriter;
  /** Table formats that the lake is published in after each commit. None unless given. */
  readonly publishes?: readonly TableFormat[];
  /** Renews the lease of this process; the machine's timer unless given. */
  readonly beat?: Beat;
  /** Called at the named moments of commits; for tests that end the process there. */
  readonly onStep?: (step: CommitStep) => void;
}

/** A DuckDB on which batches are staged and committed. */
export type CommitSession = DuckDbSession;

/** An open lake. Its methods may be called concurrently; those that compute take turns on the one connection. */
export interface Lake extends Publishing, Promoting, Costing, EventLookup, LakeHunts, Recounting, Owned {
  /** Absolute. For a lake in an object store: of what this machine keeps for it. */
  readonly directory: string;
  /** Where it is: its absolute path, or `s3://bucket/prefix`. */
  readonly address: string;
  /** The events that it holds. */
  readonly dataset: Dataset;
  /** What batches have to be staged for. */
  readonly writer: LakeWriter;
  /** The lease that holds the unfinished work of this process; null for a lake opened for reading. */
  readonly lease: Lease | null;
  /**
   * The connection on which batches are staged. Work on it and the lake's methods must not overlap in time. A lake
   * opened for reading starts DuckDB with the first call that computes: loading it takes longer than most questions.
   */
  connect(): Promise<DuckDBConnection>;
  /** What a query over several lakes needs of each, see `uniteLakes`. */
  readonly queryTarget: QueryTarget;
  /**
   * A separate DuckDB for staging and committing batches, so that one batch can be staged while another one is
   * committed. It has one thread unless the lake was given a number: batches are too small for DuckDB to divide their
   * work, and a second thread only costs. Close it before the lake.
   */
  openCommitSession(): Promise<CommitSession>;
  /** The newest version, including commits of other processes. */
  snapshot(): Promise<Snapshot>;
  /** See `CommitRequest`. @throws {EdrlakeError} `LAKE_CONTENDED`, `LAKE_UNWRITABLE`, `LAKE_CORRUPT`. */
  commit(request: CommitRequest): Promise<CommitResult>;
  /**
   * The coverage of each day that has rows or was ever fetched, oldest first; with a range only of days that it
   * touches. Days that hold nothing and were proven together share a line.
   */
  coverage(range?: TimeRange): Promise<DayCoverage[]>;
  /**
   * The number of stored events and rejects with a time on the axis in each range, counted now from the data files:
   * equal to the API's count when the API has nothing else. Records that the API is known to count twice therefore
   * count twice here. Ranges may overlap. Files that are missing or broken are left out.
   */
  countStored(ranges: readonly TimeRange[], axis: TimeAxis): Promise<number[]>;
  /** For each range, how many records the API is known to count more than once, of one type where one is given. */
  countedTwice(ranges: readonly TimeRange[], axis: TimeAxis, eventType?: string | null): Promise<number[]>;
  /** How many records the API lists more than once; each is stored once. */
  listedTwice(): Promise<number>;
  /** What the data files hold, day by day, without using the log's numbers; see `inspectDays`. */
  inspectDays(range: TimeRange, by: 'day' | 'type'): Promise<InspectedDay[]>;
  /** Recomputes what data files hold, of all days or of those that the range touches; see `verifyFiles`. */
  verify(range: TimeRange | null, signal: AbortSignal): Promise<VerifyReport>;
  /**
   * Records that data files are lost, and removes rows that are incomplete without them, so that all of them can be
   * delivered again.
   * @param suspects paths of files that are compared with their checksums; of all others only size and footer are
   * checked
   * @returns the paths of the lost files; empty when none is lost
   */
  forgetLostFiles(runId: string, suspects?: readonly string[]): Promise<readonly string[]>;
  /**
   * Data files of the newest version that are missing or not of their committed size; with a range only those of days
   * that it touches, rejects by the day they were fetched. Reads no content.
   */
  lostFiles(range?: TimeRange): Promise<readonly string[]>;
  /** Leaves one copy of each event, of all days or of those that the range touches; see `deduplicate`. */
  deduplicate(runId: string, range?: TimeRange): Promise<DeduplicateReport>;
  /** The proofs that a run has committed and that no later one of the same window has replaced, oldest first. */
  proofsOfRun(runId: string): Promise<readonly WindowProof[]>;
  /** Ranges of an axis and scope of which everything was delivered, and too many records could not become rows. */
  rejectedRanges(axis: TimeAxis, scope: QueryScope): Promise<RejectedRange[]>;
  /**
   * Merges small files, day by day, without changing a row; see `CompactOptions`. @throws {EdrlakeError} as `commit`,
   * `INTERRUPTED`.
   */
  compact(options: CompactOptions, context: RunContext): Promise<CompactReport>;
  /** Removes what no reader or writer needs; see `VacuumOptions`. A dry run also works on a lake opened for reading. */
  vacuum(options: VacuumOptions, context: Pick<RunContext, 'signal'>): Promise<VacuumReport>;
  /**
   * The ranges that the newest proofs cover: everything of the scope that had happened when they were made was fetched.
   * Oldest first, without overlap. On the event axis without the days that lost rows and have not recovered them.
   * @param settleLagMs how long after an instant it must have been counted to be taken as proven; 0 unless given
   */
  provenRanges(axis: TimeAxis, scope: QueryScope, settleLagMs?: number): Promise<TimeRange[]>;
  /** The time of the newest event, from the log where it has it; null without events, or where their file is lost. */
  newestEventMs(): Promise<number | null>;
  /**
   * Runs one reading statement over the views of the newest version. @throws {EdrlakeError} `QUERY_FAILED`,
   * `INTERRUPTED`.
   */
  query(sql: string, options?: QueryOptions): Promise<QueryResult>;
  /** The same, as an Arrow IPC stream for a file or a pipe. `apache-arrow` is loaded at the first call. */
  queryArrow(sql: string, options?: QueryOptions): Promise<AsyncIterable<Uint8Array>>;
  /** The same, as record batches. */
  queryArrowBatches(sql: string, options?: QueryOptions): Promise<ArrowResult>;
  /** The same, into a Parquet file at any path. @returns the number of rows. */
  queryToParquet(sql: string, file: string, options?: QueryOptions): Promise<number>;
  /** Brings `lake.duckdb` to the newest version. Commits do so from time to time; call it when a run ends. */
  refreshViews(): Promise<void>;
  /** Refreshes the views of a lake open for writing, and releases all resources. */
  close(): Promise<void>;
}

/** The run that a maintenance task of the lake belongs to. */
export interface RunContext {
  readonly runId: string;
  /** Aborting it ends the work at the next safe point. */
  readonly signal: AbortSignal;
}

/**
 * Opens a lake. For writing, it first finishes or undoes what dead processes left behind.
 * @throws {EdrlakeError} `USAGE` for a path with `?`, `LAKE_MISSING`, `LAKE_UNWRITABLE`, `LAKE_INCOMPATIBLE` when a
 * newer edrlake has written it, `LAKE_OTHER_DATASET`, `LAKE_CORRUPT`.
 */
export async function openLake(options: LakeOptions): Promise<Lake> {
  const directory = usableLakePath(resolve(options.directory));
  const nowMs = options.clock.nowMs();
  const store = await storeAt({ ...options, directory }, { writes: !options.readOnly, nowMs });
  try {
    return await openOn(store, directory, options);
  } catch (thrown) {
    store.remote?.close();
    throw thrown;
  }
}

async function openOn(store: Store, directory: string, options: LakeOptions): Promise<Lake> {
  const { dataset } = options;
  const markedFor = await prepareDirectory(directory, store, options);
  await store.remote?.remember();
  const log = await openCommitLog(store);
  refuseOwner(markedFor, log.known().owner, options.owner, store.address);
  // Before any recovery: files that look like leftovers may be all that remains of lost log entries.
  await refuseLostLog(store, log, dataset.tables);
  if (!options.readOnly) refuseOlderProgram(await log.refresh(), dataset.tables);
  const { processes = systemProcesses, beat = systemBeat } = options;
  const hold = options.readOnly ? null : await holdLake({ ...options, store, log, processes, beat });
  if (options.readOnly) {
    const writing = { ...options, create: false, readOnly: false, waits: false };
    const openToWrite = async () => (await openLake(writing)).close();
    const keepsViews = options.writer !== 'parquetjs' && store.remote === null;
    await recoverForReading({ store, log, keepsViews, nowMs: options.clock.nowMs(), emit: options.emit, openToWrite });
  }
  const workFolder = hold?.workFolder ?? null;
  // A reader may lack permission to write into the lake, so DuckDB spills to the system's temporary folder.
  const spillRoot = workFolder === null ? tmpdir() : store.locate(workFolder);
  const duckDb = duckDbSessions({ store, log }, options, spillRoot);
  const tables = liveTables(dataset.tables, log);
  const idle: CommitTools = {
    store,
    log,
    get tables() {
      return tables();
    },
    clock: options.clock,
    emit: options.emit,
    workFolder: workFolder ?? '',
    lease: hold?.lease ?? null,
    onStep: options.onStep ?? ignoreSteps,
    customerColumn: dataset.customer ?? null,
    owner: options.owner ?? null,
  };
  const connect = async () => (await duckDb.shared()).connection;
  const lake = lakeOn(idle, {
    directory,
    dataset,
    writer: options.writer ?? 'duckdb',
    isReadOnly: options.readOnly,
    newLimits: duckDb.newLimits,
    connect,
    openSession: duckDb.openForBatch,
  });
  const letGo = async () => {
    try {
      await duckDb.stop();
      await hold?.release();
    } finally {
      store.remote?.close();
    }
  };
  try {
    // After a crash the views may name files that are gone; a new lake gets empty ones. An error of a disk that is too
    // full for them is left to the end, because a vacuum may free space first.
    if (!options.readOnly) {
      await lake.refreshViews().catch((thrown: unknown) => {
        if (!(thrown instanceof EdrlakeError && thrown.code === 'VIEWS_STALE')) throw thrown;
      });
    }
  } catch (thrown) {
    // The first error is the one to report.
    await letGo().catch(() => undefined);
    throw explainFileError(thrown);
  }
  const close = () =>
    closeAfter(letGo, async () => {
      if (options.readOnly) return;
      if (options.writer !== 'parquetjs') await keepDerived(lake, options.emit);
      await lake.refreshViews();
    });
  const about = { store, directory, clock: options.clock, knownVersion: () => log.known().version };
  const isKept = !options.readOnly && options.writer !== 'parquetjs' && store.remote === null;
  const hunted = isKept ? huntedAfterCommits(lake, options.emit) : lake;
  const opened = countingCosts({ ...hunted, ...owning(idle), address: store.address, close }, about);
  return publishedAfterCommits(opened, options.publishes);
}

interface LakeSetting {
  readonly directory: string;
  readonly dataset: Dataset;
  readonly writer: LakeWriter;
  readonly isReadOnly: boolean;
  readonly newLimits: () => DuckDbLimits;
  readonly connect: () => Promise<DuckDBConnection>;
  readonly openSession: () => Promise<DuckDbSession>;
}

function lakeOn(
  idle: CommitTools,
  { directory, dataset, writer, isReadOnly, newLimits, connect, openSession }: LakeSetting,
): Omit<Lake, 'close' | 'address' | keyof Costing | keyof Owned> {
  const { log, store } = idle;
  const inTurn = turnTaking();
  const ready = async (): Promise<CommitContext> => withConnection(idle, await connect());
  const computing = computeEngine(writer, idle, ready);
  const loadQuery = () => loadWithDuckDb(() => import('./query/query.ts'));
  const loadArrow = () => loadWithDuckDb(() => import('./query/arrow.ts'));
  const snapshot = cachedSnapshot(log, dataset);
  const lostFilesOf = (range?: TimeRange) => findLost({ store, log }, range);
  /** A day with lost files is not complete, even if the log says so. */
  const coverage = async (range?: TimeRange) => {
    const lost = await lostFilesOf(range);
    const shown = await snapshot();
    const lossDays = new Set([...shown.lossDays, ...lost.filter(({ table }) => table !== REJECTS).map(partitionDay)]);
    return coverageOf({ ...shown, lossDays: [...lossDays] }, computing.countAnswers, idle.clock.nowMs(), range);
  };
  const viewSource = async () => viewSourceOf(idle, dataset, await coverage(), await snapshot());
  const target: QueryTarget = {
    directory: store.remote === null ? directory : store.locate(''),
    store,
    newLimits,
    viewSource: () => inTurn(viewSource),
    newestVersion: async () => (await log.refresh()).version,
    explain: async (thrown) => explainQueryFailure(thrown, target.directory, (await log.refresh()).files),
  };
  const hasViewFile = writer !== 'parquetjs' && store.remote === null;
  const views = hasViewFile ? keepViews(idle, connect, viewSource) : dropViews(idle, viewSource);
  const refuseToWrite = () => {
    if (isReadOnly) throw new EdrlakeError('BUG', 'this lake was opened for reading');
  };
  const changeInTurn = <T>(work: () => Promise<T>) =>
    inTurn(async () => {
      refuseToWrite();
      return await work();
    });
  const writeInTurn = <T>(work: (context: CommitContext) => Promise<T>) =>
    changeInTurn(async () => work(await ready()));
  return {
    directory,
    dataset,
    writer,
    lease: idle.lease,
    ...{ connect, queryTarget: target },
    openCommitSession: openSession,
    snapshot,
    commit: (request) =>
      changeInTurn(async () => {
        const result = await commit(idle, await computing.engineFor(request), request);
        // The commit is final, and the views are only a cache: where they cannot be written now, closing or the next
        // opening reports it.
        await views.afterCommit(result.filesRemoved).catch(() => undefined);
        return result;
      }),
    coverage: (range) => inTurn(() => coverage(range)),
    countStored: (ranges, axis) =>
      inTurn(async () => {
        const stored = await computing.countRecords(ranges, axis);
        const twice = countedTwiceIn(await snapshot(), ranges, axis);
        return stored.map((count, position) => count + (twice[position] ?? 0));
      }),
    countedTwice: (ranges, axis, eventType) =>
      inTurn(async () => countedTwiceIn(await snapshot(), ranges, axis, eventType)),
    listedTwice: async () => listedTwiceIn(await snapshot()),
    inspectDays: (range, by) => inTurn(async () => inspectDays(await ready(), range, by)),
    verify: (range, signal) => inTurn(async () => verifyFiles(await ready(), range, signal)),
    forgetLostFiles: (runId, suspects = []) =>
      changeInTurn(async () => {
        const paths = await dropLostFiles(idle, await computing.engineFor({ batch: null }), runId, new Set(suspects));
        await views.afterCommit(paths.length);
        return paths;
      }),
    deduplicate: (runId, range) =>
      writeInTurn(async (context) => {
        const report = await deduplicate(context, range, runId);
        await views.afterCommit(report.version === null ? 0 : 1);
        return report;
      }),
    proofsOfRun: async (runId) => proofsOfRun(await log.refresh(), runId),
    rejectedRanges: async (axis, scope) => rejectedRangesOf(await snapshot(), { axis, scope }, idle.clock.nowMs()),
    lostFiles: async (range) => (await lostFilesOf(range)).map(({ path }) => path),
    compact: (options, run) =>
      writeInTurn((context) => compact(context, options, { ...run, afterCommit: () => views.afterCommit(1) })),
    vacuum: (options, { signal }) =>
      inTurn(() => {
        if (options.dryRun !== true) refuseToWrite();
        return vacuum(idle, options, signal);
      }),
    ...lakeHunts({ tools: idle, connect, snapshot, coverage, lostFiles: lostFilesOf }, inTurn, writeInTurn),
    ...publishing(publishSource(idle, directory, writer === 'parquetjs' ? null : connect), changeInTurn),
    ...promoting(idle, writeInTurn, () => views.afterCommit(1)),
    ...recounting(idle, changeInTurn, views),
    ...eventLookup((work) => inTurn(async () => work(await ready()))),
    provenRanges: async (axis, scope, settleLagMs = 0) =>
      provenRangesOf(await snapshot(), { axis, scope }, idle.clock.nowMs(), settleLagMs),
    newestEventMs: () => inTurn(async () => newestEventMs(await snapshot(), computing.newestEventMs)),
    query: async (sql, options) => {
      const counted = options?.signal?.aborted ? null : await countFromLog(sql, await snapshot(), store);
      return counted ?? (await loadQuery()).runQuery(target, sql, options);
    },
    queryArrow: async (sql, options) => (await loadArrow()).runArrowQuery(target, sql, options),
    queryArrowBatches: async (sql, options) => (await loadArrow()).runArrowBatches(target, sql, options),
    queryToParquet: async (sql, file, options) =>
      (await loadQuery()).exportParquet(target, sql, resolve(file), options),
    refreshViews: () => changeInTurn(views.refresh),
  };
}
