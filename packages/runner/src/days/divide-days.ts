import {
  type Day,
  daysOf,
  type EventSource,
  MS_PER_DAY,
  NO_FILTER,
  rangeOfDays,
  sum,
  type TimeRange,
} from '@edrlake/core';
import { histogramByDay } from '../reconcile/count-days.ts';

/** Whole UTC days that one export brings in, both included. */
export interface DaysPart {
  readonly from: Day;
  readonly to: Day;
}

/**
 * Planning a part of any size costs about five requests: its count, histograms, a last page that is not full. Of
 * this number of pages that is a fiftieth; and it is most of an hour of requests, which is what an attempt may lose.
 */
const PART_PAGES = 250;

/** The most days of a part. */
const PART_DAYS = 92;

/**
 * Divides days into parts that are exported one by one, the newest first: whole days, as few as have enough pages for
 * what it costs to plan a part. A small rest goes to the part before it. Costs one request; none for a single day. What
 * a part is divided into, when it is divided again, is the part.
 */
export async function divideDays(
  source: EventSource,
  { from, to }: DaysPart,
  signal: AbortSignal,
): Promise<readonly DaysPart[]> {
  if (from === to) return [{ from, to }];
  const range = rangeOfDays(from, to);
  return partsOf(daysOf(range), await eventsByDay(source, range, signal), PART_PAGES * source.pageSize);
}

/** @param enough events of a part */
function partsOf(days: readonly Day[], events: (day: Day) => number, enough: number): readonly DaysPart[] {
  const parts: Day[][] = [];
  let part: Day[] = [];
  for (const day of days.toReversed()) {
    part.unshift(day);
    if (sum(part, events) < enough && part.length < PART_DAYS) continue;
    parts.push(part);
    part = [];
  }
  const isSmall = sum(part, events) < enough / 2 && part.length < PART_DAYS / 2;
  if (isSmall && parts.length > 0) parts.at(-1)?.unshift(...part);
  else parts.push(part);
  return parts.filter(({ length }) => length > 0).map((each) => ({ from: each[0] as Day, to: each.at(-1) as Day }));
}

/** What the source counts on each day. Without histograms, and for very long ranges, the days share one count. */
async function eventsByDay(source: EventSource, range: TimeRange, signal: AbortSignal): Promise<(day: Day) => number> {
  const query = { axis: 'event', range, cuts: [], scope: NO_FILTER } as const;
  const counts = await histogramByDay(source, query, signal);
  if (counts !== null) return (day) => counts.get(day) ?? 0;
  const days = (range.endMs - range.startMs) / MS_PER_DAY;
  const events = await source.count(query, signal);
  return () => events / days;
}
