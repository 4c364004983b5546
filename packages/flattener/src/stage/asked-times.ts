import { dayOf, MS_PER_DAY, MS_PER_SECOND, startOfDayMs, type TimeRange, type Window } from '@edrlake/core';

/** Records may show their times with fewer digits than the API selects by. */
const ROUNDED_MS = MS_PER_SECOND;

/**
 * The times on its axis that records of a window may have. Those of its first and last day are known by day as well, so
 * that no event of another one is counted there.
 */
export function acceptedTimes({ axis, range: { startMs, endMs } }: Window): TimeRange {
  const rounded = { startMs: startMs - ROUNDED_MS, endMs: endMs + ROUNDED_MS };
  if (axis === 'processed') return rounded;
  return {
    startMs: Math.max(rounded.startMs, startOfDayMs(dayOf(startMs))),
    endMs: Math.min(rounded.endMs, startOfDayMs(dayOf(endMs - 1)) + MS_PER_DAY),
  };
}
