import {
  EdrlakeError,
  type EventQuery,
  type FetchedWindow,
  type Pagination,
  type PlannedWindow,
  toEdrlakeError,
  type Window,
  type WindowFilter,
  windowOf,
} from '@edrlake/core';
import { type CountClient, createCountClient } from '../plan/count-client.ts';
import { reachOf, type WindowSizes, windowSizes } from '../plan/page-math.ts';
import { planRequestBound, type SplitQuery, splitQuery, throwIfNothingElse } from '../plan/plan-windows.ts';
import type { FailedWindow } from './failed-window.ts';
import { type FetchedPages, fetchPages, isFatal, type WindowFetching, type WindowTry } from './fetch-pages.ts';
import { addsUp, pageStats, pagesWorthKeeping } from './page-stats.ts';
import {
  alternativePagination,
  defaultPagination,
  type PageWalk,
  provenDuplicates,
  samePagination,
  shortPageSize,
  sizeAfterRefusal,
} from './pagination.ts';
import type { Listing, PageWithIds } from './spool.ts';
import { missingFrom, throwIfLost, throwIfVanished, vanishedError, vanishedOf } from './vanished.ts';

/** The complete window, the smaller windows that replace it, or why it failed. */
type WindowResult =
  | { readonly type: 'fetched'; readonly fetched: FetchedWindow }
  | { readonly type: 'split'; readonly into: SplitQuery }
  | ({ readonly type: 'failed' } & Pick<FailedWindow, 'error' | 'partial'>);

/** The same, and all that came. */
export type WindowOutcome = WindowResult & {
  /** The fewest pages that have every record that came. Those of a window that is split stay on disk. */
  readonly pages: readonly PageWithIds[];
  /** Also what was listed by answers that others replaced. */
  readonly answered: readonly Listing[];
};

/** The result of a complete attempt. */
type Verdict = { readonly verdict: 'complete' | 'mismatch'; readonly duplicates: number };

/**
 * Fetches all pages of one window until they add up: a first attempt, and where records and count differ a recount and
 * up to `maxRefetches` further attempts. The result of the first attempt decides the pagination of the next: smaller
 * pages, where the API seems to give those, or pages with other boundaries, where records came twice. A window that
 * outgrew what paging reaches, or that the source refuses to page through, is planned again instead. Where a page or a
 * count finally fails, the window has failed, with the pages that came. No request is in flight then.
 * @throws {EdrlakeError} what every other window would meet as well, or the reason of an abort
 */
export async function fetchWindow(
  fetching: WindowFetching,
  planned: PlannedWindow,
  onBytes: (bodyBytes: number) => void,
): Promise<WindowOutcome> {
  const came: Came = { attempts: [], answered: [] };
  const { id: windowId, range } = planned.window;
  fetching.emit({ type: 'window-started', windowId, range, counted: planned.count });
  try {
    const result = await fetchWhole(fetching, planned, came, onBytes);
    return { ...result, pages: pagesWorthKeeping(came.attempts), answered: came.answered };
  } catch (thrown) {
    const error = toEdrlakeError(thrown);
    if (isFatal(error) || fetching.signal.aborted) throw error;
    const pages = pagesWorthKeeping(came.attempts);
    const { window, count } = planned;
    const found = { pages: pages.map(({ page }) => page), ...pageStats(pages) };
    const partial = pages.length === 0 ? null : ({ window, count, ...found, verdict: 'incomplete' } as const);
    return { type: 'failed', error, partial, pages, answered: came.answered };
  }
}

/** What comes of a window. */
interface Came {
  /** The pages of each attempt. */
  readonly attempts: PageWithIds[][];
  readonly answered: Listing[];
}

