export { FILE_FORMAT } from '@edrlake/writers';
export type { CommitRequest, CommitResult } from './commit/commit.ts';
export type { LakeWriter } from './computing.ts';
export { examineLake } from './examine/examine-lake.ts';
export type { LakeDamage } from './examine/lake-damage.ts';
export type {
  HuntCoverage,
  HuntMatch,
  HuntOptions,
  HuntReport,
  IndicatorFinding,
} from './hunt/hunt-types.ts';
export type { IndexOptions, IndexState } from './hunting.ts';
export type { HuntState, ListState, MatchReader, StandingList } from './standing/hunt-state.ts';
export { huntStanding, type StandingListReport, type StandingReport } from './standing/standing-hunt.ts';
export type { NewMatches, StandingMatch } from './standing/new-matches.ts';
export type { IndexReport } from './value-index/build-index.ts';
export { type Lake, type LakeOptions, openLake, type RunContext } from './lake.ts';
export type { ObjectCosts } from './object-costs.ts';
export { type ObjectLake, refuseUnfit } from './objects/open-object-lake.ts';
export { type ObjectStore, severalAtOnce } from './objects/object-store.ts';
export { openS3, type S3Settings } from './objects/s3-objects.ts';
export type { CommitStep } from './log/commit-context.ts';
export type { CommitSummary, IdentityFile, LoggedFile } from './log/lake-state.ts';
export type { Snapshot } from './log/snapshot.ts';
export type { CompactOptions, CompactReport } from './maintenance/compact.ts';
export type { DeduplicateReport } from './maintenance/deduplicate.ts';
export { isCurrentFormat } from './maintenance/plan-compaction.ts';
export type { VacuumedPath, VacuumOptions, VacuumReason, VacuumReport } from './maintenance/vacuum.ts';
export type { PublicationState, PublishOptions, PublishReport } from './open-tables/publish-tables.ts';
export {
  type LakeExportReport,
  exportFormatOf,
  planExport,
  runExport,
  statementOf,
  tableNamedBy,
} from './export/export-lake.ts';
export type { FolderReport } from './export/export-folder.ts';
export { isNumeric, valueText } from './export/result-values.ts';
export { writeCsv, writeJsonRows, writeNdjson } from './export/result-writers.ts';
export {
  EXPORT_FORMATS,
  type ExportFormat,
  type StatementExport,
  writeExport,
  writeExportFile,
  writeMadeAside,
  writeOutputFile,
} from './export/write-export.ts';
export type { EventWindow, EventWrite, EventWriteKind, FoundEvent, FoundRow, FoundRows } from './query/find-event.ts';
export { type OutputTarget, outputError, outputTarget } from './query/output-target.ts';
export type { QueryOptions, QueryResult } from './query/query.ts';
export type { QueryColumn, QueryValue } from './query/values.ts';
export { type RebuildReport, rebuildLog } from './rebuild-log.ts';
export type { ObjectTraffic } from './storage/store.ts';
export { type Lease, lookAtLeases, openLakeLease } from './storage/lease.ts';
export { type CoverageVerdict, type DayCoverage, scopeText } from './verify/coverage.ts';
export type { InspectedDay } from './verify/inspect-days.ts';
export { provenDaysOf } from './verify/proven-days.ts';
export type { DayContent, FileFinding, VerifyReport } from './verify/verify-files.ts';
export type { RejectedRange } from './verify/rejected-ranges.ts';
