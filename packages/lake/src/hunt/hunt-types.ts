import type { Day, TimeRange } from '@edrlake/core';
import type { Indicator } from '../indicators/indicator.ts';

/** One value of one row that is an indicator. */
export interface HuntMatch {
  /** Position in the list that was hunted. */
  readonly indicator: number;
  readonly eventMs: number;
  readonly day: Day;
  readonly eventId: string;
  readonly eventType: string | null;
  readonly agentId: string | null;
  readonly host: string | null;
  /** Where the value is. */
  readonly table: string;
  readonly column: string;
  /** As it is stored. */
  readonly value: string;
}

/** What is known about one indicator. */
export interface IndicatorFinding {
  readonly indicator: Indicator;
  /**
   * `seen`. `not seen`: no row of the range has it; whether that means that it never happened, the coverage says.
   * `unknown`: no row has it, but rejects may hold it.
   * `not searchable`: no column of the dataset holds values of its kind.
   */
  readonly verdict: 'seen' | 'not seen' | 'unknown' | 'not searchable';
  /** Rejects of the range that may hold it: records of which no row could be made. */
  readonly rejects: number;
  readonly matches: number;
  readonly events: number;
  readonly hosts: number;
  readonly firstSeenMs: number | null;
  readonly lastSeenMs: number | null;
  /** `table.column`, in the order of the tables. */
  readonly columns: readonly string[];
}

/** What an empty answer means. */
export interface HuntCoverage {
  /** What was asked for, or what the lake knows; null: it knows nothing. */
  readonly range: TimeRange | null;
  /** UTC days that the range touches. */
  readonly days: number;
  /** Of these, days whose part of the range is proven and was read. */
  readonly provenDays: number;
  /** The parts of the range that are not proven, or could not be read; oldest first, neighbours joined. */
  readonly unproven: readonly TimeRange[];
  /** Days with data files that are gone or damaged: what they held is not known. */
  readonly lostDays: readonly Day[];
  /** Records of the range that became rejects. Their text is searched. */
  readonly rejects: number;
  /** Whether files of rejects are gone or damaged, so that what they held is not known. */
  readonly isRejectLost: boolean;
  /** Whether all of the range is proven and was read: only then "not seen" means that it did not happen. */
  readonly isProven: boolean;
}

/** The answer of a hunt. */
export interface HuntReport {
  readonly version: number;
  readonly findings: readonly IndicatorFinding[];
  readonly coverage: HuntCoverage;
  readonly matches: number;
  /** Data files of the tables and days that were asked. */
  readonly files: number;
  /** Of these, files that had to be read. */
  readonly filesRead: number;
}

/** How to hunt. */
export interface HuntOptions {
  /** Everything that the lake knows, unless given. */
  readonly range?: TimeRange;
  /** Aborting it interrupts the hunt within moments. */
  readonly signal?: AbortSignal;
  /** Gets all matches, by time, and what is known of each indicator before it. It must not call the lake. */
  readonly onMatches?: (matches: AsyncIterable<readonly HuntMatch[]>, report: HuntReport) => Promise<void>;
  /** Absolute path of a Parquet file that gets all matches, by time. */
  readonly matchesFile?: string;
}
