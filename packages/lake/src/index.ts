export { FILE_FORMAT } from '@edrlake/writers';
export type { CommitRequest, CommitResult } from './commit/commit.ts';
export { examineLake } from './examine/examine-lake.ts';
export type { LakeDamage } from './examine/lake-damage.ts';
export type {
  HuntCoverage,
  HuntMatch,
  HuntOptions,
  HuntReport,
  IndicatorFinding,
} from './hunt/hunt-types.ts';
export { type Lake, type LakeOptions, openLake } from './lake.ts';
export type { CommitStep, WantedOwner } from './log/commit-context.ts';
export type { CommitSummary, IdentityFile, LoggedFile } from './log/lake-state.ts';
export { isOfLostHistory, type LogPoint } from './log/log-point.ts';
export type { Snapshot } from './log/snapshot.ts';
export type { DetailsReport, EventDetails } from './maintenance/add-details.ts';
export type { CompactOptions, CompactReport } from './maintenance/compact.ts';
export type { DeduplicateReport } from './maintenance/deduplicate.ts';
export type { DemoteReport, DemoteRequest } from './maintenance/demote.ts';
export { DETAILS_AT, OWN_MEMBER } from './maintenance/merge-details.ts';
export { isCurrentFormat } from './maintenance/plan-compaction.ts';
export type { PromoteReport } from './maintenance/promote.ts';
export type { PromoteRequest } from './maintenance/promotion-request.ts';
export type { VacuumedPath, VacuumOptions, VacuumReason, VacuumReport } from './maintenance/vacuum.ts';
export type { LakeWriter } from './methods/compute-engine.ts';
export type { IndexOptions, IndexState } from './methods/lake-hunts.ts';
export type { RunContext } from './methods/maintaining.ts';
export type { ObjectCosts } from './methods/object-costs.ts';
export { type ObjectStore, REQUEST_CONCURRENCY } from './object-store/object-store.ts';
export { type ObjectLake, refuseUnfit } from './object-store/open-object-lake.ts';
export { openS3, type S3Settings } from './object-store/s3-object-store.ts';
export type { PublicationState, PublishOptions, PublishReport } from './open-tables/publish-tables.ts';
export { placedRow, withoutPromoted } from './promoted/place-values.ts';
export { isRefuting, type LoggedRecount, type Recount } from './proofs/recounts.ts';
export type { EventWindow, EventWrite, EventWriteKind, FoundEvent, FoundRow, FoundRows } from './query/find-event.ts';
export { type OutputTarget, outputError, outputTarget } from './query/output-target.ts';
export type { QueryResult } from './query/query.ts';
export type { QueryOptions } from './query/query-target.ts';
export type { QueryColumn, QueryValue } from './query/values.ts';
export { type RebuildReport, rebuildLog } from './rebuild-log.ts';
export type { HuntState, ListState, MatchReader, StandingList } from './standing/hunt-state.ts';
export type { NewMatches, StandingMatch } from './standing/new-matches.ts';
export { huntStanding, type StandingListReport, type StandingReport } from './standing/standing-hunt.ts';
export { mapAtOnce } from './storage/at-once.ts';
export { type Lease, openLakeLease } from './storage/lease.ts';
export { type ObjectTraffic, type QueryReads, READ_WAYS, type ReadsChoice, type ReadWay } from './storage/store.ts';
export { lookAtLeases } from './storage/watch-leases.ts';
export { type NamedLake, type UnitedLakes, uniteLakes } from './union/united-lakes.ts';
export { isNumeric, valueText } from './unload/result-values.ts';
export { writeCsv, writeJsonRows, writeNdjson } from './unload/result-writers.ts';
export {
  planUnload,
  runUnload,
  statementOf,
  tableNamedBy,
  type UnloadReport,
  unloadFormatOf,
} from './unload/unload.ts';
export type { FolderReport } from './unload/unload-folder.ts';
export {
  UNLOAD_FORMATS,
  type UnloadFormat,
  type UnloadStatement,
  writeMadeAside,
  writeOutputFile,
  writeUnload,
  writeUnloadFile,
} from './unload/write-file.ts';
export type { IndexReport } from './value-index/build-index.ts';
export { type CoverageVerdict, type DayCoverage, scopeText } from './verify/coverage.ts';
export type { InspectedDay } from './verify/inspect-days.ts';
export { provenDaysOf } from './verify/proven-days.ts';
export type { RejectReason } from './verify/reject-reasons.ts';
export type { RejectedRange } from './verify/rejected-ranges.ts';
export type { DayContent, FileFinding, VerifyReport } from './verify/verify-files.ts';
