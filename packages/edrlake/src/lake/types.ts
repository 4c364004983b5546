import type { ColumnType, Dataset, TableFormat } from '@edrlake/core';
import type {
  CompactReport,
  DayCoverage,
  DeduplicateReport,
  DemoteReport,
  IndexReport,
  PromoteReport,
  PublishReport,
  QueryReads,
  ReadWay,
  S3Settings,
  StandingReport,
  UnloadFormat,
  UnloadReport,
  VacuumReport,
  VerifyReport,
} from '@edrlake/lake';
import type { Indicator } from '@edrlake/lake/indicators';
import type { GateRequirement, RefusedDays } from '@edrlake/runner/history';
import type { CallOptions, RangeOptions, ScopeOptions, Surroundings } from '../input/options.ts';
import type { Hunt, HuntLakeOptions, Query, QueryRow } from './query.ts';

/** Whose events a lake holds. */
export interface LakeSubscription {
  /** Lower-case letters, digits and hyphens, as in the configuration of the command. */
  readonly name: string;
  /** The id of its customer, as its events have it in `asset.customerId`. Default: the lake learns it. */
  readonly customerId?: string;
}

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
  /**
   * The subscription that the lake is for, so that the events of two customers never get into one lake: a lake records
   * it, and is opened for no other one. Default: none is recorded, and none is needed.
   */
  readonly subscription?: LakeSubscription;
  /** Memory of DuckDB, for example `2GB`. Each query gets as much again. Default `512MB`; at least `300MB`. */
  readonly memoryLimit?: string;
  /** Threads of DuckDB. Default: as many as cores. */
  readonly threads?: number;
  /**
   * What exports into the lake compute with. `duckdb` unless given; `parquetjs` is TypeScript alone, for machines where
   * DuckDB has no binaries, and takes about five times the CPU. Queries and maintenance need DuckDB in any case.
   */
  readonly writer?: 'duckdb' | 'parquetjs';
  /** Formats that the tables are published in after each commit, as by `publish`. Default: none. */
  readonly publishes?: readonly TableFormat[];
  /**
   * Only of a lake in an object store: how to reach it. What is not given the client library finds by the rules of the
   * AWS tools.
   */
  readonly s3?: S3Settings;
  /**
   * Only of a lake in an object store: the folder for what this machine keeps of it, such as unfinished work and copies
   * of its files. Default: below `.local/state/edrlake` in the user's home folder.
   */
  readonly workDirectory?: string;
  /**
   * Only of a lake in an object store: how queries read its files. `copies`: whole files are downloaded, compared with
   * their checksums and kept. `httpfs`: DuckDB's extension reads what a query needs, without comparing checksums;
   * edrlake never installs it. Default `auto`: the second where the extension can be loaded, else the first.
   */
  readonly reads?: ReadWay;
  /** The file of DuckDB's extension `httpfs`. Default: where DuckDB installs extensions. */
  readonly httpfsFile?: string;
}

/** What a statement may be given. */
export interface QueryLakeOptions extends Pick<CallOptions, 'signal'> {
  /** Hears how files of an object store are read, once for each run of the statement that reads any. */
  readonly onReads?: (reads: QueryReads) => void;
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
  /** Absolute; `s3://…` of a lake in an object store. */
  readonly path: string;
  readonly rowCount: number;
  readonly byteLength: number;
}

/**
 * A lake that `openLake` has opened. Calls may run at once; exports, repairs and pipelines on one lake take turns.
 * Close it when all calls have ended, or declare it with `await using`.
 */
