import { type FetchedWindow, SETTLE_LAG_MS, type StagedWindow } from '@edrlake/core';
import { brokenAnswer } from '@edrlake/pager';
import type { RunContext, RunPlan } from '../run/run-context.ts';

/**
 * Counts windows again whose pages hold records that were processed after the count: an event that arrived in between
 * may have taken the place of one that a page lacked, so that the numbers agree. Where the count differs now, or is not
 * answered, the window does not add up. Only settled ranges of event time: what arrives in others, and by processing
 * time, is compared again by a later run anyway. Costs a request for each window into which events arrived while the
 * run lasted, and nothing for all others.
 */
export async function recountFresh(
  { source, services: { signal } }: RunContext,
  { asOfMs }: RunPlan,
  windows: readonly FetchedWindow[],
  staged: readonly StagedWindow[],
): Promise<readonly FetchedWindow[]> {
  const newestOf = new Map(staged.map(({ windowId, newestProcessedMs }) => [windowId, newestProcessedMs]));
  const counted: FetchedWindow[] = [];
  for (const fetched of windows) {
    const { window, count, verdict, recounted } = fetched;
    const isSettled = asOfMs !== undefined && window.range.endMs + SETTLE_LAG_MS <= asOfMs;
    const isFresh = isSettled && (newestOf.get(window.id) ?? 0) >= asOfMs;
    if (verdict !== 'complete' || recounted === true || window.axis !== 'event' || !isFresh) {
      counted.push(fetched);
      continue;
    }
    const now = await source.count(window, signal).catch((thrown) => {
      brokenAnswer(thrown);
      return null;
    });
    counted.push(now === count ? fetched : { ...fetched, count: now ?? count, verdict: 'mismatch' });
  }
  return counted;
}
