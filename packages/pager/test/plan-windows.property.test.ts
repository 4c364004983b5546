import { type EventQuery, type HistogramBucket, NO_FILTER, type TimeRange } from '@edrlake/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { planWindows, type WindowPlan } from '../src/plan/plan-windows.ts';
import { type MemoryEvent, type MemorySource, memorySource } from './memory-source.ts';

const RANGE: TimeRange = { startMs: 1_597_622_400_000, endMs: 1_597_622_400_000 + 20_000 };
const signal = new AbortController().signal;

/** Spread events, bursts of one millisecond, and everything between. */
const events = fc
  .array(
    fc.record({
      atMs: fc.oneof(
        fc.integer({ min: RANGE.startMs, max: RANGE.endMs - 1 }),
        fc.constantFrom(RANGE.startMs, RANGE.startMs + 7_777, RANGE.startMs + 7_778, RANGE.endMs - 1),
      ),
      copies: fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, fc.integer({ min: 1, max: 12 })),
      type: fc.constantFrom('FILE', 'PROCESS', 'NETWORK'),
      agent: fc.constantFrom('a1', 'a2', 'a3', 'a4', 'a5', 'a6'),
    }),
    { maxLength: 60 },
  )
  .map((groups): MemoryEvent[] =>
    groups.flatMap(({ atMs, copies, type, agent }, group) =>
      Array.from({ length: copies }, (_, copy) => ({
        atMs,
        type,
        agent: `${agent}-${(group + copy) % 9}`,
        id: `${group}-${copy}`,
      })),
    ),
  );

const sizes = fc.constantFrom(
  { pageSize: 1, maxResultWindow: 10 },
  { pageSize: 3, maxResultWindow: 10 },
  { pageSize: 5, maxResultWindow: 20 },
  { pageSize: 10, maxResultWindow: 10 },
);

function plan(source: MemorySource): Promise<WindowPlan> {
  return planWindows(source, { axis: 'event', range: RANGE, scope: NO_FILTER }, { signal, emit: () => undefined });
}

function expectExact(result: WindowPlan, source: MemorySource): void {
  const held = new Map<MemoryEvent, number>();
  for (const { window, count } of result.windows) {
    const inside = source.matching(window);
    expect(inside.length).toBe(count);
    expect(count).toBeGreaterThan(0);
    expect(count).toBeLessThanOrEqual(Math.floor(source.maxResultWindow / source.pageSize) * source.pageSize);
    for (const event of inside) held.set(event, (held.get(event) ?? 0) + 1);
  }
  for (const window of result.emptyWindows) expect(source.matching(window)).toEqual([]);
  expect([...held.values()].every((times) => times === 1)).toBe(true);
  expect(held.size).toBe(source.events.length);
  expect(result.events).toBe(source.events.length);
  expectTiled(result);
}

/** Ranges touch without overlap; windows of the same range differ in filters that exclude each other. */
function expectTiled(result: WindowPlan): void {
  const queries: EventQuery[] = [...result.windows.map(({ window }) => window), ...result.emptyWindows];
  queries.sort((a, b) => a.range.startMs - b.range.startMs);
  let reachedMs = RANGE.startMs;
  for (const { range, cuts } of queries) {
    if (range.endMs === reachedMs) {
      expect(range.endMs - range.startMs).toBe(1);
      expect(cuts.length).toBeGreaterThan(0);
    } else {
      expect(range.startMs).toBe(reachedMs);
      reachedMs = range.endMs;
    }
  }
  expect(reachedMs).toBe(RANGE.endMs);
  const starts = result.windows.map(({ window }) => window.range.startMs);
  expect(starts).toEqual([...starts].sort((a, b) => a - b));
  expect(new Set(result.windows.map(({ window }) => window.id)).size).toBe(result.windows.length);
}

test.each([true, false])('every event is in exactly one window (histogram: %s)', async (histogram) => {
  await fc.assert(
    fc.asyncProperty(events, sizes, async (all, size) => {
      const source = memorySource(all, { ...size, histogram });
      const result = await plan(source);
      expectExact(result, source);
      const { count, groups, histogram: histograms } = source.calls;
      expect(result.planRequests).toBe(count + groups + histograms);
      expect(result.planRequests).toBeLessThanOrEqual(5 + 40 * result.windows.length);
      expect(result.lowerBound).toBe(Math.ceil(all.length / size.pageSize));
      expect(result.pages).toBeGreaterThanOrEqual(result.lowerBound);
    }),
    { numRuns: 300 },
  );
});

type Lie = (buckets: readonly HistogramBucket[]) => readonly HistogramBucket[];
const lies: Record<string, Lie> = {
  'one bucket missing': (buckets) => buckets.slice(1),
  'one event too many': (buckets) =>
    buckets.map((bucket, i) => (i === 0 ? { ...bucket, count: bucket.count + 1 } : bucket)),
  'buckets in disorder': (buckets) => [...buckets].reverse(),
  'buckets outside the range': (buckets) =>
    buckets.map(({ range, count }) => ({
      range: { startMs: range.startMs + 3_600_000, endMs: range.endMs + 3_600_000 },
      count,
    })),
  'counts that are no numbers': (buckets) => buckets.map(({ range }) => ({ range, count: Number.NaN })),
  'an empty answer': () => [],
};

test.each(Object.entries(lies))('a histogram with %s is not used', async (_name, lie) => {
  await fc.assert(
    fc.asyncProperty(events, sizes, async (all, size) => {
      const honest = memorySource(all, size);
      const source: MemorySource = {
        ...honest,
        histogram: async (query, bucketMs, stop) => lie((await honest.histogram?.(query, bucketMs, stop)) ?? []),
      };
      expectExact(await plan(source), honest);
    }),
    { numRuns: 40 },
  );
});

test('events that arrive while it is counted are planned for or found by the next count, never in two windows', async () => {
  await fc.assert(
    fc.asyncProperty(events, events, sizes, fc.boolean(), async (before, arriving, size, histogram) => {
      const source = memorySource(before, { ...size, histogram });
      const { count, groups } = source;
      const arrivals = [...arriving];
      const arrive = () => {
        source.events = [...source.events, ...arrivals.splice(0, 2)];
      };
      source.count = async (...args) => {
        arrive();
        return count(...args);
      };
      source.groups = async (...args) => {
        arrive();
        return groups(...args);
      };
      const result = await plan(source).catch((thrown) => {
        expect(thrown).toMatchObject({ code: 'WINDOW_INDIVISIBLE' });
        return null;
      });
      if (result === null) return;
      expectTiled(result);
      const held = new Map<MemoryEvent, number>();
      for (const query of [...result.windows.map(({ window }) => window), ...result.emptyWindows]) {
        for (const event of source.matching(query)) held.set(event, (held.get(event) ?? 0) + 1);
      }
      expect([...held.values()].every((times) => times === 1)).toBe(true);
      expect(held.size).toBe(source.events.length);
    }),
    { numRuns: 200 },
  );
});
