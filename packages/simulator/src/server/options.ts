import { type Clock, EdrlakeError, systemClock, type TimeRange } from '@edrlake/core';
import type { HistogramShape } from '../query/grouping.ts';
import type { TimeTokens } from '../query/tokens.ts';
import { DEFAULT_LATENESS, type LatenessClass } from '../world/lateness.ts';
import { CUSTOMER_ID } from '../world/machines.ts';
import type { TimelineProfile } from '../world/timeline.ts';

/** How limit headers are spelled: `X-ConcurrencyLimit-…`, `X-Concurrency-Limit-…`, present but empty, or not sent. */
export type HeaderSpelling = 'joined' | 'dashed' | 'empty' | 'none';

/** The options of a simulated gateway. Only `events` and `range` must be given. */
export interface SimulatorOptions {
  /** The number of events, from 0; nothing is stored for them. */
  readonly events: number;
  /** The range of their `dateTime`. */
  readonly range: TimeRange;
  /** The same seed gives the same events, byte for byte. Default 1. */
  readonly seed?: number;
  /** Loopback port; default 0: any free one. */
  readonly port?: number;
  /** Default user `demo`, password `demo`. */
  readonly credentials?: { readonly username: string; readonly password: string };
  /** An OAuth client that may log in as well, at the endpoint of its level. Default null: none. */
  readonly oauthClient?: OAuthClient | null;
  readonly profile?: TimelineProfile;
  readonly lateness?: readonly LatenessClass[];
  /** Whose events these are, in `asset.customerId` and in tokens: a UUID. Default: always the same. */
  readonly customerId?: string;
  /** Machines that run an agent. Default 500. */
  readonly agents?: number;
  /** Share of events in the EDR 1.0 payload, 0 to 1, the rest in that of IOC 2.3. Default 0.75. */
  readonly edrShare?: number;
  /** Share of records whose `id` is null. Default 0. */
  readonly nullIdShare?: number;
  /** Share of records with fields or sections no document names. Default 0.0005. */
  readonly unknownFieldShare?: number;
  /** The largest page. Default 1000. */
  readonly pageSizeMax?: number;
  /** Paging reaches only this many results. Default 10,000. */
  readonly resultWindow?: number;
  /** Data requests allowed in a window, then 429. Default 1,000,000 in 3600 s; null: unlimited, nothing advertised. */
  readonly rateLimit?: { readonly requests: number; readonly windowSeconds: number } | null;
  /** Data requests allowed at once. Default null: unlimited, not advertised. */
  readonly concurrencyLimit?: number | null;
  /** The status over a limit. Default 429; older hosts answer 409. */
  readonly limitStatus?: 429 | 409;
  readonly headerSpelling?: HeaderSpelling;
  /** Default `epoch`. */
  readonly histogramShape?: HistogramShape;
  /** Default `old`. */
  readonly timeTokens?: TimeTokens;
  /** Default `object`. */
  readonly detailShape?: 'object' | 'array' | 'data';
  /** The answer when nothing is found. Default `array`. */
  readonly emptyAnswer?: 'array' | '204';
  /**
   * Whether `/events/searchAfter` exists, and where it puts the next cursor. Default the header `searchAfterValues`.
   */
  readonly searchAfter?: 'searchAfterValues' | 'searchAfterValue' | 'body' | 'unsupported';
  /** Whether `/events/count/time-buckets` exists. Default true. */
  readonly timeBuckets?: boolean;
  /** `jwt` with an `exp`, or an opaque text. Default `jwt`. */
  readonly tokenShape?: 'jwt' | 'opaque';
  /** Default 14,400: four hours. */
  readonly tokenLifetimeSeconds?: number;
  /** Sent with each data answer, as `Deprecation` and `Sunset`. Default null: neither. */
  readonly deprecation?: { readonly deprecation?: string; readonly sunset?: string } | null;
  /** Added to every answer. Default 0. */
  readonly latencyMs?: number;
  /** The data's own clock: events processed later are not visible. Default null: all are. */
  readonly nowMs?: number | null;
  /** Default `/ioc`. */
  readonly apiPrefix?: string;
  /** The clock for tokens, limits, latency and the call log. Default the machine's. */
  readonly clock?: Clock;
  /**
   * How far the gateway's clock is ahead of `clock`, in its `Date` header and its tokens; null: no `Date`. Default 0.
   */
  readonly clockSkewMs?: number | null;
  /** Memory for answers that are served again without rendering them; faulty ones are not kept. Default 0. */
  readonly pageCacheBytes?: number;
  /** Calls kept in the log; the oldest are removed first. Default 100,000. */
  readonly callLogLimit?: number;
}

