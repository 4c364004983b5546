export { DOCUMENTED_TOKENS, postJson, type QualysClient, windowFilter } from '@edrlake/client';
export type { Lake, QueryResult } from '@edrlake/lake';
export { type Connection, type ConnectionSettings, connect } from './connect.ts';
export { checkLake, diagnose } from './diagnose.ts';
export { examineEdrLake } from './examine.ts';
export { exportRange } from './export-flow.ts';
export type {
  ExportEnds,
  ExportOptions,
  ExportPlan,
  ExportReport,
  ExportRequest,
  FailedExportWindow,
  MismatchedWindow,
  RequestEstimate,
  RunServices,
  Services,
} from './export-types.ts';
export { failedRanges } from './failed-windows.ts';
export type { Finding } from './finding.ts';
export { lastSuccessAtMs } from './history/run-history.ts';
export { openEdrLake, rebuildEdrLog } from './open-lake.ts';
export { planExport } from './plan-export.ts';
export { knownClocks } from './read-clocks.ts';
export {
  agreementOf,
  type DayVerdict,
  type ReconciledDay,
  type RepairReport,
  reconcile,
  repair,
} from './reconcile.ts';
export { rememberReconciliation } from './reconciliation-store.ts';
export { runLiveness } from './run-liveness.ts';
export { connectBeside, connectSharing, type Sharing } from './shared-connection.ts';
export { provenWindows } from './skip-proven.ts';
export { type SyncReport, type SyncRequest, syncNewEvents } from './sync.ts';
export { BUILT_IN_TASKS, definePipeline } from './tasks/built-in-tasks.ts';
export { openTaskTools, type TaskTools } from './tasks/task-tools.ts';
export type { Pipeline } from './workflow/define-pipeline.ts';
export { describePipeline, type PipelineDescription, type TaskDescription } from './workflow/describe-pipeline.ts';
export type { PostJson } from './workflow/hooks.ts';
export { parseParams } from './workflow/params.ts';
export {
  RUN_EXIT_CODES,
  type RunPipelineOptions,
  type RunResult,
  runPipeline,
} from './workflow/run-pipeline.ts';
export { runSchedule } from './workflow/schedule.ts';
export { validatePipeline } from './workflow/validate-pipeline.ts';
