import { isDeepStrictEqual } from 'node:util';
import {
  type CursorWalk,
  EdrlakeError,
  type Emit,
  type ErrorCode,
  type EventSource,
  type Pagination,
  type SpooledPage,
  toEdrlakeError,
  type Window,
} from '@edrlake/core';
import { pagesOf } from '../plan/page-math.ts';
import { confirmBroken } from './confirm-broken.ts';
import { samePagination } from './pagination.ts';
import { attemptOf, type Listing, type PageKey, type PageWithIds, type Spool } from './spool.ts';

/** The tools and options for fetching one window. */
export interface WindowFetching {
  readonly source: EventSource;
  /** Bounds the pages in work of all windows. The source decides when a request may be sent, and reports the wait. */
  readonly inTurn: <T>(request: () => Promise<T>) => Promise<T>;
  readonly spool: Spool;
  readonly signal: AbortSignal;
  readonly emit: Emit;
  readonly onPage: (page: SpooledPage) => Promise<void>;
  readonly onPageSize: (pageSize: number) => Promise<void>;
  /** Pages of any window that finally failed since the last one that came. */
  readonly failedPages: { inARow: number };
  readonly resume: ReadonlyMap<string, readonly SpooledPage[]>;
  readonly maxRefetches: number;
  readonly histogram: boolean;
}

/** One attempt to fetch the pages of a window. */
export interface WindowTry {
  readonly window: Window;
  /** The events that the source counted last. */
  readonly count: number;
  /** 0 for the first attempt. */
  readonly attempt: number;
  readonly way: Pagination;
  /** Whether pages that an earlier run fetched with the same pagination are used. */
  readonly reuse: boolean;
  /** Receives each page that is on disk, also where another page fails later. */
  readonly came: PageWithIds[];
  /** Receives what each answer listed, also where another answer replaces it. */
  readonly answered: Listing[];
}

/**
 * The pages of one attempt, or the first page that the source refuses because it is too far into the result.
 */
export type FetchedPages =
  | {
      readonly type: 'pages';
      readonly pages: PageWithIds[];
      /** Nothing can follow the last page. Where this is false, only a recount shows it. */
      readonly atEnd: boolean;
      /** The last page is full, and the next one was not requested: no count makes these pages whole. */
      readonly isCutShort?: boolean;
      /** The last page is full, paging reaches no further, and nothing but a count says that no more follows. */
      readonly isEndUnseen?: boolean;
    }
  | { readonly type: 'refused'; readonly pageNumber: number; readonly error: EdrlakeError };

/** Errors that every other window would meet as well. */
const FATAL_CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'AUTH_REJECTED',
  'ACCESS_DENIED',
  'CREDENTIALS_MISSING',
  'CUSTOMER_FOREIGN',
  'LAKE_UNWRITABLE',
  'REQUESTS_SPENT',
  'INTERRUPTED',
]);

/** Whether every other window would meet the error as well. */
export function isFatal({ code }: EdrlakeError): boolean {
  return FATAL_CODES.has(code);
}

/**
 * Where one page fails the others are still requested, until this number of pages has failed in a row: an outage costs
 * the first window three pages, and each later one a page.
 */
const MAX_FAILED_IN_A_ROW = 3;

/** Whether further pages of the walk would meet the error as well, or have to be requested in another way. */
function endsWalk(error: EdrlakeError, { window }: WindowTry): boolean {
  if (isFatal(error) || error.disposition === 'split' || error.code === 'PAGE_SIZE_REFUSED') return true;
  return error.code === 'QUERY_TOO_LONG' && window.cuts.length > 0;
}

/** Pages that may follow those that the count needs: an empty one, and some that are not full. */
const PAGES_BEYOND_COUNT = 3;

/**
 * All pages of one attempt. Settles only when no request is in flight. Where a page finally fails, the others are still
 * fetched as far as they can be; by cursor, those before it.
 * @throws {EdrlakeError} when a page finally fails; the pages that came are spooled, and in `request.came`
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
 * All pages that the count needs, as many at once as may be in work; the first page also where the count needs none. A
 * full last page does not show whether the count is too small, so the next page is read too. A further attempt reads
 * more of them while they are full: records that are listed twice push others there.
 */
