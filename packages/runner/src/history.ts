export { remainingRequests } from './connect/limiter-folder.ts';
export { lastRun, listRuns, readLostWork, readRun } from './history/run-history.ts';
export { type RunReport, type RunSummary, runReportOf } from './history/run-report.ts';
export { knownDays } from './reconcile/known-days.ts';
export { type LastReconciliation, lastReconciliations } from './reconcile/last-results.ts';
export { readWatermark, watermarkOf } from './sync/watermark.ts';
export type { RunStatus, TaskView, UnitStatus } from './workflow/state/run-view.ts';
