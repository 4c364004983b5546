import {
  dayOf,
  EdrlakeError,
  type FetchedWindow,
  type StagedWindow,
  sum,
  type Window,
  type WindowProof,
} from '@edrlake/core';
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

/**
 * Why a window without events proves nothing: the lake holds events that were proven in its range. Events keep their
 * time, so the API has deleted them, or a gateway that has lost its data for a while gives count and page. null where
 * nothing contradicts.
 * @param proofs those of the lake
 */
export function contradictionOf(fetched: FetchedWindow, proofs: readonly WindowProof[]): EdrlakeError | null {
  const { window, count, recordCount } = fetched;
  if (count > 0 || recordCount > 0 || window.axis !== 'event' || window.cuts.length > 0) return null;
  const scope = JSON.stringify(window.scope);
  const held = sum(
    proofs.filter(
      ({ verdict, window: { axis, range, scope: ofProof } }) =>
        verdict === 'proven' &&
        axis === 'event' &&
        window.range.startMs <= range.startMs &&
        range.endMs <= window.range.endMs &&
        JSON.stringify(ofProof) === scope,
    ),
    ({ distinct }) => distinct,
  );
  if (held === 0) return null;
  return new EdrlakeError(
    'RESPONSE_UNEXPECTED',
    `the API shows no event, but the lake holds ${held} proven ${held === 1 ? 'event' : 'events'} of this range`,
    {
      context: { held, windowId: window.id },
      hint: 'Run it again; what was proven before stays proven. If the API has deleted them: --replace',
    },
  );
}

/** Whether all events are of the requested days: a gateway may ignore a filter that it does not understand. */
function liesInside({ axis, range }: Window, { perDay, rejectedPerDay }: StagedWindow): boolean {
  if (axis !== 'event') return true;
  const [firstDay, lastDay] = [dayOf(range.startMs), dayOf(range.endMs - 1)];
  return [...Object.keys(perDay), ...Object.keys(rejectedPerDay)].every((day) => firstDay <= day && day <= lastDay);
}