async function fetchByNumber(
  fetching: WindowFetching,
  request: WindowTry,
  onBytes: (bodyBytes: number) => void,
): Promise<FetchedPages> {
  const { window, count, attempt, way, answered } = request;
  const { source, inTurn, spool, signal } = fetching;
  const keyOf = keysOf(fetching, window, attempt);
  const reusable = reusablePages(fetching, request).filter(({ nextCursor }) => nextCursor === undefined);
  const pages: PageWithIds[] = [];
  const failures: { pageNumber: number; error: EdrlakeError }[] = [];
  const isHopeless = () =>
    failures.some(({ error }) => endsWalk(error, request)) ||
    (failures.length > 0 && fetching.failedPages.inARow >= MAX_FAILED_IN_A_ROW);
  const fail = (pageNumber: number, thrown: unknown) => {
    fetching.failedPages.inARow++;
    failures.push({ pageNumber, error: toEdrlakeError(thrown) });
  };
  const askPage = async (key: PageKey, pageNumber: number, by: Pagination): Promise<PageWithIds> => {
    const before = pageNumber * by.pageSize;
    const ask = () => source.page(window, pageNumber, (body) => spool.writePage(key, body, before), signal, by);
    const { page, ids } = (await confirmBroken(async () => ({ value: await ask() }), answered)).value;
    return { page: { ...page, way: by }, ids };
  };
  /** null where it is not requested, or has failed, which is noted before the next page has its turn. */
  const fetchPage = (pageNumber: number): Promise<PageWithIds | null> =>
    inTurn(async () => {
      signal.throwIfAborted();
      if (isHopeless()) return null;
      fetching.emit({ type: 'page-started', windowId: window.id, pageNumber });
      try {
        return await askPage(keyOf(pageNumber), pageNumber, way);
      } catch (thrown) {
        fail(pageNumber, thrown);
        return null;
      }
    });
  const fetchOne = async (pageNumber: number): Promise<void> => {
    try {
      const reused = await reusedPage(spool, reusable, pageNumber);
      const fetched = reused ?? (await fetchPage(pageNumber));
      if (fetched === null) return;
      pages[pageNumber] = fetched;
      if (reused === null) fetching.failedPages.inARow = 0;
      await takePage(fetching, request, fetched, reused !== null, onBytes);
    } catch (thrown) {
      fail(pageNumber, thrown);
    }
  };
  const pageCount = Math.max(1, pagesOf(count, way.pageSize));
  await Promise.all(Array.from({ length: pageCount }, (_, pageNumber) => fetchOne(pageNumber)));
  const isFull = () => (pages.at(-1)?.page.recordCount ?? 0) >= way.pageSize;
  const mayGoOn = (pageNumber: number) => (pageNumber + 1) * way.pageSize <= source.maxResultWindow;
  const pagesBehind = attempt === 0 ? 1 : PAGES_BEYOND_COUNT;
  for (let next = pageCount; next < pageCount + pagesBehind && isFull() && mayGoOn(next); next++) {
    if (failures.length === 0) await fetchOne(next);
  }
  const isCutShort = failures.length === 0 && isFull() && mayGoOn(pages.length);
  // A gateway may refuse a page that holds nothing. A recount then decides.
  if (failures.every(({ pageNumber, error }) => pageNumber >= pageCount && !isFatal(error))) failures.pop();
  if (failures.length === 0 && isFull() && !mayGoOn(pages.length)) {
    const other = { pageSize: way.pageSize, reversed: !way.reversed };
    const found = await inTurn(() => askPage(keyOf(pages.length), 0, other)).catch((thrown: unknown) => {
      signal.throwIfAborted();
      if (isFatal(toEdrlakeError(thrown))) throw thrown;
      return null;
    });
    if (found === null) return { type: 'pages', pages, atEnd: false, isEndUnseen: true };
    const seen = seenFromOtherEnd(pages, found);
    if (seen === 'more') {
      pages.push(found);
      await takePage(fetching, request, found, false, onBytes);
    } else await spool.removePage(found.page);
    return { type: 'pages', pages, atEnd: seen === 'the end', isEndUnseen: seen === 'nothing' };
  }
  // After a full last page more may follow.
  if (failures.length === 0) return { type: 'pages', pages, atEnd: !isFull(), isCutShort };
  const meant = failures.filter(({ error }) => error.disposition !== 'split');
  const worst = meant.find(({ error }) => endsWalk(error, request)) ?? meant[0];
  if (worst !== undefined) throw worst.error;
  const refused = failures.reduce((first, failure) => (failure.pageNumber < first.pageNumber ? failure : first));
  return { type: 'refused', ...refused };
}

/**
 * What the first page in the opposite order shows, where paging by number reaches no further than a full last page.
 * `more`: records that no page holds, so that the count is too small. `the end`: none but records of the pages, some of
 * them of the last one. `nothing`: records without an id, or a gateway that ignores the order.
 */
function seenFromOtherEnd(pages: readonly PageWithIds[], { ids }: PageWithIds): 'more' | 'the end' | 'nothing' {
  const seen = new Set(pages.flatMap((page) => page.ids));
  if (seen.has(null) || ids.includes(null)) return 'nothing';
  if (ids.some((id) => !seen.has(id))) return 'more';
  const isOrderIgnored = isDeepStrictEqual(ids, pages[0]?.ids);
  const listed = new Set(ids);
  return !isOrderIgnored && pages.at(-1)?.ids.some((id) => listed.has(id)) === true ? 'the end' : 'nothing';
}

