import { EdrlakeError } from '../errors/errors.ts';

/** Milliseconds of the units that have a fixed length in UTC. */
export const MS_PER_SECOND = 1_000;
export const MS_PER_MINUTE = 60_000;
export const MS_PER_HOUR = 3_600_000;
export const MS_PER_DAY = 86_400_000;

/** A half-open interval, `startMs <= t < endMs`, in UTC epoch milliseconds. Never empty. */
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

/** `2020-08-17T04:00:00Z`, with milliseconds only where they are not zero. */
export function instantText(epochMs: number): string {
  return isoInstant(epochMs).replace('.000Z', 'Z');
}

/** The UTC day that holds the instant. */
export function dayOf(epochMs: number): Day {
  if (!(epochMs >= 0 && epochMs < YEAR_10000_MS)) return isoInstant(epochMs).slice(0, 10);
  // A lake of many years calls this tens of thousands of times, and formatting whole instants costs ten times as much.
  // Years are counted from March, so that a leap day ends a year, in eras of 400 years (146,097 days).
  const day = Math.floor(epochMs / MS_PER_DAY) + 719_468;
  const era = Math.floor(day / 146_097);
  const dayOfEra = day - era * 146_097;
  const leapless =
    dayOfEra - Math.floor(dayOfEra / 1_460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor(leapless / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const dayOfMonth = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return `${year}-${twoDigits(month)}-${twoDigits(dayOfMonth)}`;
}

const YEAR_10000_MS = Date.parse('9999-12-31T23:59:59.999Z') + 1;

function twoDigits(value: number): string {
  return value < 10 ? `0${value}` : `${value}`;
}

/** Midnight UTC at which the day starts, in epoch milliseconds. */
export function startOfDayMs(day: Day): number {
  return Date.parse(`${day}T00:00:00.000Z`);
}

/** The UTC days from one to another, both included, as a range. @param last the first day alone unless given */
export function rangeOfDays(first: Day, last: Day = first): TimeRange {
  return { startMs: startOfDayMs(first), endMs: startOfDayMs(last) + MS_PER_DAY };
}

/** The whole UTC days that a range touches. */
export function wholeDaysOf({ startMs, endMs }: TimeRange): TimeRange {
  return {
    startMs: Math.floor(startMs / MS_PER_DAY) * MS_PER_DAY,
    endMs: Math.ceil(endMs / MS_PER_DAY) * MS_PER_DAY,
  };
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
 * The range a person means by a beginning and an end. A day includes the whole UTC day at either end; an instant
 * (ISO 8601 with `Z` or an offset) is exact and excluded at the end.
 * @param names of both ends in messages
 * @throws {EdrlakeError} `RANGE_INVALID` naming the text that cannot be read, or the order that is wrong.
 */
export function parseRange(from: string, to: string, names: RangeNames = { from: '--from', to: '--to' }): TimeRange {
  const startMs = parseMoment(names.from, from).startMs;
  const endMs = parseMoment(names.to, to).endMs;
  if (endMs <= startMs) {
    throw new EdrlakeError('RANGE_INVALID', `${names.to} ${to} is before ${names.from} ${from}`, {
      hint: 'Swap the two, or correct one of them.',
    });
  }
  return { startMs, endMs };
}

/** What the ends of a range are called where they were given. */
export interface RangeNames {
  readonly from: string;
  readonly to: string;
}

/** One end of a range: a day spans 24 hours, an instant spans nothing. */
function parseMoment(name: string, text: string): { startMs: number; endMs: number } {
  if (DAY_PATTERN.test(text)) {
    const startMs = startOfDayMs(text);
    if (Number.isFinite(startMs) && dayOf(startMs) === text) return { startMs, endMs: startMs + MS_PER_DAY };
  } else if (INSTANT_PATTERN.test(text)) {
    const ms = Date.parse(text);
    if (Number.isFinite(ms)) return { startMs: ms, endMs: ms };
  }
  throw new EdrlakeError(
    'RANGE_INVALID',
    `${name}: expected YYYY-MM-DD or an ISO instant such as 2020-08-17T04:00:00Z, found "${text}"`,
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

/** The parts of `range` that none of `covers` holds, oldest first; empty when it is covered without a gap. */
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

/** The `--from … --to …` that means exactly this range. Days where it starts and ends at midnight. */
export function rangeFlagsText(range: TimeRange): string {
  const wholeDays = range.startMs % MS_PER_DAY === 0 && range.endMs % MS_PER_DAY === 0;
  if (!wholeDays) return `--from ${instantText(range.startMs)} --to ${instantText(range.endMs)}`;
  const lastDay = isoInstant(range.endMs - MS_PER_DAY).slice(0, 10);
  return `--from ${isoInstant(range.startMs).slice(0, 10)} --to ${lastDay}`;
}
