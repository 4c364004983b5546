import {
  EdrlakeError,
  type EventQuery,
  type EventSource,
  type HistogramBucket,
  MS_PER_SECOND,
  type TimeRange,
} from '@edrlake/core';
import type { GatewayClient } from './client.ts';
import { describeBuckets, intervalOf, readHistogram } from './parse-counts.ts';
import { type FilterTokens, windowQql } from './qql.ts';

/** Histograms of more rows are not requested: the planner asks for coarser ones, or in parts. */
const MAX_GROUPS = 100_000;

/** Time buckets are all delivered, including empty ones; this is the usual limit of servers. */
const MAX_TIME_BUCKETS = 10_000;

/** The histograms that one platform offers. */
export interface Histograms {
  /** Whether the platform may still answer with one. */
  isThere(): boolean;
  /**
   * As `EventSource.histogram`. Where the platform does not have the first kind, a second request asks for the other.
   */
  readonly ask: NonNullable<EventSource['histogram']>;
}

/**
 * The histograms of a platform: a grouped count with an interval, else time buckets, else none.
 * @param use `on`: only the grouped count, with any answer; `auto`: what the platform turns out to have
 */
export function histogramOf(client: GatewayClient, tokens: FilterTokens, use: 'on' | 'off' | 'auto'): Histograms {
  let way: 'grouped' | 'time-buckets' | 'none' = use === 'off' ? 'none' : 'grouped';

  /**
   * The histogram of one kind of request; or that the platform does not have it, by a refusal or by an answer of
   * another shape.
   */
  async function answerOf(ask: () => Promise<readonly HistogramBucket[] | null>): Promise<HistogramAnswer> {
    try {
      const buckets = await ask();
      if (buckets !== null) return { buckets };
    } catch (thrown) {
      if (use === 'on' || !isUnsupported(thrown)) throw thrown;
      return { refusal: thrown };
    }
    return { refusal: null };
  }

  return {
    isThere: () => way !== 'none',
    ask: async (query, bucketMs, signal) => {
      let refusal: EdrlakeError | null = null;
      if (way !== 'time-buckets') {
        const answer = await answerOf(() => groupedHistogram(client, tokens, query, bucketMs, signal));
        if ('buckets' in answer) return answer.buckets;
        refusal = answer.refusal;
        if (use === 'on') throw refusal ?? noHistogram(client, query.range, bucketMs);
        way = 'time-buckets';
      }
      if (isAnsweredByTimeBuckets(query)) {
        const answer = await answerOf(() => timeBucketHistogram(client, tokens, query, bucketMs, signal));
        if ('buckets' in answer) return answer.buckets;
        refusal ??= answer.refusal;
      }
      way = 'none';
      throw refusal ?? noHistogram(client, query.range, bucketMs);
    },
  };
}

type HistogramAnswer = { readonly buckets: readonly HistogramBucket[] } | { readonly refusal: EdrlakeError | null };

async function groupedHistogram(
  client: GatewayClient,
  tokens: FilterTokens,
  query: EventQuery,
  bucketMs: number,
  signal: AbortSignal,
): Promise<readonly HistogramBucket[] | null> {
  const { axis, range, scope } = query;
  const limit = Math.ceil(range.endMs / bucketMs) - Math.floor(range.startMs / bucketMs);
  if (limit > MAX_GROUPS) throw tooManyBuckets(limit);
  const interval = intervalOf(bucketMs);
  const filter = windowQql(query, tokens);
  const params = { filter, state: scope.state, groupBy: [tokens.timeTokens[axis]], interval, limit };
  return readHistogram((await client.groupedCount(params, signal)).values, bucketMs, range)?.buckets ?? null;
}

/** Time buckets respect only a time filter on the event axis. */
function isAnsweredByTimeBuckets({ axis, cuts, scope }: EventQuery): boolean {
  return axis === 'event' && cuts.length === 0 && scope.state === null && (scope.filter?.trim() ?? '') === '';
}

/**
 * A histogram by `/events/count/time-buckets`, which divides a range into equal parts from its start. A range that does
 * not begin and end at multiples of the bucket length is divided into finer parts, which are added up.
 */
async function timeBucketHistogram(
  client: GatewayClient,
  tokens: FilterTokens,
  query: EventQuery,
  bucketMs: number,
  signal: AbortSignal,
): Promise<readonly HistogramBucket[] | null> {
  const { range } = query;
  const partMs = greatestDivisor(greatestDivisor(bucketMs, range.startMs), range.endMs);
  const bucketCount = (range.endMs - range.startMs) / partMs;
  if (bucketCount > MAX_TIME_BUCKETS) throw tooManyBuckets(bucketCount);
  const parts = await client.countTimeBuckets(
    {
      fromDate: Math.floor(range.startMs / MS_PER_SECOND),
      toDate: Math.floor((range.endMs - 1) / MS_PER_SECOND),
      filter: windowQql(query, tokens),
      bucketCount,
    },
    signal,
  );
  const counts = new Map<number, number>();
  for (const { range: part, count } of parts) {
    const isAsAsked =
      part.endMs - part.startMs === partMs &&
      (part.startMs - range.startMs) % partMs === 0 &&
      part.startMs >= range.startMs &&
      part.endMs <= range.endMs;
    if (!isAsAsked) return null;
    const startMs = Math.floor(part.startMs / bucketMs) * bucketMs;
    if (count > 0) counts.set(startMs, (counts.get(startMs) ?? 0) + count);
  }
  return [...counts].map(([startMs, count]) => ({ range: { startMs, endMs: startMs + bucketMs }, count }));
}

function greatestDivisor(a: number, b: number): number {
  let [larger, smaller] = [a, b];
  while (smaller !== 0) [larger, smaller] = [smaller, larger % smaller];
  return larger;
}

function tooManyBuckets(bucketCount: number): EdrlakeError {
  return new EdrlakeError('RESULT_WINDOW_EXCEEDED', `${bucketCount} buckets are too many for one question`, {
    disposition: 'split',
    hint: 'Ask for longer buckets or a shorter range.',
  });
}

function noHistogram({ host }: GatewayClient, range: TimeRange, bucketMs: number): EdrlakeError {
  return new EdrlakeError(
    'RESPONSE_UNEXPECTED',
    `${host} did not answer with a histogram of ${describeBuckets(bucketMs, range)}`,
    {
      context: { host, endpoint: 'count' },
      hint: 'Turn histograms off; planning then uses plain counts.',
    },
  );
}

function isUnsupported(thrown: unknown): thrown is EdrlakeError {
  return thrown instanceof EdrlakeError && (thrown.code === 'RESPONSE_UNEXPECTED' || thrown.code === 'FILTER_REJECTED');
}
