export { type Account, accountName, type OAuthAccount, type OAuthLevel, type UserAccount } from './auth/account.ts';
export type { GatewayClientOptions, GatewayClientTools } from './auth/client-context.ts';
export { postJson } from './http/post-json.ts';
export type { RequestsMade } from './http/send-request.ts';
export type { ClockSkew } from './http/server-time.ts';
export {
  createGatewayClient,
  type GatewayClient,
  type LearnedLimits,
  MAX_RESULT_WINDOW,
  type Posted,
} from './qualys/client.ts';
export { createQualysSource, type QualysSourceOptions } from './qualys/event-source.ts';
export {
  type BucketKeyForm,
  type GroupedCount,
  type GroupShape,
  type Histogram,
  type Interval,
  intervalOf,
  readHistogram,
} from './qualys/parse-counts.ts';
export { type Endpoint, PLATFORMS, type PlatformId, resolveBaseUrl } from './qualys/platforms.ts';
export { DOCUMENTED_TOKENS, type FilterTokens, quoteValue, windowQql } from './qualys/qql.ts';
export type {
  CountParams,
  EventsParams,
  GroupedCountParams,
  SearchAfterParams,
  SelectionParams,
  SortKey,
  TimeBucketsParams,
} from './qualys/query-params.ts';
export { createFifoMutex } from './rate-limit/fifo-mutex.ts';
export {
  createRateLimiter,
  giveBack,
  type RateLimiter,
  type RequestPermit,
} from './rate-limit/rate-limiter.ts';
export { openSharedLimiter, type SharedLimiter, type SharedLimiterOptions } from './rate-limit/shared-limiter.ts';
export type { LimiterLiveness } from './rate-limit/shared-limiter-file.ts';
export type { VersionStore } from './rate-limit/shared-limiter-objects.ts';
export type { RequestPriority } from './rate-limit/shared-state.ts';
export type { LimitFacts } from './sliding-window/limit-headers.ts';
export { STANDARD_RATE_LIMIT } from './sliding-window/sliding-window.ts';
