import {
  dayOf,
  gapsIn,
  intersect,
  MS_PER_DAY,
  type PlannedWindow,
  SETTLE_LAG_MS,
  startOfDayMs,
  type TimeRange,
  type WindowProof,
} from '@edrlake/core';
import type { Lake } from '@edrlake/lake';
import type { ExportSelection } from '../run/types.ts';

/**
 * The windows that the lake has completely: proven windows tile their range, and the stored records (events and
 * rejects, counted now in the data files) are as many as the API counts now. A changed event that leaves the count the
 * same is not noticed; `--force` fetches everything. A record without a readable time is in no range, so its window is
 * fetched again each time.
 *
 * Under a filter the rows of a range cannot be counted in the lake, so only a proof of the same window counts.
 */
export async function coveredWindows(
  windows: readonly PlannedWindow[],
  request: Pick<ExportSelection, 'axis' | 'scope'>,
  lake: Lake,
): Promise<ReadonlySet<PlannedWindow>> {
  const { filter, state } = request.scope;
  const isProven =
    filter === null && state === null
      ? await provenByRows(windows, request, lake)
      : provenById((await lake.snapshot()).proofs);
  return new Set(windows.filter(isProven));
}

function provenById(proofs: readonly WindowProof[]): (planned: PlannedWindow) => boolean {
  const newest = new Map(proofs.map((proof) => [proof.window.id, proof]));
  return ({ window, count }) => {
    const proof = newest.get(window.id);
    return proof?.verdict === 'proven' && proof.counted === count;
  };
}

async function provenByRows(
  windows: readonly PlannedWindow[],
  request: Pick<ExportSelection, 'axis' | 'scope'>,
  lake: Lake,
): Promise<(planned: PlannedWindow) => boolean> {
  // Proofs of an event day from before it had settled are repeated; else the day would never be complete.
  const settleLagMs = request.axis === 'event' ? SETTLE_LAG_MS : 0;
  const covered = await lake.provenRanges(request.axis, request.scope, settleLagMs);
  const [first, last] = [windows[0]?.window.range, windows.at(-1)?.window.range];
  if (first === undefined || last === undefined) return () => false;
  // A day whose proofs contradict the rows is proven again, even if the counts agree by now.
  const planned = {
    startMs: startOfDayMs(dayOf(first.startMs)),
    endMs: startOfDayMs(dayOf(last.endMs - 1)) + MS_PER_DAY,
  };
  const doubtful = (await lake.coverage(planned)).filter(
    ({ scope, verdict }) => scope === 'all' && verdict === 'mismatched',
  );
  const doubtfulRanges = doubtful.map(({ day, lastDay }) => ({
    startMs: startOfDayMs(day),
    endMs: startOfDayMs(lastDay) + MS_PER_DAY,
  }));
  const known = sumByRange(windows).filter(
    ({ range }) =>
      gapsIn(range, covered).length === 0 && doubtfulRanges.every((days) => intersect(range, days) === null),
  );
  const ranges = known.map(({ range }) => range);
  const stored = await lake.countStored(ranges, request.axis);
  const complete = new Set(known.filter(({ count }, position) => stored[position] === count).map(keyOf));
  return ({ window }) => complete.has(keyOf(window));
}

/** Windows of one range that are divided by type or agent are proven, or fetched again, together. */
function sumByRange(windows: readonly PlannedWindow[]): { readonly range: TimeRange; readonly count: number }[] {
  const sums = new Map<string, { readonly range: TimeRange; readonly count: number }>();
  for (const { window, count } of windows) {
    sums.set(keyOf(window), { range: window.range, count: (sums.get(keyOf(window))?.count ?? 0) + count });
  }
  return [...sums.values()];
}

function keyOf({ range }: { readonly range: TimeRange }): string {
  return `${range.startMs}-${range.endMs}`;
}
