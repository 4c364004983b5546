import { dayOf, type FetchedWindow, type StagedWindow, type Window, type WindowProof } from '@edrlake/core';
import { hasTooManyRejects } from '../run/reject-share.ts';

/**
 * The proof of a window, from numbers of three independent origins: what the API counted, what the scanner found in the
 * pages, and what DuckDB read from them. In a window that the fetcher calls complete, the count equals the number of
 * records or of distinct ids, or the difference is the number of duplicates that the API listed.
 */
export function proofOf(
  fetched: FetchedWindow,
  staged: StagedWindow,
  dates: Pick<WindowProof, 'verifiedAtMs' | 'countedAtMs'>,
  maxRejectShare: number,
): WindowProof {
  const { duplicates = 0 } = fetched;
  const addsUp =
    fetched.verdict === 'complete' &&
    staged.recordCount === fetched.recordCount &&
    staged.distinctIds + staged.rejectedCount === fetched.recordCount - duplicates &&
    liesInside(fetched.window, staged);
  const rejects = { fetched: staged.recordCount, rejected: staged.rejectedCount };
  const isRejected = hasTooManyRejects(rejects, maxRejectShare);
  return {
    window: fetched.window,
    counted: fetched.count,
    fetched: staged.recordCount,
    distinct: staged.distinctIds,
    rejected: staged.rejectedCount,
    ...(duplicates > 0 && { duplicates, duplicatesPerDay: staged.duplicatesPerDay ?? {} }),
    perDay: staged.perDay,
    rejectedPerDay: staged.rejectedPerDay,
    verdict: !addsUp ? 'mismatch' : isRejected ? 'rejected' : 'proven',
    ...dates,
  };
}

/** Whether all events are of the requested days: a gateway may ignore a filter that it does not understand. */
function liesInside({ axis, range }: Window, { perDay, rejectedPerDay }: StagedWindow): boolean {
  if (axis !== 'event') return true;
  const [firstDay, lastDay] = [dayOf(range.startMs), dayOf(range.endMs - 1)];
  return [...Object.keys(perDay), ...Object.keys(rejectedPerDay)].every((day) => firstDay <= day && day <= lastDay);
}
