import { EdrlakeError } from './errors.ts';

/** Milliseconds of the units that have a fixed length in UTC. */
export const MS_PER_SECOND = 1_000;
export const MS_PER_MINUTE = 60_000;
export const MS_PER_HOUR = 3_600_000;
export const MS_PER_DAY = 86_400_000;

/** A half-open stretch of time, `startMs <= t < endMs`, in UTC epoch milliseconds. Never empty. */
export interface TimeRange {
  readonly startMs: number;
  readonly endMs: number;
}

/** A UTC calendar day, `YYYY-MM-DD`: the partition key of every table. */
export type Day = string;

/** @throws {EdrlakeError} `RANGE_INVALID` unless both ends are whole milliseconds and the end is after the start. */
export function timeRange(startMs: number, endMs: number): TimeRange {
  if (!Number.isSafeInteger(startMs) || !Number.isSafeInteger(endMs)) {
    throw new EdrlakeError('RANGE_INVALID', `expected whole epoch milliseconds, found ${startMs} and ${endMs}`);
  }
  if (endMs <= startMs) {
    throw new EdrlakeError(
      'RANGE_INVALID',
      `the end ${isoInstant(endMs)} is not after the start ${isoInstant(startMs)}`,
    );
  }
  return { startMs, endMs };
}

/** `2020-08-17T00:00:00.000Z`: the only text form of an instant, always UTC with milliseconds. */
export function isoInstant(epochMs: number): string {
  return new Date(epochMs).toISOString();
}

/** The UTC day that holds the instant. */
export function dayOf(epochMs: number): Day {
  return isoInstant(epochMs).slice(0, 10);
}

/** Midnight UTC at which the day starts, in epoch milliseconds. */
export function startOfDayMs(day: Day): number {
  return Date.parse(`${day}T00:00:00.000Z`);
}

/** The days a range touches, oldest first. */
export function daysOf(range: TimeRange): Day[] {
  const days: Day[] = [];
  for (let ms = Math.floor(range.startMs / MS_PER_DAY) * MS_PER_DAY; ms < range.endMs; ms += MS_PER_DAY) {
    days.push(dayOf(ms));
  }
  return days;
}

const DAY_PATTERN = /^\d{4}-\d{2}-\d{2}$/;
const INSTANT_PATTERN = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:?\d{2})$/;

/**
 * The range a person means by `--from` and `--to`. A day includes the whole UTC day at either end; an instant
 * (ISO 8601 with `Z` or an offset) is exact and excluded at the end.
 * @throws {EdrlakeError} `RANGE_INVALID` naming the text that cannot be read, or the order that is wrong.
 */
export function parseRange(from: string, to: string): TimeRange {
  const startMs = parseMoment('--from', from).startMs;
  const endMs = parseMoment('--to', to).endMs;
  if (endMs <= startMs) {
    throw new EdrlakeError('RANGE_INVALID', `--to ${to} is before --from ${from}`, {
      hint: 'Swap the two, or correct one of them.',
    });
  }
  return { startMs, endMs };
}

/** One end of a range: a day spans 24 hours, an instant spans nothing. */
function parseMoment(flag: string, text: string): { startMs: number; endMs: number } {
  if (DAY_PATTERN.test(text)) {
    const startMs = startOfDayMs(text);
    if (Number.isFinite(startMs) && dayOf(startMs) === text) return { startMs, endMs: startMs + MS_PER_DAY };
  } else if (INSTANT_PATTERN.test(text)) {
    const ms = Date.parse(text);
    if (Number.isFinite(ms)) return { startMs: ms, endMs: ms };
  }
  throw new EdrlakeError(
    'RANGE_INVALID',
    `${flag}: expected YYYY-MM-DD or an ISO instant such as 2020-08-17T04:00:00Z, found "${text}"`,
    {
      hint: 'Days are UTC and included at both ends; instants need a Z or an offset.',
    },
  );
}

/** The part both ranges share, or null where they only touch or are apart. */
export function intersect(a: TimeRange, b: TimeRange): TimeRange | null {
  const startMs = Math.max(a.startMs, b.startMs);
  const endMs = Math.min(a.endMs, b.endMs);
  return startMs < endMs ? { startMs, endMs } : null;
}

/** The stretches of `range` that none of `covers` holds, oldest first; empty when it is covered without a gap. */
export function gapsIn(range: TimeRange, covers: readonly TimeRange[]): TimeRange[] {
  const gaps: TimeRange[] = [];
  let reachedMs = range.startMs;
  for (const cover of [...covers].sort((a, b) => a.startMs - b.startMs)) {
    if (cover.startMs >= range.endMs) break;
    if (cover.startMs > reachedMs) gaps.push({ startMs: reachedMs, endMs: cover.startMs });
    reachedMs = Math.max(reachedMs, cover.endMs);
  }
  if (reachedMs < range.endMs) gaps.push({ startMs: reachedMs, endMs: range.endMs });
  return gaps;
}
