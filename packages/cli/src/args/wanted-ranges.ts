import { join } from 'node:path';
import { gapsIn, intersect, type QueryScope, rangeOfDays, SETTLE_LAG_MS, type TimeRange } from '@edrlake/core';
import type { Lake } from '@edrlake/lake';
import { readWatermark, watermarkOf } from '@edrlake/runner/history';

/** Which part of a range is wanted. */
export type OnlyState = 'missing' | 'failed' | 'mismatched' | 'rejected';

/**
 * The parts of a range that are in the given state, oldest first, apart from each other. `missing`: never proven,
 * neither by their own time nor, as far as the lake was synced, by processing time. `failed`: windows that failed in an
 * earlier run and were not proven since. `mismatched`: the newest word on them is that they do not add up, or rows of
 * the day were lost. `rejected`: too many of their records could not become rows.
 */
export async function wantedRanges(
  lake: Lake,
  only: OnlyState,
  range: TimeRange,
  scope: QueryScope,
  nowMs: number,
): Promise<TimeRange[]> {
  const proven = await lake.provenRanges('event', scope, SETTLE_LAG_MS);
  if (only === 'missing') {
    const [startMs, endMs] = [
      await readWatermark(lake, 'processed', scope),
      await watermarkOf(lake, 'processed', scope, nowMs, SETTLE_LAG_MS),
    ];
    const followed = startMs === null || endMs === null || endMs <= startMs ? [] : [{ startMs, endMs }];
    return gapsIn(range, [...proven, ...followed]);
  }
  if (only === 'failed') {
    const { failedRanges } = await import('@edrlake/runner');
    const failed = await failedRanges(join(lake.directory, '_runs'), 'event', scope);
    return joined(within(failed, range).flatMap((part) => gapsIn(part, proven)));
  }
  const { proofs } = await lake.snapshot();
  const mismatched = proofs.filter(
    ({ verdict, window }) =>
      verdict === (only === 'rejected' ? 'rejected' : 'mismatch') &&
      window.axis === 'event' &&
      window.scope.filter === scope.filter &&
      window.scope.state === scope.state,
  );
  const open = within(
    mismatched.map(({ window }) => window.range),
    range,
  ).flatMap((part) => gapsIn(part, proven));
  if (only === 'rejected') return joined(open);
  return joined([...open, ...within(await daysThatLostRows(lake, range, scope), range)]);
}

/** Days with fewer rows than their proofs say, or than the API counted since. */
async function daysThatLostRows(lake: Lake, range: TimeRange, { filter, state }: QueryScope): Promise<TimeRange[]> {
  if (filter !== null || state !== null) return [];
  return (await lake.coverage(range))
    .filter(({ scope }) => scope === 'all')
    .filter(({ counted, inLake, rejected, recount }) => recount !== undefined || inLake + rejected < (counted ?? 0))
    .map(({ day, lastDay }) => rangeOfDays(day, lastDay));
}

function within(ranges: readonly TimeRange[], range: TimeRange): TimeRange[] {
  return ranges.flatMap((candidate) => intersect(candidate, range) ?? []);
}

/** The same ranges, oldest first, those that touch or overlap as one. */
function joined(ranges: readonly TimeRange[]): TimeRange[] {
  const result: TimeRange[] = [];
  for (const range of [...ranges].sort((a, b) => a.startMs - b.startMs)) {
    const last = result.at(-1);
    if (last === undefined || last.endMs < range.startMs) result.push(range);
    else result[result.length - 1] = { startMs: last.startMs, endMs: Math.max(last.endMs, range.endMs) };
  }
  return result;
}
