export {
  createRequestBudget,
  type RequestBudget,
  type RequestPermit,
} from './budget.ts';
export {
  type BucketKeyForm,
  type GroupedCount,
  type GroupShape,
  type Histogram,
  type Interval,
  intervalOf,
  readHistogram,
} from './counts.ts';
export type { RequestsMade } from './exchange.ts';
export type { LimitFacts, RateLimit } from './limits.ts';
export type {
  CountParams,
  EventsParams,
  GroupedCountParams,
  SearchAfterParams,
  SelectionParams,
  SortKey,
  TimeBucketsParams,
} from './parameters.ts';
export { type Endpoint, PLATFORMS, type PlatformId, resolveBaseUrl } from './platforms.ts';
export {
  createQualysClient,
  type LearnedLimits,
  MAX_RESULT_WINDOW,
  type QualysClient,
} from './qualys-client.ts';
export { createQualysSource, type QualysSourceOptions } from './qualys-source.ts';
export { DOCUMENTED_TOKENS, type FilterTokens, quoteValue, windowFilter } from './query-filter.ts';
export { STANDARD_RATE_LIMIT } from './request-account.ts';
export type { QualysClientOptions, QualysClientTools } from './session.ts';
export type { ClockSkew } from './server-time.ts';
export { openSharedBudget, type SharedBudget, type SharedBudgetOptions } from './shared-budget.ts';
export type { BudgetLiveness } from './shared-ledger.ts';
export type { BudgetPriority } from './shared-state.ts';
export { postJson } from './post-json.ts';
