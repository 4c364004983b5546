import type { EventSource } from '@edrlake/core';

/** How much one window may hold and how it is paged. */
export interface WindowSizes {
  /** Events of one window, a whole number of pages. */
  readonly maxEvents: number;
  readonly pageSize: number;
}

/**
 * Paging by number ends where `(pageNumber + 1) * pageSize` would pass the result window, so only whole pages count. A walk by
 * cursors ends nowhere; whole pages are then only the better bargain.
 */
export function windowSizes(source: EventSource): WindowSizes {
  const { pageSize } = source;
  const reach = reachOf(source);
  return { maxEvents: Math.floor(reach / pageSize) * pageSize || reach, pageSize };
}

/** Events of one query that a walk can get to. */
export function reachOf({ cursor, maxResultWindow }: EventSource): number {
  return cursor === null ? maxResultWindow : cursor.maxWindowEvents;
}

/** Pages that hold a number of events. */
export function pagesOf(events: number, pageSize: number): number {
  return Math.ceil(events / pageSize);
}

/**
 * Requests that a window of a number of events costs: its pages, and one recount when the last page is full, because a full page
 * does not tell whether more would come. A walk by cursors asks for the next page instead and finds it empty. A window without
 * events costs its first page as well: only an empty page confirms a zero.
 */
export function requestsOf(events: number, pageSize: number): number {
  return Math.floor(events / pageSize) + 1;
}
