export type { Account } from '@edrlake/client';
export { DOCUMENTED_TOKENS, type GatewayClient, postJson, windowQql } from '@edrlake/client';
export type { Lake, QueryResult } from '@edrlake/lake';
export { ocsfPlace } from '@edrlake/ocsf/names';
export {
  type Connection,
  type ConnectionSettings,
  connect,
  type PlatformSettings,
  refuseUnknownGateway,
  type SourceConnection,
} from './connect/connect.ts';
export { openEdrLake, rebuildEdrLog } from './connect/open-lake.ts';
export { fetchEndedRuns, keepEndedRun } from './connect/run-store.ts';
export {
  connectBeside,
  connectSharing,
  joinLakeLimiter,
  type LakeLimiter,
  type Sharing,
} from './connect/shared-connection.ts';
export { type TenantGate, tenantGate } from './connect/tenant-gate.ts';
export { type DaysPart, divideDays } from './days/divide-days.ts';
export type { CheckResult } from './doctor/check-result.ts';
export { checkLake, diagnose } from './doctor/diagnose.ts';
export { examineEdrLake } from './doctor/examine.ts';
export { exportRange } from './export/export-flow.ts';
export { planExport } from './export/plan-export.ts';
export { coveredWindows } from './export/skip-covered.ts';
export { lastSuccessAtMs } from './history/run-history.ts';
export { dividedAtKnownHorizon } from './horizon/guard-windows.ts';
export { HORIZON_REQUESTS, lookAtHorizon } from './horizon/learned-horizon.ts';
export { compareEvent, type EventDifference } from './investigate/compare-event.ts';
export { type EnrichReport, type EnrichRequest, enrich } from './investigate/enrich.ts';
export { type PlannedDay, plannedDays } from './investigate/planned-days.ts';
export { comparedCommitOf, rememberReconciliation } from './reconcile/last-results.ts';
export {
  agreementOf,
  type DayVerdict,
  type ReconciledDay,
  type RepairReport,
  reconcile,
  repair,
} from './reconcile/reconcile.ts';
export { reconcileAndRemember } from './reconcile/reconcile-and-remember.ts';
export {
  type LateDay,
  RECOUNT_REQUESTS,
  type RecountReport,
  type RecountRequest,
  recountSealedDays,
} from './reconcile/recount.ts';
export { type RecountedRepair, refuteLate, repairRecounted, settleRecounted } from './reconcile/repair-recounted.ts';
export { failedRanges } from './run/failed-ranges.ts';
export { knownClocks } from './run/read-clocks.ts';
export { runLiveness } from './run/run-liveness.ts';
export type {
  ExportEndpoints,
  ExportOptions,
  ExportPlan,
  ExportReport,
  ExportRequest,
  FailedExportWindow,
  MismatchedWindow,
  RequestEstimate,
  RunServices,
  Services,
  StalledWindow,
} from './run/types.ts';
export type { RejectRetry } from './sync/reject-retries.ts';
export { type SyncReport, type SyncRequest, syncNewEvents } from './sync/sync.ts';
export { BUILT_IN_TASKS } from './tasks/built-in-tasks.ts';
export { definePipeline } from './tasks/define-pipeline.ts';
export { openTaskTools, type TaskTools } from './tasks/task-tools.ts';
export { learnVolume } from './volume/learned-volume.ts';
export type { Pipeline, ScheduleSpec } from './workflow/definition/define-pipeline.ts';
export {
  describePipeline,
  type PipelineDescription,
  type TaskDescription,
} from './workflow/definition/describe-pipeline.ts';
export { parseParams } from './workflow/definition/params.ts';
export { validatePipeline } from './workflow/definition/validate-pipeline.ts';
export { type HookTest, type PostJson, testHooks } from './workflow/engine/hooks.ts';
export {
  RUN_EXIT_CODES,
  type RunPipelineOptions,
  type RunResult,
  runPipeline,
} from './workflow/engine/run-pipeline.ts';
export { runSchedule } from './workflow/engine/schedule.ts';
export {
  attemptStep,
  type BegunRun,
  beginSteps,
  type EndedRun,
  endSteps,
  fanOutStep,
  type StartLine,
  type StepOrder,
  type StepTask,
  type StepTools,
  TASKS_AT_ONCE,
} from './workflow/engine/single-task.ts';
