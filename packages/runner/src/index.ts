export { DOCUMENTED_TOKENS, type QualysClient, windowFilter } from '@edrlake/client';
export type { Lake, QueryResult } from '@edrlake/lake';
export { type Connection, type ConnectionSettings, connect } from './connect.ts';
export { diagnose, type Finding } from './diagnose.ts';
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
export { openEdrLake } from './open-lake.ts';
export { planExport } from './plan-export.ts';
export { connectSharing, type Sharing } from './shared-connection.ts';
export { provenWindows } from './skip-proven.ts';
export { type SyncReport, type SyncRequest, syncNewEvents } from './sync.ts';