export interface Lake extends AsyncDisposable {
  /** Absolute. Of a lake in an object store: the folder for what this machine keeps of it. */
  readonly directory: string;
  /** Where it is: its absolute path, or `s3://bucket/prefix`. */
  readonly address: string;
  readonly isReadOnly: boolean;
  /** The events that it holds. */
  readonly dataset: Dataset;
  /**
   * A statement over the newest version; see `Query`. Nothing runs before the query is read.
   * @example
   * const rows = await lake.query<{ events: number }>('select count(*) as events from events').toArray();
   * console.log(rows[0]?.events);
   */
  query<Row = QueryRow>(sql: string, options?: QueryLakeOptions): Query<Row>;
  /** The newest version and its files, with what other processes have committed since. */
  version(): Promise<LakeVersion>;
  /**
   * The status of each UTC day that has rows or was ever fetched, oldest first: counted by the API, in the lake, and
   * what that means. Days without events that were proven together share a line.
   * @param range only days that it touches
   */
  coverage(range?: RangeOptions): Promise<DayCoverage[]>;
  /**
   * Whether every UTC day of a range is proven: it is over and settled, proofs cover all of it, not too much was
   * rejected, and its files are there. Asks the lake alone, and starts no DuckDB for lakes that edrlake has written
   * since 0.1.0.
   * @throws {EdrlakeError} `RANGE_INVALID`, `LAKE_CORRUPT`
   * @example
   * const { passes, refused } = await lake.gate({ from: '2020-08-17', to: '2020-08-23' });
   * if (!passes) console.log(refused);
   */
  gate(options: GateOptions): Promise<GateReport>;
  /**
   * Reads every data file, of all days or of those that the range touches, and compares it with what was committed:
   * checksum, number of rows, and the content digest of the values where compaction has kept one. Changes nothing.
   * @throws {EdrlakeError} `RANGE_INVALID`, `INTERRUPTED`, `LAKE_CORRUPT` where a file cannot be opened
   * @example
   * const { findings } = await lake.verify();
   * for (const { day, path, found } of findings) console.log(day, path, found);
   */
  verify(options?: Partial<RangeOptions> & Pick<CallOptions, 'signal'>): Promise<VerifyReport>;
  /**
   * Looks for hashes, addresses, domains, hosts, file names and paths, and says what it means where one is not found:
   * `coverage` has the parts of the range that are not proven. Values are recognised by their form, `readIndicators`
   * reads whole lists. Without a range, all that the lake holds.
   * @throws {EdrlakeError} `INDICATORS_INVALID`, `RANGE_INVALID`, `INTERRUPTED`, `LAKE_CORRUPT`
   * @example
   * const hunt = await lake.hunt(['44d88612fea8a8f36de82e1278abb02f', 'evil[.]example']);
   * for (const { indicator, verdict, hosts } of hunt.findings) console.log(indicator.text, verdict, hosts);
   * console.log(hunt.isProven ? 'all of it is proven' : hunt.coverage.unproven);
   */
  hunt(values: readonly (string | Indicator)[], options?: HuntLakeOptions): Promise<Hunt>;
  /**
   * Always hunts the lists of a folder from now on: the past once, then what each commit adds; as `edrlake hunt
   * --standing`. Lists that are gone from the folder are no longer hunted. All matches are in the view `hunt_matches`;
   * `fresh` has those that no earlier call or command has reported.
   * @throws {EdrlakeError} `USAGE` without the folder, `LAKE_UNWRITABLE`, `LAKE_CONTENDED`, `INTERRUPTED`
   * @example
   * // In hunts/ are lists, such as bad-hosts.txt with one value a line.
   * const { lists, fresh, faults } = await lake.huntStanding('hunts');
   * console.log(lists.length, fresh.count, faults);
   */
  huntStanding(directory: string, options?: StandingHuntOptions): Promise<StandingReport>;
  /**
   * Begins the index that hunts use, completes it, or makes it anew; as `edrlake index`. Once there is one, each writer
   * keeps it up when it closes the lake. No answer depends on it.
   * @throws {EdrlakeError} `LAKE_UNWRITABLE`, `INTERRUPTED`
   * @example
   * const { known, files, bytes } = await lake.index();
   * console.log(`${known} of ${files} files in ${bytes} bytes`);
   */
  index(options?: IndexLakeOptions): Promise<IndexReport>;
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
   * Makes a field that no column takes a typed column, over all history and of what comes, in one commit and without a
   * request; as `edrlake promote`. A value that the type does not say exactly stays in `extra`, and is counted.
   * @throws {EdrlakeError} `USAGE` for a path or name that cannot be promoted; as `compact`
   * @example
   * const { column, values, left } = await lake.promote({ path: 'actor.type' });
   * console.log(column, values, left);
   * await lake.demote(column);
   */
  promote(options: PromoteOptions): Promise<PromoteReport>;
  /**
   * Undoes `promote`: removes the column, whose values are in `extra` again.
   * @throws {EdrlakeError} `USAGE` for a column that is not a promoted one; as `compact`
   */
  demote(column: string, options?: DemoteOptions): Promise<DemoteReport>;
  /**
   * Publishes the tables and their history as Delta Lake, Iceberg or DuckLake tables, with what was committed since the
   * last time. Metadata only: data files get a second name, and are neither copied nor changed.
   * @throws {EdrlakeError} `PUBLISH_REFUSED`, `LAKE_UNWRITABLE`, `LAKE_CORRUPT`, `INTERRUPTED`
   * @example
   * const { version, tables } = await lake.publish('delta');
   * console.log(version, tables.events);
   */
  publish(format: TableFormat, options?: PublishLakeOptions): Promise<PublishReport>;
  /**
   * Writes a table, or the answer of a statement, to a file that is whole once it has its name; or a table into a
   * folder, one file a UTC day. A second call goes on where one was stopped, and after commits writes the days again
   * that changed. As `edrlake export`; needs DuckDB, and for `arrow` the package apache-arrow.
   * @param what the name of a table or view, or one SQL statement
   * @throws {EdrlakeError} `USAGE` for a path that cannot be written, a statement into a folder, and while another
   * process exports into the folder; `OUTPUT_FAILED` for a full disk; `QUERY_FAILED`, `INTERRUPTED`, `LAKE_CONTENDED`
   * @example
   * await lake.export('events', { to: `${directory}/events/` });
   * await lake.export('select distinct host_name from events', { to: `${directory}/events/hosts.csv` });
   */
  export(what: string, options: ExportLakeOptions): Promise<UnloadReport>;
  /**
   * Brings the views in `lake.duckdb` up to date and releases everything.
   * @throws {EdrlakeError} `VIEWS_STALE` when everything is committed and only the views could not be written
   */
  close(): Promise<void>;
}