/** A client of the platform, made for one user or for the subscription. */
export interface OAuthClient {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly level: 'user' | 'subscription';
}

/** Options with every default filled in. */
export type ResolvedOptions = Required<SimulatorOptions>;

const DEFAULTS = {
  seed: 1,
  port: 0,
  credentials: { username: 'demo', password: 'demo' },
  oauthClient: null,
  profile: {},
  lateness: DEFAULT_LATENESS,
  customerId: CUSTOMER_ID,
  agents: 500,
  edrShare: 0.75,
  nullIdShare: 0,
  unknownFieldShare: 0.0005,
  pageSizeMax: 1000,
  resultWindow: 10_000,
  rateLimit: { requests: 1_000_000, windowSeconds: 3600 },
  concurrencyLimit: null,
  limitStatus: 429,
  headerSpelling: 'joined',
  histogramShape: 'epoch',
  timeTokens: 'old',
  detailShape: 'object',
  emptyAnswer: 'array',
  searchAfter: 'searchAfterValues',
  timeBuckets: true,
  tokenShape: 'jwt',
  tokenLifetimeSeconds: 14_400,
  deprecation: null,
  latencyMs: 0,
  nowMs: null,
  apiPrefix: '/ioc',
  clock: systemClock,
  clockSkewMs: 0,
  pageCacheBytes: 0,
  callLogLimit: 100_000,
} as const satisfies Omit<ResolvedOptions, 'events' | 'range'>;

/** Indexes of events are 32-bit numbers. */
const EVENTS_LIMIT = 4_000_000_000;

/** @throws {EdrlakeError} `CONFIG_INVALID` naming the option that is not possible. */
export function resolveOptions(options: SimulatorOptions): ResolvedOptions {
  const resolved: ResolvedOptions = { ...DEFAULTS, ...options };
  const require = (holds: boolean, message: string) => {
    if (!holds) throw new EdrlakeError('CONFIG_INVALID', message);
  };
  const { events, range, agents, apiPrefix, pageSizeMax, resultWindow } = resolved;
  require(Number.isInteger(events) &&
    events >= 0 &&
    events <= EVENTS_LIMIT, `events: 0 to ${EVENTS_LIMIT}, found ${events}`);
  require(range.endMs > range.startMs, 'range: its end is not after its start');
  require(Number.isInteger(agents) && agents >= 1 && agents <= 100_000, `agents: 1 to 100,000, found ${agents}`);
  require(pageSizeMax >= 1 && pageSizeMax <= resultWindow, 'pageSizeMax: 1 to resultWindow');
  require(/^\/[\w/-]+$/.test(apiPrefix), `apiPrefix: expected a path such as /ioc, found "${apiPrefix}"`);
  for (const share of ['edrShare', 'nullIdShare', 'unknownFieldShare'] as const) {
    require(resolved[share] >= 0 && resolved[share] <= 1, `${share}: 0 to 1, found ${resolved[share]}`);
  }
  const { clock, clockSkewMs } = resolved;
  if (clockSkewMs === null || clockSkewMs === 0) return resolved;
  return { ...resolved, clock: { ...clock, nowMs: () => clock.nowMs() + clockSkewMs } };
}
