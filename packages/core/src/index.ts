export {
  type BothClocks,
  beforeNow,
  bothClocks,
  clocksText,
  isAhead,
  refuseFuture,
  SETTLE_LAG_MS,
} from './both-clocks.ts';
export { type Beat, type Clock, type Random, seededRandom, systemBeat, systemClock } from './clock.ts';
export { closeAfter } from './close-after.ts';
export type { DataFile, FileLayout } from './data-file.ts';
export { didYouMean } from './did-you-mean.ts';
export { errnoOf, explainDiskError, isDiskError, unreadable, unwritable } from './disk-error.ts';
export {
  type Disposition,
  EdrlakeError,
  ERROR_CODES,
  type ErrorCode,
  type ErrorContext,
  type ErrorDetails,
} from './errors.ts';
export type {
  CursorPage,
  CursorWalk,
  EventSource,
  HistogramBucket,
  PageReader,
  PageSizing,
  PageWay,
  ServerClock,
  ValueCount,
} from './event-source.ts';
export { type ExportOutcome, worstOutcome } from './export-outcome.ts';
export { usableLakePath } from './lake-path.ts';
export {
  copyToParquetSql,
  idHashSql,
  quoteFile,
  quoteName,
  quoteText,
  ROW_GROUP_ROWS,
  writtenFile,
} from './lake-sql.ts';
export { isMemoryError, outOfMemory } from './memory-error.ts';
export { type OwnerState, type ProcessOwner, type ProcessTable, systemProcesses } from './owner.ts';
export {
  countedTwice,
  type DuplicatesPerDay,
  type FetchedWindow,
  type SpooledPage,
  type WindowProof,
} from './proof.ts';
export { type ProxySettings, proxyFor, proxyRefusal, proxyUnreachable } from './proxy.ts';
export {
  type RecordShape,
  type ShapeKind,
  type ShapeMember,
  type ShapeSection,
  type ShapeValue,
  SPOOL_BROKEN,
  SPOOL_MEMBERS,
} from './record-shape.ts';
export type { Emit, RunEvent } from './run-event.ts';
export type { RejectReason, StagedBatch, StagedWindow, UnknownField } from './staged-batch.ts';
export { type ColumnRule, type ColumnSpec, type ColumnType, duckdbType, type TableSpec } from './table-spec.ts';
export { toEdrlakeError } from './thrown.ts';
export {
  type Day,
  dayOf,
  daysOf,
  gapsIn,
  intersect,
  isoInstant,
  MS_PER_DAY,
  MS_PER_HOUR,
  MS_PER_MINUTE,
  MS_PER_SECOND,
  parseRange,
  startOfDayMs,
  type TimeRange,
  timeRange,
} from './time-range.ts';
export {
  type CutField,
  EVERYTHING,
  type EventQuery,
  type PlannedWindow,
  type QueryScope,
  type TimeAxis,
  type Window,
  type WindowCut,
  windowOf,
} from './window.ts';
