import {
  dayOf,
  daysOf,
  EdrlakeError,
  gapsIn,
  intersect,
  isoInstant,
  MS_PER_DAY,
  parseRange,
  timeRange,
} from '@edrlake/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof EdrlakeError) return thrown.code;
    throw thrown;
  }
  return 'no error';
}

describe('parseRange', () => {
  it('includes both days', () => {
    const range = parseRange('2020-08-17', '2020-08-19');
    expect(isoInstant(range.startMs)).toBe('2020-08-17T00:00:00.000Z');
    expect(isoInstant(range.endMs)).toBe('2020-08-20T00:00:00.000Z');
  });

  it('takes one day as a whole day', () => {
    const range = parseRange('2020-02-29', '2020-02-29');
    expect(range.endMs - range.startMs).toBe(MS_PER_DAY);
  });

  it('takes instants as they are, with Z or an offset', () => {
    const range = parseRange('2020-08-17T04:00:00Z', '2020-08-17T08:30:00.250+02:00');
    expect(isoInstant(range.startMs)).toBe('2020-08-17T04:00:00.000Z');
    expect(isoInstant(range.endMs)).toBe('2020-08-17T06:30:00.250Z');
  });

  it.each([
    ['2020-08-19', '2020-08-17'],
    ['2020-08-17T04:00:00Z', '2020-08-17T04:00:00Z'],
    ['2020-02-30', '2020-03-01'],
    ['2020-13-01', '2021-01-01'],
    ['yesterday', '2020-01-01'],
    ['2020-08-17T04:00:00', '2020-08-18'],
    ['', '2020-08-18'],
    ['17.08.2020', '2020-08-18'],
  ])('refuses %s to %s', (from, to) => {
    expect(codeOf(() => parseRange(from, to))).toBe('RANGE_INVALID');
  });

  it('names the flag and the text it cannot read', () => {
    expect(() => parseRange('2020-08-17', 'soon')).toThrow(/--to.*YYYY-MM-DD.*"soon"/);
  });
});

const epochMs = fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2035, 0, 1) });
const anyRange = fc.tuple(epochMs, fc.integer({ min: 1, max: 20 * MS_PER_DAY })).map(([startMs, lengthMs]) => ({
  startMs,
  endMs: startMs + lengthMs,
}));

describe('ranges', () => {
  it('refuse to be empty or fractional', () => {
    expect(codeOf(() => timeRange(5, 5))).toBe('RANGE_INVALID');
    expect(codeOf(() => timeRange(5, 4))).toBe('RANGE_INVALID');
    expect(codeOf(() => timeRange(0.5, 4))).toBe('RANGE_INVALID');
  });

  it('touch exactly the days of their first and last millisecond, and all between', () => {
    fc.assert(
      fc.property(anyRange, (range) => {
        const days = daysOf(range);
        expect(days[0]).toBe(dayOf(range.startMs));
        expect(days.at(-1)).toBe(dayOf(range.endMs - 1));
        expect(new Set(days).size).toBe(days.length);
        expect(days.length).toBe(
          Math.floor((range.endMs - 1) / MS_PER_DAY) - Math.floor(range.startMs / MS_PER_DAY) + 1,
        );
      }),
    );
  });

  it('have gaps that are exactly what no cover holds', () => {
    fc.assert(
      fc.property(anyRange, fc.array(anyRange, { maxLength: 8 }), (range, covers) => {
        const gaps = gapsIn(range, covers);
        const length = (ranges: readonly { startMs: number; endMs: number }[]) =>
          ranges.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0);
        for (const gap of gaps) {
          expect(intersect(gap, range)).toEqual(gap);
          for (const cover of covers) expect(intersect(gap, cover)).toBeNull();
        }
        // What is left of the range outside the gaps is covered without a gap.
        const inside = covers.map((cover) => intersect(cover, range)).filter((part) => part !== null);
        expect(gapsIn(range, [...inside, ...gaps])).toEqual([]);
        expect(length(gaps)).toBeLessThanOrEqual(range.endMs - range.startMs);
      }),
    );
  });
});
