import {
  type Day,
  dayOf,
  daysOf,
  type EventQuery,
  type EventSource,
  gapsIn,
  type HistogramBucket,
  MS_PER_DAY,
  NO_FILTER,
  rangeOfDays,
  type TimeRange,
  type WindowFilter,
} from '@edrlake/core';

/** Up to this many days are listed one by one, empty ones included. */
const MOST_DAYS_LISTED = 3_660;

/** Days of one histogram. */
export const MOST_DAYS_AT_ONCE = 10_000;

/** The counts of a histogram of days. */
export function countsByDay(buckets: readonly HistogramBucket[]): ReadonlyMap<Day, number> {
  return new Map(buckets.map(({ range, count }) => [dayOf(range.startMs), count]));
}

/** One histogram of the days of a range; null for a range that is too long, and on a platform without histograms. */
export async function histogramByDay(
  source: EventSource,
  query: EventQuery,
  signal: AbortSignal,
): Promise<ReadonlyMap<Day, number> | null> {
  const { startMs, endMs } = query.range;
  if (source.histogram === null || endMs - startMs > MOST_DAYS_AT_ONCE * MS_PER_DAY) return null;
  try {
    return countsByDay(await source.histogram(query, MS_PER_DAY, signal));
  } catch (thrown) {
    // A platform without histograms refuses the first request; from then on the source reports that it has none.
    if (source.histogram !== null) throw thrown;
    return null;
  }
}

/** The days to count: of one type or of all (null), and the days with rows in the lake. */
export interface DaysAsked {
  readonly eventType: string | null;
  readonly daysWithRows: readonly Day[];
}

/** All events of the requested type in a range. */
export function daysQuery(range: TimeRange, { eventType }: DaysAsked): EventQuery {
  const cuts: readonly WindowFilter[] = eventType === null ? [] : [{ field: 'type', op: 'in', values: [eventType] }];
  return { axis: 'event', range, cuts, scope: NO_FILTER };
}

/** Every day of ten years; of longer ranges only days with events or rows, in any order. */
export function daysToList(range: TimeRange, known: readonly Day[]): readonly Day[] {
  return range.endMs - range.startMs <= MOST_DAYS_LISTED * MS_PER_DAY ? daysOf(range) : [...new Set(known)];
}

/**
 * What the API counts on each day of a range of whole days; days without events may be absent. One request with
 * histograms. Without them, one request for each day with rows in the lake, one for each range between those days, and
 * some to find the days of other events: at most one for each day.
 */
export async function countDays(
  source: EventSource,
  range: TimeRange,
  asked: DaysAsked,
  signal: AbortSignal,
): Promise<ReadonlyMap<Day, number>> {
  const { daysWithRows } = asked;
  const query = daysQuery(range, asked);
  const byHistogram = await histogramByDay(source, query, signal);
  if (byHistogram !== null) return byHistogram;
  const counts = new Map<Day, number>();
  const count = (part: TimeRange) => source.count({ ...query, range: part }, signal);
  const withRows = daysWithRows.map((day) => rangeOfDays(day));
  for (const day of withRows) counts.set(dayOf(day.startMs), await count(day));
  for (const gap of gapsIn(range, withRows)) await countWithin(gap, await count(gap), count, counts);
  return counts;
}

/**
 * Finds the days with events in a range of whole days by halving it. The count of one half follows from that of the
 * other.
 */
async function countWithin(
  { startMs, endMs }: TimeRange,
  events: number,
  count: (part: TimeRange) => Promise<number>,
  counts: Map<Day, number>,
): Promise<void> {
  if (events === 0) return;
  if (endMs - startMs <= MS_PER_DAY) {
    counts.set(dayOf(startMs), events);
    return;
  }
  const middleMs = startMs + Math.floor((endMs - startMs) / MS_PER_DAY / 2) * MS_PER_DAY;
  const [first, second] = [
    { startMs, endMs: middleMs },
    { startMs: middleMs, endMs },
  ];
  const inFirst = await count(first);
  await countWithin(first, inFirst, count, counts);
  // A half has more than the whole: the counts have changed meanwhile.
  await countWithin(second, inFirst > events ? await count(second) : events - inFirst, count, counts);
}
