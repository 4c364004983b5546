import type { TimeRange } from './time-range.ts';
import type { CutField, EventQuery } from './window.ts';

/** How many events share one value of a field. */
export interface ValueCount {
  readonly value: string;
  readonly count: number;
}

/** How many events fall into one stretch of the queried axis. */
export interface HistogramBucket {
  readonly range: TimeRange;
  readonly count: number;
}

/** Receives one page body as decoded bytes in order. A thrown `retry` error makes the source ask for the page again. */
export type PageReader<T> = (body: AsyncIterable<Uint8Array>) => Promise<T>;

/**
 * An API that can count and page. The pager walks anything behind this interface; it knows no vendor.
 * Implementations log in, pace, retry and time out by themselves; what they throw is final for that request and is an
 * `EdrlakeError` whose disposition says who acts. Calls may run concurrently.
 */
export interface EventSource {
  /** A stable name of what is behind it (host and account, no secret): runs against another source are not mixed. */
  readonly name: string;
  /** Paging reaches only the first so many events of one query. */
  readonly maxResultWindow: number;
  /** Events asked for with one page. */
  readonly pageSize: number;
  /** Top-level fields that may hold a record's identity; the first one that is not null or blank counts. */
  readonly idFields: readonly string[];

  /** How many events the query holds now. One request. */
  count(query: EventQuery, signal: AbortSignal): Promise<number>;

  /** Counts by value of a field, most frequent first, at most `limit` values: what is left out must be found by `count`. One request. */
  groups(query: EventQuery, field: CutField, limit: number, signal: AbortSignal): Promise<readonly ValueCount[]>;

  /**
   * Counts by equal stretches of the query's axis, oldest first, empty stretches left out; buckets start at multiples of
   * `bucketMs` since the epoch. null when the source has no histograms. One request.
   */
  readonly histogram:
    | ((query: EventQuery, bucketMs: number, signal: AbortSignal) => Promise<readonly HistogramBucket[]>)
    | null;

  /** Reads page `pageNumber` (from 0) of the query, in an order that is stable between calls. One request when all goes well. */
  page<T>(query: EventQuery, pageNumber: number, read: PageReader<T>, signal: AbortSignal): Promise<T>;
}
