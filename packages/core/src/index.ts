export { didYouMean } from './did-you-mean.ts';
export { errnoOf, explainDiskError, isDiskError, unreadable, unwritable } from './errors/disk-error.ts';
export { type Disposition, ERROR_CODES, type ErrorCode } from './errors/error-codes.ts';
export { EdrlakeError, type ErrorContext, type ErrorDetails } from './errors/errors.ts';
export { isMemoryError, outOfMemory } from './errors/memory-error.ts';
export { positiveOption } from './errors/positive-option.ts';
export { createRedact, type Redact, redactShapes } from './errors/redact.ts';
export { refusesProcessedTime } from './errors/refused-axis.ts';
export { toEdrlakeError } from './errors/to-edrlake-error.ts';
export type {
  CursorPage,
  CursorWalk,
  EventSource,
  HistogramBucket,
  PageReader,
  PageSizing,
  Pagination,
  Reservation,
  ResultWindow,
  ServerClock,
  ValueCount,
} from './events/event-source.ts';
export { type ExportOutcome, worstOutcome } from './events/export-outcome.ts';
export { PARTIAL_MEMBERS, REST_MEMBERS, saysMore, saysPartial } from './events/partial-result.ts';
export {
  countedTwice,
  type DuplicatesPerDay,
  type FetchedWindow,
  type OtherVersion,
  type RejectRule,
  type SpooledPage,
  type WindowProof,
} from './events/proof.ts';
export { type Deprecation, deprecationText, type Emit, type RunEvent } from './events/run-event.ts';
export {
  type EventQuery,
  type FilterField,
  NO_FILTER,
  type PlannedWindow,
  type QueryScope,
  type TimeAxis,
  type Window,
  type WindowFilter,
  windowOf,
} from './events/window.ts';
export { linkAbort, unlessAborted, untilAborted } from './process/abort.ts';
export {
  type ClaimHolder,
  type ClaimPlace,
  claimPlace,
  type FoundClaim,
  ownerOf,
} from './process/claim-place.ts';
export { closeAfter } from './process/close-after.ts';
export {
  appendDurable,
  appendUnsynced,
  createExclusive,
  createExclusiveUnsynced,
  makeFolder,
  syncNames,
  syncPath,
  type WriteSteps,
  writeAtomic,
  writeAtomicStream,
} from './process/durable-file.ts';
export { type ClaimTerms, claimFolder } from './process/folder-claim.ts';
export {
  defaultWorkFolder,
  type ObjectAddress,
  objectAddress,
  partitionNames,
  usableLakePath,
} from './process/lake-path.ts';
export { isWorkLeft, noteLeftWork } from './process/left-work.ts';
export { type OwnerState, type ProcessOwner, type ProcessTable, systemProcesses } from './process/process-owner.ts';
export { type ProxySettings, proxyFor, proxyRefusal, proxyUnreachable } from './process/proxy.ts';
export { flagsText, shellText } from './process/shell-text.ts';
export { turnTaking } from './process/turn-taking.ts';
export { writeText } from './process/write-text.ts';
export { bytesText, countText, durationText, nounText } from './quantities.ts';
export type { RateLimit } from './rate-limit.ts';
export { isSubscriptionName, SUBSCRIPTION_NAME_EXPECTED } from './subscription-name.ts';
export { sum } from './sum.ts';
export type { DataFile, FileLayout } from './tables/data-file.ts';
export type { Dataset, ProcessColumns, ProcessNames } from './tables/dataset.ts';
export { idHash } from './tables/id-hash.ts';
export { isWindowsPath, normalPath } from './tables/normal-path.ts';
export {
  type RecordShape,
  type ShapeKind,
  type ShapeMember,
  type ShapeSection,
  type ShapeValue,
  SPOOL_BROKEN,
  SPOOL_MEMBERS,
} from './tables/record-shape.ts';
export {
  interruptOn,
  memoryReturner,
  rowsOf,
  type SqlConnection,
  withRowOrder,
  withSettings,
} from './tables/sql-connection.ts';
export { filePattern, idHashSql, quoteFile, quoteName, quoteText, textListSql } from './tables/sql-text.ts';
export {
  type BatchFindings,
  type Cell,
  FOREIGN_CUSTOMER,
  foreignRecord,
  isSameCustomer,
  MAX_OTHER_VERSIONS,
  type OutsideRecords,
  type OwnedRow,
  type RejectReason,
  type Row,
  type RowBatch,
  type RowIdentity,
  type SharedIds,
  type StagedBatch,
  type StagedWindow,
  type UnknownField,
} from './tables/staged-batch.ts';
export { TABLE_FORMAT_NAMES, TABLE_FORMATS, type TableFormat } from './tables/table-formats.ts';
export {
  COLUMN_TYPES,
  type ColumnRule,
  type ColumnSpec,
  type ColumnType,
  OBSERVABLES,
  type Observable,
  PROMOTED_KEY,
  type PromotedFrom,
  type PromotedNote,
  promotedNote,
  queriedType,
  rowMeaning,
  stagedType,
  storedValueSql,
  type TableSpec,
  TIME_FORMS,
  type TimeForm,
} from './tables/table-spec.ts';
export { BEST_VERSION_FIRST, betterVersionFirst, isBetterVersionSql } from './tables/version-order.ts';
export {
  type BothClocks,
  beforeNow,
  bothClocks,
  clocksText,
  isAhead,
  refuseFuture,
  SETTLE_LAG_MS,
} from './time/both-clocks.ts';
export { type Beat, type Clock, type Random, seededRandom, systemBeat, systemClock } from './time/clock.ts';
export { newRunId } from './time/run-id.ts';
export {
  type Day,
  dayOf,
  daysOf,
  gapsIn,
  instantText,
  intersect,
  isoInstant,
  MS_PER_DAY,
  MS_PER_HOUR,
  MS_PER_MINUTE,
  MS_PER_SECOND,
  parseRange,
  rangeFlagsText,
  rangeOfDays,
  startOfDayMs,
  type TimeRange,
  timeRange,
  wholeDaysOf,
} from './time/time-range.ts';
