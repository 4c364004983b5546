import { countText, type Day, dayOf, MS_PER_DAY, nounText } from '@edrlake/core';
import { type Calendar, type DaySpan, worstOf } from '@edrlake/runner/history';
import { DAY_STATE_NAMES, DAY_STATES, type DayState } from '@edrlake/runner/states';
import { wrapWords } from '../text/text-width.ts';

/** Marks differ in shape, so that they say the same without colour. */
const MARKS: Readonly<Record<DayState, string>> = {
  complete: '■',
  open: '○',
  partial: '▒',
  late: '▲',
  unverified: '?',
  missing: '□',
  mismatched: '✘',
  rejected: '◆',
  unplanned: '·',
};

const COLOURS: Readonly<Record<DayState, number>> = {
  complete: 32,
  open: 36,
  partial: 36,
  late: 33,
  unverified: 33,
  missing: 31,
  mismatched: 31,
  rejected: 31,
  unplanned: 90,
};

/** Up to this number of months each day has a mark; beyond, each week. */
const MOST_MONTHS = 24;
/** Up to this number of years each has a line; beyond, neighbouring years of the same state share one. */
const MOST_YEARS = 40;
const WEEKS_OF_YEAR = 53;
const DAYS_OF_MONTH = 31;
const LABEL_WIDTH = 9;

/**
 * Days as a picture with its legend: a line a month with a mark a day, or a line a year with a mark a week. At most 80
 * cells wide; as many lines as there is something to tell, however many days that are.
 */
export function calendarText(calendar: Calendar, width: number, colour: boolean): string {
  const { spans } = calendar;
  const [first, last] = [spans[0], spans.at(-1)];
  if (first === undefined || last === undefined) return '';
  const [firstDate, lastDate] = [new Date(first.startMs), new Date(last.endMs - 1)];
  const years = lastDate.getUTCFullYear() - firstDate.getUTCFullYear() + 1;
  const monthCount = (years - 1) * 12 + lastDate.getUTCMonth() - firstDate.getUTCMonth() + 1;
  const legend = legendLines(calendar, width, colour);
  if (monthCount > MOST_MONTHS) {
    const unit = 'Each mark is a week and shows its worst day.';
    return [weekRuler(), ...yearLines(spans, years > MOST_YEARS, colour), '', ...legend, unit].join('\n');
  }
  const months = groupBy(daysIn(spans), ({ day }) => day.slice(0, 7));
  return [dayRuler(), ...[...months].map(([month, days]) => monthLine(month, days, colour)), '', ...legend].join('\n');
}

/** A day and its state. */
interface DayMark {
  readonly day: Day;
  readonly state: DayState;
}

type Days = readonly DayMark[];

function* daysIn(spans: readonly DaySpan[]): Generator<DayMark> {
  for (const { startMs, endMs, state } of spans) {
    for (let ms = startMs; ms < endMs; ms += MS_PER_DAY) yield { day: dayOf(ms), state };
  }
}

/** @param shortened whether whole years in one state share a line with those around them */
function yearLines(spans: readonly DaySpan[], shortened: boolean, colour: boolean): string[] {
  const lines: string[] = [];
  const [firstMs, lastMs] = [spans[0]?.startMs ?? 0, spans.at(-1)?.endMs ?? 0];
  let position = 0;
  for (let year = new Date(firstMs).getUTCFullYear(), startMs = firstMs; startMs < lastMs; ) {
    while ((spans[position]?.endMs ?? lastMs) <= startMs) position += 1;
    const span = spans[position];
    const untilYear = span === undefined || !shortened ? year : new Date(span.endMs).getUTCFullYear();
    if (span !== undefined && startMs === yearStartMs(year) && untilYear > year + 1) {
      const dayCount = (yearStartMs(untilYear) - startMs) / MS_PER_DAY;
      lines.push(
        `${`${year} …`.padEnd(LABEL_WIDTH)}${countText(dayCount)} days ${DAY_STATE_NAMES[span.state]} … ${untilYear - 1}`,
      );
      year = untilYear;
    } else {
      const within: DaySpan[] = [];
      const endMs = Math.min(yearStartMs(year + 1), lastMs);
      for (let at = position; at < spans.length; at += 1) {
        const part = spans[at];
        if (part === undefined || part.startMs >= endMs) break;
        within.push({ ...part, startMs: Math.max(part.startMs, startMs), endMs: Math.min(part.endMs, endMs) });
      }
      lines.push(yearLine(String(year).padStart(4, '0'), [...daysIn(within)], colour));
      year += 1;
    }
    startMs = yearStartMs(year);
  }
  return lines;
}

