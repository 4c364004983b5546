import type {
  Clock,
  Day,
  Emit,
  EventSource,
  ExportOutcome,
  QueryScope,
  Random,
  RejectReason,
  TimeAxis,
  TimeRange,
  UnknownField,
} from '@edrlake/core';
import type { Lake } from '@edrlake/lake';
import type { WindowPlan } from '@edrlake/pager';

/** What every flow needs from its surroundings. */
export interface Services {
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
  /** Aborting it stops the flow within moments; what was committed stays, the rest is resumed by the next run. */
  readonly signal: AbortSignal;
}

/** The run of a pipeline, and the task in it, that makes an export. */
export interface PartOf {
  readonly runId: string;
  readonly task: string;
}

/** Services of one run. */
export interface RunServices extends Services {
  /** Names a new run; must sort by time and be unique, for example `20261122T003012Z-1f9a2c`. A resumed run keeps its own. */
  readonly newRunId: string;
  readonly partOf?: PartOf;
}

/** A range to export. */
export interface WantedRange {
  readonly range: TimeRange;
  /** What the source counted in the range just now, so that planning need not ask again. Absent or null: not counted. */
  readonly knownCount?: number | null;
}

/** Which events to export. */
export interface ExportRequest {
  readonly axis: TimeAxis;
  /** Apart from each other, oldest first. A backfill has one; a repair has one for each range that differs. */
  readonly ranges: readonly WantedRange[];
  readonly scope: QueryScope;
}

/** The events that a request selects, as journals and reports hold it: without the known counts. */
export interface ExportSelection {
  readonly axis: TimeAxis;
  readonly ranges: readonly TimeRange[];
  readonly scope: QueryScope;
}

/** How an export goes about its work. */
export interface ExportOptions {
  /** Pages in flight at once, at most what the gateway allows. */
  readonly concurrency: number;
  /** Spooled bytes that are flattened and committed together. Bounds memory and disk. */
  readonly batchBytes: number;
  /** Fetch windows again that the lake already holds in full. */
  readonly force: boolean;
  /** Delete stored events of the range that the API no longer returns. Only with the empty scope on the event axis. */
  readonly replace: boolean;
  /** The share of records, from 0 to 1, that may become rejects in a window and in the whole export. Default 0.01; fewer than ten never count. */
  readonly maxRejectShare?: number;
}

/** Where an export reads and where it writes. */
export interface ExportEndpoints {
  readonly source: EventSource;
  /** Requests sent to the source so far, logins and retries included. */
  readonly requestsMade: () => number;
  readonly lake: Lake;
}

/** Requests an export needs and what nobody could go below. */
export interface RequestEstimate {
  readonly planning: number;
  readonly pages: number;
  readonly logins: number;
  /** planning + pages + logins. */
  readonly planned: number;
  /** `ceil(events / page size)`. */
  readonly lowerBound: number;
  /** planned / lowerBound, or null where there is nothing to fetch. */
  readonly ratio: number | null;
}

/** A stretch that could not be counted, so that nothing of it is fetched, and why. */
export type UncountedRange = FailedExportWindow;

/** What an export would fetch, before anything but counts was asked. */
export interface ExportPlan {
  /** What was asked for, as far as it has happened. */
  readonly request: ExportSelection;
  /** By the earlier of both clocks, in UTC epoch milliseconds, before anything was counted. */
  readonly asOfMs: number;
  /** The same where the end of what was asked for had to be moved there; else null. */
  readonly frozenAtMs: number | null;
  /** The plans of all ranges as one: `windows` and `emptyWindows` oldest first. */
  readonly windowPlan: WindowPlan;
  /** What of the ranges could not be counted. */
  readonly uncounted: readonly UncountedRange[];
  readonly requests: RequestEstimate;
}

/** A window that could not be brought in, and why. */
export interface FailedExportWindow {
  readonly windowId: string;
  readonly range: TimeRange;
  readonly code: string;
  readonly message: string;
}

/** A window that holds nothing by the counts, whose empty page could not be had, and why. */
export type UnverifiedWindow = FailedExportWindow;

/** A window whose fetched records are not what the API counted. */
export interface MismatchedWindow {
  readonly windowId: string;
  readonly range: TimeRange;
  readonly counted: number;
  readonly fetched: number;
  readonly distinct: number;
  /** Where events of other days came: the API has ignored the range, and another try would bring the same. Absent: none did. */
  readonly outside?: {
    readonly events: number;
    readonly firstDay: Day;
    readonly lastDay: Day;
  };
  /** Where pages came smaller than asked for and events are lacking: how many events they held. Absent: none did. */
  readonly shortPages?: { readonly asked: number; readonly smallest: number; readonly largest: number };
}

/** A window of which too many records could not become rows. */
export interface RejectedWindow {
  readonly windowId: string;
  readonly range: TimeRange;
  readonly fetched: number;
  readonly rejected: number;
}

/** What a run did. Plain data: it is printed, kept in the run's journal and compared in tests. */
export interface ExportReport {
  readonly runId: string;
  readonly resumed: boolean;
  /** What was asked for, as far as it had happened. */
  readonly request: ExportSelection;
  /** Where the end was frozen because what was asked for reaches beyond now, in UTC epoch milliseconds; else null. */
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
    /** With what was counted again while it was fetched; absent where that was the same. */
    readonly recounted?: number;
    readonly fetched: number;
    readonly new: number;
    readonly changed: number;
    readonly unchanged: number;
    readonly rejected: number;
    /** Records that the API listed more than once in windows that are proven all the same. Absent: none. */
    readonly duplicates?: number;
  };
  readonly requests: RequestEstimate;
  /** Where the gateway gave smaller pages than it was asked for; absent where it gave what was asked for. */
  readonly pageSize?: { readonly asked: number; readonly given: number };
  /** Requests this run really made, logins, retries and planning included. */
  readonly requestsMade: number;
  readonly filesAdded: number;
  /** Why records became rejects, the most frequent reason first. */
  readonly rejects: readonly RejectReason[];
  /** The share of rejects that was allowed. */
  readonly maxRejectShare: number;
  readonly unknownFields: readonly UnknownField[];
  /** The lake's newest version after the run. */
  readonly version: number;
  readonly startedAtMs: number;
  readonly durationMs: number;
}
