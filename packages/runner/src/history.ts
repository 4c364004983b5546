export { readFollowStart, watermarkOf } from './follow-start.ts';
export { lakeBudgetLeft } from './lake-budget.ts';
export { type LastReconciliation, lastReconciliations } from './reconciliation-store.ts';
export { lastRun, listRuns, readRun } from './workflow/run-history.ts';
export type { RunReport, RunStanding, RunSummary, TaskView, UnitStanding } from './workflow/run-view.ts';
