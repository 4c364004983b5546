import { EdrlakeError, type EventQuery, type EventSource, type HistogramBucket } from '@edrlake/core';
import { describeBuckets, intervalOf, readHistogram } from './counts.ts';
import type { SelectionParams, SortKey } from './parameters.ts';
import type { QualysClient } from './qualys-client.ts';
import { DOCUMENTED_TOKENS, type FilterTokens, windowFilter } from './query-filter.ts';

/** The tokens are those of this platform; what is absent is taken from the documents. */
export interface QualysSourceOptions extends Partial<FilterTokens> {
  /** The names `groupBy` takes for the two cuts; they differ from the filter's tokens. */
  readonly groupBy?: { readonly type: string; readonly agent: string };
  /** The order of pages. null: by the time token of the query's axis, ascending. */
  readonly sort?: readonly SortKey[] | null;
  readonly pageSize?: number;
  /** Default: the client's. */
  readonly maxResultWindow?: number;
  /** `auto`: until the platform's first answer that is no histogram, or refusal of one; then `EventSource.histogram` is null. */
  readonly histogram?: 'on' | 'off' | 'auto';
}

/** More rows than this are not asked for at once: the planner asks coarser, or in parts. */
const MAX_BUCKETS = 100_000;

/**
 * The API as something that can count and page. `idFields` are `id` and, in details, `eventId`.
 * `maxResultWindow` is what whole pages reach: 9,000 for pages of 3,000 under a window of 10,000.
 * @throws {EdrlakeError} `CONFIG_INVALID` when not even one page fits into the result window
 */
export function createQualysSource(client: QualysClient, options: QualysSourceOptions = {}): EventSource {
  const tokens: FilterTokens = {
    timeTokens: options.timeTokens ?? DOCUMENTED_TOKENS.timeTokens,
    typeToken: options.typeToken ?? DOCUMENTED_TOKENS.typeToken,
    agentToken: options.agentToken ?? DOCUMENTED_TOKENS.agentToken,
  };
  const groupBy = options.groupBy ?? { type: 'type', agent: 'agentId' };
  const pageSize = options.pageSize ?? 1_000;
  const limit = Math.min(options.maxResultWindow ?? client.maxResultWindow, client.maxResultWindow);
  if (!Number.isSafeInteger(pageSize) || pageSize < 1 || pageSize > limit) {
    throw new EdrlakeError(
      'CONFIG_INVALID',
      `the page size is ${pageSize}, expected a whole number from 1 to ${limit}`,
    );
  }
  const maxResultWindow = Math.floor(limit / pageSize) * pageSize;
  let hasHistogram = options.histogram !== 'off';

  function selection(query: EventQuery): SelectionParams & { readonly filter: string } {
    return { filter: windowFilter(query, tokens), state: query.scope.state };
  }

  async function histogram(
    query: EventQuery,
    bucketMs: number,
    signal: AbortSignal,
  ): Promise<readonly HistogramBucket[]> {
    const { range } = query;
    const bucketCount = Math.ceil(range.endMs / bucketMs) - Math.floor(range.startMs / bucketMs);
    if (bucketCount > MAX_BUCKETS) {
      throw new EdrlakeError('RESULT_WINDOW_EXCEEDED', `${bucketCount} buckets are too many for one question`, {
        disposition: 'split',
        hint: 'Ask for longer buckets or a shorter range.',
      });
    }
    const interval = intervalOf(bucketMs);
    try {
      const params = { ...selection(query), groupBy: [tokens.timeTokens[query.axis]], interval, limit: bucketCount };
      const found = readHistogram((await client.groupedCount(params, signal)).values, bucketMs, range);
      if (found !== null) return found.buckets;
    } catch (thrown) {
      if (options.histogram !== 'on' && isUnsupported(thrown)) hasHistogram = false;
      throw thrown;
    }
    if (options.histogram !== 'on') hasHistogram = false;
    throw new EdrlakeError(
      'RESPONSE_UNEXPECTED',
      `${client.host} did not answer with a histogram of ${describeBuckets(bucketMs, range)}`,
      {
        context: { host: client.host, endpoint: 'count' },
        hint: 'Turn histograms off; planning then uses plain counts.',
      },
    );
  }

  return {
    name: `${client.host}/${client.username}`,
    maxResultWindow,
    pageSize,
    idFields: ['id', 'eventId'],
    count: (query, signal) => client.count(selection(query), signal),
    groups: async (query, field, groupLimit, signal) => {
      const params = { ...selection(query), groupBy: [groupBy[field]], limit: groupLimit };
      const { values } = await client.groupedCount(params, signal);
      return [...values].sort((a, b) => b.count - a.count).slice(0, groupLimit);
    },
    get histogram() {
      return hasHistogram ? histogram : null;
    },
    page: async (query, pageNumber, read, signal) => {
      // Refused here already: the request would be spent in vain.
      if ((pageNumber + 1) * pageSize > maxResultWindow) {
        throw new EdrlakeError('RESULT_WINDOW_EXCEEDED', `page ${pageNumber} lies beyond ${maxResultWindow} results`, {
          disposition: 'split',
          hint: 'Ask for a smaller range.',
        });
      }
      const sort = options.sort ?? [{ [tokens.timeTokens[query.axis]]: 'asc' }];
      return client.events({ ...selection(query), pageNumber, pageSize, sort }, read, signal);
    },
  };
}

function isUnsupported(thrown: unknown): boolean {
  return thrown instanceof EdrlakeError && (thrown.code === 'RESPONSE_UNEXPECTED' || thrown.code === 'FILTER_REJECTED');
}
