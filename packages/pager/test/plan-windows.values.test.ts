import { EdrlakeError, NO_FILTER, type RunEvent } from '@edrlake/core';
import { expect, test } from 'vitest';
import { type PlanOptions, planWindows } from '../src/plan/plan-windows.ts';
import { type MemoryEvent, type MemorySource, memorySource } from './memory-source.ts';

const AT_MS = Date.UTC(2020, 7, 17, 12);
const SIZES = { pageSize: 10, maxResultWindow: 100 };

function plan(source: MemorySource, options: Partial<PlanOptions> = {}) {
  const range = { startMs: AT_MS - 5_000, endMs: AT_MS + 5_000 };
  return planWindows(
    source,
    { axis: 'event', range, scope: NO_FILTER },
    { signal: new AbortController().signal, emit: () => undefined, ...options },
  );
}

function many(count: number, type: string, agent: (i: number) => string): MemoryEvent[] {
  return Array.from({ length: count }, (_, i) => ({ atMs: AT_MS, type, agent: agent(i) }));
}

test('one millisecond is divided by type, and the last window takes every other value', async () => {
  const source = memorySource(
    [...many(70, 'FILE', () => 'a'), ...many(60, 'PROCESS', () => 'a'), ...many(20, 'MUTEX', () => 'a')],
    SIZES,
  );
  const { windows, emptyWindows } = await plan(source);
  expect(windows.map(({ window, count }) => [window.cuts, count])).toEqual([
    [[{ field: 'type', op: 'in', values: ['FILE'] }], 70],
    [[{ field: 'type', op: 'not-in', values: ['FILE'] }], 80],
  ]);
  expect(emptyWindows.map(({ range }) => range)).toEqual([
    { startMs: AT_MS - 5_000, endMs: AT_MS },
    { startMs: AT_MS + 1, endMs: AT_MS + 5_000 },
  ]);
});

test('a type that is too large is divided by agent, several agents to a window', async () => {
  const source = memorySource([...many(240, 'FILE', (i) => `a${i % 12}`), ...many(30, 'PROCESS', () => 'a0')], SIZES);
  const { windows } = await plan(source);
  expect(windows.map(({ count }) => count)).toEqual([100, 40, 100, 30]);
  expect(windows[0]?.window.cuts).toEqual([
    { field: 'type', op: 'in', values: ['FILE'] },
    { field: 'agent', op: 'in', values: ['a0', 'a1', 'a2', 'a3', 'a4'] },
  ]);
  expect(windows[2]?.window.cuts[1]).toMatchObject({ field: 'agent', op: 'not-in' });
  expect(windows[2]?.window.cuts[1]?.values).toHaveLength(7);
});

test('events without a type or an agent are in the remaining window', async () => {
  const source = memorySource(
    [...many(90, 'FILE', () => 'a'), ...Array.from({ length: 50 }, () => ({ atMs: AT_MS }))],
    SIZES,
  );
  const { windows } = await plan(source);
  expect(windows.map(({ window, count }) => [window.cuts[0]?.op, count])).toEqual([
    ['in', 90],
    ['not-in', 50],
  ]);
});

test('no window selects more values than a URL carries', async () => {
  const source = memorySource(
    many(190, 'FILE', (i) => `agent-${i}`),
    SIZES,
  );
  const { windows } = await plan(source);
  expect(windows.reduce((sum, { count }) => sum + count, 0)).toBe(190);
  for (const { window } of windows) {
    for (const cut of window.cuts) expect(cut.values.length).toBeLessThanOrEqual(cut.op === 'in' ? 40 : 120);
  }
});

test('a part that cannot be divided any further is an error that names it', async () => {
  const source = memorySource([...many(150, 'FILE', () => 'the-agent'), ...many(5, 'FILE', () => 'other')], SIZES);
  await expect(plan(source)).rejects.toMatchObject({
    code: 'WINDOW_INDIVISIBLE',
    message:
      'expected at most 100 events in any millisecond, type and agent, found 150 at 2020-08-17T12:00:00.000Z, agent the-agent',
  });
});

test('more small agents than a URL can exclude are an error, not a truncation', async () => {
  const source = memorySource(
    many(400, 'FILE', (i) => `agent-${i}`),
    SIZES,
  );
  await expect(plan(source)).rejects.toMatchObject({ code: 'WINDOW_INDIVISIBLE' });
});

