export type { RemainingRequests } from '@edrlake/client/read-remaining';
export { remainingRequests } from './connect/limiter-folder.ts';
export {
  type Calendar,
  calendarOf,
  type DaySpan,
  stateOn,
  worstOf,
} from './days/calendar.ts';
export { DIFFERENT_STATES, dayCommand } from './days/day-command.ts';
export {
  type GateQuestion,
  type GateRequirement,
  type GateResult,
  isOlderThan,
  type KnownDays,
  lostDays,
  type RefusedDays,
  readGate,
  refusedDays,
} from './days/gate.ts';
export { type ExportProgress, readProgress } from './history/export-progress.ts';
export {
  type LakeStatus,
  type RequestLimitStatus,
  readLakeStatus,
  type StandingStatus,
  type TableStatus,
} from './history/lake-status.ts';
export {
  beginOfHours,
  type HourOfRequests,
  isRefusedForLimit,
  type LoggedRequests,
  type RequestHistory,
  readRequestHistory,
} from './history/request-history.ts';
export { lastRun, listRuns, readLostWork, readRun, runsFingerprint } from './history/run-history.ts';
export { type RunReport, type RunSummary, runReportOf } from './history/run-report.ts';
export { type Horizon, readHorizon } from './horizon/learned-horizon.ts';
export { type Loss, lossOf, lossText } from './horizon/retention.ts';
export { type Absence, readAbsence } from './investigate/absence.ts';
export { driftSql } from './investigate/drift-sql.ts';
export { type EventExplanation, type ExplainedWindow, explainEvent } from './investigate/explain-event.ts';
export type { GhostReason, ProcessNode } from './investigate/process-tree.ts';
export { type HostTree, treeOfEvent, treeOfHost } from './investigate/read-tree.ts';
export { knownDays } from './reconcile/known-days.ts';
export { type LastReconciliation, lastReconciliations } from './reconcile/last-results.ts';
export { type FailedWindow, failedWindows } from './run/failed-windows.ts';
export { stalledText } from './run/stalled-windows.ts';
export { readWatermark, watermarkOf } from './sync/watermark.ts';
export type { QuietReport } from './volume/find-quiet.ts';
export { type QuietLine, quietLine } from './volume/quiet-line.ts';
export type { RunLook } from './workflow/state/run-state.ts';
export type { TaskView } from './workflow/state/run-view.ts';
