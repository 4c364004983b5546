import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type HistogramBucket, NO_FILTER, type PageReader, type PlannedWindow, type ValueCount } from '@edrlake/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isFailedWindow } from '../src/fetch/failed-window.ts';
import { fetchWindows } from '../src/fetch/fetch-windows.ts';
import { planWindows } from '../src/plan/plan-windows.ts';
import { bodyOf, type MemoryEvent, type MemorySource, memorySource } from './memory-source.ts';

const RANGE = { startMs: 1_597_622_400_000, endMs: 1_597_622_400_000 + 20_000 };

/** Quiet times, spread events and bursts of one millisecond, which leave empty ranges on both sides. */
const events = fc
  .array(
    fc.record({
      atMs: fc.oneof(
        fc.integer({ min: RANGE.startMs, max: RANGE.endMs - 1 }),
        fc.constantFrom(RANGE.startMs, RANGE.startMs + 7_777, RANGE.startMs + 7_779, RANGE.endMs - 1),
      ),
      copies: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 14 })),
      type: fc.constantFrom('FILE', 'PROCESS', 'NETWORK'),
    }),
    { maxLength: 12 },
  )
  .map((groups): MemoryEvent[] =>
    groups.flatMap(({ atMs, copies, type }, group) =>
      Array.from({ length: copies }, (_, copy) => ({
        atMs,
        type,
        agent: `a${(group + copy) % 9}`,
        id: `${group}-${copy}`,
      })),
    ),
  );

const sizes = fc.constantFrom(
  { pageSize: 1, maxResultWindow: 10 },
  { pageSize: 3, maxResultWindow: 9 },
  { pageSize: 10, maxResultWindow: 10 },
  { pageSize: 3, maxResultWindow: 9, maxWindowEvents: 12 },
);

const LIES = ['zero', 'fewer', 'more', 'much more', 'first missing', 'last missing'] as const;
type Lie = (typeof LIES)[number];

function wrongNumber(right: number, lie: Lie, by: number): number {
  if (lie === 'more') return right + by;
  if (lie === 'much more') return right + 10 * by;
  return lie === 'zero' ? 0 : Math.max(0, right - by);
}

/** Numbers of several ranges or values, one of them wrong, or none at all. */
function wrongList<T extends { readonly count: number }>(right: readonly T[], lie: Lie, by: number): readonly T[] {
  if (lie === 'zero') return [];
  if (lie === 'first missing') return right.slice(1);
  if (lie === 'last missing') return right.slice(0, -1);
  const at = by % Math.max(1, right.length);
  return right.map((one, index) => (index === at ? { ...one, count: wrongNumber(one.count, lie, by) } : one));
}

/** The source with one wrong answer, the one to the n-th request of any kind. */
function lyingOnce(truth: MemorySource, nth: number, lie: Lie, by: number): MemorySource {
  let requests = 0;
  const isIt = () => ++requests === nth;
  const { count, groups, histogram, page, walk } = truth;
  const wrongPage = <T>(read: PageReader<T>): PageReader<T> => {
    return async (body) => {
      const pieces: Uint8Array[] = [];
      for await (const piece of body) pieces.push(piece);
      const rows = JSON.parse(Buffer.concat(pieces).toString()) as MemoryEvent[];
      const kept = lie === 'first missing' ? rows.slice(1) : lie === 'last missing' ? rows.slice(0, -1) : [];
      return read(bodyOf(kept, new AbortController().signal));
    };
  };
  truth.count = async (...args) => {
    const isWrong = isIt();
    const right = await count(...args);
    return isWrong ? wrongNumber(right, lie, by) : right;
  };
  truth.groups = async (...args): Promise<readonly ValueCount[]> => {
    const isWrong = isIt();
    const right = await groups(...args);
    return isWrong ? wrongList(right, lie, by) : right;
  };
  truth.page = (query, pageNumber, read, ...rest) => page(query, pageNumber, isIt() ? wrongPage(read) : read, ...rest);
  truth.walk = (query, cursor, read, ...rest) => walk(query, cursor, isIt() ? wrongPage(read) : read, ...rest);
  if (histogram === null) return truth;
  return {
    ...truth,
    histogram: async (...args): Promise<readonly HistogramBucket[]> => {
      const isWrong = isIt();
      const right = await histogram(...args);
      return isWrong ? wrongList(right, lie, by) : right;
    },
  };
}