/** @throws {EdrlakeError} when a page or a count finally fails, or events have vanished between attempts */
async function fetchWhole(
  fetching: WindowFetching,
  planned: PlannedWindow,
  { attempts, answered }: Came,
  onBytes: (bodyBytes: number) => void,
): Promise<WindowResult> {
  const { source } = fetching;
  const { window } = planned;
  const walks: PageWalk[] = [];
  let { count } = planned;
  let way = defaultPagination(source);
  for (;;) {
    const attempt = walks.length;
    const sizes = windowSizes(source);
    // A resumed plan may have been made for another pagination.
    if (count > sizes.maxEvents) return splitWindow(fetching, planned, count, sizes);
    // Smaller pages of an earlier run may replace the first pages, but not those of an attempt that has to confirm
    // another one.
    const reuse = attempt === 0 || (!way.reversed && walks.every((walk) => !samePagination(walk.way, way)));
    const came: PageWithIds[] = [];
    attempts.push(came);
    const walked = await walkOnce(fetching, { window, count, attempt, way, reuse, came, answered }, onBytes);
    if (walked === 'too-long') return splitValues(fetching, planned, count);
    if (walked === 'size-refused') {
      // The next pages have the same files.
      attempts.pop();
      way = defaultPagination(source);
      continue;
    }
    if (walked.type === 'refused') {
      // Another window has found that pages must be smaller, so it already asks for less than was just refused.
      if (!way.reversed && source.pageSize < way.pageSize) {
        attempts.pop();
        way = defaultPagination(source);
        continue;
      }
      const isTrial = !way.reversed && way.pageSize < source.pageSize && source.pageSizing !== undefined;
      if (!isTrial) return splitRefused(fetching, planned, count, way, walked);
      // Smaller pages came as requested, but reach fewer events.
      await lowerPageSize(fetching, way.pageSize);
      return splitWindow(fetching, planned, count, windowSizes(source));
    }
    const { pages } = walked;
    const countBefore = count;
    const found = pageStats(pages);
    // One record too many, too few, or twice: it is counted again, and where that does not explain it, fetched again.
    const isWhole = addsUp(found, count);
    const isRecounted = !isWhole || !walked.atEnd;
    if (isRecounted) count = await counting(fetching, count).count(window);
    walks.push({ way, pages, countAfter: count, isRecounted });
    if (count === 0 && found.recordCount === 0) throwIfVanished(planned, walks);
    if (found.recordCount >= count) await learnPageSize(fetching, way);
    if (count > windowSizes(source).maxEvents) return splitWindow(fetching, planned, count, windowSizes(source));
    // A search service that counts no further than it pages gives the same number twice: smaller windows show it.
    if (walked.isEndUnseen === true && addsUp(found, count) && count > 1)
      return splitWindow(fetching, planned, count, { ...windowSizes(source), maxEvents: count - 1 });
    const mayBeWhole = walked.isCutShort !== true && isOneListing(pages.length, countBefore, count);
    const duplicates = addsUp(found, count) && mayBeWhole ? 0 : provenDuplicates(walks);
    const missing = duplicates === null ? 0 : (await vanishedOf(fetching, window, missingFrom(pages, answered))).size;
    if (duplicates !== null && missing === 0)
      return finish(fetching, planned, walks, { verdict: 'complete', duplicates });
    if (attempt >= fetching.maxRefetches) {
      if (missing > 0) throw vanishedError(window, missing);
      return finish(fetching, planned, walks, { verdict: 'mismatch', duplicates: 0 });
    }
    way = nextWay(fetching, walks, count);
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

/**
 * Whether pages can be of one listing. Events that leave the window between two pages, because they were processed
 * again, move all later ones forward. Pages by number then skip as many events as the recount lacks, and the numbers
 * agree.
 */
function isOneListing(pageCount: number, countBefore: number, countAfter: number): boolean {
  return pageCount <= 1 || countAfter >= countBefore;
}

/**
 * One attempt. Where the API refuses the page size, it asks for smaller pages from then on; where the query is too
 * long, for shorter ones.
 */
async function walkOnce(
  fetching: WindowFetching,
  request: WindowTry,
  onBytes: (bodyBytes: number) => void,
): Promise<FetchedPages | 'size-refused' | 'too-long'> {
  try {
    return await fetchPages(fetching, request, onBytes);
  } catch (thrown) {
    if (!(thrown instanceof EdrlakeError)) throw thrown;
    if (thrown.code === 'QUERY_TOO_LONG' && request.window.cuts.length > 0) {
      if (longestSelection(request.window) !== null) return 'too-long';
      throw tooLongToExclude(thrown);
    }
    if (thrown.code !== 'PAGE_SIZE_REFUSED') throw thrown;
    const { source } = fetching;
    const refused = request.way.pageSize;
    // Another window may have found it meanwhile.
    if (source.pageSize >= refused) {
      const next = sizeAfterRefusal(refused, thrown.context.largestPageSize);
      if (next === null || source.pageSizing === undefined) throw thrown;
      await lowerPageSize(fetching, next);
    }
    // Repeating what was just refused would never end.
    if (source.pageSize >= refused) throw thrown;
    return 'size-refused';
  }
}

/**
 * Learns the page size: the pages had the size that this attempt requested, so where it was smaller than usual, the API
 * gives that size.
 */
async function learnPageSize(fetching: WindowFetching, way: Pagination): Promise<void> {
  if (!way.reversed) await lowerPageSize(fetching, way.pageSize);
}

async function lowerPageSize({ source, emit, onPageSize }: WindowFetching, given: number): Promise<void> {
  const { pageSizing } = source;
  if (pageSizing === undefined || given >= source.pageSize) return;
  pageSizing.lowerTo(given);
  emit({ type: 'page-size', asked: pageSizing.asked, given });
  await onPageSize(given);
}

function nextWay({ source }: WindowFetching, walks: readonly PageWalk[], count: number): Pagination {
  const usual = defaultPagination(source);
  const last = walks.at(-1);
  // Another window has found that pages are smaller.
  if (last === undefined || usual.pageSize < last.way.pageSize) return usual;
  const given = shortPageSize(walks);
  if (given !== null) return { pageSize: given, reversed: false };
  const found = pageStats(last.pages);
  const hasDuplicates = found.withoutId === 0 && found.distinctIds < found.recordCount;
  if (!hasDuplicates || !samePagination(last.way, usual)) return usual;
  return alternativePagination(usual, count, reachOf(source)) ?? usual;
}

async function finish(
  fetching: WindowFetching,
  { window }: PlannedWindow,
  walks: readonly PageWalk[],
  { verdict, duplicates }: Verdict,
): Promise<WindowResult> {
  const attempts = walks.map(({ pages }) => pages);
  const count = walks.at(-1)?.countAfter ?? 0;
  const kept = verdict === 'complete' ? (attempts.at(-1) ?? []) : pagesWorthKeeping(attempts);
  for (const { page } of attempts.flat().filter((one) => !kept.includes(one))) await fetching.spool.removePage(page);
  await fetching.spool.syncWindow(window.id);
  const found = pageStats(kept);
  const { id: windowId, range } = window;
  const twice = duplicates > 0 ? { duplicates } : {};
  const counted = walks.at(-1)?.isRecounted === true ? ({ recounted: true } as const) : {};
  fetching.emit({ type: 'window', windowId, range, counted: count, fetched: found.recordCount, verdict, ...twice });
  const pages = kept.map(({ page }) => page);
  return { type: 'fetched', fetched: { window, count, pages, ...found, ...twice, ...counted, verdict } };
}

/** The source pages only up to the refused page: the part before it fits, or half of the window where nothing fits. */
function splitRefused(
  fetching: WindowFetching,
  planned: PlannedWindow,
  count: number,
  { pageSize }: Pagination,
  { pageNumber, error }: Extract<FetchedPages, { type: 'refused' }>,
): Promise<WindowResult> {
  // The source may have learned how far it pages.
  const sizes = windowSizes(fetching.source);
  const reached = pageNumber > 0 ? pageNumber * pageSize : Math.ceil(count / 2);
  const maxEvents = sizes.maxEvents < count && sizes.pageSize === pageSize ? sizes.maxEvents : reached;
  if (maxEvents >= count) throw error;
  return splitWindow(fetching, planned, count, { maxEvents, pageSize }, maxEvents);
}

async function splitWindow(
  fetching: WindowFetching,
  { window }: PlannedWindow,
  count: number,
  sizes: WindowSizes,
  reach?: number,
): Promise<WindowResult> {
  const counts = counting(fetching, count);
  const into = await splitQuery(counts, window, count, sizes);
  throwIfNothingElse(into);
  if (into.emptyWindows.length > 0) throwIfLost(window, count, await counts.count(window));
  const parts = into.windows.length + into.emptyWindows.length;
  const because = reach === undefined ? {} : { reach };
  fetching.emit({ type: 'window-split', windowId: window.id, range: window.range, into: parts, ...because });
  return { type: 'split', into };
}

/** The longest list of values that the window selects; null where none can be halved. */
function longestSelection({ cuts }: Window): WindowFilter | null {
  const selections = cuts.filter(({ op, values }) => op === 'in' && values.length > 1);
  return selections.sort((a, b) => b.values.length - a.values.length)[0] ?? null;
}

/**
 * The gateway does not accept a list of values of this length: the window is replaced by two, each with half of the
 * values.
 */
async function splitValues(fetching: WindowFetching, { window }: PlannedWindow, count: number): Promise<WindowResult> {
  const longest = longestSelection(window);
  const values = longest?.values ?? [];
  const halfOf = (some: readonly string[]): EventQuery => {
    const cuts = window.cuts.map((cut) => (cut === longest ? { ...cut, values: some } : cut));
    return { axis: window.axis, range: window.range, cuts, scope: window.scope };
  };
  const middle = Math.ceil(values.length / 2);
  const [first, second] = [halfOf(values.slice(0, middle)), halfOf(values.slice(middle))];
  const client = counting(fetching, count);
  const firstCount = await client.count(first);
  // By the count, events that are not in one half are in the other; its pages decide.
  const counts = [firstCount, Math.max(0, count - firstCount)];
  if (counts.includes(0)) throwIfLost(window, count, await client.count(window));
  const windows = [first, second].map((half, index) => ({ window: windowOf(half), count: counts[index] ?? 0 }));
  fetching.emit({ type: 'window-split', windowId: window.id, range: window.range, into: windows.length });
  return { type: 'split', into: { windows, emptyWindows: [], uncounted: [] } };
}

function tooLongToExclude(refused: EdrlakeError): EdrlakeError {
  return new EdrlakeError('QUERY_TOO_LONG', refused.message, {
    cause: refused,
    context: refused.context,
    hint: 'One instant has too many events and must be divided by long lists of values. Let a proxy in between take longer URLs (16 KiB), or narrow the export with --filter.',
  });
}

function counting({ source, signal, histogram, inTurn }: WindowFetching, count: number): CountClient {
  return createCountClient(source, {
    signal,
    histogram,
    inTurn,
    maxRequests: () => planRequestBound(count, windowSizes(source)),
  });
}
