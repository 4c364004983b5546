import {
  type Day,
  dayOf,
  MS_PER_DAY,
  MS_PER_HOUR,
  MS_PER_MINUTE,
  parseRange,
  startOfDayMs,
  type TimeRange,
} from '@edrlake/core';
import type { DayCoverage } from '@edrlake/lake';
import { type Calendar, calendarOf, type LastReconciliation, worstOf } from '@edrlake/runner/history';
import { DAY_STATES, type DayState } from '@edrlake/runner/states';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { calendarSpanText, calendarText } from '../src/render/calendar.ts';
import { displayWidth } from '../src/text/text-width.ts';

type Compared = Pick<LastReconciliation, 'verdict' | 'atMs' | 'version' | 'inApi'>;

const NOW_MS = startOfDayMs('2026-11-28') + 10 * MS_PER_HOUR;
const VERIFIED_AT_MS = NOW_MS - MS_PER_HOUR;
const VERSION = 7;

function line(day: Day, verdict: DayCoverage['verdict'] = 'complete', scope = 'all'): DayCoverage {
  return {
    day,
    lastDay: day,
    scope,
    counted: 1,
    inLake: 1,
    rejected: 0,
    undated: 0,
    verdict,
    lastVerifiedAtMs: VERIFIED_AT_MS,
    lastVerifiedIn: VERSION,
    oldestProof: { atMs: VERIFIED_AT_MS, version: VERSION },
  };
}

function days(from: Day, count: number): Day[] {
  return Array.from({ length: count }, (_, n) => dayOf(startOfDayMs(from) + n * MS_PER_DAY));
}

/** The calendar at noon or so of 2026-11-28, unless another time is given. */
function calendarFrom(
  lines: readonly DayCoverage[],
  comparisons: ReadonlyMap<Day, Compared> = new Map(),
  followed: TimeRange | null = null,
  nowMs = NOW_MS,
): Calendar {
  return calendarOf({ lines, comparisons, lost: new Set(), followed, nowMs });
}

function statesOf({ spans }: Calendar): Record<Day, DayState> {
  const states: Record<Day, DayState> = {};
  for (const { startMs, endMs, state } of spans) {
    for (let ms = startMs; ms < endMs; ms += MS_PER_DAY) states[dayOf(ms)] = state;
  }
  return states;
}

describe('the state of a day', () => {
  const lines = [line('2026-11-01'), line('2026-11-02', 'partial'), line('2026-11-05', 'mismatched')];

  it('is what its proofs say; days between that were never fetched were never planned', () => {
    expect(statesOf(calendarFrom(lines))).toEqual({
      '2026-11-01': 'complete',
      '2026-11-02': 'partial',
      '2026-11-03': 'unplanned',
      '2026-11-04': 'unplanned',
      '2026-11-05': 'mismatched',
    });
  });

  it.each([
    ['match', 'complete'],
    ['late', 'late'],
    ['missing', 'missing'],
    ['duplicate', 'mismatched'],
    ['unverified', 'partial'],
  ] as const)('is what a newer comparison says: %s', (verdict, state) => {
    const found = (version: number | null, atMs = VERIFIED_AT_MS) => {
      const compared = new Map<Day, Compared>([['2026-11-02', { verdict, atMs, version, inApi: 1 }]]);
      return statesOf(calendarFrom(lines, compared))['2026-11-02'];
    };
    expect(found(VERSION)).toBe(state);
    // A difference counts where the clock was behind, and where the proof was made before the comparison ended; an
    // equality does not.
    expect(found(VERSION, VERIFIED_AT_MS - MS_PER_DAY)).toBe(verdict === 'match' ? 'partial' : state);
    expect(found(VERSION - 1)).toBe(verdict === 'match' ? 'partial' : state);
    // No proof shows that nothing is stored twice.
    const isTwice = verdict === 'duplicate';
    expect(found(VERSION - 1, VERIFIED_AT_MS - 1)).toBe(isTwice ? state : 'partial');
    expect(found(VERSION - 1, NOW_MS + MS_PER_DAY)).toBe(isTwice ? state : 'partial');
    expect(found(null)).toBe(verdict === 'match' ? 'partial' : state);
  });

  it('is complete where its processing time was followed, up to the watermark', () => {
    const followed = { startMs: startOfDayMs('2026-11-02'), endMs: startOfDayMs('2026-11-07') + 1 };
    expect(statesOf(calendarFrom(lines, new Map(), followed))).toEqual({
      '2026-11-01': 'complete',
      '2026-11-02': 'complete',
      '2026-11-03': 'complete',
      '2026-11-04': 'complete',
      '2026-11-05': 'mismatched',
      '2026-11-06': 'complete',
      '2026-11-07': 'partial',
    });
  });

  it('is open while the day is not over and settled, also where it was proven or compared', () => {
    const today = [line('2026-11-27'), line('2026-11-28', 'open')];
    const compared = new Map<Day, Compared>([
      ['2026-11-28', { verdict: 'match', atMs: NOW_MS, version: VERSION, inApi: 1 }],
      // By a clock that was a day ahead.
      ['2026-11-26', { verdict: 'match', atMs: NOW_MS + MS_PER_DAY, version: VERSION, inApi: 1 }],
    ]);
    const states = { '2026-11-26': 'unplanned', '2026-11-27': 'complete', '2026-11-28': 'open' };
    expect(statesOf(calendarFrom(today, compared))).toEqual(states);
    const followed = { startMs: startOfDayMs('2026-11-27'), endMs: NOW_MS };
    expect(statesOf(calendarFrom([line('2026-11-27', 'partial')], new Map(), followed))).toEqual({
      '2026-11-27': 'complete',
      '2026-11-28': 'open',
    });
    const justAfterMidnightMs = startOfDayMs('2026-11-29') + 5 * MS_PER_MINUTE;
    expect(statesOf(calendarFrom([line('2026-11-28', 'partial')], new Map(), null, justAfterMidnightMs))).toEqual({
      '2026-11-28': 'open',
    });
    const atNightMs = startOfDayMs('2026-11-29') + MS_PER_HOUR;
    expect(statesOf(calendarFrom([line('2026-11-28', 'partial')], new Map(), null, atNightMs))).toEqual({
      '2026-11-28': 'partial',
    });
  });

  it('leaves out days that have not come yet', () => {
    const calendar = calendarFrom([line('2026-11-27'), line('2131-01-01', 'open')]);
    expect(statesOf(calendar)).toEqual({ '2026-11-27': 'complete', '2026-11-28': 'unplanned' });
    expect(calendarFrom([line('2131-01-01', 'open')]).spans).toEqual([]);
  });

  it('is of one scope: everything, or else the filter of most days', () => {
    const filtered = [line('2026-11-01', 'complete', 'type: FILE'), line('2026-11-02', 'complete', 'type: FILE')];
    const calendar = calendarFrom(filtered, new Map(), parseRange('2026-11-01', '2026-11-09'));
    expect(calendar).toMatchObject({ scope: 'type: FILE', counts: { complete: 2, unplanned: 0 } });
    expect(calendarSpanText(calendar)).toBe('2 days from 2026-11-01 to 2026-11-02, only type: FILE');
    expect(calendarFrom([...filtered, line('2026-11-03')]).scope).toBe('all');
    expect(calendarFrom([]).spans).toEqual([]);
  });

  it('of several together is the worst, and partial where some are complete and some were never planned', () => {
    expect(worstOf([])).toBeNull();
    expect(worstOf(['complete', 'late', 'mismatched'])).toBe('mismatched');
    expect(worstOf(['complete', 'unplanned'])).toBe('partial');
    expect(worstOf(['unplanned'])).toBe('unplanned');
  });
});