test('a range without events is one window that takes one page to confirm', async () => {
  const seen: RunEvent[] = [];
  const result = await plan(memorySource([], SIZES), { emit: (event) => seen.push(event) });
  expect(result).toMatchObject({ windows: [], events: 0, planRequests: 1, pages: 1, lowerBound: 0 });
  expect(result.emptyWindows).toHaveLength(1);
  expect(seen).toMatchObject([
    { type: 'planning' },
    { type: 'planned', windows: 1, events: 0, pages: 1, planRequests: 1 },
  ]);
});

test('a range whose counts stay broken is left out, and the rest of the range is planned', async () => {
  const spread = Array.from({ length: 1_000 }, (_, i) => ({ atMs: AT_MS - 5_000 + i * 10 }));
  const source = memorySource(spread, { ...SIZES, histogram: false });
  const { count } = source;
  const broken = (brokenFromMs: number) => {
    source.count = async (query, signal) => {
      const { startMs, endMs } = query.range;
      if (startMs < brokenFromMs || endMs - startMs === 10_000) return count(query, signal);
      throw new EdrlakeError('BODY_BROKEN', 'no body', { disposition: 'retry' });
    };
  };
  broken(AT_MS);
  const { windows, emptyWindows, uncounted, events } = await plan(source);
  expect(new Set(uncounted.map(({ error }) => error.code))).toEqual(new Set(['BODY_BROKEN']));
  const ranges = [...windows, ...uncounted].map(({ window }) => window.range).sort((a, b) => a.startMs - b.startMs);
  expect([ranges[0]?.startMs, ranges.at(-1)?.endMs, emptyWindows]).toEqual([AT_MS - 5_000, AT_MS + 5_000, []]);
  for (const [at, { startMs }] of ranges.slice(1).entries()) expect(startMs).toBe(ranges[at]?.endMs);
  expect(events).toBe(windows.reduce((sum, { window }) => sum + source.matching(window).length, 0));
  expect(events).toBeGreaterThanOrEqual(400);
  source.count = async () => {
    throw new EdrlakeError('SERVER_ERROR', 'answered 500', { disposition: 'retry' });
  };
  await expect(plan(source)).rejects.toMatchObject({ code: 'SERVER_ERROR' });
});

test('a histogram the API refuses is replaced by counts, a refused login is not', async () => {
  const spread = Array.from({ length: 500 }, (_, i) => ({ atMs: AT_MS - 5_000 + i * 19 }));
  const source = memorySource(spread, SIZES);
  const refusing = (code: 'FILTER_REJECTED' | 'AUTH_REJECTED'): MemorySource => ({
    ...source,
    histogram: async () => {
      throw new EdrlakeError(code, 'refused');
    },
  });
  expect((await plan(refusing('FILTER_REJECTED'))).events).toBe(500);
  await expect(plan(refusing('AUTH_REJECTED'))).rejects.toMatchObject({ code: 'AUTH_REJECTED' });
});

test('the caller can do without histograms and stop at any moment', async () => {
  const spread = Array.from({ length: 500 }, (_, i) => ({ atMs: AT_MS - 5_000 + i * 19 }));
  const source = memorySource(spread, SIZES);
  await plan(source, { histogram: false });
  expect(source.calls.histogram).toBe(0);
  const stopped = AbortSignal.abort(new EdrlakeError('INTERRUPTED', 'stopped'));
  await expect(plan(source, { signal: stopped })).rejects.toMatchObject({ code: 'INTERRUPTED' });
});

test('counts that never settle end in an error, not in endless requests', async () => {
  const source = memorySource([], SIZES);
  let count = 1_000;
  source.count = async () => {
    count += 1_000;
    return count;
  };
  await expect(plan(source, { histogram: false, maxPlanRequests: 50 })).rejects.toMatchObject({
    code: 'RESPONSE_UNEXPECTED',
    message: 'expected a plan within 50 count requests, the counts still do not add up',
  });
});

test('a histogram that puts events elsewhere is noticed before it costs anything', async () => {
  const spread = Array.from({ length: 2_000 }, (_, i) => ({ atMs: AT_MS - 5_000 + Math.floor(i * i * 0.002) }));
  const source = memorySource(spread, SIZES);
  const { histogram } = source;
  const shifted: MemorySource = {
    ...source,
    histogram: async (query, bucketMs, signal) => {
      const buckets = (await histogram?.(query, bucketMs, signal)) ?? [];
      return buckets.map(({ range }, i) => ({ range, count: buckets.at(-1 - i)?.count ?? 0 }));
    },
  };
  for (const { window, count } of (await plan(shifted)).windows) expect(source.matching(window)).toHaveLength(count);
});
