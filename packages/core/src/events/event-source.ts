import type { TimeRange } from '../time/time-range.ts';
import type { EventQuery, FilterField, TimeAxis } from './window.ts';

/** How many events share one value of a field. */
export interface ValueCount {
  readonly value: string;
  readonly count: number;
}

/** How many events are in one interval of the queried axis. */
export interface HistogramBucket {
  readonly range: TimeRange;
  readonly count: number;
}

/** Receives one page body as decoded bytes in order. A thrown `retry` error makes the source ask for the page again. */
export type PageReader<T> = (body: AsyncIterable<Uint8Array>) => Promise<T>;

/** The size and order of the pages of one query. All pages of one walk are requested in the same way. */
export interface Pagination {
  /** Events requested with one page. */
  readonly pageSize: number;
  /** Last events first. A walk in another order does not repeat a fault of the first walk. */
  readonly reversed: boolean;
}

/** What a source can do when the API returns smaller pages than requested. */
export interface PageSizing {
  /** Events of one page in the settings. */
  readonly asked: number;
  /**
   * Sets `pageSize` for all later requests.
   * @param pageSize from 1 to the current one
   */
  lowerTo(pageSize: number): void;
}

/** How far the API pages, where it may be less than its documents say. */
export interface ResultWindow {
  /** Results of one query in the settings. */
  readonly asked: number;
  /** Results that it pages to, as far as known. */
  readonly given: number;
  /**
   * Requests nothing beyond it from now on.
   * @param results from 1 to `given`; taken as one page where it is less
   */
  lowerTo(results: number): void;
}

/** One page of a walk by cursors, and where the next one begins. */
export interface CursorPage<T> {
  /** What the reader made of the page. */
  readonly value: T;
  /**
   * The cursor of the next request; null after the last page. The last page may have one: then an empty page follows.
   */
  readonly next: string | null;
}

/** Walks a query without a limit of depth: each page names the cursor of the next one. */
export interface CursorWalk {
  /** The most events of one window. The API has no such limit, but the ids of one window are held in memory. */
  readonly maxWindowEvents: number;
  /**
   * Reads the page at the cursor, the first one for null, in an order that is stable between calls. Cursors of an
   * earlier process still name the same place. One request, unless it is retried.
   * @param way left out: pages of `pageSize`, in the source's own order
   */
  page<T>(
    query: EventQuery,
    cursor: string | null,
    read: PageReader<T>,
    signal: AbortSignal,
    way?: Pagination,
  ): Promise<CursorPage<T>>;
}

/**
 * The clock of the server behind a source, as its answers report it. It does not advance between answers, so that a
 * jump of this machine's clock cannot move it.
 */
export interface ServerClock {
  /** The time of its last answer, in UTC epoch milliseconds; null where no answer has reported one. */
  lastMs(): number | null;
  /**
   * The same, no older than a minute. Logs in when there was no answer since, as the first request would do.
   * @throws {EdrlakeError} as any request
   */
  ask(signal: AbortSignal): Promise<number | null>;
}

/**
 * Counts without a time range: where they find events and ranges find none at any time, the API does not know the name
 * by which the ranges select.
 */
export interface AnyTime {
  /** How many events the source holds now, of any time. One request. */
  count(signal: AbortSignal): Promise<number>;
  /** The name by which ranges select on an axis, for messages. */
  tokenOf(axis: TimeAxis): string;
}

/** Requests that are reserved for work that has begun. */
export interface Reservation {
  /** The work is whole, or given up. Called once. */
  end(): void;
}

/**
 * An API that can count and page. The pager knows no vendor, only this interface. Implementations log in, limit their
 * rate, retry and time out by themselves. What they throw is final for that request and is an `EdrlakeError` whose
 * disposition says who acts. Calls may run concurrently.
 */
export interface EventSource {
  /** A stable name of what is behind it (host and account, no secret): runs against another source are not mixed. */
  readonly name: string;
  /** Paging reaches only this number of events of one query, from its first. */
  readonly maxResultWindow: number;
  /** Events requested with one page; fewer than in the settings once `pageSizing` has lowered it. */
  readonly pageSize: number;
  /** Absent where the API returns pages of every requested size. */
  readonly pageSizing?: PageSizing;
  /** Absent where `maxResultWindow` does not change by what is learned. */
  readonly resultWindow?: ResultWindow;
  /** Top-level fields that may hold a record's identity; the first one that is not null or blank counts. */
  readonly idFields: readonly string[];

  /**
   * Requests that it has in flight at once, as far as known. Further calls wait in its queue, and it reports what the
   * first of them waits for. Absent where every call is sent at once.
   */
  readonly concurrency?: () => number;

  /**
   * Reserves the requests of work that is worth little until it is whole, such as the pages of a window. Until the work
   * ends, all requests wait as long as it takes. Absent where they always do.
   * @throws {EdrlakeError} `REQUESTS_SPENT` where as many will not be free soon: then the work is not to begin
   */
  readonly reserve?: (requests: number) => Promise<Reservation>;

  /** Absent where the source has no clock of its own: then this machine's is used. */
  readonly serverClock?: ServerClock;

  /** How many events the query holds now. One request. */
  count(query: EventQuery, signal: AbortSignal): Promise<number>;

  /** Absent where events cannot be counted without a time range. */
  readonly anyTime?: AnyTime;

  /**
   * Counts by value of a field, most frequent first, at most `limit` values; the others must be found by `count`. One
   * request.
   */
  groups(query: EventQuery, field: FilterField, limit: number, signal: AbortSignal): Promise<readonly ValueCount[]>;

  /**
   * Counts by equal intervals of the query's axis, oldest first, without empty ones; buckets start at multiples of
   * `bucketMs` since the epoch. null when the source has no histograms, or has refused one. One request, and another
   * where the source first has to find out which kind of histogram there is.
   */
  readonly histogram:
    | ((query: EventQuery, bucketMs: number, signal: AbortSignal) => Promise<readonly HistogramBucket[]>)
    | null;

  /**
   * The JSON text of one event, which may have more than its record in a list; absent where the API has no such
   * question. One request.
   * @throws {EdrlakeError} `NOT_FOUND` where the API has no such event
   */
  readonly details?: (agentId: string, eventId: string, signal: AbortSignal) => Promise<string>;

  /** Where it is not null, windows are walked by cursors and `maxResultWindow` limits none of them; null: by `page`. */
  readonly cursor: CursorWalk | null;

  /**
   * Reads page `pageNumber` (from 0) of the query, in an order that is stable between calls. One request, unless it is
   * retried.
   * @param way left out: pages of `pageSize`, in the source's own order. The number counts pages of its size.
   * @throws {EdrlakeError} among others `PAGE_SIZE_REFUSED`, with `context.largestPageSize` where the API reported it
   */
  page<T>(
    query: EventQuery,
    pageNumber: number,
    read: PageReader<T>,
    signal: AbortSignal,
    way?: Pagination,
  ): Promise<T>;
}
