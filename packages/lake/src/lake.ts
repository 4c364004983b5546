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
  systemBeat,
  systemProcesses,
  type TableFormat,
  turnTaking,
  usableLakePath,
} from '@edrlake/core';
import { ignoreSteps } from './commit/apply-commit.ts';
import { type CommitRequest, type CommitResult, commit } from './commit/commit.ts';
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
import type { Snapshot } from './log/snapshot.ts';
import { computeEngine, type LakeWriter } from './methods/compute-engine.ts';
import { duckDbSessions } from './methods/duckdb-sessions.ts';
import { type EventLookup, eventLookup } from './methods/event-lookup.ts';
import { huntedAfterCommits, keepDerived, type LakeHunts, lakeHunts } from './methods/lake-hunts.ts';
import { type Maintaining, maintaining } from './methods/maintaining.ts';
import { type Costing, countingCosts } from './methods/object-costs.ts';
import { type Owned, owning, refuseOwner } from './methods/owning.ts';
import { type Promoting, promoting } from './methods/promoting.ts';
import { currentCoverage, type Proving, proving } from './methods/proving.ts';
import { publishedAfterCommits, publishing, publishSource } from './methods/publish-after-commits.ts';
import { type Querying, querying } from './methods/querying.ts';
import { type Recounting, recounting } from './methods/recounting.ts';
import { cachedSnapshot, viewSourceOf } from './methods/view-source.ts';
import { type ObjectLake, storeAt } from './object-store/open-object-lake.ts';
import type { Publishing } from './open-tables/publish-tables.ts';
import { dropViews, keepViews } from './query/view-file.ts';
import { holdLake } from './recovery/hold-lake.ts';
import { recoverForReading } from './recovery/recover-for-reading.ts';
import { refuseLostLog } from './recovery/refuse-lost-log.ts';
import type { DuckDbLimits, DuckDbSession } from './storage/duckdb.ts';
import { explainFileError } from './storage/file-errors.ts';
import type { Lease } from './storage/lease.ts';
import type { Store } from './storage/store.ts';
import { findLost } from './verify/find-lost.ts';

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
export interface Lake
  extends Publishing,
    Promoting,
    Costing,
    EventLookup,
    LakeHunts,
    Recounting,
    Proving,
    Maintaining,
    Querying,
    Owned {
  /** Absolute. For a lake in an object store: of what this machine keeps for it. */
  readonly directory: string;
  /** Where it is: its absolute path, or `s3://bucket/prefix`. */
  readonly address: string;
  /** How to reach it, if it is in an object store; else null. */
  readonly objects: ObjectLake | null;
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
  /** Brings `lake.duckdb` to the newest version. Commits do so from time to time; call it when a run ends. */
  refreshViews(): Promise<void>;
  /** Refreshes the views of a lake open for writing, and releases all resources. */
  close(): Promise<void>;
}

/**
 * Opens a lake. For writing, it first finishes or undoes what dead processes left behind.
 * @throws {EdrlakeError} `USAGE` for a path with `?`, `LAKE_MISSING`, `LAKE_UNWRITABLE`, `LAKE_INCOMPATIBLE` when a
 * newer edrlake has written it, `LAKE_OTHER_DATASET`, `LAKE_CORRUPT`.
 */
export async function openLake(options: LakeOptions): Promise<Lake> {
  const { tables } = options.dataset;
  const directory = usableLakePath(resolve(options.directory), tables);
  if (options.objects !== undefined) usableLakePath(options.objects.address.text, tables);
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
  const log = await openCommitLog(store, options.readOnly ? 'reader' : 'writer');
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
    objects: options.objects ?? null,
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
  readonly objects: ObjectLake | null;
  readonly dataset: Dataset;
  readonly writer: LakeWriter;
  readonly isReadOnly: boolean;
  readonly newLimits: () => DuckDbLimits;
  readonly connect: () => Promise<DuckDBConnection>;
  readonly openSession: () => Promise<DuckDbSession>;
}

function lakeOn(
  idle: CommitTools,
  { directory, objects, dataset, writer, isReadOnly, newLimits, connect, openSession }: LakeSetting,
): Omit<Lake, 'close' | 'address' | keyof Costing | keyof Owned> {
  const { log, store } = idle;
  const inTurn = turnTaking();
  const ready = async (): Promise<CommitContext> => withConnection(idle, await connect());
  const computing = computeEngine(writer, idle, ready);
  const snapshot = cachedSnapshot(log, dataset);
  const coverage = currentCoverage(idle, computing, snapshot);
  const lostFiles = () => findLost({ store, log });
  const viewSource = async () => viewSourceOf(idle, dataset, (await coverage()).lines, await snapshot());
  const hasViewFile = writer !== 'parquetjs' && store.remote === null;
  const views = hasViewFile ? keepViews(idle, connect, viewSource) : dropViews(idle, viewSource);
  const changeInTurn = <T>(work: () => Promise<T>) =>
    inTurn(async () => {
      if (isReadOnly) throw new EdrlakeError('BUG', 'this lake was opened for reading');
      return await work();
    });
  const writeInTurn = <T>(work: (context: CommitContext) => Promise<T>) =>
    changeInTurn(async () => work(await ready()));
  return {
    directory,
    objects,
    dataset,
    writer,
    lease: idle.lease,
    connect,
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
    ...proving({ tools: idle, computing, snapshot, coverage, ready }, inTurn),
    ...maintaining(idle, computing, ready, { inTurn, changeInTurn, writeInTurn }, views),
    ...lakeHunts({ tools: idle, connect, snapshot, coverage, lostFiles }, inTurn, writeInTurn),
    ...publishing(publishSource(idle, directory, writer === 'parquetjs' ? null : connect), changeInTurn),
    ...promoting(idle, writeInTurn, () => views.afterCommit(1)),
    ...recounting(idle, changeInTurn, views),
    ...eventLookup((work) => inTurn(async () => work(await ready()))),
    ...querying({ store, log, directory, newLimits }, snapshot, () => inTurn(viewSource)),
    refreshViews: () => changeInTurn(views.refresh),
  };
}
