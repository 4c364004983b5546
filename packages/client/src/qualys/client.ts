import {
  type CursorPage,
  type Deprecation,
  EdrlakeError,
  type EventSource,
  type HistogramBucket,
  linkAbort,
  type PageReader,
  type ProxySettings,
  positiveOption,
  proxyFor,
} from '@edrlake/core';
import { accountName } from '../auth/account.ts';
import { type GatewayClientOptions, type GatewayClientTools, openClientContext } from '../auth/client-context.ts';
import { contentFailure } from '../http/failed-exchange.ts';
import type { EndpointKind, RequestFacts } from '../http/refusal.ts';
import { type RequestsMade, sendRequest } from '../http/send-request.ts';
import type { ClockSkew } from '../http/server-time.ts';
import type { HttpRequest } from '../http/transport.ts';
import { openApiPrefix } from './api-prefix.ts';
import { type GroupedCount, readCount, readGroups, readTimeBuckets } from './parse-counts.ts';
import { resolveBaseUrl } from './platforms.ts';
import {
  type CountParams,
  type EventsParams,
  encodePathPart,
  encodeQuery,
  eventsWire,
  type GroupedCountParams,
  groupedCountWire,
  type SearchAfterParams,
  searchAfterWire,
  selectionWire,
  type TimeBucketsParams,
  timeBucketsWire,
  type WireParams,
} from './query-params.ts';
import { countAnswer, eventAnswer, pageBody, type ReadAnswer } from './read-answer.ts';
import { readCursorPage } from './search-after.ts';

/** The API's documented and observed limit of one query. */
export const MAX_RESULT_WINDOW = 10_000;

/** What the client has learned about its limits. */
export interface LearnedLimits {
  readonly requests: number;
  readonly windowSeconds: number;
  /** Requests at once, as used now. */
  readonly concurrency: number;
  /** Requests that can be sent now without waiting. */
  readonly requestsLeft: number;
  /** Whether any answer so far carried rate-limit headers. */
  readonly fromHeaders: boolean;
  /** Limit headers of the last answer that make no sense and are not used. */
  readonly unusableHeaders: readonly string[];
  /** The server's clock minus this machine's, as of the last answer with a date; null where none had one. */
  readonly clockSkew: ClockSkew | null;
}

/**
 * The Qualys IOC/EDR API, one polite request at a time. Calls may run concurrently; they log in, wait for the limits,
 * retry and time out by themselves. Every failure is an `EdrlakeError` that is final for the call; an abort throws the
 * signal's reason.
 */
export interface GatewayClient {
  /** The host, and the name of the account that logs in: a user, or the id of an OAuth client. */
  readonly host: string;
  readonly accountName: string;
  /** The proxy that its connections go through; null for none. */
  readonly proxy: ProxySettings | null;
  readonly maxResultWindow: number;
  /**
   * Logs in now instead of with the first request.
   * @returns when the token ends, on this machine's clock, and the endpoint that gave it, such as `/auth`
   */
  login(signal: AbortSignal): Promise<{ readonly expiresAtMs: number; readonly path: string }>;
  /**
   * One page: a JSON array as decoded bytes, `[]` where the server says 204 twice. `read` is called anew for each
   * attempt and asks for one by throwing an `EdrlakeError` with disposition `retry`. A refusal of a page beyond
   * `maxResultWindow` is `RESULT_WINDOW_EXCEEDED` with disposition `split`.
   */
  events<T>(params: EventsParams, read: PageReader<T>, signal: AbortSignal): Promise<T>;
  /**
   * One page of a `searchAfter` walk, which has no `maxResultWindow`, on platforms that have it; read like `events`.
   * Send `next` back as `searchAfterValues` with the same parameters, of which the first sort key must be the time
   * token of the range.
   * @throws {EdrlakeError} `RESPONSE_UNEXPECTED` where the platform has no such endpoint (404)
   */
  searchAfter<T>(params: SearchAfterParams, read: PageReader<T>, signal: AbortSignal): Promise<CursorPage<T>>;
  /**
   * Counts in equal intervals, oldest first, including empty ones, on platforms that have this endpoint. It respects
   * only the time range of the filter.
   * @throws {EdrlakeError} `RESPONSE_UNEXPECTED` where the platform has no such endpoint (404), or answers in an
   * unknown shape
   */
  countTimeBuckets(params: TimeBucketsParams, signal: AbortSignal): Promise<readonly HistogramBucket[]>;
  count(params: CountParams, signal: AbortSignal): Promise<number>;
  /** @throws {EdrlakeError} `RESPONSE_UNEXPECTED` when the platform ignores `groupBy` or answers in an unknown shape */
  groupedCount(params: GroupedCountParams, signal: AbortSignal): Promise<GroupedCount>;
  /** One page of another module of the platform, which takes its questions as JSON by POST. Read like `events`. */
  postedPage<T>(posted: Posted, read: PageReader<T>, signal: AbortSignal): Promise<T>;
  /** A count of such a module. */
  postedCount(posted: Posted, signal: AbortSignal): Promise<number>;
  /** A grouped count of such a module. @throws {EdrlakeError} as `groupedCount` */
  postedGroups(posted: Posted, signal: AbortSignal): Promise<GroupedCount>;
  /** The JSON text of one event, with all digits as delivered. @throws {EdrlakeError} `NOT_FOUND` */
  eventDetail(
    agentId: string,
    eventId: string,
    params: { readonly state?: boolean | null },
    signal: AbortSignal,
  ): Promise<string>;
  limits(): LearnedLimits;
  /** As `EventSource.reserve`. */
  readonly reserve?: EventSource['reserve'];
  /** The path before `/events`; null while it has to be found. */
  apiPrefix(): string | null;
  /** Whether any data request has been answered: until then a refused account and a refused request look the same. */
  hasAnswered(): boolean;
  /** The server's time when it last answered, in UTC epoch milliseconds; null where no answer had a date. */
  serverTimeMs(): number | null;
  /** The same, after a new login where the last answer is more than a minute old; logins are outside the limits. */
  askServerTime(signal: AbortSignal): Promise<number | null>;
  requestsMade(): RequestsMade;
  /** What answers have said so far about the end of endpoints. */
  deprecations(): readonly Deprecation[];
  /** Aborts all calls in progress and closes all connections. Later calls fail. */
  close(): Promise<void>;
}

