import { dayOf, MS_PER_DAY, SETTLE_LAG_MS, startOfDayMs, type TimeRange } from '@edrlake/core';
import { joinRanges } from '../proofs/segments.ts';
import { type DayCoverage, daysOfLine, isRefuted } from './coverage.ts';

/**
 * The days of which the log proves that the lake holds everything: those that were fetched by their own time, and those
 * that lie wholly in a range that was followed by processing time. Nothing is processed before it happens, so the
 * second kind is as complete as the first. Never among them is a day that is not over, that lost rows, that contradicts
 * its proofs, or of which too many records were rejected.
 * @param lines of one scope, oldest first
 * @param followed the proven ranges of that scope by processing time, as far as they had settled
 * @returns whole UTC days, oldest first, neighbours joined
 */
export function provenDaysOf(
  lines: readonly DayCoverage[],
  followed: readonly TimeRange[],
  nowMs: number,
): readonly TimeRange[] {
  const proven = lines.filter(({ verdict }) => verdict === 'complete').map(daysOfLine);
  const refuted = lines.filter(isRefuted).map(daysOfLine);
  const settledMs = startOfDayMs(dayOf(nowMs - SETTLE_LAG_MS));
  const changes = new Map<number, { fetched: number; followed: number; refuted: number }>();
  const add = (kind: 'fetched' | 'followed' | 'refuted', { startMs, endMs }: TimeRange) => {
    for (const [ms, step] of [[startMs, 1] as const, [endMs, -1] as const]) {
      const change = changes.get(ms) ?? { fetched: 0, followed: 0, refuted: 0 };
      change[kind] += step;
      changes.set(ms, change);
    }
  };
  for (const range of proven) add('fetched', range);
  for (const range of followed.flatMap(wholeDaysIn)) add('followed', range);
  for (const range of refuted) add('refuted', range);
  const depth = { fetched: 0, followed: 0, refuted: 0 };
  const ranges: TimeRange[] = [];
  const instants = [...changes.keys()].sort((a, b) => a - b);
  for (const [position, startMs] of instants.entries()) {
    const change = changes.get(startMs);
    depth.fetched += change?.fetched ?? 0;
    depth.followed += change?.followed ?? 0;
    depth.refuted += change?.refuted ?? 0;
    const endMs = Math.min(instants[position + 1] ?? startMs, settledMs);
    if (endMs > startMs && depth.fetched + depth.followed > 0 && depth.refuted === 0) ranges.push({ startMs, endMs });
  }
  return joinRanges(ranges);
}

function wholeDaysIn({ startMs, endMs }: TimeRange): TimeRange[] {
  const first = Math.ceil(startMs / MS_PER_DAY) * MS_PER_DAY;
  const last = Math.floor(endMs / MS_PER_DAY) * MS_PER_DAY;
  return first < last ? [{ startMs: first, endMs: last }] : [];
}
