import {
  type CutField,
  EdrlakeError,
  type EventQuery,
  type EventSource,
  type HistogramBucket,
  type ValueCount,
} from '@edrlake/core';

/** Asks the source for numbers, counts how often, and refuses to go on without end. */
export interface CountAsker {
  /** Requests made so far. */
  requests(): number;
  count(query: EventQuery): Promise<number>;
  groups(query: EventQuery, field: CutField, limit: number): Promise<readonly ValueCount[]>;
  /** null where the source has no histograms or the caller wants none. */
  readonly histogram: ((query: EventQuery, bucketMs: number) => Promise<readonly HistogramBucket[]>) | null;
}

/**
 * @param maxRequests more than any settled data can need; only counts that contradict each other again and again get there
 * @throws {EdrlakeError} from each call: what the source throws, the signal's reason, or `RESPONSE_UNEXPECTED` past the bound
 */
export function countAsker(
  source: EventSource,
  signal: AbortSignal,
  maxRequests: () => number,
  useHistogram: boolean,
): CountAsker {
  let requests = 0;
  const oneMore = () => {
    signal.throwIfAborted();
    if (requests >= maxRequests()) {
      throw new EdrlakeError(
        'RESPONSE_UNEXPECTED',
        `expected a plan within ${maxRequests()} count requests, the counts still do not add up`,
        { hint: 'The data may be changing while it is counted: end the range further in the past, or run again.' },
      );
    }
    requests++;
  };
  const { histogram } = source;
  return {
    requests: () => requests,
    async count(query) {
      oneMore();
      const count = await source.count(query, signal);
      if (Number.isSafeInteger(count) && count >= 0) return count;
      throw new EdrlakeError('RESPONSE_UNEXPECTED', `expected a count of events, found ${count}`);
    },
    async groups(query, field, limit) {
      oneMore();
      return source.groups(query, field, limit, signal);
    },
    histogram:
      histogram === null || !useHistogram
        ? null
        : async (query, bucketMs) => {
            oneMore();
            return histogram(query, bucketMs, signal);
          },
  };
}
