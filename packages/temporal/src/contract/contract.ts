import type { BegunRun, DaysPart, EndedRun, StepOrder } from '@edrlake/runner';
import type { PipelineLine, RunOutcome, StartLine } from '@edrlake/runner/run-state';

// What workflows, activities and the commands that start them say to each other. All of it is kept in histories: a
// field may be added, and must then be optional; none may change its meaning.

/** For whom, where and what: a worker runs it only if its own settings say the same. */
export interface RunAbout {
  /** null where the workers' settings name none. */
  readonly subscription: string | null;
  /** The lake as its user names it: a folder, or the address of an object store. */
  readonly lake: string;
  /** The name of a pipeline, or its path from the working directory of the workers. */
  readonly pipeline: string;
}

/** The argument of the workflow of a run. */
export interface RunRequest extends RunAbout {
  /** Params, `name=value` each. */
  readonly given: readonly string[];
  /** null: made of the start of the workflow. */
  readonly runId: string | null;
  /** What a history that had become long hands to the next one. */
  readonly carried?: CarriedRun;
}

/** A run in progress. */
export interface CarriedRun {
  readonly runId: string;
  readonly begun: BegunRun;
  /** All but the first. */
  readonly lines: readonly PipelineLine[];
  /** Those that are in no journal. */
  readonly unwritten: readonly PipelineLine[];
}

/** The argument of the workflow of a long backfill. */
export interface BackfillRequest extends RunAbout {
  /** UTC days, both included. */
  readonly from: string;
  readonly to: string;
  /** Days of one child workflow; null: as many as have enough events that planning them costs little. */
  readonly stretchDays: number | null;
  /** Child workflows at once. */
  readonly atOnce: number;
  /** What the days were divided into, the newest first, once that is known. */
  readonly stretches?: readonly DaysPart[];
  /** What a history that had become long hands to the next one. */
  readonly carried?: BackfillProgress;
}

/** How far a backfill has come. */
export interface BackfillProgress {
  /** 0 until the days are divided. */
  readonly stretches: number;
  readonly ended: number;
  /** The stretches that were begun; the next one is that with this number, the newest is 0. */
  readonly begun: number;
  readonly requests: number;
  readonly rows: number;
  /** The worst end of them. */
  readonly state: RunOutcome;
  /** Stretches that did not end well, the first ones. */
  readonly bad: readonly StretchEnd[];
}

/** How a stretch of days ended. */
export interface StretchEnd {
  readonly from: string;
  readonly to: string;
  readonly state: RunOutcome;
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** The argument of the workflow that a schedule starts. */
export interface ScheduledRequest {
  readonly request: RunRequest;
  /** Of the run: two runs of one id cannot be at work at once. */
  readonly workflowId: string;
}

/** What workers do for a run, and for a backfill. */
export interface RunActivities {
  divide(about: RunAbout, order: DivideOrder): Promise<DividedDays>;
  beginRun(about: RunAbout, run: BeginOrder): Promise<BegunRun>;
  fanOut(about: RunAbout, order: Omit<StepOrder, 'partition' | 'attempt'>): Promise<readonly PipelineLine[]>;
  attemptTask(about: RunAbout, order: StepOrder): Promise<readonly PipelineLine[]>;
  endRun(about: RunAbout, run: EndOrder): Promise<EndedRun>;
}

/** Which days of a backfill to divide. */
export interface DivideOrder extends DaysPart {
  readonly workflowId: string;
}

/** Days as child workflows export them, the newest first. */
export interface DividedDays {
  readonly parts: readonly DaysPart[];
  readonly requests: number;
}

/** How a run begins. */
export interface BeginOrder {
  readonly given: readonly string[];
  readonly runId: string;
  readonly startedAtMs: number;
}

/** How a run ends. */
export interface EndOrder {
  readonly runId: string;
  readonly start: StartLine;
  readonly lines: readonly PipelineLine[];
  readonly unwritten: readonly PipelineLine[];
  readonly outcome: RunOutcome;
}

/** What an activity says of itself while it is at work. */
export interface HeartbeatDetails {
  readonly task: string;
  readonly partition: string | null;
  readonly pages: number;
  readonly windows: number;
  readonly commits: number;
  /** Attempts in a row, of this one the earlier, that gave up for lack of requests before their first page. */
  readonly fruitless: number;
}

/** Names in histories and in the commands that start workflows. */
export const WORKFLOWS = { run: 'edrlakeRun', backfill: 'edrlakeBackfill', scheduled: 'edrlakeScheduled' } as const;

/** The query that says how far a workflow has come. */
export const PROGRESS_QUERY = 'progress';

/** What that query answers: the lines of the run from a number on. */
export interface RunProgress {
  readonly runId: string;
  readonly lines: readonly PipelineLine[];
}

/** Activities of a run that may be pending at once; Temporal allows 2,000. */
export const MOST_PENDING = 1_000;
