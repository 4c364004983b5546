import type { TimeRange } from '@edrlake/core';
import type { EventWorld } from '../records/render-list.ts';
import { DAY_MS, HOUR_MS, isoText, MINUTE_MS, SECOND_MS } from '../world/time-text.ts';
import type { Selection } from './select.ts';
import type { Token } from './tokens.ts';

/**
 * How `count` with `groupBy` on a time and `interval` answers: the shape is not documented, so each platform may
 * differ.
 */
export type HistogramShape = 'iso' | 'epoch' | 'from_to' | 'key-count' | 'key-doc_count' | 'unsupported';

/** Events of one interval of time. */
export interface Bucket {
  readonly range: TimeRange;
  count: number;
}

/** Finds the bucket of an instant. */
export type Interval = (epochMs: number) => TimeRange;

/** More buckets than this are refused, as search engines do. */
export const BUCKET_LIMIT = 10_000;
/** The most groups in one answer. */
const GROUP_LIMIT = 100_000;

const FIXED_UNITS_MS: Readonly<Record<string, number>> = { s: SECOND_MS, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS };
const MONTHS: Readonly<Record<string, number>> = { M: 1, q: 3, y: 12 };
/** 1970-01-05, the first Monday: weeks begin on Mondays. */
const FIRST_MONDAY_MS = 4 * DAY_MS;

/** Reads `1d`, `15m`, `1q` (number and one of `y q M w d h m s`, all in UTC); null for anything else. */
export function parseInterval(text: string): Interval | null {
  const match = /^(\d{1,6})?([yqMwdhms])$/.exec(text.trim());
  if (match === null) return null;
  const amount = Number(match[1] ?? 1);
  const unit = match[2] as string;
  if (amount < 1) return null;
  const months = MONTHS[unit];
  if (months !== undefined) return calendarInterval(months * amount);
  const lengthMs = amount * (unit === 'w' ? 7 * DAY_MS : (FIXED_UNITS_MS[unit] as number));
  const originMs = unit === 'w' ? FIRST_MONDAY_MS : 0;
  return (epochMs) => {
    const startMs = Math.floor((epochMs - originMs) / lengthMs) * lengthMs + originMs;
    return { startMs, endMs: startMs + lengthMs };
  };
}

function calendarInterval(months: number): Interval {
  return (epochMs) => {
    const date = new Date(epochMs);
    const month = Math.floor(((date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth()) / months) * months;
    return { startMs: Date.UTC(1970, month), endMs: Date.UTC(1970, month + months) };
  };
}

/** Buckets with events, oldest first; null where there would be more than `BUCKET_LIMIT`. */
export function histogramOf(
  world: EventWorld,
  selection: Selection,
  axis: Selection['axis'],
  interval: Interval,
): readonly Bucket[] | null {
  const timeOf = axis === 'event' ? world.population.timeOf : world.population.processedOf;
  const { sequence, startRank, endRank, matches } = selection;
  if (matches === null && axis === selection.axis) {
    const buckets: Bucket[] = [];
    let rank = startRank;
    while (rank < endRank) {
      const range = interval(timeOf(sequence.indexAt(rank)));
      const next = Math.min(endRank, sequence.rankBefore(range.endMs, -1));
      if (buckets.length === BUCKET_LIMIT) return null;
      buckets.push({ range, count: next - rank });
      rank = next;
    }
    return buckets;
  }
  const byStart = new Map<number, Bucket>();
  for (let rank = startRank; rank < endRank; rank += 1) {
    const index = sequence.indexAt(rank);
    if (matches !== null && !matches(index)) continue;
    const range = interval(timeOf(index));
    const bucket = byStart.get(range.startMs);
    if (bucket === undefined) byStart.set(range.startMs, { range, count: 1 });
    else bucket.count += 1;
    if (byStart.size > BUCKET_LIMIT) return null;
  }
  return [...byStart.values()].sort((a, b) => a.range.startMs - b.range.startMs);
}

/** A histogram as the platform writes it. @param shape not `unsupported` */
export function histogramJson(buckets: readonly Bucket[], shape: HistogramShape): string {
  switch (shape) {
    case 'key-count':
      return JSON.stringify(buckets.map(({ range, count }) => ({ key: isoText(range.startMs), count })));
    case 'key-doc_count':
      return JSON.stringify(buckets.map(({ range, count }) => ({ key: range.startMs, doc_count: count })));
    case 'iso':
      return mapJson(buckets.map(({ range, count }) => [isoText(range.startMs), count]));
    case 'from_to':
      return mapJson(buckets.map(({ range, count }) => [`${range.startMs}_${range.endMs}`, count]));
    default:
      return mapJson(buckets.map(({ range, count }) => [String(range.startMs), count]));
  }
}

/** A flat map in the given order; an object would move keys that look like small numbers to the front. */
export function mapJson(entries: readonly (readonly [string, number])[]): string {
  return `{${entries.map(([key, count]) => `${JSON.stringify(key)}:${count}`).join(',')}}`;
}

/** A field that events are grouped by: a token, and for a time the interval. */
export interface GroupField {
  readonly token: Token;
  readonly interval: Interval | null;
}

/**
 * Counts by the values of one or several fields (joined by commas), most frequent first, equal ones by key. Events
 * without a value are left out. null where there would be more than `GROUP_LIMIT` groups.
 */
export function groupsOf(
  world: EventWorld,
  selection: Selection,
  fields: readonly GroupField[],
): [string, number][] | null {
  const counts = new Map<string, number>();
  const { sequence, startRank, endRank, matches } = selection;
  for (let rank = startRank; rank < endRank; rank += 1) {
    const index = sequence.indexAt(rank);
    if (matches !== null && !matches(index)) continue;
    const key = keyOf(world, fields, index);
    if (key === null) continue;
    counts.set(key, (counts.get(key) ?? 0) + 1);
    if (counts.size > GROUP_LIMIT) return null;
  }
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

function keyOf(world: EventWorld, fields: readonly GroupField[], index: number): string | null {
  let joined = '';
  for (const [at, { token, interval }] of fields.entries()) {
    let value: string | number | null;
    if (token.kind === 'time') {
      const atMs = token.axis === 'event' ? world.population.timeOf(index) : world.population.processedOf(index);
      value = isoText(interval === null ? atMs : interval(atMs).startMs);
    } else value = token.value(index);
    if (value === null) return null;
    joined += at === 0 ? value : `,${value}`;
  }
  return joined;
}
