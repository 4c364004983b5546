import {
  type CursorWalk,
  EdrlakeError,
  type Emit,
  type EventSource,
  type Pagination,
  type SpooledPage,
  toEdrlakeError,
  type Window,
} from '@edrlake/core';
import { pagesOf } from '../plan/page-math.ts';
import { samePagination } from './pagination.ts';
import { attemptOf, type PageKey, type PageWithIds, type Spool } from './spool.ts';

/** What the fetching of one window works with. */
export interface WindowFetching {
  readonly source: EventSource;
  /** Bounds the pages of all windows that are under way. The source decides when a request may be sent, and reports the wait. */
  readonly inTurn: <T>(request: () => Promise<T>) => Promise<T>;
  readonly spool: Spool;
  readonly signal: AbortSignal;
  readonly emit: Emit;
  readonly onPage: (page: SpooledPage) => Promise<void>;
  readonly onPageSize: (pageSize: number) => Promise<void>;
  readonly resume: ReadonlyMap<string, readonly SpooledPage[]>;
  readonly maxRefetches: number;
  readonly histogram: boolean;
}

/** One try at the pages of a window. */
export interface WindowTry {
  readonly window: Window;
  /** Events the source counted last. */
  readonly count: number;
  /** 0 for the first try. */
  readonly attempt: number;
  readonly way: Pagination;
  /** Whether pages that an earlier run fetched in this way are used. */
  readonly reuse: boolean;
}

/** The pages of one try, or how far the source pages before it calls the question too big. */
export type FetchedPages =
  | {
      readonly type: 'pages';
      readonly pages: PageWithIds[];
      /** Nothing can follow the last page. Otherwise only a recount tells. */
      readonly atEnd: boolean;
    }
  | { readonly type: 'refused'; readonly pageNumber: number; readonly error: EdrlakeError };

/** Pages that a walk may take beyond those its count needs: one that finds nothing, and some that are not full. */
const PAGES_BEYOND_COUNT = 3;

/**
 * All pages of one try. Settles only when none of them is in flight any more; after a failure no further one is begun.
 * @throws {EdrlakeError} when a page fails for good; pages that came are spooled by then
 */
export function fetchPages(
  fetching: WindowFetching,
  request: WindowTry,
  onBytes: (bodyBytes: number) => void,
): Promise<FetchedPages> {
  const { cursor } = fetching.source;
  return cursor === null ? fetchByNumber(fetching, request, onBytes) : walkCursors(fetching, cursor, request, onBytes);
}

/**
 * All pages the count needs, at once as far as the concurrency limit lets them; the first one also where it needs none. A
 * further try looks behind them as well, as long as the last page is full: what is listed twice pushes other records there.
 */
async function fetchByNumber(
  fetching: WindowFetching,
  request: WindowTry,
  onBytes: (bodyBytes: number) => void,
): Promise<FetchedPages> {
  const { window, count, attempt, way } = request;
  const { source, inTurn, spool, signal } = fetching;
  const keyOf = keysOf(fetching, window, attempt);
  const reusable = reusablePages(fetching, request).filter(({ nextCursor }) => nextCursor === undefined);
  const pages: PageWithIds[] = [];
  const failures: { pageNumber: number; error: EdrlakeError }[] = [];
  const fetchPage = (key: PageKey): Promise<PageWithIds | null> =>
    inTurn(async () => {
      signal.throwIfAborted();
      if (failures.length > 0) return null;
      const { page, ids } = await source.page(
        window,
        key.pageNumber,
        (body) => spool.writePage(key, body),
        signal,
        way,
      );
      return { page: { ...page, way }, ids };
    });
  const fetchOne = async (pageNumber: number): Promise<void> => {
    try {
      const reused = await reusedPage(spool, reusable, pageNumber);
      const fetched = reused ?? (await fetchPage(keyOf(pageNumber)));
      if (fetched === null) return;
      pages[pageNumber] = fetched;
      await takePage(fetching, fetched, reused !== null, onBytes);
    } catch (thrown) {
      failures.push({ pageNumber, error: toEdrlakeError(thrown) });
    }
  };
  const pageCount = Math.max(1, pagesOf(count, way.pageSize));
  await Promise.all(Array.from({ length: pageCount }, (_, pageNumber) => fetchOne(pageNumber)));
  const isFull = () => (pages.at(-1)?.page.recordCount ?? 0) >= way.pageSize;
  const mayGoOn = (pageNumber: number) => (pageNumber + 1) * way.pageSize <= source.maxResultWindow;
  const pagesBehind = attempt === 0 ? 0 : PAGES_BEYOND_COUNT;
  for (let next = pageCount; next < pageCount + pagesBehind && isFull() && mayGoOn(next); next++) {
    if (failures.length === 0) await fetchOne(next);
  }
  // A last page that is full does not tell whether more would come.
  if (failures.length === 0) return { type: 'pages', pages, atEnd: !isFull() };
  const worst = failures.find(({ error }) => error.disposition !== 'split');
  if (worst !== undefined) throw worst.error;
  const refused = failures.reduce((first, failure) => (failure.pageNumber < first.pageNumber ? failure : first));
  return { type: 'refused', ...refused };
}

