import { EdrlakeError, type EventQuery, type EventSource, type Pagination } from '@edrlake/core';
import type { GatewayClient } from './client.ts';
import { histogramOf } from './histograms.ts';
import { DOCUMENTED_TOKENS, type FilterTokens, windowQql } from './qql.ts';
import type { SelectionParams, SortKey } from './query-params.ts';

/** The tokens are those of this platform; defaults are those of the vendor's documents. */
export interface QualysSourceOptions extends Partial<FilterTokens> {
  /** Top-level fields that may hold the id. Default `id` and `eventId`. */
  readonly idFields?: readonly string[];
  /** The names of `groupBy` for the fields of window filters; they differ from the filter's tokens. */
  readonly groupBy?: { readonly type: string; readonly agent: string };
  /** The order of pages. null: by the time token of the query's axis, ascending. */
  readonly sort?: readonly SortKey[] | null;
  readonly pageSize?: number;
  /** Default: the client's. */
  readonly maxResultWindow?: number;
  /**
   * `auto`: a grouped count with an interval, until the platform first refuses it or does not answer with a histogram.
   * Then time buckets, which only answer for ranges of event time without a filter, until the first query they do not
   * answer. Then `EventSource.histogram` is null. `on`: always the grouped count.
   */
  readonly histogram?: 'on' | 'off' | 'auto';
  /**
   * `searchAfter`, on platforms that have it: `EventSource.cursor` is set. The first key of `sort` must then be the
   * time token. Whether events of one instant are delivered without loss across pages depends on the platform, and is
   * checked by counts. Default `pages`.
   */
  readonly walk?: 'pages' | 'searchAfter';
  /** Events of one window that is read by `searchAfter`. Default 30,000; at least one page. */
  readonly maxWindowEvents?: number;
}

/**
 * Events of one window that is read by `searchAfter`. Three times what paging reaches, so that counts and incomplete
 * last pages cost a third; and about one batch, so that neither memory nor a resumed run suffers.
 */
const WALKED_WINDOW_EVENTS = 30_000;

/**
 * The API as an event source that counts and pages. `idFields` are `id` and, in details, `eventId`. `maxResultWindow`
 * is what whole pages reach: 9,000 for pages of 3,000 under a window of 10,000. Both change with `pageSizing`.
 * @throws {EdrlakeError} `CONFIG_INVALID` when not even one page fits into the result window
 */
