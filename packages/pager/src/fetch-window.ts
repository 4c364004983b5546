import type { EdrlakeError, FetchedWindow, PlannedWindow } from '@edrlake/core';
import { type CountAsker, countAsker } from './count-asker.ts';
import { fetchPages, type WindowFetching } from './fetch-pages.ts';
import { planRequestBound, type SplitQuery, splitQuery } from './plan-windows.ts';
import type { PageWithIds } from './spool.ts';
import { type WindowSizes, windowSizes } from './window-sizes.ts';
import { addsUp, pagesWorthKeeping, tally } from './window-tally.ts';

/** A window that could not be fetched. What was spooled of it stays, so that a later run can go on from there. */
export interface FailedWindow extends PlannedWindow {
  readonly verdict: 'failed';
  readonly error: EdrlakeError;
}

/** Tells the two outcomes of a window apart. */
export function isFailedWindow(window: FetchedWindow | FailedWindow): window is FailedWindow {
  return window.verdict === 'failed';
}

/** The window whole, or the smaller windows it has to be fetched as. */
export type WindowOutcome =
  | { readonly type: 'fetched'; readonly fetched: FetchedWindow }
  | { readonly type: 'split'; readonly into: SplitQuery };

/**
 * Fetches all pages of one window until they add up: a first try, and where records and count differ a recount and up to
 * `maxRefetches` further tries. A window that outgrew `sizes.maxEvents`, or that the source refuses to page through, is
 * planned anew instead.
 * @throws {EdrlakeError} when a page or a count fails for good; pages that came are spooled by then, none is in flight.
 */
export async function fetchWindow(
  fetching: WindowFetching,
  planned: PlannedWindow,
  sizes: WindowSizes,
  onBytes: (bodyBytes: number) => void,
): Promise<WindowOutcome> {
  const { window } = planned;
  const tries: PageWithIds[][] = [];
  let { count } = planned;
  // A resumed plan may have been made for another way of walking.
  if (count > sizes.maxEvents) return splitWindow(fetching, planned, count, sizes);
  for (let attempt = 0; ; attempt++) {
    const walked = await fetchPages(fetching, { window, count, attempt }, onBytes);
    if (walked.type === 'refused') return splitRefused(fetching, planned, count, walked.pageNumber, walked.error);
    tries.push(walked.pages);
    const found = tally(walked.pages);
    if (addsUp(found, count) && walked.atEnd) return finish(fetching, planned, count, tries, 'complete');
    count = await counting(fetching, count).count(window);
    if (count > sizes.maxEvents) return splitWindow(fetching, planned, count, sizes);
    if (addsUp(found, count)) return finish(fetching, planned, count, tries, 'complete');
    if (attempt >= fetching.maxRefetches) return finish(fetching, planned, count, tries, 'mismatch');
    fetching.emit({
      type: 'window-refetch',
      windowId: window.id,
      range: window.range,
      counted: count,
      fetched: found.recordCount,
      distinct: found.distinctIds,
      attempt: attempt + 1,
    });
  }
}

async function finish(
  fetching: WindowFetching,
  { window }: PlannedWindow,
  count: number,
  tries: readonly PageWithIds[][],
  verdict: FetchedWindow['verdict'],
): Promise<WindowOutcome> {
  const kept = verdict === 'complete' ? (tries.at(-1) ?? []) : pagesWorthKeeping(tries);
  for (const { page } of tries.flat().filter((one) => !kept.includes(one))) await fetching.spool.removePage(page);
  await fetching.spool.syncWindow(window.id);
  const found = tally(kept);
  const { id: windowId, range } = window;
  fetching.emit({ type: 'window', windowId, range, counted: count, fetched: found.recordCount, verdict });
  return { type: 'fetched', fetched: { window, count, pages: kept.map(({ page }) => page), ...found, verdict } };
}

/** The source pages only so far as the refused page: what comes before it fits, or half of the window where nothing did. */
function splitRefused(
  fetching: WindowFetching,
  planned: PlannedWindow,
  count: number,
  refusedPage: number,
  error: EdrlakeError,
): Promise<WindowOutcome> {
  const { pageSize } = fetching.source;
  const maxEvents = refusedPage > 0 ? refusedPage * pageSize : Math.ceil(count / 2);
  if (maxEvents >= count) throw error;
  return splitWindow(fetching, planned, count, { maxEvents, pageSize });
}

async function splitWindow(
  fetching: WindowFetching,
  { window }: PlannedWindow,
  count: number,
  sizes: WindowSizes,
): Promise<WindowOutcome> {
  const into = await splitQuery(counting(fetching, count), window, count, sizes);
  await fetching.spool.removeWindow(window.id);
  const parts = into.windows.length + into.emptyWindows.length;
  fetching.emit({ type: 'window-split', windowId: window.id, range: window.range, into: parts });
  return { type: 'split', into };
}

function counting({ source, signal, histogram, inTurn }: WindowFetching, count: number): CountAsker {
  return countAsker(source, {
    signal,
    histogram,
    inTurn,
    maxRequests: () => planRequestBound(count, windowSizes(source)),
  });
}
