import { type Day, dayOf, MS_PER_DAY, MS_PER_HOUR, sum } from '@edrlake/core';
import {
  dayNumber,
  eventsOf,
  HOURS,
  holdsSource,
  type Series,
  type Source,
  seriesOf,
  type VolumeByDay,
} from './hourly-volume.ts';

/** Weeks from which the volume of a day is learned. */
export const LEARNED_WEEKS = 8;

/** Days that are judged, the newest proven ones. */
export const JUDGED_DAYS = 7;

/** Proven days without which nothing is expected. */
const FEWEST_DAYS = 21;

/** The same weekday must have been proven this often. */
const FEWEST_SAME_DAYS = 3;

/** Sources that bring less, in a day or in the hours that are silent, are not judged: chance alone empties them. */
const FEWEST_EVENTS = 20;

/** How many robust standard deviations below its expectation a day is quiet. */
const DEVIATIONS = 6;

/** A quiet day has at most this share of what is expected, however regular its source is. */
const QUIET_SHARE = 0.5;

/** A source is silent only after a gap this often as long as the longest before, in expected events. */
const LONGER_THAN_EVER = 3;

/** And only after this number of hours. */
const FEWEST_SILENT_HOURS = 3;

/** What is below the volume that the lake itself has led to expect. */
export type QuietFinding =
  | {
      readonly kind: 'silent';
      readonly source: Source;
      /** The end of the last hour with an event. */
      readonly sinceMs: number;
      /** Events that should have come since. */
      readonly expected: number;
    }
  | {
      readonly kind: 'low';
      readonly source: Source;
      readonly day: Day;
      readonly events: number;
      readonly expected: number;
    };

/** What was found, and from how much. */
export interface QuietReport {
  /** Silent sources first, then quiet days, the newest first; what a finding about more events says is left out. */
  readonly findings: readonly QuietFinding[];
  /** Proven days that it was learned from. */
  readonly learnedDays: number;
}

/**
 * Sources that fell silent and days that are far below their expectation. What is expected of a source is the median of
 * the same weekday in the eight weeks before, its hours by their share of these days; what is far below follows from
 * the median deviation of its own days (robust: a few strange days change neither). Nothing is expected before three
 * weeks are proven.
 * @param volume of proven days, at most those of the last nine weeks
 * @param untilMs up to when all events are in the lake: the end of the newest hour that can be judged. Hours of its day
 * belong to the volume although the day is not over
 */
export function findQuiet(volume: VolumeByDay, untilMs: number): QuietReport {
  const wholeDays = [...volume.keys()].map(dayNumber).filter((day) => (day + 1) * MS_PER_DAY <= untilMs);
  const learnedDays = wholeDays.length;
  if (learnedDays < FEWEST_DAYS) return { findings: [], learnedDays };
  const found = seriesOf(volume).flatMap((series) => judge(series, untilMs));
  const most = found.filter((finding) => !found.some((other) => saysMore(other, finding)));
  const silent = most.filter((finding) => finding.kind === 'silent');
  const findings = most.filter((finding) => finding.kind === 'silent' || !isExplained(finding, silent, untilMs));
  return { findings: findings.sort(byWeight), learnedDays };
}

function judge(series: Series, untilMs: number): readonly QuietFinding[] {
  const days = [...series.days.keys()].filter((day) => (day + 1) * MS_PER_DAY <= untilMs).sort((a, b) => a - b);
  const silent = silenceOf(series, days, untilMs);
  const judged = days.slice(-JUDGED_DAYS);
  const low = judged.flatMap((day) => {
    // A silence says the same of its days.
    if (silent !== null && (day + 1) * MS_PER_DAY > silent.sinceMs) return [];
    return lowDay(series, day) ?? [];
  });
  return silent === null ? low : [silent, ...low];
}

/** A day far below the same weekday of the weeks before, and below each of them; null for any other. */
function lowDay({ source, days }: Series, day: number): QuietFinding | null {
  const events = eventsOf(days.get(day) ?? []);
  const before = sameDaysBefore(days, day).map(eventsOf);
  if (before.length < FEWEST_SAME_DAYS) return null;
  const expected = medianOf(before);
  if (expected < FEWEST_EVENTS || events >= expected * QUIET_SHARE || events >= Math.min(...before)) return null;
  const ratios = Array.from({ length: 7 }, (_, weekday) => sameDaysBefore(days, day + weekday).map(eventsOf)).flatMap(
    (same) => same.map((each) => Math.log((each + 1) / (medianOf(same) + 1))),
  );
  const spread = 1.4826 * medianOf(ratios.map((ratio) => Math.abs(ratio)));
  // Chance alone scatters small numbers, and a week that was regular by chance is no promise.
  const deviation = Math.max(spread, 1 / Math.sqrt(expected), 0.1);
  if (events + 1 > (expected + 1) * Math.exp(-DEVIATIONS * deviation)) return null;
  return { kind: 'low', source, day: dayOf(day * MS_PER_DAY), events, expected: Math.round(expected) };
}