/** A question of a module that takes it as a JSON object by POST. */
export interface Posted {
  /** The whole path, such as `/fim/v2/events/search`. */
  readonly path: string;
  /** `filter`, `pageNumber` and `pageSize` among others, as the module spells them. */
  readonly question: Readonly<Record<string, unknown>>;
}

/** @throws {EdrlakeError} `URL_INVALID` or `CONFIG_INVALID` for options that cannot work; no request is made */
export function createGatewayClient(options: GatewayClientOptions, tools: GatewayClientTools): GatewayClient {
  const baseUrl = resolveBaseUrl({ baseUrl: options.baseUrl });
  const host = new URL(baseUrl).host;
  const prefix = openApiPrefix(options.apiPrefix ?? '/ioc');
  const maxResultWindow = positiveOption('maxResultWindow', options.maxResultWindow ?? MAX_RESULT_WINDOW);
  const { data, observed } = openClientContext(options, baseUrl, host, tools);
  const closing = new AbortController();

  /** Runs a call under the caller's signal and the client's own. */
  async function call<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { controller, unlink } = linkAbort(closing.signal, signal);
    try {
      controller.signal.throwIfAborted();
      return await work(controller.signal);
    } finally {
      unlink();
    }
  }

  function ask<T>(target: Target, wire: Wire, read: ReadAnswer<T>, signal: AbortSignal): Promise<T> {
    const { method, filter, pageSize, ...request } = wire;
    const { kind, path, isBeyondResultWindow = false } = target;
    const facts: RequestFacts = { kind, method, host, path, filter, pageSize, isBeyondResultWindow };
    return call(signal, (linked) =>
      sendRequest({ ...request, facts, read: (answer) => read(answer, facts) }, data, linked),
    );
  }

  const get = async <T>(target: Target, params: WireParams, read: ReadAnswer<T>, signal: AbortSignal): Promise<T> =>
    prefix.use((before) => ask({ ...target, path: `${before}${target.path}` }, getWire(params), read, signal), signal);

  const post = async <T>(
    kind: 'events' | 'count',
    posted: Posted,
    read: ReadAnswer<T>,
    signal: AbortSignal,
  ): Promise<T> => ask(postTarget(kind, posted, maxResultWindow), postWire(posted), read, signal);

  const counted = <T>(pick: (answer: unknown) => T | null) => countAnswer(pick, data.redact);

  return {
    host,
    accountName: accountName(options),
    proxy: proxyFor(baseUrl, options.proxy),
    maxResultWindow,
    login: (signal) =>
      call(signal, async (linked) => {
        const { expiresAtMs } = await data.tokens.current(linked);
        return { expiresAtMs, path: observed.loginPath ?? '' };
      }),
    events: (params, read, signal) => {
      const reach = ((params.pageNumber ?? 0) + 1) * (params.pageSize ?? 10);
      const target: Target = { kind: 'events', path: '/events', isBeyondResultWindow: reach > maxResultWindow };
      return get(target, eventsWire(params), (answer, facts) => read(pageBody(answer, facts, data.redact)), signal);
    },
    searchAfter: <T>(params: SearchAfterParams, read: PageReader<T>, signal: AbortSignal) => {
      const readPage: ReadAnswer<CursorPage<T>> = (answer, facts) => {
        const broken = (found: string, text: string) => contentFailure('BODY_BROKEN', found, text, facts, data.redact);
        const isFirst = (params.searchAfterValues ?? null) === null;
        return readCursorPage(pageBody(answer, facts, data.redact), answer.headers, read, broken, isFirst);
      };
      return get(SEARCH_AFTER, searchAfterWire(params), readPage, signal);
    },
    countTimeBuckets: (params, signal) => get(TIME_BUCKETS, timeBucketsWire(params), counted(readTimeBuckets), signal),
    count: (params, signal) => get(COUNT, selectionWire(params), counted(readCount), signal),
    groupedCount: (params, signal) => get(COUNT, groupedCountWire(params), counted(readGroups), signal),
    postedPage: (posted, read, signal) =>
      post('events', posted, (answer, facts) => read(pageBody(answer, facts, data.redact)), signal),
    postedCount: (posted, signal) => post('count', posted, counted(readCount), signal),
    postedGroups: (posted, signal) => post('count', posted, counted(readGroups), signal),
    eventDetail: async (agentId, eventId, params, signal) => {
      const path = `/events/${encodePathPart('agent id', agentId)}/${encodePathPart('event id', eventId)}`;
      const readEvent = eventAnswer(data.redact);
      const { event } = await get({ kind: 'detail', path }, [['state', params.state]], readEvent, signal);
      if (event !== null) return event;
      throw new EdrlakeError('NOT_FOUND', `${host} has no event ${eventId} of agent ${agentId}`, {
        context: { host, endpoint: 'detail', agentId, eventId },
        hint: 'Check the agent id and the event id.',
      });
    },
    ...(data.budget.reserve && { reserve: data.budget.reserve }),
    limits: () => ({
      ...data.budget.limit(),
      concurrency: data.budget.concurrency(),
      requestsLeft: data.budget.requestsLeft(),
      ...observed,
      clockSkew: data.serverTime.skew(),
    }),
    apiPrefix: () => prefix.known(),
    hasAnswered: () => data.access.hasAnswered(),
    serverTimeMs: () => data.serverTime.lastMs(),
    askServerTime: (signal) =>
      call(signal, async (linked) => {
        const { serverTime, tokens, clock } = data;
        if (!serverTime.isFresh(clock.nowMs())) {
          const token = await tokens.current(linked);
          if (!serverTime.isFresh(clock.nowMs())) await tokens.replace(token, linked);
        }
        return serverTime.lastMs();
      }),
    deprecations: () => [...data.deprecations.values()],
    requestsMade: () => {
      const made = data.requestsMade;
      return { total: made.auth + made.events + made.count + made.detail, ...made };
    },
    close: async () => {
      closing.abort(new EdrlakeError('INTERRUPTED', `the client of ${host} is closed`));
      await data.transport.close();
    },
  };
}

