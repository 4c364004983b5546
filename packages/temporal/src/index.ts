export type { TemporalPlace, TlsSettings } from './client/place.ts';
export { connectStatus, type TemporalStatus } from './client/run-status.ts';
export {
  connectRuns,
  followWorkflow,
  type PendingActivity,
  type StartedWorkflow,
  type TemporalRuns,
  type WorkflowNews,
} from './client/runs.ts';
export { connectSchedules, type KeptSchedule, type TemporalSchedules } from './client/schedules.ts';
export type { BackfillProgress, BackfillRequest, RunAbout, RunProgress, RunRequest } from './contract/contract.ts';
export type { WorkerView } from './worker/activities.ts';
export type { OpenHost, RunHost } from './worker/run-hosts.ts';
export { runWorker, type WorkerOptions } from './worker/worker.ts';
