import { MS_PER_DAY, startOfDayMs, type TimeRange } from '@edrlake/core';
import type { Lake } from '@edrlake/lake';

/**
 * From the first day the lake knows to yesterday, or to its last day where that is earlier; null where it knows none
 * before today.
 */
export async function knownDays(lake: Pick<Lake, 'coverage'>, nowMs: number): Promise<TimeRange | null> {
  const days = await lake.coverage();
  const [first, last] = [days[0], days.at(-1)];
  if (first === undefined || last === undefined) return null;
  const todayMs = Math.floor(nowMs / MS_PER_DAY) * MS_PER_DAY;
  const endMs = Math.min(todayMs, startOfDayMs(last.lastDay) + MS_PER_DAY);
  const startMs = startOfDayMs(first.day);
  return startMs < endMs ? { startMs, endMs } : null;
}