/**
 * One page after the other, as each names the next. Ends where the source names none, where a page is empty, or where one
 * is not full and the count is reached. A walk that goes in circles, or on and on, is ended without calling it an end. What
 * arrives behind the walk is in neither the count nor the pages, as if it came after both.
 */
async function walkCursors(
  fetching: WindowFetching,
  walk: CursorWalk,
  request: WindowTry,
  onBytes: (bodyBytes: number) => void,
): Promise<FetchedPages> {
  const { window, count, attempt, way } = request;
  const { pageSize } = way;
  const pages: PageWithIds[] = [];
  const keyOf = keysOf(fetching, window, attempt);
  let reusable = reusablePages(fetching, request).filter(({ nextCursor }) => nextCursor !== undefined);
  const seen = new Set<string>();
  let cursor: string | null = null;
  let records = 0;
  let largestPage = 0;
  // The API may give smaller pages than it is asked for; then there are more of them. An empty one ends the walk.
  const maxPages = () => pagesOf(count, largestPage || pageSize) + PAGES_BEYOND_COUNT;
  for (let pageNumber = 0; pageNumber < maxPages(); pageNumber++) {
    const reused = await reusedPage(fetching.spool, reusable, pageNumber);
    // What an earlier run fetched behind a page that is gone may begin elsewhere.
    if (reused === null) reusable = [];
    const stepped: Step = reused ?? (await step(fetching, walk, request, cursor, keyOf(pageNumber)));
    if ('refused' in stepped) {
      if (stepped.refused.disposition === 'split') return { type: 'refused', pageNumber, error: stepped.refused };
      return { type: 'pages', pages, atEnd: false };
    }
    pages.push(stepped);
    await takePage(fetching, stepped, reused !== null, onBytes);
    const { recordCount, nextCursor = null }: SpooledPage = stepped.page;
    records += recordCount;
    largestPage = Math.max(largestPage, recordCount);
    const isLast = nextCursor === null || recordCount === 0 || (recordCount < pageSize && records >= count);
    if (isLast) return { type: 'pages', pages, atEnd: true };
    if (seen.has(nextCursor)) break;
    seen.add(nextCursor);
    cursor = nextCursor;
  }
  return { type: 'pages', pages, atEnd: false };
}

/** The page at a cursor, spooled; or why the source does not lead on from there, where asking otherwise may help. */
type Step = PageWithIds | { readonly refused: EdrlakeError };

async function step(
  { inTurn, spool, signal }: WindowFetching,
  walk: CursorWalk,
  { window, way }: WindowTry,
  cursor: string | null,
  key: PageKey,
): Promise<Step> {
  try {
    const { value, next } = await inTurn(async () => {
      signal.throwIfAborted();
      return walk.page(window, cursor, (body) => spool.writePage(key, body), signal, way);
    });
    return { page: { ...value.page, way, nextCursor: next === '' ? null : next }, ids: value.ids };
  } catch (thrown) {
    if (!(thrown instanceof EdrlakeError)) throw thrown;
    // The query was understood before: what is refused is the cursor, and the next try begins without one.
    const isRefusal = thrown.code === 'FILTER_REJECTED' || thrown.code === 'SORT_REJECTED';
    const isRefusedCursor = cursor !== null && isRefusal;
    if (isRefusedCursor || thrown.disposition === 'split') return { refused: thrown };
    throw thrown;
  }
}

async function takePage(
  { emit, onPage }: WindowFetching,
  { page }: PageWithIds,
  reused: boolean,
  onBytes: (bodyBytes: number) => void,
): Promise<void> {
  const { windowId, pageNumber, recordCount: records, bodyBytes } = page;
  onBytes(bodyBytes);
  if (!reused) await onPage(page);
  emit({ type: 'page', windowId, pageNumber, records, bodyBytes, reused });
}

/** Where the pages of a try are kept: apart from those of earlier tries, also of the run that is resumed. */
function keysOf(
  { resume }: WindowFetching,
  { id: windowId }: Window,
  attempt: number,
): (pageNumber: number) => PageKey {
  const earlier = (resume.get(windowId) ?? []).reduce((most, page) => Math.max(most, attemptOf(page)), 0);
  return (pageNumber) => ({ windowId, pageNumber, attempt: attempt === 0 ? 0 : earlier + attempt });
}

/** Pages of an earlier run, oldest first. Those of a walk in another way are cut elsewhere. */
function reusablePages({ resume, source }: WindowFetching, { window, way, reuse }: WindowTry): readonly SpooledPage[] {
  if (!reuse) return [];
  const usual = { pageSize: source.pageSizing?.asked ?? source.pageSize, reversed: false };
  return (resume.get(window.id) ?? []).filter((page) => samePagination(page.way ?? usual, way));
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