/** Not `Date.UTC`, which takes the years before 100 for others. */
function yearStartMs(year: number): number {
  return year > 9999
    ? Date.parse('9999-12-31T00:00:00Z') + MS_PER_DAY
    : Date.parse(`${String(year).padStart(4, '0')}-01-01T00:00:00Z`);
}

function monthLine(month: string, days: Days, colour: boolean): string {
  const marks = cells(days, DAYS_OF_MONTH, (day) => Number(day.slice(8)) - 1);
  return `${month.padEnd(LABEL_WIDTH)}${paint(marks, colour)}${remark(days)}`;
}

function yearLine(year: string, days: Days, colour: boolean): string {
  const firstMs = yearStartMs(Number(year));
  const weekOf = (day: Day) => Math.min(WEEKS_OF_YEAR - 1, Math.floor((Date.parse(day) - firstMs) / 604_800_000));
  const marks = cells(days, WEEKS_OF_YEAR, weekOf);
  return `${year.padEnd(LABEL_WIDTH)}${paint(marks, colour)}${remark(days)}`;
}

/** The worst state of the days that fall into each cell; null where none does. */
function cells(days: Days, length: number, cellOf: (day: Day) => number): (DayState | null)[] {
  const found = Array.from({ length }, (): DayState[] => []);
  for (const { day, state } of days) found[cellOf(day)]?.push(state);
  return found.map(worstOf);
}

/** Marks with runs of one colour painted together. */
function paint(states: readonly (DayState | null)[], colour: boolean): string {
  let text = '';
  let painted: number | null = null;
  for (const state of states) {
    const wanted = state === null || !colour ? null : COLOURS[state];
    if (wanted !== painted) text += wanted === null ? '\u001b[39m' : `\u001b[${wanted}m`;
    painted = wanted;
    text += state === null ? ' ' : MARKS[state];
  }
  return painted === null ? text : `${text}\u001b[39m`;
}

/** The worst of a line's days in words, beside the marks; nothing where there is nothing to do about them. */
function remark(days: Days): string {
  const worst = worstOf(days.map(({ state }) => state));
  if (worst === null || worst === 'complete' || worst === 'open' || worst === 'unplanned') return '';
  const count = days.filter(({ state }) => state === worst).length;
  return count === 0 ? '' : `  ${countText(count)} ${DAY_STATE_NAMES[worst]}`;
}

function dayRuler(): string {
  let ruler = ' '.repeat(LABEL_WIDTH);
  for (let day = 1; day <= DAYS_OF_MONTH; day += 1) {
    if (ruler.length > LABEL_WIDTH + day - 1) continue;
    ruler += day === 1 || day % 5 === 0 ? String(day) : ' ';
  }
  return ruler;
}

function weekRuler(): string {
  const names = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
  let ruler = ' '.repeat(LABEL_WIDTH);
  for (const [month, name] of names.entries()) {
    const column = LABEL_WIDTH + Math.floor((Date.UTC(2001, month, 1) - Date.UTC(2001, 0, 1)) / 604_800_000);
    ruler = `${ruler.padEnd(column)}${name}`;
  }
  return ruler;
}

/** Only states that occur. */
function legendLines({ counts }: Calendar, width: number, colour: boolean): string[] {
  const entries = DAY_STATES.toReversed().filter((state) => counts[state] > 0);
  // Kept together where the line is broken.
  const texts = entries.map((state) =>
    `${MARKS[state]} ${countText(counts[state])} ${DAY_STATE_NAMES[state]}`.replaceAll(' ', '\u00a0'),
  );
  const lines = wrapWords(texts.join('  '), Math.min(width, 80)).map((line) => line.replaceAll('\u00a0', ' ').trim());
  return colour ? lines.map(paintMarks) : lines;
}

function paintMarks(line: string): string {
  let painted = line;
  for (const state of DAY_STATES)
    painted = painted.replaceAll(MARKS[state], `\u001b[${COLOURS[state]}m${MARKS[state]}\u001b[39m`);
  return painted;
}

/** `3,650 days from 2016-11-22 to 2026-11-20`. */
export function calendarSpanText({ spans, scope }: Calendar): string {
  const [startMs, endMs] = [spans[0]?.startMs ?? 0, spans.at(-1)?.endMs ?? 0];
  const days = nounText((endMs - startMs) / MS_PER_DAY, 'day');
  const span = endMs === startMs ? days : `${days} from ${dayOf(startMs)} to ${dayOf(endMs - 1)}`;
  return scope === 'all' ? span : `${span}, only ${scope}`;
}

function groupBy(days: Iterable<DayMark>, keyOf: (day: DayMark) => string): Map<string, DayMark[]> {
  const groups = new Map<string, DayMark[]>();
  for (const day of days) {
    const key = keyOf(day);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [day]);
    else group.push(day);
  }
  return groups;
}