/** Which days must be proven, and how well. Days that the range touches count whole. */
export interface GateOptions extends RangeOptions, ScopeOptions {
  /** `complete`: a day also fails when a later `reconcile` found a difference. Default `proven`. */
  readonly require?: GateRequirement;
}

/** Whether a range may be used. */
export interface GateReport {
  readonly passes: boolean;
  /** The version of the lake that was asked. */
  readonly version: number;
  /** Days of the range. */
  readonly days: number;
  /** The days that are not proven, oldest first; neighbours of one cause together, the end excluded. */
  readonly refused: readonly RefusedDays[];
}

/** Where an export goes, and its form. */
export interface ExportLakeOptions extends Pick<CallOptions, 'signal'> {
  /** A folder where it ends with a slash or is one already; else a file, a device or a pipe. */
  readonly to: string;
  /** Default: as the extension of the file says; Parquet in a folder. */
  readonly format?: UnloadFormat;
}

/** Which days to compact, and into what. */
export interface CompactOptions extends Partial<RangeOptions>, CallOptions {
  /** About how large a merged file becomes. Default 256 MiB. */
  readonly targetFileBytes?: number;
  /** Small sorted files of one table and day that are worth merging; at least and by default 2. */
  readonly minFiles?: number;
}

/** How tables are published. */
export interface PublishLakeOptions extends CallOptions {
  /** A folder on the file system of the lake and outside of it. Default: `_tables` in the lake. */
  readonly to?: string;
}

/** What a vacuum may delete. */
export interface VacuumOptions extends CallOptions {
  /** How long files stay that no version names any more, so that readers of an older one can end. Default 7 days. */
  readonly graceDays?: number;
  /** Reports what would be deleted, and deletes nothing. */
  readonly dryRun?: boolean;
}

/** How the index of values is brought up to date. */
export interface IndexLakeOptions extends CallOptions {
  /** Forgets the index that is there, and reads all files again. */
  readonly rebuild?: boolean;
}

/** How to hunt lists from then on. */
export interface StandingHuntOptions extends CallOptions {
  /** Matches that are returned of those that are new; all are counted. Default 1,000. */
  readonly maxMatches?: number;
}

/** Which values of `extra` become a column. */
export interface PromoteOptions extends CallOptions {
  /** A path in `extra`, as `edrlake drift` shows it, such as `file.newThing`. */
  readonly path: string;
  /** Table with the `extra`. Default `events`. */
  readonly table?: string;
  /** Name of the column. Default: made of the path, `file_new_thing`. */
  readonly as?: string;
  /** Its type. Default: that of all values so far. */
  readonly type?: ColumnType;
}

/** Which promoted column goes. */
export interface DemoteOptions extends CallOptions {
  /** Its table, where several have a promoted column of that name. */
  readonly table?: string;
}