/** A gap at the end that is longer than any before; null where there is none. */
function silenceOf(
  { source, days }: Series,
  known: readonly number[],
  untilMs: number,
): Extract<QuietFinding, { kind: 'silent' }> | null {
  if (isAwake(days, untilMs)) return null;
  const hours = hoursUntil(days, untilMs);
  const last = hours.findLastIndex(({ events }) => events > 0);
  const silent = hours.slice(last + 1);
  const lastHour = hours[last];
  if (lastHour === undefined || silent.length < FEWEST_SILENT_HOURS) return null;
  const usual = expectedHours(days, known);
  const expectedIn = ({ day, hour }: (typeof hours)[number]) => usual[day % 7]?.[hour] ?? 0;
  const expected = sum(silent, expectedIn);
  if (expected < FEWEST_EVENTS) return null;
  let [gap, longest] = [0, 0];
  for (const each of hours.slice(0, last + 1)) {
    gap = each.events > 0 ? 0 : gap + expectedIn(each);
    longest = Math.max(longest, gap);
  }
  if (expected <= LONGER_THAN_EVER * longest) return null;
  const sinceMs = lastHour.day * MS_PER_DAY + (lastHour.hour + 1) * MS_PER_HOUR;
  return { kind: 'silent', source, sinceMs, expected: Math.round(expected) };
}

/** Whether there are events in the last hours: then there is nothing to work out. */
function isAwake(days: Series['days'], untilMs: number): boolean {
  for (let back = 1; back <= FEWEST_SILENT_HOURS; back += 1) {
    const atMs = untilMs - back * MS_PER_HOUR;
    const ofDay = days.get(Math.floor(atMs / MS_PER_DAY));
    if ((ofDay?.[Math.floor((atMs % MS_PER_DAY) / MS_PER_HOUR)] ?? 0) > 0) return true;
  }
  return false;
}

/** The hours of the known days in order, without those that cannot be judged yet. */
function hoursUntil(
  days: Series['days'],
  untilMs: number,
): readonly { readonly day: number; readonly hour: number; readonly events: number }[] {
  return [...days.keys()]
    .sort((a, b) => a - b)
    .flatMap((day) => (days.get(day) ?? []).map((events, hour) => ({ day, hour, events })))
    .filter(({ day, hour }) => day * MS_PER_DAY + (hour + 1) * MS_PER_HOUR <= untilMs);
}

/** By weekday, what each hour brings: its share of that weekday times the median of the weekday. */
function expectedHours(days: Series['days'], known: readonly number[]): readonly (readonly number[])[] {
  return Array.from({ length: 7 }, (_, weekday) => {
    const same = known.filter((day) => day % 7 === weekday).map((day) => days.get(day) ?? []);
    if (same.length < FEWEST_SAME_DAYS) return [];
    const usual = medianOf(same.map(eventsOf));
    const events = same.reduce((total, hours) => total + eventsOf(hours), 0);
    if (events === 0) return [];
    return Array.from({ length: HOURS }, (_, hour) => {
      return (usual * same.reduce((total, hours) => total + (hours[hour] ?? 0), 0)) / events;
    });
  });
}

/** The same weekday in the weeks before, as far as it is known. */
function sameDaysBefore(days: Series['days'], day: number): readonly (readonly number[])[] {
  return Array.from({ length: LEARNED_WEEKS }, (_, week) => days.get(day - 7 * (week + 1))).filter(
    (hours) => hours !== undefined,
  );
}

/** The middle value; of an even number the mean of both in the middle. */
function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

/** Whether one finding includes another: of the same kind and time, about a source that holds the other. */
function saysMore(outer: QuietFinding, inner: QuietFinding): boolean {
  if (!holdsSource(outer.source, inner.source)) return false;
  if (outer.kind === 'silent') return true;
  return inner.kind === 'low' && outer.day === inner.day;
}

/** A day may lack no more than what the silent sources among its own would have brought, give or take a quarter. */
const EXPLAINED_SHARE = 1.25;

/** Whether a day is quiet only because a part of its source is silent. */
function isExplained(
  { source, day, events, expected }: Extract<QuietFinding, { kind: 'low' }>,
  silent: readonly Extract<QuietFinding, { kind: 'silent' }>[],
  untilMs: number,
): boolean {
  const startMs = dayNumber(day) * MS_PER_DAY;
  const missing = sum(silent, (other) => {
    if (!holdsSource(source, other.source)) return 0;
    const ofDayMs = Math.min(untilMs, startMs + MS_PER_DAY) - Math.max(other.sinceMs, startMs);
    return (other.expected * Math.max(0, ofDayMs)) / (untilMs - other.sinceMs);
  });
  return expected - events <= missing * EXPLAINED_SHARE;
}

function byWeight(a: QuietFinding, b: QuietFinding): number {
  if (a.kind === 'low' && b.kind === 'low' && a.day !== b.day) return a.day < b.day ? 1 : -1;
  if (a.kind !== b.kind) return a.kind === 'silent' ? -1 : 1;
  return b.expected - a.expected;
}
