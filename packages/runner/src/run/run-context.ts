import type { PlannedWindow, RejectReason, StagedWindow, UnknownField, Window, WindowProof } from '@edrlake/core';
import type { CommitResult } from '@edrlake/lake';
import type {
  ExportEndpoints,
  ExportOptions,
  ExportRequest,
  ExportSelection,
  RunServices,
  UncountedRange,
} from './types.ts';

/** What the commit of one batch added to the lake. */
export interface BatchResult {
  /** With verdicts from the numbers of each window alone. */
  readonly proofs: readonly WindowProof[];
  /** What flattening found, by window; of windows without a record nothing. */
  readonly staged: ReadonlyMap<string, StagedWindow>;
  /** What came of failed windows, which have no proof. */
  readonly partial: readonly StagedWindow[];
  /**
   * Whether the run had too many rejects with this batch: the windows with a large share of them are then committed as
   * rejected.
   */
  readonly isRunAboveShare: boolean;
  readonly unknownFields: readonly UnknownField[];
  readonly rejectReasons: readonly RejectReason[];
  readonly commit: CommitResult;
}

/** The part of a plan that a resumed run reads back from its journal. */
export interface RunPlan {
  readonly windows: readonly PlannedWindow[];
  /** Fetched like the others: their first page confirms that they are empty. */
  readonly emptyWindows: readonly Window[];
  readonly events: number;
  readonly planRequests: number;
  /** Page requests, with the recounts that full last pages need. */
  readonly pages: number;
  /** Absent in journals of older versions. A plan with uncounted ranges is made again when its run is resumed. */
  readonly uncounted?: readonly UncountedRange[];
  /**
   * The part of the request in the past, and the time of the plan. Absent in journals of older versions; such plans are
   * made again.
   */
  readonly request?: ExportSelection;
  readonly asOfMs?: number;
  /** The version of the lake before anything was counted. Absent in journals of older versions. */
  readonly countedAtVersion?: number;
  readonly frozenAtMs?: number | null;
}

/** What all steps of a run need. Plain data: events go to the journal, and numbers to the tally. */
export interface RunContext extends ExportEndpoints {
  readonly runId: string;
  readonly startedAtMs: number;
  readonly request: ExportRequest;
  readonly options: ExportOptions;
  readonly services: RunServices;
  /** The share of rejects that this run allows. */
  readonly maxRejectShare: number;
  readonly spoolDirectory: string;
}