export function createQualysSource(client: GatewayClient, options: QualysSourceOptions = {}): EventSource {
  const tokens: FilterTokens = {
    timeTokens: options.timeTokens ?? DOCUMENTED_TOKENS.timeTokens,
    typeToken: options.typeToken ?? DOCUMENTED_TOKENS.typeToken,
    agentToken: options.agentToken ?? DOCUMENTED_TOKENS.agentToken,
  };
  const groupBy = options.groupBy ?? { type: 'type', agent: 'agentId' };
  const asked = options.pageSize ?? 1_000;
  let limit = Math.min(options.maxResultWindow ?? client.maxResultWindow, client.maxResultWindow);
  if (!Number.isSafeInteger(asked) || asked < 1 || asked > limit) {
    throw new EdrlakeError('CONFIG_INVALID', `the page size is ${asked}, expected a whole number from 1 to ${limit}`, {
      hint: 'Correct it, or leave it out: 1000 is what a page of the API holds at most.',
    });
  }
  const askedWindow = limit;
  let pageSize = asked;
  const usual = (): Pagination => ({ pageSize, reversed: false });
  const sortOf = (query: EventQuery, { reversed }: Pagination): readonly SortKey[] => {
    const keys = options.sort ?? [{ [tokens.timeTokens[query.axis]]: 'asc' as const }];
    return reversed ? keys.map(opposite) : keys;
  };

  function selection(query: EventQuery): SelectionParams & { readonly filter: string } {
    return { filter: windowQql(query, tokens), state: query.scope.state };
  }

  /**
   * Asks again where a refused page looks like a refused account. A resumed run begins with a page. Where it is refused
   * like that, a count is requested, as a new run does first. If the count is answered, the page is requested again,
   * and a second refusal concerns that page alone.
   */
  async function despiteRefusal<T>(query: EventQuery, ask: () => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await ask();
    } catch (thrown) {
      const isUndecided = thrown instanceof EdrlakeError && thrown.code === 'ACCESS_DENIED' && !client.hasAnswered();
      if (!isUndecided) throw thrown;
      await client.count(selection(query), signal);
      return ask();
    }
  }

  /**
   * The gateway pages less far than documented: from now on nothing beyond that is requested. Where it is less than one
   * page, the page size is too large.
   */
  function learnReach(thrown: unknown, pageNumber: number, way: Pagination): unknown {
    if (!(thrown instanceof EdrlakeError) || thrown.code !== 'RESULT_WINDOW_EXCEEDED') return thrown;
    const reach = (pageNumber + 1) * way.pageSize;
    const named = thrown.context.largestResultWindow;
    const isNamed = typeof named === 'number' && named < reach;
    const learned = isNamed ? named : reach - 1;
    if (learned >= way.pageSize) {
      // A page of the usual size is assumed to fit until an answer says otherwise.
      limit = Math.min(limit, Math.max(learned, pageSize));
      return thrown;
    }
    const { message, context, hint } = thrown;
    return new EdrlakeError('PAGE_SIZE_REFUSED', message, {
      cause: thrown,
      context: { ...context, pageSize: way.pageSize, ...(isNamed && { largestPageSize: named }) },
      ...(hint !== null && { hint }),
    });
  }

  const histogram = histogramOf(client, tokens, options.histogram ?? 'auto');

  return {
    name: `${client.host}/${client.accountName}`,
    get maxResultWindow() {
      return Math.floor(limit / pageSize) * pageSize;
    },
    get pageSize() {
      return pageSize;
    },
    pageSizing: {
      asked,
      lowerTo: (given) => {
        pageSize = Math.max(1, Math.min(pageSize, given));
      },
    },
    resultWindow: {
      asked: askedWindow,
      get given() {
        return limit;
      },
      lowerTo: (results) => {
        limit = Math.min(limit, Math.max(results, pageSize));
      },
    },
    ...{ idFields: options.idFields ?? ['id', 'eventId'], concurrency: () => client.limits().concurrency },
    ...(client.reserve && { reserve: client.reserve }),
    serverClock: {
      lastMs: () => client.serverTimeMs(),
      ask: (signal) => client.askServerTime(signal),
    },
    count: (query, signal) => client.count(selection(query), signal),
    anyTime: { count: (signal) => client.count({}, signal), tokenOf: (axis) => tokens.timeTokens[axis] },
    groups: async (query, field, groupLimit, signal) => {
      const params = { ...selection(query), groupBy: [groupBy[field]], limit: groupLimit };
      const { values } = await client.groupedCount(params, signal);
      return [...values].sort((a, b) => b.count - a.count).slice(0, groupLimit);
    },
    get histogram() {
      return histogram.isThere() ? histogram.ask : null;
    },
    cursor:
      options.walk !== 'searchAfter'
        ? null
        : {
            maxWindowEvents: Math.max(options.maxWindowEvents ?? WALKED_WINDOW_EVENTS, asked),
            page: (query, cursor, read, signal, way = usual()) => {
              const params = {
                ...selection(query),
                pageSize: way.pageSize,
                sort: sortOf(query, way),
                searchAfterValues: cursor,
              };
              return despiteRefusal(query, () => client.searchAfter(params, read, signal), signal);
            },
          },
    page: async (query, pageNumber, read, signal, way = usual()) => {
      // Refused here, without spending a request on it.
      if ((pageNumber + 1) * way.pageSize > limit) {
        throw new EdrlakeError('RESULT_WINDOW_EXCEEDED', `page ${pageNumber} is beyond ${limit} results`, {
          disposition: 'split',
          hint: 'Ask for a smaller range.',
        });
      }
      const params = { ...selection(query), pageNumber, pageSize: way.pageSize, sort: sortOf(query, way) };
      try {
        return await despiteRefusal(query, () => client.events(params, read, signal), signal);
      } catch (thrown) {
        throw learnReach(thrown, pageNumber, way);
      }
    },
  };
}

function opposite(key: SortKey): SortKey {
  return Object.fromEntries(
    Object.entries(key).map(([token, direction]) => [token, direction === 'asc' ? 'desc' : 'asc'] as const),
  );
}
