export { readFollowStart, watermarkOf } from './follow-start.ts';
export { lastRun, listRuns, readLostWork, readRun } from './history/run-history.ts';
export { type RunReport, type RunSummary, reportOf } from './history/run-report.ts';
export { lakeBudgetLeft } from './lake-budget.ts';
export { type LastReconciliation, lastReconciliations } from './reconciliation-store.ts';
export type { RunStanding, TaskView, UnitStanding } from './workflow/run-view.ts';
