import type { DuplicatesPerDay, OtherVersion } from '../events/proof.ts';
import type { Day } from '../time/time-range.ts';

/**
 * Versions that are not stored, of one batch. Where there are more, the rest is not accounted for: its days do not
 * match.
 */
export const MAX_OTHER_VERSIONS = 10_000;

/** The reason of a reject that is an event of another customer. Of its record only the ids are kept. */
export const FOREIGN_CUSTOMER = 'another customer';

/** What is kept of such a record, as JSON: the lake must not hold what is not its customer's. */
export function foreignRecord(eventId: string | null, customerId: string): string {
  return JSON.stringify({ id: eventId, customerId });
}

/** Whether two ids of customers are the same. */
export function isSameCustomer(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** Records whose time on the axis of their window is not in the range that was asked for. */
export interface OutsideRecords {
  readonly events: number;
  /** The earliest and the latest of their times. */
  readonly firstMs: number;
  readonly lastMs: number;
}

/** Ids that records of several event times have in common. */
export interface SharedIds {
  /** Event times beyond the first of each such id: only one record of an id is stored. */
  readonly others: number;
  /** The most event times of one id. */
  readonly mostTimes: number;
  /** The id that has them. */
  readonly sample: string;
}

/** What flattening found in one window of a batch. */
export interface StagedWindow {
  readonly windowId: string;
  readonly recordCount: number;
  readonly rejectedCount: number;
  readonly distinctIds: number;
  /** Different accepted events by event day; of one listed more than once only the version that is stored. */
  readonly perDay: Readonly<Record<Day, number>>;
  /** See `WindowProof`. Absent: none. */
  readonly duplicatesPerDay?: DuplicatesPerDay;
  /** Rejects that are events of another customer than the one of the lake. Absent: none. */
  readonly foreignCount?: number;
  /** Rejects with a readable event time by its UTC day; the others are in none. */
  readonly rejectedPerDay: Readonly<Record<Day, number>>;
  /** Absent: none. */
  readonly outside?: OutsideRecords;
  /** Absent: none. */
  readonly sharedIds?: SharedIds;
  /** The latest processing time of its records, in UTC epoch milliseconds. Absent: they say none. */
  readonly newestProcessedMs?: number;
}

/** Why some records became rejects. */
export interface RejectReason {
  /** As in the table of rejects. */
  readonly reason: string;
  readonly count: number;
  /** The beginning of one of them, on one line. */
  readonly sample: string;
}

/** A field that no column takes, seen in at least one record. */
export interface UnknownField {
  /** `file.newThing`, or `file.parts[].newThing` inside a child array. */
  readonly path: string;
  readonly eventCount: number;
  readonly firstDay: Day;
}

/** What flattening found in the windows of a batch. */
export interface BatchFindings {
  readonly windows: readonly StagedWindow[];
  /**
   * Records of one window that are not staged because another window has a better version. At most
   * `MAX_OTHER_VERSIONS`.
   */
  readonly otherVersions: readonly OtherVersion[];
  readonly unknownFields: readonly UnknownField[];
  /** The most frequent first; empty where every record is an event. */
  readonly rejectReasons: readonly RejectReason[];
}

/**
 * Flattened rows of some windows, in temporary tables of one DuckDB connection, not yet files: `flattener` makes and
 * drops them, `lake` decides which of them are new, and `writers` writes those. Nothing of it survives the process; the
 * spool does.
 */
export interface StagedBatch extends BatchFindings {
  /**
   * Temporary table, one row per staged event or reject: `event_id VARCHAR` (null for a reject), `event_date DATE` (the
   * ingest date for a reject), `processed_time TIMESTAMP`, `id_hash UBIGINT` (`idHashSql` of the id, or of a reject's
   * record), `content_hash UBIGINT` (of the record as delivered). Unique in `id_hash`.
   */
  readonly identityTable: string;
  /**
   * Lake table name → temporary table with that table's columns in order plus `id_hash UBIGINT` of the event or reject.
   */
  readonly rowTables: Readonly<Record<string, string>>;
}

/**
 * A value of a row in this process: times as UTC epoch milliseconds, dates as days since the epoch, 64-bit integers as
 * bigint, JSON as text.
 */
export type Cell = string | number | bigint | boolean | null;

/** One row: the columns of its table in order. */
export type Row = readonly Cell[];

/** An event or a reject of a `RowBatch`; the fields mean what the columns of `StagedBatch.identityTable` do. */
export interface RowIdentity {
  readonly eventId: string | null;
  /** Days since the epoch. */
  readonly day: number;
  readonly processedMs: number | null;
  readonly idHash: bigint;
  readonly contentHash: bigint;
}

/** A row and the event or reject that it belongs to. */
export interface OwnedRow {
  readonly idHash: bigint;
  readonly row: Row;
}

/** The same as a `StagedBatch`, as objects of this process, for where DuckDB cannot run. */
export interface RowBatch extends BatchFindings {
  /** One for each event or reject. Unique in `idHash`. */
  readonly identities: readonly RowIdentity[];
  /** Lake table name → rows in the order of arrival; a table without rows has an empty list. */
  readonly rows: Readonly<Record<string, readonly OwnedRow[]>>;
}
