export { readFollowStart, watermarkOf } from './follow-start.ts';
export { type LastReconciliation, lastReconciliations } from './reconciliation-store.ts';
export { listRuns, readRun } from './workflow/run-history.ts';
export type { RunReport, RunStanding, RunSummary, TaskView, UnitStanding } from './workflow/run-view.ts';
