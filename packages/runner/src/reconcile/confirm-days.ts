import { type Day, dayOf, type EventSource, MS_PER_DAY, rangeOfDays, type TimeRange } from '@edrlake/core';
import { fieldTable, scanPage } from '@edrlake/pager';
import { countDays, type DaysAsked, daysQuery } from './count-days.ts';

/** What is compared of a day. */
interface ComparedDay {
  readonly day: Day;
  readonly verdict: string;
  readonly inApi: number;
  readonly inLake: number;
  /** null if the day was never fetched, or this is not known. */
  readonly whenFetched: number | null;
}

/**
 * Counts the days of a range and compares them. A day with a count of zero, or a count below the rows of the lake,
 * matches by a single number. All days from the first to the last of that kind are therefore counted together, and the
 * total must equal the sum of their counts. If it does not, both are requested once more, and days that still do not
 * add up are `unverified`. Days with a count of zero that the lake does not know to be empty are `unverified` too,
 * unless the first page of their range is empty: counts that are always zero agree with each other. Where no day has an
 * event, one cause can make the pages empty as well.
 * @param compare the days with the counts of the API; days without events may be absent
 * @param hasLostData whether the API counts nothing at all, although the lake has proven that it did
 */
export async function compareConfirmed<Line extends ComparedDay>(
  source: EventSource,
  range: TimeRange,
  asked: DaysAsked,
  compare: (counts: ReadonlyMap<Day, number>) => Promise<readonly Line[]>,
  hasLostData: () => Promise<boolean>,
  signal: AbortSignal,
): Promise<readonly (Line | (Line & { readonly verdict: 'unverified' }))[]> {
  const lines = await compareAdded(source, range, asked, compare, signal);
  const doubtful = emptyRanges(lines);
  const isAllEmpty = doubtful.length > 0 && lines.every(({ inApi }) => inApi === 0);
  if (isAllEmpty && (await hasLostData())) return lines.map(unverifiedIfAlone);
  const wrong: TimeRange[] = [];
  for (const empty of doubtful) {
    if (!(await isFirstPageEmpty(source, empty, asked, signal))) wrong.push(empty);
  }
  return lines.map((line) => (wrong.some((empty) => holds(empty, line.day)) ? unverifiedIfAlone(line) : line));
}

/** Neighbouring days that match by a zero, if no earlier page has shown all of them to be empty. */
function emptyRanges(lines: readonly ComparedDay[]): TimeRange[] {
  const ranges: { startMs: number; endMs: number; isDoubtful: boolean }[] = [];
  for (const line of lines) {
    if (line.inApi > 0 || !matchesAlone(line)) continue;
    const { startMs, endMs } = rangeOfDays(line.day);
    const isDoubtful = line.inLake > 0 || line.whenFetched === null;
    const last = ranges.at(-1);
    if (last?.endMs === startMs) Object.assign(last, { endMs, isDoubtful: last.isDoubtful || isDoubtful });
    else ranges.push({ startMs, endMs, isDoubtful });
  }
  return ranges.filter(({ isDoubtful }) => isDoubtful).map(({ startMs, endMs }) => ({ startMs, endMs }));
}

/** Evidence other than counts: an empty page. One request. */
async function isFirstPageEmpty(
  source: EventSource,
  range: TimeRange,
  asked: DaysAsked,
  signal: AbortSignal,
): Promise<boolean> {
  const query = daysQuery(range, asked);
  const known = fieldTable(null, source.idFields);
  const read = async (body: AsyncIterable<Uint8Array>) =>
    (await scanPage(body, { known, write: async () => undefined })).recordCount === 0;
  if (source.cursor === null) return source.page(query, 0, read, signal);
  return (await source.cursor.page(query, null, read, signal)).value;
}

/** As far as counts can show it. */
async function compareAdded<Line extends ComparedDay>(
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
  const query = daysQuery(span, asked);
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
  const sorted = days.map(({ day }) => rangeOfDays(day).startMs).sort((a, b) => a - b);
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
