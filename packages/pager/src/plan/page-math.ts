import type { EventSource } from '@edrlake/core';

/** The size and the pages of one window. */
export interface WindowSizes {
  /** Events of one window, a whole number of pages. */
  readonly maxEvents: number;
  readonly pageSize: number;
}

/**
 * Paging by number ends where `(pageNumber + 1) * pageSize` would exceed the result window, so only whole pages count.
 * Paging by cursor has no end; whole pages are then only cheaper.
 */
export function windowSizes(source: EventSource): WindowSizes {
  const { pageSize } = source;
  const reach = reachOf(source);
  return { maxEvents: Math.floor(reach / pageSize) * pageSize || reach, pageSize };
}

/** The number of events of one query that can be reached. */
export function reachOf({ cursor, maxResultWindow }: EventSource): number {
  return cursor === null ? maxResultWindow : cursor.maxWindowEvents;
}

/** The number of pages for a number of events. */
export function pagesOf(events: number, pageSize: number): number {
  return Math.ceil(events / pageSize);
}

/**
 * The requests of a window with a number of events: its pages, and one more when the last page is full, because after a
 * full page more may follow: the next page, or at the end of the result window the first page from the other end. A
 * window without events also costs its first page: only an empty page confirms a zero.
 */
export function requestsOf(events: number, pageSize: number): number {
  return Math.floor(events / pageSize) + 1;
}
