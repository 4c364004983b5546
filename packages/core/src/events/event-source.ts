import type { TimeRange } from '../time/time-range.ts';
import type { EventQuery, FilterField } from './window.ts';

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

/** How the pages of one query are cut and ordered. All pages of one walk are asked for in the same way. */
export interface Pagination {
  /** Events asked for with one page. */
  readonly pageSize: number;
  /** The other end first: a walk in another way does not repeat what was wrong with the first. */
  readonly reversed: boolean;
}

/** What a source does when the API turns out to give smaller pages than it is asked for. */
export interface PageSizing {
  /** Events of one page as the settings want them. */
  readonly asked: number;
  /** From now on `pageSize` is this. @param pageSize from 1 to what it is now */
  lowerTo(pageSize: number): void;
}

/** One page of a walk by cursors, and where the next one begins. */
export interface CursorPage<T> {
  /** What the reader made of the page. */
  readonly value: T;
  /** To be sent with the next request; null when nothing follows. The last page may have one: then an empty page follows. */
  readonly next: string | null;
}

/** Walks a query from page to page without a limit to how far: each page names the cursor the next one is asked for with. */
export interface CursorWalk {
  /** Events of one window: nothing on the wire limits them, but the identities of one window are held in memory. */
  readonly maxWindowEvents: number;
  /**
   * Reads the page at the cursor, the first one for null, in an order that is stable between calls. Cursors of an earlier
   * process still lead to the same place. One request when all goes well.
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
 * The clock of what is behind a source, as its answers tell. Nothing is extrapolated: between answers it stands still, so that
 * a jump of this machine's clock cannot move it.
 */
export interface ServerClock {
  /** What it had reached when it last answered, in UTC epoch milliseconds; null where no answer has told. */
  lastMs(): number | null;
  /**
   * The same, no older than a minute: logs in where nothing was answered since, which the first request would do as well.
   * @throws {EdrlakeError} as any request
   */
  ask(signal: AbortSignal): Promise<number | null>;
}

/**
 * An API that can count and page. The pager walks anything behind this interface; it knows no vendor.
 * Implementations log in, pace, retry and time out by themselves; what they throw is final for that request and is an
 * `EdrlakeError` whose disposition says who acts. Calls may run concurrently.
 */
export interface EventSource {
  /** A stable name of what is behind it (host and account, no secret): runs against another source are not mixed. */
  readonly name: string;
  /** Paging reaches only this number of events of one query, from its first. */
  readonly maxResultWindow: number;
  /** Events asked for with one page; fewer than the settings want once `pageSizing` has lowered it. */
  readonly pageSize: number;
  /** Left out where every page that is asked for comes as large as it should. */
  readonly pageSizing?: PageSizing;
  /** Top-level fields that may hold a record's identity; the first one that is not null or blank counts. */
  readonly idFields: readonly string[];

  /** Absent where the source has no clock of its own: then this machine's has to do. */
  readonly serverClock?: ServerClock;

  /** How many events the query holds now. One request. */
  count(query: EventQuery, signal: AbortSignal): Promise<number>;

  /** Counts by value of a field, most frequent first, at most `limit` values: what is left out must be found by `count`. One request. */
  groups(query: EventQuery, field: FilterField, limit: number, signal: AbortSignal): Promise<readonly ValueCount[]>;

  /**
   * Counts by equal stretches of the query's axis, oldest first, empty stretches left out; buckets start at multiples of
   * `bucketMs` since the epoch. null when the source has no histograms, or has turned out not to by refusing one. One request,
   * and another where the source first has to find out which kind of histogram there is.
   */
  readonly histogram:
    | ((query: EventQuery, bucketMs: number, signal: AbortSignal) => Promise<readonly HistogramBucket[]>)
    | null;

  /** Where it is not null, windows are walked by it and `maxResultWindow` limits none of them; null: by `page`. */
  readonly cursor: CursorWalk | null;

  /**
   * Reads page `pageNumber` (from 0) of the query, in an order that is stable between calls. One request when all goes well.
   * @param way left out: pages of `pageSize`, in the source's own order. The number counts pages of its size.
   * @throws {EdrlakeError} among others `PAGE_SIZE_REFUSED`, with `context.largestPageSize` where the API told it
   */
  page<T>(
    query: EventQuery,
    pageNumber: number,
    read: PageReader<T>,
    signal: AbortSignal,
    way?: Pagination,
  ): Promise<T>;
}
