/** The outcome of a task or of one partition of its fan-out. `partly`: it finished, but some of its work failed. */
export type TaskOutcome = 'done' | 'mismatch' | 'rejected' | 'partly' | 'failed' | 'skipped' | 'interrupted';

/** The outcome of a run. `partly`: something failed, but no task as a whole. */
export type RunOutcome = 'done' | 'mismatch' | 'rejected' | 'partly' | 'failed' | 'interrupted';

/**
 * The status of a task or partition: its outcome, or its progress without one. `died`: its process ended in the middle
 * of it.
 */
export type UnitStatus = TaskOutcome | 'pending' | 'running' | 'waiting' | 'died';

/**
 * The status of a run. `died`: its process ended without a last line; the run can be resumed. `unknown`: a server keeps
 * its state, and was not asked, or does not know it any more.
 */
export type RunStatus = RunOutcome | 'running' | 'died' | 'unknown';

/** The outcome of a run that is over; `failed` where it has none. */
export function endedAs(status: RunStatus): RunOutcome {
  return status === 'running' || status === 'died' || status === 'unknown' ? 'failed' : status;
}

/** Whether it has a result that is kept. */
export function isFinished(status: UnitStatus | null): boolean {
  return status === 'done' || status === 'mismatch' || status === 'rejected';
}

/** The mark of each status; they differ in shape, so that they say the same without colour. */
export const STATUS_MARKS: Readonly<Record<UnitStatus | RunStatus, string>> = {
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
  unknown: '?',
};
