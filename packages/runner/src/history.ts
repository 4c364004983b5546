export { lakeBudgetLeft } from './connect/limiter-folder.ts';
export { lastRun, listRuns, readLostWork, readRun } from './history/run-history.ts';
export { type RunReport, type RunSummary, reportOf } from './history/run-report.ts';
export { type LastReconciliation, lastReconciliations } from './reconcile/last-results.ts';
export { readFollowStart, watermarkOf } from './sync/watermark.ts';
export type { RunStanding, TaskView, UnitStanding } from './workflow/state/run-view.ts';