async function inDirectory<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'edrlake-lie-'));
  try {
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** The source with counts that are all too small, or too large, by the same number. */
function countingWrong(truth: MemorySource, by: number): MemorySource {
  const { count, groups, histogram } = truth;
  const wrong = (right: number) => Math.max(0, right + by);
  truth.count = async (...args) => wrong(await count(...args));
  truth.groups = async (...args) => (await groups(...args)).map((one) => ({ ...one, count: wrong(one.count) }));
  if (histogram === null) return truth;
  return {
    ...truth,
    histogram: async (...args) => (await histogram(...args)).map((one) => ({ ...one, count: wrong(one.count) })),
  };
}

/** Plans and fetches, and compares each complete window with the truth. */
function expectWholeWindows(truth: MemorySource, source: MemorySource): Promise<void> {
  const signal = new AbortController().signal;
  const emit = () => undefined;
  return inDirectory(async (spoolDirectory) => {
    const request = { axis: 'event', range: RANGE, scope: NO_FILTER } as const;
    // A plan may give up: then nothing is claimed.
    const plan = await planWindows(source, request, { signal, emit }).catch(() => null);
    if (plan === null) return;
    const empty: PlannedWindow[] = plan.emptyWindows.map((window) => ({ window, count: 0 }));
    const options = { spoolDirectory, concurrency: 1, shape: null, signal, emit };
    for await (const fetched of fetchWindows(source, [...plan.windows, ...empty], options)) {
      if (isFailedWindow(fetched) || fetched.verdict !== 'complete') continue;
      const texts = await Promise.all(fetched.pages.map(({ path }) => readFile(path, 'utf8')));
      const ids = texts.flatMap((text) => text.split('\n').slice(0, -1)).map((line) => JSON.parse(line).id);
      const there = truth.matching(fetched.window).map(({ id }) => id);
      expect(ids.sort()).toEqual(there.sort());
    }
  });
}

/** A part of the range is planned with one event and counted again with two. It has three, in a page each. */
const TWO_FULL_PAGES_OF_THREE: MemoryEvent[] = [0, 7_779, 7_779, ...Array<number>(9).fill(8_583)].map((ms, n) => ({
  atMs: RANGE.startMs + ms,
  type: 'FILE',
  agent: `a${n}`,
  id: `${n}`,
}));

test('a complete window has every event, if all counts are wrong by the same number', async () => {
  await fc.assert(
    fc.asyncProperty(
      events,
      sizes,
      fc.boolean(),
      fc.constantFrom(-1, -1, -2, -3, -9, 1),
      (all, size, histogram, by) => {
        const truth = memorySource(all, { ...size, histogram });
        return expectWholeWindows(truth, countingWrong(truth, by));
      },
    ),
    { numRuns: 25, examples: [[TWO_FULL_PAGES_OF_THREE, { pageSize: 1, maxResultWindow: 10 }, false, -1]] },
  );
});

test('a complete window has every event, if any one answer is wrong', async () => {
  await fc.assert(
    fc.asyncProperty(
      events,
      sizes,
      fc.boolean(),
      fc.integer({ min: 1, max: 12 }),
      fc.constantFrom(...LIES),
      fc.integer({ min: 1, max: 9 }),
      (all, size, histogram, nth, lie, by) => {
        const truth = memorySource(all, { ...size, histogram });
        return expectWholeWindows(truth, lyingOnce(truth, nth, lie, by));
      },
    ),
    { numRuns: 60 },
  );
});
