import { type EventSource, type FetchedWindow, MS_PER_DAY } from '@edrlake/core';
import type { JournalLine } from './journal.ts';
import type { RunQuestion } from './newest-runs.ts';

/** What an earlier run learned about the pages of a source. */
export interface LearnedPageSize {
  readonly pageSize: number;
  readonly learnedAtMs: number;
}

/** What an earlier run learned about how far a source pages. */
export interface LearnedResultWindow {
  readonly resultWindow: number;
  readonly learnedAtMs: number;
}

/** The gateway may give more later. Learning it again costs a few requests. */
const REMEMBERED_MS = 30 * MS_PER_DAY;

/** The configured page size, even if the gateway gives smaller pages. */
export function askedPageSize(source: Pick<EventSource, 'pageSize' | 'pageSizing'>): number {
  return source.pageSizing?.asked ?? source.pageSize;
}

/**
 * Asks for the page size with which the newest run of the same source and settings went on after the gateway gave less
 * than requested. null if it gave what was requested, if no run recorded it, or if it was learned too long ago.
 */
export function learnedPageSize(
  source: Pick<EventSource, 'name' | 'pageSize' | 'pageSizing'>,
  nowMs: number,
): RunQuestion<LearnedPageSize> {
  const asked = askedPageSize(source);
  return ({ lines }) => {
    if (!isOf(lines, source.name, asked)) return undefined;
    const found = lines.findLast((line) => line.type === 'page-size');
    if (found === undefined || nowMs - found.learnedAtMs > REMEMBERED_MS || found.pageSize >= asked) return null;
    return { pageSize: found.pageSize, learnedAtMs: found.learnedAtMs };
  };
}

/** The same for the result window. */
export function learnedResultWindow(
  source: Pick<EventSource, 'name' | 'pageSize' | 'pageSizing' | 'resultWindow'>,
  nowMs: number,
): RunQuestion<LearnedResultWindow> {
  const pageSize = askedPageSize(source);
  return ({ lines }) => {
    if (!isOf(lines, source.name, pageSize)) return undefined;
    const found = lines.findLast((line) => line.type === 'result-window');
    const isOld = found !== undefined && nowMs - found.learnedAtMs > REMEMBERED_MS;
    if (found === undefined || isOld || found.asked !== source.resultWindow?.asked) return null;
    return { resultWindow: found.resultWindow, learnedAtMs: found.learnedAtMs };
  };
}

function isOf(lines: readonly JournalLine[], source: string, pageSize: number): boolean {
  return lines.some(
    (line) => line.type === 'start' && line.subject?.source === source && line.subject.pageSize === pageSize,
  );
}

/**
 * The page sizes of a window that lacks events, if none of its pages was as large as requested: that explains the lack.
 * Else null.
 */
export function shortPages(
  { count, recordCount, pages }: FetchedWindow,
  asked: number,
): { readonly asked: number; readonly smallest: number; readonly largest: number } | null {
  if (recordCount >= count) return null;
  const sizes = pages.filter(({ way }) => (way?.pageSize ?? asked) === asked).map((page) => page.recordCount);
  // The last page may be short because nothing follows.
  const whole = sizes.length > 1 ? sizes.slice(0, -1) : sizes;
  const [smallest, largest] = [Math.min(...whole), Math.max(...whole)];
  return whole.length === 0 || largest === 0 || largest >= asked ? null : { asked, smallest, largest };
}
