export { type FailedWindow, isFailedWindow } from './fetch-window.ts';
export { type FetchOptions, fetchWindows } from './fetch-windows.ts';
export { type KnownRecord, knownRecord } from './known-members.ts';
export { MAX_RECORD_BYTES, type PageScanOptions, type ScannedPage, scanPage } from './page-scanner.ts';
export {
  brokenAnswer,
  type PlanOptions,
  type PlanRequest,
  planWindows,
  type UncountedWindow,
  type WindowPlan,
} from './plan-windows.ts';
export { removeWindow } from './spool.ts';
