import { isDeepStrictEqual } from 'node:util';
import { type EventSource, type Pagination, sum } from '@edrlake/core';
import { pageStats } from './page-stats.ts';
import type { PageWithIds } from './spool.ts';

/** One attempt at the pages of a window, and the source's count right after it. */
export interface PageWalk {
  readonly way: Pagination;
  readonly pages: readonly PageWithIds[];
  readonly countAfter: number;
  /** Whether it was asked for after the pages; otherwise it is older than they are. */
  readonly isRecounted: boolean;
}

/**
 * Pages that are smaller than requested by more than this factor cost many requests: a second attempt has to confirm
 * them first.
 */
const MAX_SHRINKING = 20;

/** Tried in turn where the API refuses a page size without naming the allowed one. */
const USUAL_PAGE_SIZES = [500, 200, 100, 50, 20, 10, 5, 2, 1];

/** Pages of the size in use, in the source's own order. */
export function defaultPagination({ pageSize }: Pick<EventSource, 'pageSize'>): Pagination {
  return { pageSize, reversed: false };
}

/**
 * The page size that the API seems to give instead of the requested one: all pages but the last are equally short,
 * although the count says that there is more. null for any other result. One short page may have lost an event, so at
 * least two of the size are needed, in this attempt or the one before. Where two attempts had the same pages of
 * different sizes, as with a limit on bytes, it is the smallest of them. Where others are full, see `sizeOfSome`.
 */
export function shortPageSize(walks: readonly PageWalk[]): number | null {
  const last = walks.at(-1);
  if (last === undefined) return null;
  const { way, countAfter } = last;
  const sizes = sizesOf(last);
  if (sum(sizes, (records) => records) >= countAfter) return null;
  // The last page may be short because nothing follows.
  const whole = sizes.length > 1 ? sizes.slice(0, -1) : sizes;
  const smallest = Math.min(...whole);
  if (smallest < 1) return null;
  const before = walks.at(-2);
  const sizesBefore = before !== undefined && samePagination(before.way, way) ? sizesOf(before) : [];
  if (whole.some((records) => records >= way.pageSize)) return sizeOfSome([...whole, ...sizesBefore.slice(0, -1)], way);
  if (isDeepStrictEqual(sizesBefore, sizes)) return smallest;
  const isEven = sizes.every((records, at) => records === smallest || (at === whole.length && records < smallest));
  if (!isEven) return null;
  if (sizesBefore[0] === smallest) return smallest;
  const isMuchSmaller = smallest * MAX_SHRINKING < way.pageSize;
  return !isMuchSmaller && sizes.filter((records) => records === smallest).length >= 2 ? smallest : null;
}

/**
 * The one size that at least two pages have, where the others are full: machines behind one address may allow different
 * sizes. null for any other result.
 */
function sizeOfSome(sizes: readonly number[], { pageSize }: Pagination): number | null {
  const short = sizes.filter((records) => records < pageSize);
  const [size = 0] = short;
  const isOne = short.length >= 2 && short.every((records) => records === size);
  return isOne && size * MAX_SHRINKING >= pageSize ? size : null;
}

/**
 * The next page size to try after a refused one, or null where none is left. @param largest the size that the API named
 */
export function sizeAfterRefusal(refused: number, largest: unknown): number | null {
  if (typeof largest === 'number' && largest >= 1 && largest < refused) return Math.floor(largest);
  return USUAL_PAGE_SIZES.find((size) => size < refused) ?? null;
}

/**
 * A pagination of the window with other page boundaries, from the other end: a record that one repeats or loses at a
 * boundary, the other does not. null where no page size is left that reaches all events.
 */
export function alternativePagination(way: Pagination, count: number, reach: number): Pagination | null {
  const usual = Math.min(way.pageSize, count);
  for (let pageSize = Math.floor(usual * 0.7); pageSize >= 1 && pageSize * MAX_SHRINKING >= usual; pageSize--) {
    const reachesAll = Math.ceil(count / pageSize) * pageSize <= reach;
    if (reachesAll && way.pageSize % pageSize !== 0) return { pageSize, reversed: !way.reversed };
  }
  const pageSize = Math.floor(usual / 2);
  return pageSize >= 1 && count <= reach ? { pageSize, reversed: !way.reversed } : null;
}

/**
 * The number of records that the API lists more than once, where two attempts show that all ids are nevertheless there;
 * null where they do not. One attempt cannot show it: shifting pages repeat some records and lose others. So two
 * attempts with other page boundaries must have listed the same records equally often, one of them up to a visible end,
 * with the same count after both. A short page before others lacks a record, so neither may have one. And that count
 * must equal the number of distinct ids, or the number of records where the API counts its duplicates, too.
 */
export function provenDuplicates(walks: readonly PageWalk[]): number | null {
  const last = walks.at(-1);
  if (last === undefined) return null;
  const { recordCount, distinctIds, withoutId } = pageStats(last.pages);
  // Records without an id may repeat each other, which cannot be seen.
  if (withoutId > 0 || distinctIds === recordCount) return null;
  if (distinctIds !== last.countAfter && recordCount !== last.countAfter) return null;
  if (!isGapless(last)) return null;
  const listing = listingOf(last);
  const isConfirmed = walks.slice(0, -1).some((walk) => {
    const endsElsewhere = walk.way.pageSize !== last.way.pageSize && (hasEnd(walk) || hasEnd(last));
    return endsElsewhere && isGapless(walk) && walk.countAfter === last.countAfter && isSame(listingOf(walk), listing);
  });
  return isConfirmed ? recordCount - distinctIds : null;
}

/** Whether two paginations have the same boundaries and order. */
export function samePagination(one: Pagination, other: Pagination): boolean {
  return one.pageSize === other.pageSize && one.reversed === other.reversed;
}

function sizesOf({ pages }: PageWalk): number[] {
  return pages.map(({ page }) => page.recordCount);
}

/** No page is shorter than a later one. */
function isGapless(walk: PageWalk): boolean {
  const sizes = sizesOf(walk);
  return sizes.every((size, index) => index === 0 || size <= (sizes[index - 1] ?? 0));
}

/** After a page that is not full there is no other. */
function hasEnd({ way, pages }: PageWalk): boolean {
  return (pages.at(-1)?.page.recordCount ?? 0) < way.pageSize;
}

/** How often each id is listed. */
function listingOf({ pages }: PageWalk): Map<string | null, number> {
  const times = new Map<string | null, number>();
  for (const { ids } of pages) for (const id of ids) times.set(id, (times.get(id) ?? 0) + 1);
  return times;
}

function isSame(one: ReadonlyMap<string | null, number>, other: ReadonlyMap<string | null, number>): boolean {
  if (one.size !== other.size) return false;
  for (const [id, times] of one) if (other.get(id) !== times) return false;
  return true;
}
