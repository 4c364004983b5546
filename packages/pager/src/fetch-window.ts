import {
  type EdrlakeError,
  type Emit,
  type EventSource,
  type FetchedWindow,
  type PlannedWindow,
  type SpooledPage,
  toEdrlakeError,
} from '@edrlake/core';
import { type CountAsker, countAsker } from './count-asker.ts';
import { planRequestBound, type SplitQuery, splitQuery } from './plan-windows.ts';
import type { PageWithIds, Spool } from './spool.ts';
import { pagesOf, type WindowSizes } from './window-sizes.ts';
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

/** What the fetching of one window works with. */
export interface WindowFetching {
  readonly source: EventSource;
  /** Every request waits here for its turn: the one concurrency limit of all windows. */
  readonly inTurn: <T>(request: () => Promise<T>) => Promise<T>;
  readonly spool: Spool;
  readonly signal: AbortSignal;
  readonly emit: Emit;
  readonly onPage: (page: SpooledPage) => Promise<void>;
  readonly resume: ReadonlyMap<string, readonly SpooledPage[]>;
  readonly maxRefetches: number;
  readonly histogram: boolean;
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
  for (let attempt = 0; ; attempt++) {
    const pages = await fetchPages(fetching, planned, pagesOf(count, sizes.pageSize), attempt, onBytes);
    if ('refusedPage' in pages) return splitRefused(fetching, planned, count, pages.refusedPage, pages.error);
    tries.push(pages.pages);
    const found = tally(pages.pages);
    // A last page that is full does not tell whether more would come.
    const open = count > 0 && count % sizes.pageSize === 0;
    if (addsUp(found, count) && !open) return finish(fetching, planned, count, tries, 'complete');
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

type FetchedPages = { readonly pages: PageWithIds[] } | { readonly refusedPage: number; readonly error: EdrlakeError };

/** All pages of one try. Settles only when none of them is in flight any more; after a failure no further one is begun. */
async function fetchPages(
  fetching: WindowFetching,
  { window }: PlannedWindow,
  pageCount: number,
  attempt: number,
  onBytes: (bodyBytes: number) => void,
): Promise<FetchedPages> {
  const reusable = attempt === 0 ? (fetching.resume.get(window.id) ?? []) : [];
  const pages: PageWithIds[] = [];
  const failures: { pageNumber: number; error: EdrlakeError }[] = [];
  const fetchOne = async (pageNumber: number): Promise<void> => {
    try {
      const reused = await reusedPage(fetching.spool, reusable, pageNumber);
      const fetched = reused ?? (await fetchPage(fetching, window, pageNumber, attempt, () => failures.length > 0));
      if (fetched === null) return;
      pages[pageNumber] = fetched;
      onBytes(fetched.page.bodyBytes);
      if (reused === null) await fetching.onPage(fetched.page);
      const { recordCount: records, bodyBytes } = fetched.page;
      fetching.emit({ type: 'page', windowId: window.id, pageNumber, records, bodyBytes, reused: reused !== null });
    } catch (thrown) {
      failures.push({ pageNumber, error: toEdrlakeError(thrown) });
    }
  };
  await Promise.all(Array.from({ length: pageCount }, (_, pageNumber) => fetchOne(pageNumber)));
  if (failures.length === 0) return { pages };
  const worst = failures.find(({ error }) => error.disposition !== 'split');
  if (worst !== undefined) throw worst.error;
  const refused = failures.reduce((first, failure) => (failure.pageNumber < first.pageNumber ? failure : first));
  return { refusedPage: refused.pageNumber, error: refused.error };
}

/** The newest spooled form of the page that is still what it was when it was written. */
async function reusedPage(
  spool: Spool,
  reusable: readonly SpooledPage[],
  pageNumber: number,
): Promise<PageWithIds | null> {
  for (const page of reusable.toReversed()) {
    if (page.pageNumber !== pageNumber) continue;
    const verified = await spool.verifyPage(page);
    if (verified !== null) return verified;
  }
  return null;
}

async function fetchPage(
  { source, inTurn, spool, signal }: WindowFetching,
  window: PlannedWindow['window'],
  pageNumber: number,
  attempt: number,
  pointless: () => boolean,
): Promise<PageWithIds | null> {
  const key = { windowId: window.id, pageNumber, attempt };
  return inTurn(async () => {
    signal.throwIfAborted();
    if (pointless()) return null;
    return source.page(window, pageNumber, (body) => spool.writePage(key, body), signal);
  });
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
  const { maxResultWindow: maxEvents, pageSize } = source;
  return countAsker(source, {
    signal,
    histogram,
    inTurn,
    maxRequests: () => planRequestBound(count, { maxEvents, pageSize }),
  });
}
