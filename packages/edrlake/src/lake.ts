import { resolve } from 'node:path';
import { type Clock, type Dataset, EdrlakeError, newRunId, type Random } from '@edrlake/core';
import type {
  CompactReport,
  DayCoverage,
  DeduplicateReport,
  Lake as StoredLake,
  QueryOptions,
  VacuumReport,
} from '@edrlake/lake';
import { type Query, type QueryRow, queryOf } from './lake-query.ts';
import {
  type CallOptions,
  openReports,
  optionalRangeOf,
  type RangeOptions,
  type Reports,
  type Surroundings,
  signalOf,
  surroundingsOf,
} from './options.ts';

/** How to open a lake. */
export interface OpenLakeOptions extends Surroundings {
  /**
   * The events that it holds: one of those that edrlake comes with, or one of your own (`defineDataset`). A lake holds
   * one dataset and keeps its name. Default `QUALYS_EDR`.
   */
  readonly dataset?: Dataset;
  /**
   * `true`: nothing is written, and there must be a lake. Queries, `coverage`, `version` and `reconcile` work on it.
   * Default `false`: a lake is made where there is none, and what a crash left unfinished is put right first.
   */
  readonly readOnly?: boolean;
  /** Memory of DuckDB, for example `2GB`. Each query gets as much again. Default `512MB`; at least `300MB`. */
  readonly memoryLimit?: string;
  /** Threads of DuckDB. Default: as many as cores. */
  readonly threads?: number;
  /**
   * What exports into the lake compute with. `duckdb` unless given; `parquetjs` is TypeScript alone, for machines where
   * DuckDB has no binaries, and takes about four times as long. Queries and maintenance need DuckDB in any case.
   */
  readonly writer?: 'duckdb' | 'parquetjs';
}

/** One version of a lake: what a reader that starts now sees, in all tables at once. */
export interface LakeVersion {
  /** The number of commits; 0 for a lake without any. */
  readonly version: number;
  /** In UTC epoch milliseconds; null for a lake without a commit. */
  readonly committedAtMs: number | null;
  /** Its data files, in the order of their commits. */
  readonly files: readonly LakeFile[];
}

/** A Parquet file of one version. */
export interface LakeFile {
  readonly table: string;
  /** Absolute. */
  readonly path: string;
  readonly rowCount: number;
  readonly byteLength: number;
}

/**
 * A lake that `openLake` has opened. Calls may run at once; exports, repairs and pipelines on one lake take turns.
 * Close it when all calls have ended, or declare it with `await using`.
 */
export interface Lake extends AsyncDisposable {
  /** Absolute. */
  readonly directory: string;
  readonly isReadOnly: boolean;
  /** The events that it holds. */
  readonly dataset: Dataset;
  /**
   * A statement over the newest version; see `Query`. Nothing runs before the query is read.
   * @example
   * const rows = await lake.query<{ events: number }>('select count(*) as events from events').toArray();
   * console.log(rows[0]?.events);
   */
  query<Row = QueryRow>(sql: string, options?: Pick<CallOptions, 'signal'>): Query<Row>;
  /** The newest version and its files, with what other processes have committed since. */
  version(): Promise<LakeVersion>;
  /**
   * The status of each UTC day that has rows or was ever fetched, oldest first: counted by the API, in the lake, and
   * what that means. Days without events that were proven together share a line.
   * @param range only days that it touches
   */
  coverage(range?: RangeOptions): Promise<DayCoverage[]>;
  /**
   * Merges and sorts small files, day by day, without changing a row. Safe to interrupt.
   * @throws {EdrlakeError} `LAKE_CONTENDED`, `LAKE_UNWRITABLE`, `LAKE_CORRUPT`, `INTERRUPTED`
   */
  compact(options?: CompactOptions): Promise<CompactReport>;
  /**
   * Deletes files that neither the newest version nor one of the last `graceDays` names.
   * @throws {EdrlakeError} `LAKE_UNWRITABLE`, `LAKE_CORRUPT`, `INTERRUPTED`
   */
  vacuum(options?: VacuumOptions): Promise<VacuumReport>;
  /**
   * Leaves one copy of each event, the newest, of all days or of those that the range touches. A lake has duplicates
   * only after files were copied into it by hand.
   * @throws {EdrlakeError} as `compact`
   */
  deduplicate(options?: Partial<RangeOptions> & CallOptions): Promise<DeduplicateReport>;
  /**
   * Brings the views in `lake.duckdb` up to date and releases everything.
   * @throws {EdrlakeError} `VIEWS_STALE` when everything is committed and only the views could not be written
   */
  close(): Promise<void>;
}

/** Which days to compact, and into what. */
export interface CompactOptions extends Partial<RangeOptions>, CallOptions {
  /** About how large a merged file becomes. Default 256 MiB. */
  readonly targetFileBytes?: number;
  /** Small sorted files of one table and day that are worth merging; at least and by default 2. */
  readonly minFiles?: number;
}

/** What a vacuum may delete. */
export interface VacuumOptions extends CallOptions {
  /** How long files stay that no version names any more, so that readers of an older one can end. Default 7 days. */
  readonly graceDays?: number;
  /** Reports what would be deleted, and deletes nothing. */
  readonly dryRun?: boolean;
}

const INTERNALS = Symbol('internals');

