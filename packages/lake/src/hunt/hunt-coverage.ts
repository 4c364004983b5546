import {
  type Day,
  dayOf,
  gapsIn,
  intersect,
  MS_PER_DAY,
  NO_FILTER,
  rangeOfDays,
  SETTLE_LAG_MS,
  startOfDayMs,
  type TimeRange,
  wholeDaysOf,
} from '@edrlake/core';
import { type DayCoverage, daysOfLine, isRefuted, scopeText } from '../verify/coverage.ts';
import type { HuntCoverage } from './hunt-types.ts';

/** What the log proves, from which the meaning of an empty answer follows. */
export interface ProvenTimes {
  /** Of all scopes. */
  readonly lines: readonly DayCoverage[];
  /** Under no filter, by the time of events and by processing time, each as far as it had settled. */
  readonly byEvent: readonly TimeRange[];
  readonly followed: readonly TimeRange[];
  readonly nowMs: number;
}

/**
 * The times of which the lake is proven to hold everything, by the same rules as whole days are (`provenDaysOf`), but
 * to the instant: what was fetched by its own time or followed by processing time, without days that lost rows,
 * contradict their proofs or had too many rejects. In no order; they may overlap.
 */
function provenTimes({ lines, byEvent, followed, nowMs }: ProvenTimes): TimeRange[] {
  const refuted = lines
    .filter(({ scope }) => scope === scopeText(NO_FILTER))
    .filter(isRefuted)
    .map(daysOfLine);
  const settled: TimeRange = { startMs: 0, endMs: nowMs - SETTLE_LAG_MS };
  return [...byEvent, ...followed]
    .flatMap((range) => intersect(range, settled) ?? [])
    .flatMap((range) => gapsIn(range, refuted));
}

/** What could not be read, and what was read of rejects. */
export interface HuntedFiles extends Pick<HuntCoverage, 'rejects' | 'isRejectLost'> {
  /** Days with files that could not be read. */
  readonly lostDays: readonly Day[];
}

/** What an empty answer means for a range. */
export function huntCoverage(
  range: TimeRange | null,
  known: ProvenTimes,
  { lostDays, ...ofRejects }: HuntedFiles,
): HuntCoverage {
  if (range === null) {
    return { range, days: 0, provenDays: 0, unproven: [], lostDays: [], ...ofRejects, isProven: false };
  }
  const inRange = lostDays.filter((day) => intersect(rangeOfDays(day), range) !== null);
  const proven = provenTimes(known).flatMap((part) =>
    gapsIn(
      part,
      inRange.map((day) => rangeOfDays(day)),
    ),
  );
  const unproven = gapsIn(range, proven);
  const [first, last] = [startOfDayMs(dayOf(range.startMs)), startOfDayMs(dayOf(range.endMs - 1))];
  const open = new Set<number>();
  for (const gap of unproven) {
    for (let ms = startOfDayMs(dayOf(gap.startMs)); ms < gap.endMs; ms += MS_PER_DAY) open.add(ms);
  }
  const days = (last - first) / MS_PER_DAY + 1;
  const isProven = unproven.length === 0 && inRange.length === 0 && !ofRejects.isRejectLost;
  const lost = [...new Set(inRange)].sort();
  return { range, days, provenDays: days - open.size, unproven, lostDays: lost, ...ofRejects, isProven };
}

/**
 * The range of a hunt that names none: from the first day that the lake knows to the last one, without the end that is
 * not over and settled, because nothing can be proven of it yet.
 * @returns null for an empty lake
 */
export function knownRange(
  lines: readonly DayCoverage[],
  followed: readonly TimeRange[],
  nowMs: number,
): TimeRange | null {
  const ranges = [...lines.map(daysOfLine), ...followed.map(wholeDaysOf)];
  if (ranges.length === 0) return null;
  const startMs = Math.min(...ranges.map((range) => range.startMs));
  const settledMs = startOfDayMs(dayOf(nowMs - SETTLE_LAG_MS));
  const endMs = Math.min(Math.max(...ranges.map((range) => range.endMs)), Math.max(settledMs, startMs + MS_PER_DAY));
  return { startMs, endMs };
}