/** A request as it is sent, and the parts of it that errors name. */
interface Wire
  extends Pick<HttpRequest, 'query' | 'headers' | 'body'>,
    Pick<RequestFacts, 'method' | 'filter' | 'pageSize'> {}

function getWire(params: WireParams): Wire {
  const given = (wanted: string) => params.find(([name]) => name === wanted)?.[1];
  return {
    method: 'GET',
    query: encodeQuery(params),
    headers: {},
    body: null,
    ...asked(given('filter'), given('pageSize')),
  };
}

function postWire({ question }: Posted): Wire {
  const headers = { 'content-type': 'application/json' };
  const { filter, pageSize } = question;
  return { method: 'POST', query: '', headers, body: JSON.stringify(question), ...asked(filter, pageSize) };
}

function asked(filter: unknown, pageSize: unknown): Pick<Wire, 'filter' | 'pageSize'> {
  return {
    filter: typeof filter === 'string' ? filter : null,
    pageSize: typeof pageSize === 'number' ? pageSize : null,
  };
}

/** A question of another module, outside the prefix. */
function postTarget(kind: 'events' | 'count', { path, question }: Posted, maxResultWindow: number): Target {
  const { pageNumber, pageSize } = question;
  const reach = typeof pageSize === 'number' ? (Number(pageNumber ?? 0) + 1) * pageSize : 0;
  return { kind, path, isBeyondResultWindow: reach > maxResultWindow };
}

interface Target {
  readonly kind: EndpointKind;
  readonly path: string;
  readonly isBeyondResultWindow?: boolean;
}

const COUNT: Target = { kind: 'count', path: '/events/count' };
const TIME_BUCKETS: Target = { kind: 'count', path: '/events/count/time-buckets' };
const SEARCH_AFTER: Target = { kind: 'events', path: '/events/searchAfter' };
