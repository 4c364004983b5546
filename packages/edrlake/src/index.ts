/**
 * Exports security events from the Qualys IOC/EDR API into a Parquet lake, and proves that what it stored is what the
 * API has. Nothing here reads the environment, prints, or keeps state outside of the objects that it returns.
 *
 *     openLake, connect                     a lake, and a connection to the API
 *     backfill, sync                        events of the API into the lake
 *     reconcile, repair                     the lake compared with the API
 *     enrich                                what the API says about single events, into the lake
 *     lake.gate, lake.verify                whether days are proven, and files as they were committed
 *     lake.query, lake.export               SQL over the lake; tables as files of other programs
 *     lake.hunt                             hashes, addresses, names in the lake, and what not finding them means
 *     lake.huntStanding, lake.index         lists that are always hunted; the index that makes hunts fast
 *     plan, events                          the API without a lake
 *     definePipeline, runPipeline           several of these as one run that can be resumed
 *     forEachSubscription                   any of these for all subscriptions of the command's configuration
 *     defineDataset, QUALYS_FIM             events of other APIs
 *     edrlake/arrow                         events as Arrow tables
 *
 * @module
 */

export type { Account, OAuthAccount, OAuthLevel, UserAccount } from '@edrlake/client';
export {
  type Clock,
  type Dataset,
  type Day,
  type Disposition,
  EdrlakeError,
  ERROR_CODES,
  type ErrorCode,
  type ErrorContext,
  type ErrorDetails,
  type EventQuery,
  type EventSource,
  type ProxySettings,
  type Random,
  type RateLimit,
  type RunEvent,
  type TableFormat,
  type TimeAxis,
  type TimeRange,
} from '@edrlake/core';
export {
  defineDataset,
  defineTables,
  type EventApi,
  field,
  fromEvent,
  QUALYS_EDR,
  QUALYS_FIM,
  type SourcedDataset,
  type TablesDefinition,
} from '@edrlake/datasets';
export type {
  CompactReport,
  CoverageVerdict,
  DayContent,
  DayCoverage,
  DeduplicateReport,
  DemoteReport,
  FileFinding,
  FolderReport,
  HuntCoverage,
  HuntMatch,
  HuntReport,
  IndexReport,
  IndicatorFinding,
  NewMatches,
  PromoteReport,
  PublishReport,
  QueryColumn,
  QueryReads,
  QueryValue,
  ReadWay,
  S3Settings,
  StandingListReport,
  StandingMatch,
  StandingReport,
  UnloadFormat,
  UnloadReport,
  VacuumReport,
  VerifyReport,
} from '@edrlake/lake';
export {
  type Indicator,
  type IndicatorFault,
  type IndicatorKind,
  type IndicatorList,
  type ListFault,
  readIndicators,
  type Sought,
} from '@edrlake/lake/indicators';
export type {
  ConnectionSettings,
  DayVerdict,
  EnrichReport,
  ExportPlan,
  ExportReport,
  Pipeline,
  PlatformSettings,
  ReconciledDay,
  RepairReport,
  RunResult,
  SyncReport,
} from '@edrlake/runner';
export { definePipeline } from '@edrlake/runner/define-pipeline';
export type { GateRequirement, RefusedDays } from '@edrlake/runner/history';
export type { DayState } from '@edrlake/runner/states';
export { type ReconcileOptions, type Reconciliation, reconcile, repair } from './compare.ts';
export { type EnrichOptions, enrich } from './enrich.ts';
export type { EdrActor, EdrAsset, EdrEvent, EdrFile, EdrIndicator, EdrProcess } from './event.ts';
export { type EventPage, type EventsOptions, events, type UnreadableRecord } from './events.ts';
export {
  type BackfillOptions,
  backfill,
  type ExportCallOptions,
  type PlanOptions,
  plan,
  type SyncOptions,
  sync,
} from './export.ts';
export type { CallOptions, RangeOptions, ScopeOptions, Surroundings } from './input/options.ts';
export type { Hunt, HuntLakeOptions, Query, QueryRow } from './lake/query.ts';
export type {
  CompactOptions,
  DemoteOptions,
  ExportLakeOptions,
  GateOptions,
  GateReport,
  IndexLakeOptions,
  Lake,
  LakeFile,
  LakeSubscription,
  LakeVersion,
  OpenLakeOptions,
  PromoteOptions,
  PublishLakeOptions,
  QueryLakeOptions,
  StandingHuntOptions,
  VacuumOptions,
} from './lake/types.ts';
export { openLake } from './lake.ts';
export { type RunPipelineOptions, runPipeline } from './pipeline.ts';
export type { OwnSourceSettings } from './source/own-source.ts';
export { type ConnectOptions, connect, type Source } from './source.ts';
export {
  forEachSubscription,
  type Subscription,
  type SubscriptionResult,
  type SubscriptionsOptions,
} from './subscriptions.ts';
