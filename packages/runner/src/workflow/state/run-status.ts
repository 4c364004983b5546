/** The outcome of a task or of one partition of its fan-out. `partly`: it finished, but some of its work failed. */
export type TaskOutcome = 'done' | 'mismatch' | 'rejected' | 'partly' | 'failed' | 'skipped' | 'interrupted';

/** The outcome of a run. `partly`: something failed, but no task as a whole. */
export type RunOutcome = 'done' | 'mismatch' | 'rejected' | 'partly' | 'failed' | 'interrupted';

/**
 * The status of a task or partition: its outcome, or its progress without one. `died`: its process ended in the middle
 * of it.
 */
export type UnitStatus = TaskOutcome | 'pending' | 'running' | 'waiting' | 'died';

/** The status of a run. `died`: its process ended without a last line; the run can be resumed. */
export type RunStatus = RunOutcome | 'running' | 'died';

/** Whether it has a result that is kept. */
export function isFinished(status: UnitStatus | null): boolean {
  return status === 'done' || status === 'mismatch' || status === 'rejected';
}

/** The mark of each status; they differ in shape, so that they say the same without colour. */
export const STATUS_MARKS: Readonly<Record<UnitStatus, string>> = {
  done: '✔',
  mismatch: '≠',
  rejected: '◆',
  partly: '◐',
  failed: '✘',
  skipped: '-',
  interrupted: '‖',
  pending: '·',
  running: '▶',
  waiting: '…',
  died: '†',
};
