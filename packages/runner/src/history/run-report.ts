import type { RunStatus } from '../workflow/state/run-status.ts';
import type { PipelineRunView } from '../workflow/state/run-view.ts';

/** A run in a list. Unknown numbers are null. */
export interface RunSummary {
  readonly runId: string;
  readonly kind: 'pipeline' | 'export';
  /** null for an export. */
  readonly pipeline: string | null;
  /** The pipeline run that an export is a part of; null for an export of its own. */
  readonly partOf: string | null;
  readonly state: RunStatus;
  readonly startedAtMs: number;
  /** The end, or the last line of the journal for a run that died; null while it is running. */
  readonly endedAtMs: number | null;
  /** Time in which a process worked on it, until the last line of its journal. */
  readonly durationMs: number;
  readonly requests: number | null;
  readonly rows: number | null;
  readonly error: PipelineRunView['error'];
  /** Where a server keeps the state of the run; null for an export. */
  readonly workflow: PipelineRunView['workflow'];
}

/** A run in full: of a pipeline, or an export, which has no tasks. */
export interface RunReport extends RunSummary, Pick<PipelineRunView, 'params' | 'starts' | 'tasks' | 'hooks'> {}

/** A run of a pipeline as the history shows it among others. */
export function runReportOf<View extends PipelineRunView>(view: View): View & RunReport {
  return { ...view, kind: 'pipeline', partOf: null };
}
