import { EdrlakeError, sum, type TimeRange } from '@edrlake/core';
import type { Doubt } from '../horizon/guard-windows.ts';
import type { EarlierPlan } from '../run/resume.ts';
import type { RunContext } from '../run/run-context.ts';

/** Fewer events of a window than this may all be processed again, and so leave it. */
const MORE_THAN_MOVE = 10;

/**
 * Doubts windows of a resumed run that list fewer events than the pages of its earlier processes did, and empty ones of
 * which an earlier plan had counted some. The counts and pages of this process may agree all the same: those of a
 * gateway that has lost data since. By processing time only empty windows are doubted, because events that are
 * processed again leave their window.
 */
export function doubtOfFewerThanListed({ request, options }: RunContext, earlier: readonly EarlierPlan[]): Doubt {
  if (earlier.length === 0 || options.replace) return () => null;
  const isByEvent = request.axis === 'event';
  return ({ window, recordCount }) => {
    if (window.cuts.length > 0) return null;
    const before = Math.max(...earlier.map((plan) => seenIn(plan, window.range, recordCount === 0)));
    const isLess = isByEvent ? recordCount < before : recordCount === 0 && before >= MORE_THAN_MOVE;
    if (!isLess) return null;
    const way = isByEvent ? ', or with --replace if the API has deleted events' : '';
    return new EdrlakeError(
      'EVENTS_VANISHED',
      `the API showed ${before} events of this range before the run was interrupted, and ${recordCount} now: run it ` +
        `again${way}`,
      { context: { windowId: window.id, before, listed: recordCount } },
    );
  };
}

/** Events of a range that the pages under a plan listed, or that it counted. */
function seenIn({ windows }: EarlierPlan, { startMs, endMs }: TimeRange, counts: boolean): number {
  const inside = windows.filter(({ range }) => startMs <= range.startMs && range.endMs <= endMs);
  return sum(inside, ({ counted, listed }) => (counts ? Math.max(counted, listed) : listed));
}
