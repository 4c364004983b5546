import type {
  EdrlakeError,
  FetchedWindow,
  PlannedWindow,
  RejectReason,
  SpooledPage,
  UnknownField,
  Window,
  WindowProof,
} from '@edrlake/core';
import type { CommitResult } from '@edrlake/lake';
import type { FailedWindow } from '@edrlake/pager';
import type { JudgedProofs } from './reject-share.ts';
import type {
  ExportEndpoints,
  ExportOptions,
  ExportReport,
  ExportRequest,
  RunServices,
  UncountedRange,
} from './types.ts';

/** What one batch brought in. */
export interface BatchResult {
  /** By their own numbers. */
  readonly proofs: readonly WindowProof[];
  /** Whether the run had too many rejects with this batch: then the windows with a large share of them were committed as rejected. */
  readonly isRunAboveShare: boolean;
  readonly unknownFields: readonly UnknownField[];
  readonly rejectReasons: readonly RejectReason[];
  readonly commit: CommitResult;
}

/** The part of a plan that a resumed run reads back from its journal. */
export interface RunPlan {
  readonly windows: readonly PlannedWindow[];
  /** Fetched like the others: their first page confirms that nothing is there. */
  readonly emptyWindows: readonly Window[];
  readonly events: number;
  readonly planRequests: number;
  /** Page requests, with the recounts that full last pages need. */
  readonly pages: number;
  /** Absent in journals of older versions. A plan with any is made anew when its run is resumed. */
  readonly uncounted?: readonly UncountedRange[];
  /** The request as far as it has happened, and when that was; absent in journals of older versions, whose plans are made anew. */
  readonly request?: ExportRequest;
  readonly asOfMs?: number;
  readonly frozenAtMs?: number | null;
}

/** One run: its identity, its journal, and the tally that becomes its report. */
export interface ExportRun extends ExportEndpoints {
  readonly runId: string;
  readonly startedAtMs: number;
  readonly request: ExportRequest;
  readonly options: ExportOptions;
  readonly services: RunServices;
  readonly spoolDirectory: string;
  /** Durable pages of the run this one resumes, by window id; not yet verified. */
  readonly spooledPages: ReadonlyMap<string, readonly SpooledPage[]>;
  /** When the plan was made, by the earlier of both clocks: nothing of the run was counted before. Call it after `plan`. */
  countedAtMs(): number;
  /** Now, by the earlier of both clocks as far as they are known. */
  nowMs(): number;
  /** The plan of the resumed run, or a new one, journaled before anything is fetched. */
  plan(): Promise<RunPlan>;
  recordPage(page: SpooledPage): Promise<void>;
  /** The gateway gives smaller pages than it is asked for. */
  recordPageSize(pageSize: number): Promise<void>;
  /** The plan's windows without the given ones, which are reported as skipped. */
  skip(proven: ReadonlySet<PlannedWindow>): readonly PlannedWindow[];
  /** How the proofs of a batch are to be committed, followed by earlier ones that its rejects take back. */
  judge(proofs: readonly WindowProof[]): JudgedProofs;
  recordFailed(windows: readonly FailedWindow[]): Promise<void>;
  recordBatch(windows: readonly FetchedWindow[], result: BatchResult): Promise<void>;
  /** Ends the run: writes the report to the journal. */
  finish(): Promise<ExportReport>;
  /** Journals why the run ended early; the next run of the same subject resumes it. */
  stop(thrown: unknown): Promise<EdrlakeError>;
  close(): Promise<void>;
}