/**
 * One page after the other, as each names the next. Ends where the source names none, where a page is empty, or where
 * a page is not full and the count is reached. A sequence of cursors that repeats, is refused or never ends is
 * stopped, and not taken for an end: a search service may count no further than it walks. Events that arrive behind
 * the cursor are in neither the count nor the pages, as if they came after both.
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
  // The API may give smaller pages than requested; then there are more of them. An empty page ends the sequence.
  const maxPages = () => pagesOf(count, largestPage || pageSize) + PAGES_BEYOND_COUNT;
  for (let pageNumber = 0; pageNumber < maxPages(); pageNumber++) {
    const reused = await reusedPage(fetching.spool, reusable, pageNumber);
    // Pages that an earlier run fetched after a missing page may begin elsewhere.
    if (reused === null) reusable = [];
    const stepped: Step = reused ?? (await step(fetching, walk, request, { cursor, records }, keyOf(pageNumber)));
    if ('refused' in stepped) {
      if (stepped.refused.disposition === 'split') return { type: 'refused', pageNumber, error: stepped.refused };
      return { type: 'pages', pages, atEnd: false, isEndUnseen: true };
    }
    pages.push(stepped);
    await takePage(fetching, request, stepped, reused !== null, onBytes);
    const { recordCount, nextCursor = null }: SpooledPage = stepped.page;
    records += recordCount;
    largestPage = Math.max(largestPage, recordCount);
    const isLast = nextCursor === null || recordCount === 0 || (recordCount < pageSize && records >= count);
    if (isLast) return { type: 'pages', pages, atEnd: true };
    if (seen.has(nextCursor)) break;
    seen.add(nextCursor);
    cursor = nextCursor;
  }
  return { type: 'pages', pages, atEnd: false, isEndUnseen: true };
}

/** The page at a cursor, spooled; or why the source does not continue from there, where another request may help. */
type Step = PageWithIds | { readonly refused: EdrlakeError };

async function step(
  { inTurn, spool, signal, emit }: WindowFetching,
  walk: CursorWalk,
  { window, way, answered }: WindowTry,
  { cursor, records }: { readonly cursor: string | null; readonly records: number },
  key: PageKey,
): Promise<Step> {
  try {
    const { value, next } = await inTurn(async () => {
      signal.throwIfAborted();
      emit({ type: 'page-started', windowId: window.id, pageNumber: key.pageNumber });
      const read = (body: AsyncIterable<Uint8Array>) => spool.writePage(key, body, records);
      return confirmBroken(() => walk.page(window, cursor, read, signal, way), answered);
    });
    return { page: { ...value.page, way, nextCursor: next === '' ? null : next }, ids: value.ids };
  } catch (thrown) {
    if (!(thrown instanceof EdrlakeError)) throw thrown;
    // The query was accepted before, so the cursor is refused, and the next attempt begins without one.
    const isRefusal = thrown.code === 'FILTER_REJECTED' || thrown.code === 'SORT_REJECTED';
    const isRefusedCursor = cursor !== null && isRefusal;
    if (isRefusedCursor || thrown.disposition === 'split') return { refused: thrown };
    throw thrown;
  }
}

async function takePage(
  { emit, onPage }: WindowFetching,
  { came, answered }: WindowTry,
  fetched: PageWithIds,
  reused: boolean,
  onBytes: (bodyBytes: number) => void,
): Promise<void> {
  const { page } = fetched;
  const { windowId, pageNumber, recordCount: records, bodyBytes } = page;
  onBytes(bodyBytes);
  if (reused) answered.push(fetched);
  else await onPage(page);
  came.push(fetched);
  emit({ type: 'page', windowId, pageNumber, records, bodyBytes, reused });
}

/** Where the pages of an attempt are stored: separate from those of earlier attempts, also of the resumed run. */
function keysOf(
  { resume }: WindowFetching,
  { id: windowId }: Window,
  attempt: number,
): (pageNumber: number) => PageKey {
  const earlier = (resume.get(windowId) ?? []).reduce((most, page) => Math.max(most, attemptOf(page)), 0);
  return (pageNumber) => ({ windowId, pageNumber, attempt: attempt === 0 ? 0 : earlier + attempt });
}

/** Pages of an earlier run, oldest first. Those of another pagination have other boundaries. */
function reusablePages({ resume, source }: WindowFetching, { window, way, reuse }: WindowTry): readonly SpooledPage[] {
  if (!reuse) return [];
  const usual = { pageSize: source.pageSizing?.asked ?? source.pageSize, reversed: false };
  return (resume.get(window.id) ?? []).filter((page) => samePagination(page.way ?? usual, way));
}

/** The newest spooled version of the page that is unchanged since it was written. */
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
