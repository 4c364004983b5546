import type {
  Clock,
  Day,
  Emit,
  EventSource,
  ExportOutcome,
  OutsideRecords,
  QueryScope,
  Random,
  RejectReason,
  SharedIds,
  TimeAxis,
  TimeRange,
  UnknownField,
} from '@edrlake/core';
import type { Lake } from '@edrlake/lake';
import type { WindowPlan } from '@edrlake/pager';

/** What every flow needs from outside. */
export interface Services {
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
  /** Aborting it stops the flow within moments. Commits remain; the next run resumes the rest. */
  readonly signal: AbortSignal;
}

/** The run of a pipeline, and the task in it, that started an export. */
export interface PartOf {
  readonly runId: string;
  readonly task: string;
}

/** Services of one run. */
export interface RunServices extends Services {
  /**
   * The id of a new run; unique and sorted by time, for example `20261122T003012Z-1f9a2c`. A resumed run keeps its own.
   */
  readonly newRunId: string;
  readonly partOf?: PartOf;
}

/** A range to export. */
export interface WantedRange {
  readonly range: TimeRange;
  /**
   * What the source counted in the range just now, so that planning need not count again. Absent or null: not counted.
   */
  readonly knownCount?: number | null;
}

/** Which events to export. */
export interface ExportRequest {
  readonly axis: TimeAxis;
  /** Apart from each other, oldest first. A backfill has one; a repair has one for each range that differs. */
  readonly ranges: readonly WantedRange[];
  readonly scope: QueryScope;
  /**
   * Set where the API has counted events by this axis after it gave the known counts of the ranges: then their zeros
   * are not those of lost data.
   */
  readonly isApiCounting?: boolean;
}

/** The events that a request selects, as journals and reports hold it: without the known counts. */
export interface ExportSelection {
  readonly axis: TimeAxis;
  readonly ranges: readonly TimeRange[];
  readonly scope: QueryScope;
}

/** Limits and choices of an export. */
export interface ExportOptions {
  /** Pages in flight at once, at most what the gateway allows. */
  readonly concurrency: number;
  /** Spooled bytes that are flattened and committed together. Bounds memory and disk. */
  readonly batchBytes: number;
  /** Fetch windows that the lake already holds in full. */
  readonly force: boolean;
  /** Delete stored events of the range that the API no longer returns. Only with the empty scope on the event axis. */
  readonly replace: boolean;
  /**
   * The share of records, from 0 to 1, that may become rejects in a window and in the whole export. Default 0.01; fewer
   * than ten rejects never count.
   */
  readonly maxRejectShare?: number;
  /**
   * Requests that the run may send, those of its plan included. Windows that do not fit are left, the oldest first, and
   * reported as failed with `LIMIT_REACHED`. Absent: no limit of its own.
   */
  readonly maxRequests?: number;
  /** No window is begun after it, in UTC epoch milliseconds; what is left is reported in the same way. */
  readonly deadlineMs?: number;
  /** Of edrlake: another version may read records that this one rejects. */
  readonly edrlakeVersion?: string | null;
}

/** Where an export reads and where it writes. */
export interface ExportEndpoints {
  readonly source: EventSource;
  /** Requests sent to the source so far, logins and retries included. */
  readonly requestsMade: () => number;
  readonly lake: Lake;
}

/** The requests of an export, and their lower bound. */
export interface RequestEstimate {
  readonly planning: number;
  readonly pages: number;
  readonly logins: number;
  /** planning + pages + logins. */
  readonly planned: number;
  /** `ceil(events / page size)`. */
  readonly lowerBound: number;
  /** planned / lowerBound, or null if there is nothing to fetch. */
  readonly ratio: number | null;
}

/** A range that could not be counted, so that nothing of it is fetched, and why. */
export type UncountedRange = FailedExportWindow;

/** What an export would fetch. Only counts were requested for it. */
export interface ExportPlan {
  /** The part of the request in the past. */
  readonly request: ExportSelection;
  /** By the earlier of both clocks, in UTC epoch milliseconds, before anything was counted. */
  readonly asOfMs: number;
  /** The same if the end of the request had to be moved there; else null. */
  readonly frozenAtMs: number | null;
  /** The plans of all ranges as one: `windows` and `emptyWindows` oldest first. */
  readonly windowPlan: WindowPlan;
  /** Ranges that could not be counted. */
  readonly uncounted: readonly UncountedRange[];
  readonly requests: RequestEstimate;
}

