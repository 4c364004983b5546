import {
  EdrlakeError,
  type EventQuery,
  type EventSource,
  type FilterField,
  type HistogramBucket,
  type ValueCount,
} from '@edrlake/core';

/** Requests counts from the source, counts these requests, and limits their number. */
export interface CountClient {
  /** Requests made so far. */
  requests(): number;
  count(query: EventQuery): Promise<number>;
  groups(query: EventQuery, field: FilterField, limit: number): Promise<readonly ValueCount[]>;
  /** null where the source has no histograms or the caller wants none. */
  readonly histogram: ((query: EventQuery, bucketMs: number) => Promise<readonly HistogramBucket[]>) | null;
}

/** The limits and options of planning's requests. */
export interface AskOptions {
  readonly signal: AbortSignal;
  /** Ask for histograms where the source has them. */
  readonly histogram: boolean;
  /** More than any settled data can need: only counts that contradict each other repeatedly reach it. */
  readonly maxRequests: () => number;
  /** Starts a request when it may; at once by default. */
  readonly inTurn?: <T>(request: () => Promise<T>) => Promise<T>;
}

/**
 * @throws {EdrlakeError} from each call: what the source throws, the signal's reason, or `RESPONSE_UNEXPECTED` beyond
 * the bound.
 */
export function createCountClient(source: EventSource, options: AskOptions): CountClient {
  const { signal, maxRequests } = options;
  const inTurn = options.inTurn ?? ((request) => request());
  let requests = 0;
  const ask = <T>(request: () => Promise<T>): Promise<T> =>
    inTurn(async () => {
      signal.throwIfAborted();
      if (requests >= maxRequests()) {
        throw new EdrlakeError(
          'RESPONSE_UNEXPECTED',
          `expected a plan within ${maxRequests()} count requests, the counts still do not add up`,
          { hint: 'The data may be changing while it is counted: end the range further in the past, or run again.' },
        );
      }
      requests++;
      return request();
    });
  const { histogram } = source;
  return {
    requests: () => requests,
    async count(query) {
      const count = await ask(() => source.count(query, signal));
      if (Number.isSafeInteger(count) && count >= 0) return count;
      throw new EdrlakeError('RESPONSE_UNEXPECTED', `expected a count of events, found ${count}`);
    },
    groups: (query, field, limit) => ask(() => source.groups(query, field, limit, signal)),
    histogram:
      histogram === null || !options.histogram
        ? null
        : (query, bucketMs) => ask(() => histogram.call(source, query, bucketMs, signal)),
  };
}
