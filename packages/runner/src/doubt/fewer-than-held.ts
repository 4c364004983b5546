import { EdrlakeError, type FetchedWindow, gapsIn, SETTLE_LAG_MS, sum, type TimeRange } from '@edrlake/core';
import type { Doubt } from '../horizon/guard-windows.ts';
import type { RunContext, RunPlan } from '../run/run-context.ts';

/** Makes the doubt for the windows of a batch. */
export type BatchDoubt = (windows: readonly FetchedWindow[]) => Promise<Doubt>;

const NO_DOUBT: BatchDoubt = async () => () => null;

/**
 * Doubts windows of which the lake holds more events than the API lists, where they were never proven: they came from
 * pages of a window that failed or did not add up. Events keep their time, so a smaller list that its count agrees
 * with is one of a gateway that has lost data since, or of one that deletes. Where the range was proven once,
 * retention explains it. Rows that have moved to another window are counted by that one. Rejects do not count: one
 * without an id may be a damaged copy of an event that is stored, and would be one more than the API can ever list.
 */
export async function doubtOfFewer({ lake, request, options }: RunContext, plan: RunPlan): Promise<BatchDoubt> {
  const { axis, scope } = request;
  if (axis !== 'event' || scope.filter !== null || scope.state !== null || options.replace) return NO_DOUBT;
  const proven: readonly TimeRange[] = [
    ...(await lake.provenRanges('event', scope, SETTLE_LAG_MS)),
    ...(await lake.provenRanges('processed', scope)),
  ].sort((a, b) => a.startMs - b.startMs);
  const ranges = plan.request?.ranges ?? [];
  // Counting opens data files: not where no window can be doubted.
  if (ranges.every((range) => gapsIn(range, proven).length === 0)) return NO_DOUBT;
  // What a run has stored itself needs no second look.
  if (sum(await lake.countEvents(ranges), (rows) => rows) === 0) return NO_DOUBT;
  return async (windows) => {
    const unproven = windows.filter(
      ({ window }) => window.cuts.length === 0 && gapsIn(window.range, proven).length > 0,
    );
    const ranges = unproven.map(({ window }) => window.range);
    const stored = ranges.length === 0 ? [] : await lake.countEvents(ranges);
    const heldOf = new Map(unproven.map(({ window }, position) => [window.id, stored[position] ?? 0]));
    return ({ window, recordCount }) => {
      const held = heldOf.get(window.id) ?? 0;
      if (held <= recordCount) return null;
      return new EdrlakeError(
        'EVENTS_VANISHED',
        `the API lists ${recordCount} events of this range, but the lake holds ${held} that were never proven: run ` +
          'it again, or with --replace if the API has deleted events',
        { context: { windowId: window.id, held, listed: recordCount } },
      );
    };
  };
}
