import { type Day, dayOf, EVERYTHING, type EventSource, MS_PER_DAY, type TimeRange } from '@edrlake/core';
import { countDays, type DaysAsked, daysCuts, rangeOfDay } from './count-days.ts';

/** What is compared of a day. */
interface ComparedDay {
  readonly day: Day;
  readonly verdict: string;
  readonly inApi: number;
  readonly inLake: number;
}

/**
 * Counts the days of a range and compares them. A day that matches because the API counts nothing, or less than the lake holds,
 * matches by one number alone. Where there are such days, all from the first of them to the last are counted at once and must
 * add up to the counts of the days; if they do not, both are asked once more. What still does not add up is `unverified`.
 * @param compare the days by what the API counts on each, those it counts none on perhaps absent
 */
export async function compareConfirmed<Line extends ComparedDay>(
  source: EventSource,
  range: TimeRange,
  asked: DaysAsked,
  compare: (counts: ReadonlyMap<Day, number>) => Promise<readonly Line[]>,
  signal: AbortSignal,
): Promise<readonly (Line | (Line & { readonly verdict: 'unverified' }))[]> {
  const first = await countDays(source, range, asked, signal);
  const firstLines = await compare(first);
  const alone = firstLines.filter(matchesAlone);
  if (alone.length === 0) return firstLines;
  const span = spanOf(alone);
  const query = { axis: 'event', range: span, cuts: daysCuts(asked), scope: EVERYTHING } as const;
  const total = await source.count(query, signal);
  if (sumIn(first, span) === total) return firstLines;
  // One of both is wrong, or the data has changed in between.
  const second = new Map([...outside(first, span), ...(await countDays(source, span, within(asked, span), signal))]);
  const lines = await compare(second);
  if (sumIn(second, span) === total || !lines.some(matchesAlone)) return lines;
  return sumIn(second, span) === (await source.count(query, signal)) ? lines : lines.map(unverifiedIfAlone);
}

function matchesAlone({ verdict, inApi, inLake }: ComparedDay): boolean {
  return (verdict === 'match' || verdict === 'rejected') && (inApi === 0 || inApi < inLake);
}

function unverifiedIfAlone<Line extends ComparedDay>(line: Line): Line | (Line & { readonly verdict: 'unverified' }) {
  return matchesAlone(line) ? { ...line, verdict: 'unverified' } : line;
}

function spanOf(days: readonly ComparedDay[]): TimeRange {
  const sorted = days.map(({ day }) => rangeOfDay(day).startMs).sort((a, b) => a - b);
  return { startMs: sorted[0] ?? 0, endMs: (sorted.at(-1) ?? 0) + MS_PER_DAY };
}

function holds({ startMs, endMs }: TimeRange, day: Day): boolean {
  return dayOf(startMs) <= day && day <= dayOf(endMs - 1);
}

function sumIn(counts: ReadonlyMap<Day, number>, span: TimeRange): number {
  return [...counts].reduce((sum, [day, count]) => (holds(span, day) ? sum + count : sum), 0);
}

function outside(counts: ReadonlyMap<Day, number>, span: TimeRange): [Day, number][] {
  return [...counts].filter(([day]) => !holds(span, day));
}

function within(asked: DaysAsked, span: TimeRange): DaysAsked {
  return { ...asked, daysWithRows: asked.daysWithRows.filter((day) => holds(span, day)) };
}