/** A window that could not be fetched, and why. */
export interface FailedExportWindow {
  readonly windowId: string;
  readonly range: TimeRange;
  readonly code: string;
  readonly message: string;
  /** Records of the pages that came all the same, and that are in the lake without a proof. Absent: none. */
  readonly fetched?: number;
}

/** A window with a count of zero, whose empty page could not be fetched, and why. */
export type UnverifiedWindow = FailedExportWindow;

/** A window whose fetched records are not what the API counted. */
export interface MismatchedWindow {
  readonly windowId: string;
  readonly range: TimeRange;
  readonly counted: number;
  readonly fetched: number;
  readonly distinct: number;
  /**
   * Events of other times on the axis of the run: the API has ignored the range, or read it in another time zone, and
   * another attempt would return the same. Absent: none.
   */
  readonly outside?: OutsideRecords & {
    /** UTC days of the first and the last. */
    readonly firstDay: Day;
    readonly lastDay: Day;
  };
  /** Ids that do not tell events apart, so that all but one event of each would be lost. Absent: none. */
  readonly sharedIds?: SharedIds;
  /** Set if events are missing and pages were smaller than requested: the page sizes. Absent: pages had their size. */
  readonly shortPages?: { readonly asked: number; readonly smallest: number; readonly largest: number };
}

/** A window of which too many records could not become rows. */
export interface RejectedWindow {
  readonly windowId: string;
  readonly range: TimeRange;
  readonly fetched: number;
  readonly rejected: number;
}

/** A window that was asked for again and again without a new event. */
export interface StalledWindow {
  readonly range: TimeRange;
  /** Runs that asked for it, this one included. */
  readonly attempts: number;
  /** What the last one met. */
  readonly reason: string;
}

/** The result of a run. Plain data: it is printed, stored in the journal of the run and compared in tests. */
export interface ExportReport {
  readonly runId: string;
  readonly resumed: boolean;
  /** The part of the request in the past. */
  readonly request: ExportSelection;
  /** The frozen end if the request reaches beyond now, in UTC epoch milliseconds; else null. */
  readonly frozenAtMs: number | null;
  readonly outcome: ExportOutcome;
  readonly windows: {
    readonly planned: number;
    readonly skipped: number;
    readonly committed: number;
    readonly failed: readonly FailedExportWindow[];
    readonly mismatched: readonly MismatchedWindow[];
    /** Absent in reports of older versions. */
    readonly unverified?: readonly UnverifiedWindow[];
    readonly rejected: readonly RejectedWindow[];
  };
  readonly events: {
    /** By the plan. */
    readonly counted: number;
    /** With the recounts made while fetching; absent if they gave the same. */
    readonly recounted?: number;
    readonly fetched: number;
    readonly new: number;
    readonly changed: number;
    readonly unchanged: number;
    readonly rejected: number;
    /** Records that the API listed more than once in proven windows. Absent: none. */
    readonly duplicates?: number;
  };
  readonly requests: RequestEstimate;
  /** Set if the gateway gave smaller pages than requested. */
  readonly pageSize?: { readonly asked: number; readonly given: number };
  /** Requests that this run made: logins, retries and planning included. */
  readonly requestsMade: number;
  /** What went to the object store of the lake and came back, since it was opened. Absent: a lake on a disk. */
  readonly objectStore?: { readonly requests: number; readonly sentBytes: number; readonly receivedBytes: number };
  readonly filesAdded: number;
  /** Why records became rejects, the most frequent reason first. */
  readonly rejects: readonly RejectReason[];
  /** The allowed share of rejects. */
  readonly maxRejectShare: number;
  readonly unknownFields: readonly UnknownField[];
  /** Windows that three runs or more have asked for without a new event. Absent: none. */
  readonly stalled?: readonly StalledWindow[];
  /** The lake's newest version after the run. */
  readonly version: number;
  readonly startedAtMs: number;
  readonly durationMs: number;
}
