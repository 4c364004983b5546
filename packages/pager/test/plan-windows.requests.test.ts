import { MS_PER_DAY, MS_PER_HOUR, NO_FILTER, type Random, seededRandom, type TimeRange } from '@edrlake/core';
import { expect, test } from 'vitest';
import { planWindows } from '../src/plan/plan-windows.ts';
import { type MemoryEvent, memorySource } from './memory-source.ts';

const START_MS = Date.UTC(2020, 7, 17);
const WEEK: TimeRange = { startMs: START_MS, endMs: START_MS + 7 * MS_PER_DAY };
const DAY: TimeRange = { startMs: START_MS, endMs: START_MS + MS_PER_DAY };

/** Events by hour of the day: quiet nights, a steep morning, a dip at noon. */
const HOURLY = [1, 1, 1, 1, 1, 2, 4, 8, 14, 16, 16, 15, 12, 14, 16, 15, 13, 9, 6, 4, 3, 2, 2, 1];

function stepwiseDay(random: Random): number {
  for (;;) {
    const ms = Math.floor(random() * MS_PER_DAY);
    if (random() * 16 < (HOURLY[Math.floor(ms / MS_PER_HOUR)] as number)) return ms;
  }
}

function smoothDay(random: Random): number {
  for (;;) {
    const ms = Math.floor(random() * MS_PER_DAY);
    if (random() * 1.8 < 1 + 0.8 * Math.sin((2 * Math.PI * ms) / MS_PER_DAY - 1.5)) return ms;
  }
}

function burstDay(random: Random): number {
  return random() < 0.6 ? 9 * MS_PER_HOUR + Math.floor(random() * 300_000) : Math.floor(random() * MS_PER_DAY);
}

function events(count: number, days: number, msOfDay: (random: Random) => number): MemoryEvent[] {
  const random = seededRandom(count);
  const instants = Float64Array.from({ length: count }, () => {
    const day = Math.floor(random() * days);
    return START_MS + day * MS_PER_DAY + msOfDay(random);
  });
  return Array.from(instants.sort(), (atMs) => ({ atMs }));
}

async function requestRatio(all: readonly MemoryEvent[], range: TimeRange, histogram: boolean): Promise<number> {
  const source = memorySource(all, { pageSize: 1_000, maxResultWindow: 10_000, histogram });
  const plan = await planWindows(
    source,
    { axis: 'event', range, scope: NO_FILTER },
    { signal: new AbortController().signal, emit: () => undefined },
  );
  const { count, groups, histogram: histograms } = source.calls;
  expect(plan.planRequests).toBe(count + groups + histograms);
  expect(plan.events).toBe(all.length);
  return (plan.planRequests + plan.pages) / plan.lowerBound;
}

test.each([
  ['a smooth', smoothDay],
  ['a stepwise', stepwiseDay],
])(
  'a million events over a week of %s daily profile need at most 5 % more requests than pages with histograms, 25 % without',
  async (_name, msOfDay) => {
    const all = events(1_000_000, 7, msOfDay);
    expect(await requestRatio(all, WEEK, true)).toBeLessThanOrEqual(1.05);
    expect(await requestRatio(all, WEEK, false)).toBeLessThanOrEqual(1.25);
  },
);

test('days with 60 % of their events in five minutes need at most 10 % more with histograms', async () => {
  expect(await requestRatio(events(1_000_000, 7, burstDay), WEEK, true)).toBeLessThanOrEqual(1.1);
  expect(await requestRatio(events(150_000, 1, burstDay), DAY, true)).toBeLessThanOrEqual(1.1);
});

test('a range that fits into one window costs one count, at any length', async () => {
  const source = memorySource(events(9_999, 7, smoothDay), { pageSize: 1_000, maxResultWindow: 10_000 });
  const plan = await planWindows(
    source,
    { axis: 'processed', range: { startMs: 0, endMs: START_MS * 2 }, scope: NO_FILTER },
    { signal: new AbortController().signal, emit: () => undefined },
  );
  expect(source.calls).toEqual({ count: 1, groups: 0, histogram: 0, page: 0 });
  expect(plan).toMatchObject({ events: 9_999, planRequests: 1, pages: 10, lowerBound: 10, emptyWindows: [] });
  expect(plan.windows).toHaveLength(1);
});

test('a count of the caller is not requested again, and a zero takes one page to confirm', async () => {
  const source = memorySource(events(500, 7, smoothDay), { pageSize: 1_000, maxResultWindow: 10_000 });
  const planFor = (counted: number) =>
    planWindows(
      source,
      { axis: 'event', range: WEEK, scope: NO_FILTER },
      { signal: new AbortController().signal, emit: () => undefined, counted },
    );
  expect(await planFor(500)).toMatchObject({ events: 500, planRequests: 0, emptyWindows: [] });
  expect(source.calls.count).toBe(0);
  expect(await planFor(0)).toMatchObject({ windows: [], planRequests: 0, pages: 1, emptyWindows: [{ range: WEEK }] });
  expect(source.calls.count).toBe(0);
});

test('years of few events are planned with few requests', async () => {
  const random = seededRandom(5);
  const years: TimeRange = { startMs: START_MS, endMs: START_MS + 1_000 * MS_PER_DAY };
  const spread = Array.from({ length: 200_000 }, () => ({
    atMs: START_MS + Math.floor(random() * 1_000 * MS_PER_DAY),
  }));
  expect(await requestRatio(spread, years, true)).toBeLessThanOrEqual(1.05);
  expect(await requestRatio(spread, years, false)).toBeLessThanOrEqual(1.25);
});
