export { type FailedWindow, isFailedWindow } from './fetch/failed-window.ts';
export { isFatal } from './fetch/fetch-pages.ts';
export { type FetchOptions, fetchWindows } from './fetch/fetch-windows.ts';
export { removeWindow } from './fetch/spool.ts';
export { requestsOf } from './plan/page-math.ts';
export {
  brokenAnswer,
  isAboutQuestion,
  type PlanOptions,
  type PlanRequest,
  planWindows,
  type UncountedWindow,
  type WindowPlan,
} from './plan/plan-windows.ts';
export { type FieldTable, fieldTable } from './scan/field-table.ts';
export { asDelivered } from './scan/ndjson-lines.ts';
export { MAX_RECORD_BYTES, type PageScanOptions, type ScannedPage, scanPage } from './scan/page-scanner.ts';
