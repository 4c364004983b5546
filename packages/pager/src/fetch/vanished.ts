import { EdrlakeError, type PlannedWindow, toEdrlakeError, type Window } from '@edrlake/core';
import { fieldTable } from '../scan/field-table.ts';
import { scanPage } from '../scan/page-scanner.ts';
import { isFatal, type WindowFetching } from './fetch-pages.ts';
import { pageStats } from './page-stats.ts';
import type { PageWalk } from './pagination.ts';
import type { Listing, PageWithIds } from './spool.ts';

/** How much younger than the last answer the newest event may be: servers of one gateway differ a little. */
const CLOCKS_DIFFER_MS = 60_000;

/** The ids that any answer listed, and the pages do not. */
export function missingFrom(pages: readonly PageWithIds[], answered: readonly Listing[]): Set<string> {
  const missing = new Set<string>();
  // Of a window whose first attempt adds up, the answers are the pages.
  if (answered.length <= pages.length) return missing;
  for (const { ids } of answered) for (const id of ids) if (id !== null) missing.add(id);
  for (const { ids } of pages) for (const id of ids) if (id !== null) missing.delete(id);
  return missing;
}

/**
 * Of the events that a window listed and does not list any more, those that are nowhere else. An event keeps its time,
 * so by event time that is all of them. One that is processed again gets a later processing time: it is among the
 * newest events then, which one page shows.
 * @throws {EdrlakeError} what ends everything, or the reason of an abort
 */
export async function vanishedOf(
  fetching: WindowFetching,
  { axis, range, scope }: Window,
  missing: ReadonlySet<string>,
): Promise<ReadonlySet<string>> {
  const { source, signal, inTurn } = fetching;
  const latestMs = (source.serverClock?.lastMs() ?? 0) + CLOCKS_DIFFER_MS;
  if (missing.size === 0 || axis === 'event' || latestMs <= range.endMs) return missing;
  const known = fieldTable(null, source.idFields);
  const newer = { axis, range: { startMs: range.endMs, endMs: latestMs }, cuts: [], scope };
  const newestFirst = { pageSize: source.pageSize, reversed: true };
  const read = (body: AsyncIterable<Uint8Array>) => scanPage(body, { known, write: async () => undefined });
  try {
    const { cursor } = source;
    const { ids } = await inTurn(async () =>
      cursor === null
        ? source.page(newer, 0, read, signal, newestFirst)
        : (await cursor.page(newer, null, read, signal, newestFirst)).value,
    );
    const moved = new Set(ids);
    return new Set([...missing].filter((id) => !moved.has(id)));
  } catch (thrown) {
    signal.throwIfAborted();
    if (isFatal(toEdrlakeError(thrown))) throw thrown;
    return missing;
  }
}

/**
 * A window that lists less than it did a moment ago proves nothing, though count and pages agree by now: both can be
 * those of a gateway that has lost some of its data for a while. The next run counts it again.
 */
export function vanishedError({ id: windowId }: Window, missing: number): EdrlakeError {
  const events = missing === 1 ? '1 event' : `${missing} events`;
  return new EdrlakeError(
    'EVENTS_VANISHED',
    `the API listed ${events} of this range that it did not list when it was asked again`,
    { context: { windowId, missing }, hint: 'What came is stored. Run it again.' },
  );
}

/**
 * The same of a window that had events a moment ago, by any number, and is empty now.
 * @throws {EdrlakeError} where the plan counted events, or an earlier attempt counted or listed some
 */
export function throwIfVanished({ window, count }: PlannedWindow, walks: readonly PageWalk[]): void {
  const seen = Math.max(count, ...walks.map((walk) => Math.max(walk.countAfter, pageStats(walk.pages).recordCount)));
  if (seen > 0) throw lostError(window, seen, 'its page was empty');
}

/**
 * The same of a window that was divided into parts of which some are empty: it is counted once more between their
 * counts and their pages, so that an API which has lost everything throughout both is noticed.
 * @throws {EdrlakeError} where none of its events are there any more
 */
export function throwIfLost(window: Window, before: number, now: number): void {
  if (now === 0) throw lostError(window, before, 'parts of it were counted as empty');
}

function lostError({ id: windowId }: Window, seen: number, besides: string): EdrlakeError {
  return new EdrlakeError(
    'EVENTS_VANISHED',
    `the API showed ${seen} ${seen === 1 ? 'event' : 'events'} of this range, then none, and ${besides}`,
    { context: { windowId, seen }, hint: 'Run it again.' },
  );
}
