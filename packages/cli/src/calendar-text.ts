import type { Day } from '@edrlake/core';
import { type Calendar, DAY_STATES, type DayState, worstOf } from './day-states.ts';
import { countText, nounText } from './quantity-text.ts';
import { wrapWords } from './text-layout.ts';

/** Marks differ in shape, so that they say the same without colour. */
const MARKS: Readonly<Record<DayState, string>> = {
  complete: '■',
  partial: '▒',
  late: '▲',
  missing: '□',
  mismatched: '✘',
  unplanned: '·',
};

const NAMES: Readonly<Record<DayState, string>> = {
  complete: 'complete',
  partial: 'partly fetched',
  late: 'late',
  missing: 'missing',
  mismatched: 'mismatched',
  unplanned: 'never planned',
};

const COLOURS: Readonly<Record<DayState, number>> = {
  complete: 32,
  partial: 36,
  late: 33,
  missing: 31,
  mismatched: 31,
  unplanned: 90,
};

/** Up to so many months there is a mark for each day; beyond, one for each week. */
const MOST_MONTHS = 24;
const WEEKS_OF_YEAR = 53;
const DAYS_OF_MONTH = 31;
const LABEL_WIDTH = 9;

/** Days as a picture with its legend: a line a month with a mark a day, or a line a year with a mark a week. At most 80 cells wide. */
export function calendarText(calendar: Calendar, width: number, colour: boolean): string {
  const { days } = calendar;
  if (days.length === 0) return '';
  const months = groupBy(days, ({ day }) => day.slice(0, 7));
  const lines =
    months.size <= MOST_MONTHS
      ? [dayRuler(), ...[...months].map(([month, ofMonth]) => monthLine(month, ofMonth, colour))]
      : [
          weekRuler(),
          ...[...groupBy(days, ({ day }) => day.slice(0, 4))].map(([year, ofYear]) => yearLine(year, ofYear, colour)),
        ];
  const unit = months.size <= MOST_MONTHS ? [] : ['Each mark is a week and shows its worst day.'];
  return [...lines, '', ...legendLines(calendar, width, colour), ...unit].join('\n');
}

type Days = Calendar['days'];

function monthLine(month: string, days: Days, colour: boolean): string {
  const marks = cells(days, DAYS_OF_MONTH, (day) => Number(day.slice(8)) - 1);
  return `${month.padEnd(LABEL_WIDTH)}${paint(marks, colour)}${remark(days)}`;
}

function yearLine(year: string, days: Days, colour: boolean): string {
  const firstMs = Date.UTC(Number(year), 0, 1);
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
  if (worst === null || worst === 'complete' || worst === 'unplanned') return '';
  const count = days.filter(({ state }) => state === worst).length;
  return count === 0 ? '' : `  ${countText(count)} ${NAMES[worst]}`;
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
    `${MARKS[state]} ${countText(counts[state])} ${NAMES[state]}`.replaceAll(' ', '\u00a0'),
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
export function calendarSpanText({ days, scope }: Calendar): string {
  const span = `${nounText(days.length, 'day')} from ${days[0]?.day ?? ''} to ${days.at(-1)?.day ?? ''}`;
  return scope === 'all' ? span : `${span}, only ${scope}`;
}

function groupBy(days: Days, keyOf: (day: Days[number]) => string): Map<string, Days[number][]> {
  const groups = new Map<string, Days[number][]>();
  for (const day of days) {
    const key = keyOf(day);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [day]);
    else group.push(day);
  }
  return groups;
}
