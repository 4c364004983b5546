import type { PipelineRunView, RunStatus } from '../workflow/state/run-view.ts';

/** A run in a list. Numbers that nobody knows are null. */
export interface RunSummary {
  readonly runId: string;
  readonly kind: 'pipeline' | 'export';
  /** null for an export. */
  readonly pipeline: string | null;
  /** The run of a pipeline that an export is a part of; null where it stands for itself. */
  readonly partOf: string | null;
  readonly state: RunStatus;
  readonly startedAtMs: number;
  /** The end, or the last sign of life of a run that died; null while it is running. */
  readonly endedAtMs: number | null;
  /** While a process worked on it, up to its last sign of life. */
  readonly durationMs: number;
  readonly requests: number | null;
  readonly rows: number | null;
  readonly error: PipelineRunView['error'];
}

/** A run in full: of a pipeline, or an export, which has no tasks. */
export interface RunReport extends RunSummary, Pick<PipelineRunView, 'params' | 'starts' | 'tasks' | 'hooks'> {}

/** A run of a pipeline as the history shows it among others. */
export function reportOf<View extends PipelineRunView>(view: View): View & RunReport {
  return { ...view, kind: 'pipeline', partOf: null };
}