/** What the functions of this package need of a lake. */
export interface LakeInternals {
  readonly stored: StoredLake;
  readonly clock: Clock;
  readonly random: Random;
  readonly reports: Reports;
  /** One export, repair or pipeline at a time: they stage batches on one DuckDB. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
}

interface OpenedLake extends Lake {
  readonly [INTERNALS]: LakeInternals;
}

/**
 * Opens the lake in a folder, and makes it where there is none. Several processes may open one lake at once; each
 * commit is atomic.
 * @param directory absolute, or relative to the working directory of the process
 * @throws {EdrlakeError} `LAKE_UNWRITABLE`, `LAKE_INCOMPATIBLE` if a newer edrlake has written it, `LAKE_CORRUPT`,
 * `LAKE_OTHER_DATASET` if it holds other events, `LAKE_MISSING` for `readOnly` without a lake, `USAGE` for a path that
 * DuckDB cannot take
 * @example
 * await using lake = await openLake(directory);
 * for await (const row of lake.query('from coverage')) console.log(row);
 */
export async function openLake(directory: string, options: OpenLakeOptions = {}): Promise<Lake> {
  const { dataset, memoryLimit, threads, writer = 'duckdb', readOnly = false } = options;
  const { clock, random } = surroundingsOf(options);
  const reports = openReports(options.onProgress);
  const { openEdrLake } = await import('@edrlake/runner/open-lake');
  const stored = await openEdrLake(
    resolve(directory),
    {
      create: !readOnly,
      readOnly,
      writer,
      ...(dataset && { dataset }),
      ...(memoryLimit && { memoryLimit }),
      ...(threads && { threads }),
    },
    { clock, emit: reports.emit },
  );
  const internals = { stored, clock, random, reports, inTurn: turns() };
  const opened: OpenedLake = { ...lakeOn(internals, readOnly), [INTERNALS]: internals };
  return opened;
}

function lakeOn(internals: LakeInternals, isReadOnly: boolean): Lake {
  const { stored, reports, inTurn } = internals;
  let closing: Promise<void> | null = null;
  const close = () => {
    closing ??= inTurn(() => stored.close());
    return closing;
  };
  const maintain = <T>(
    what: string,
    options: CallOptions,
    work: (context: { readonly runId: string; readonly signal: AbortSignal }) => Promise<T>,
  ) => {
    refuseReadOnly(isReadOnly, what);
    return listening(reports, options, () =>
      inTurn(() => work({ runId: newRunId(internals), signal: signalOf(options) })),
    );
  };
  return {
    directory: stored.directory,
    dataset: stored.dataset,
    isReadOnly,
    query: <Row>(sql: string, options: QueryOptions = {}) => queryOf<Row>(stored, sql, options),
    version: () => versionOf(stored),
    coverage: (range) => stored.coverage(range && rangeOrUndefined(range)),
    compact: async ({ targetFileBytes, minFiles, ...options } = {}) => {
      const range = rangeOrUndefined(options);
      const wanted = {
        ...(range && { range }),
        ...(targetFileBytes !== undefined && { targetFileBytes }),
        ...(minFiles !== undefined && { minFiles }),
      };
      return maintain('compact', options, (context) => stored.compact(wanted, context));
    },
    vacuum: async ({ graceDays, dryRun = false, ...options } = {}) => {
      const wanted = { dryRun, ...(graceDays !== undefined && { graceMs: graceDays * 86_400_000 }) };
      if (dryRun) return listening(reports, options, () => stored.vacuum(wanted, { signal: signalOf(options) }));
      return maintain('vacuum', options, (context) => stored.vacuum(wanted, context));
    },
    deduplicate: async (options = {}) =>
      maintain('deduplicate', options, ({ runId }) => stored.deduplicate(runId, rangeOrUndefined(options))),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function versionOf(stored: StoredLake): Promise<LakeVersion> {
  const { version, committedAtMs, files } = await stored.snapshot();
  return {
    version,
    committedAtMs,
    files: Object.values(files)
      .flat()
      .map(({ table, path, rowCount, fileBytes }) => ({
        table,
        path: resolve(stored.directory, path),
        rowCount,
        byteLength: fileBytes,
      })),
  };
}

function rangeOrUndefined(options: Partial<RangeOptions>) {
  return optionalRangeOf(options) ?? undefined;
}

/** What is behind a lake. @throws {EdrlakeError} `USAGE` for an object that `openLake` has not made */
export function internalsOf(lake: Lake): LakeInternals {
  const found = (lake as Partial<OpenedLake>)[INTERNALS];
  if (found !== undefined) return found;
  throw new EdrlakeError('USAGE', 'expected a lake that openLake has opened', {
    hint: 'Hand on the object as it is: a copy of its methods is no lake.',
  });
}

/** @throws {EdrlakeError} `USAGE` where a lake that is opened for reading would have to be written */
export function refuseReadOnly(isReadOnly: boolean, what: string): void {
  if (!isReadOnly) return;
  throw new EdrlakeError('USAGE', `${what} writes the lake, which is opened for reading`, {
    hint: 'Open it without readOnly.',
  });
}

/** @throws {EdrlakeError} `USAGE` where the source has other events than the lake */
export function refuseOtherDataset(held: Dataset, given: Dataset): void {
  if (held.name === given.name) return;
  throw new EdrlakeError('USAGE', `the lake holds ${held.name}, the source gives ${given.name}`, {
    hint: 'Open the lake and connect with the same dataset.',
  });
}

/** Does some work while the listener of a call receives what is reported. */
export async function listening<T>(
  reports: Reports | readonly Reports[],
  { onProgress }: CallOptions,
  work: () => Promise<T>,
): Promise<T> {
  const leave = [reports].flat().map((each) => each.listen(onProgress));
  try {
    return await work();
  } finally {
    for (const end of leave) end();
  }
}

/** Runs one piece of work after the other, in the order of the calls. */
function turns(): LakeInternals['inTurn'] {
  let tail: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = tail.then(work);
    tail = turn.catch(() => {});
    return turn;
  };
}