describe('the picture', () => {
  it('has a mark a day and a line a month', () => {
    const lines = days('2026-10-30', 6).map((day) => line(day, day === '2026-11-02' ? 'mismatched' : 'complete'));
    expect(calendarText(calendarFrom(lines), 80, false)).toBe(
      [
        '         1   5    10   15   20   25   30',
        '2026-10                               ■■',
        '2026-11  ■✘■■                             1 mismatched',
        '',
        '■ 5 complete  ✘ 1 mismatched',
      ].join('\n'),
    );
  });

  it('shows ten thousand days, a mark a week and a line a year', () => {
    const lines = days('1999-07-07', 10_000).map((day) => line(day, day === '2005-03-01' ? 'partial' : 'complete'));
    const text = calendarText(calendarFrom(lines), 80, false);
    expect(text.split('\n').length).toBeLessThan(40);
    expect(text).toContain('2005     ■■■■■■■■▒■');
    expect(text).toContain('Each mark is a week and shows its worst day.');
  });

  it('shows a million days in as many lines as there is to tell', () => {
    const dayCount = (startOfDayMs('2026-11-28') - startOfDayMs('0001-01-01')) / MS_PER_DAY;
    const many = { ...line('0001-01-01'), lastDay: '2020-08-16' };
    const calendar = calendarFrom([
      many,
      line('2020-08-17', 'mismatched'),
      { ...line('2020-08-18'), lastDay: '2026-11-27' },
    ]);
    expect(calendar.spans.map(({ state }) => state)).toEqual(['complete', 'mismatched', 'complete']);
    expect(calendar.counts).toMatchObject({ mismatched: 1, complete: dayCount - 1 });
    const text = calendarText(calendar, 80, false);
    expect(text.split('\n').length).toBeLessThan(12);
    expect(text).toContain('1 …      737,424 days complete … 2019');
    expect(text).toMatch(/2020 {5}■+✘■+ {2}1 mismatched/);
    expect(calendarSpanText(calendar)).toBe('739,947 days from 0001-01-01 to 2026-11-27');
    for (const row of text.split('\n')) expect(displayWidth(row)).toBeLessThanOrEqual(80);
  });

  it('fits 80 columns and says the same with and without colour', () => {
    const anyState = fc.constantFrom(...DAY_STATES);
    fc.assert(
      fc.property(fc.array(anyState, { minLength: 1, maxLength: 1_500 }), (states) => {
        const counts = Object.fromEntries(DAY_STATES.map((state) => [state, states.filter((s) => s === state).length]));
        const spans = days('2019-11-30', states.length).map((day, n) => {
          const startMs = startOfDayMs(day);
          return { startMs, endMs: startMs + MS_PER_DAY, state: states[n] ?? 'complete' };
        });
        const calendar = { scope: 'all', spans, counts: counts as Calendar['counts'] };
        const plain = calendarText(calendar, 80, false);
        for (const row of plain.split('\n')) expect(displayWidth(row)).toBeLessThanOrEqual(80);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control sequences
        expect(calendarText(calendar, 80, true).replaceAll(/\u001b\[\d+m/g, '')).toBe(plain);
      }),
      { numRuns: 50 },
    );
  });
});
