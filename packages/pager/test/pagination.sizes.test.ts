import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EdrlakeError, NO_FILTER, type RunEvent } from '@edrlake/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FailedWindow } from '../src/fetch/failed-window.ts';
import { type FetchOptions, fetchWindows } from '../src/fetch/fetch-windows.ts';
import { alternativePagination, sizeAfterRefusal } from '../src/fetch/pagination.ts';
import { planWindows } from '../src/plan/plan-windows.ts';
import { bodyOf, type MemoryEvent, type MemorySource, memorySource } from './memory-source.ts';

const START_MS = Date.UTC(2020, 7, 17);
const RANGE = { startMs: START_MS, endMs: START_MS + 1_000_000 };

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-sizes-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function spread(count: number): MemoryEvent[] {
  return Array.from({ length: count }, (_, i) => ({ atMs: START_MS + i * 100, id: `e${i}` }));
}

async function fetchAll(source: MemorySource, more: Partial<FetchOptions> = {}) {
  const seen: RunEvent[] = [];
  const signal = new AbortController().signal;
  const planning = { signal, emit: () => undefined };
  const { windows } = await planWindows(source, { axis: 'event', range: RANGE, scope: NO_FILTER }, planning);
  const failed: FailedWindow[] = [];
  let records = 0;
  let proven = 0;
  const options: FetchOptions = {
    spoolDirectory: directory,
    concurrency: 2,
    shape: null,
    signal,
    emit: (event) => seen.push(event),
    ...more,
  };
  for await (const window of fetchWindows(source, windows, options)) {
    if (window.verdict === 'failed') failed.push(window);
    else records += window.recordCount;
    if (window.verdict === 'complete') proven += window.count;
  }
  return { failed, records, proven, sizes: seen.filter((event) => event.type === 'page-size') };
}

/** Refuses pages of more than a number of events. */
function refuseAbove(source: MemorySource, most: number, largestPageSize?: number): void {
  const { page } = source;
  source.page = async (query, pageNumber, read, signal, way) => {
    if ((way?.pageSize ?? source.pageSize) > most) {
      throw new EdrlakeError('PAGE_SIZE_REFUSED', 'no', { context: { largestPageSize } });
    }
    return page(query, pageNumber, read, signal, way);
  };
}

describe('an API that gives smaller pages than requested, without saying so', () => {
  it.each([
    ['half of them', 50],
    ['a number that does not divide the window', 30],
    ['nearly all', 90],
  ])('is noticed with its first windows, and all events arrive: %s', async (_, pageSizeCap) => {
    const source = memorySource(spread(2_495), { pageSize: 100, maxResultWindow: 1_000, pageSizeCap });
    const recorded: number[] = [];
    const found = await fetchAll(source, {
      onPageSize: async (pageSize) => {
        recorded.push(pageSize);
      },
    });
    expect(found).toMatchObject({ failed: [], records: 2_495, proven: 2_495 });
    expect(found.sizes).toEqual([{ type: 'page-size', asked: 100, given: pageSizeCap }]);
    expect(recorded).toEqual([pageSizeCap]);
    expect(source.pageSize).toBe(pageSizeCap);
    // At most two windows are read without use before it is known.
    expect(source.calls.page).toBeLessThanOrEqual(Math.ceil(2_495 / pageSizeCap) + 3 + 3 * 10 + 10);
  });

  it('is noticed in a window of a single page, once the page was short twice', async () => {
    const source = memorySource(spread(80), { pageSize: 100, maxResultWindow: 1_000, pageSizeCap: 50 });
    expect(await fetchAll(source)).toMatchObject({ proven: 80, sizes: [{ given: 50 }] });
  });

  it('whose offset counts pages of the requested size is handled as well', async () => {
    const source = memorySource(spread(250), { pageSize: 100, maxResultWindow: 1_000 });
    source.page = async (query, pageNumber, read, signal, way) => {
      const asked = way?.pageSize ?? 100;
      const matching = source.matching(query);
      return read(bodyOf(matching.slice(pageNumber * asked, pageNumber * asked + Math.min(asked, 50)), signal));
    };
    expect(await fetchAll(source)).toMatchObject({ proven: 250, sizes: [{ given: 50 }] });
  });

  it.each([1, 2, 4])('is accepted after a second attempt where it gives %i of 100', async (pageSizeCap) => {
    const source = memorySource(spread(350), { pageSize: 100, maxResultWindow: 1_000, pageSizeCap });
    expect(await fetchAll(source)).toMatchObject({ proven: 350, sizes: [{ given: pageSizeCap }] });
  });

  it('with pages of different sizes, equal in two attempts, gets requests of the smallest size', async () => {
    const source = memorySource(spread(350), { pageSize: 100, maxResultWindow: 1_000 });
    source.page = async (query, pageNumber, read, signal, way) => {
      const asked = way?.pageSize ?? 100;
      const from = pageNumber * asked;
      return read(bodyOf(source.matching(query).slice(from, from + Math.min(asked, 40 + pageNumber)), signal));
    };
    expect(await fetchAll(source)).toMatchObject({ proven: 350, sizes: [{ given: 40 }] });
  });

  it.each([1, 3])('is read by cursors where it gives %i of 100', async (pageSizeCap) => {
    const walked = { pageSize: 100, maxResultWindow: 1_000, maxWindowEvents: 1_000, pageSizeCap };
    expect(await fetchAll(memorySource(spread(150), walked))).toMatchObject({ proven: 150 });
  });

  it('is read by cursors without a second attempt', async () => {
    const source = memorySource(spread(950), {
      pageSize: 100,
      maxResultWindow: 1_000,
      maxWindowEvents: 1_000,
      pageSizeCap: 20,
    });
    expect(await fetchAll(source)).toMatchObject({ proven: 950 });
    expect(source.calls.page).toBe(48);
  });

  it('is not suspected where one page lost an event once', async () => {
    const source = memorySource(spread(150), { pageSize: 100, maxResultWindow: 1_000 });
    const { page } = source;
    let asked = 0;
    source.page = (query, pageNumber, read, signal, way) => {
      asked++;
      if (asked > 1) return page(query, pageNumber, read, signal, way);
      return read(bodyOf(source.matching(query).slice(0, 99), signal));
    };
    expect(await fetchAll(source)).toMatchObject({ proven: 150, sizes: [] });
    expect(source.pageSize).toBe(100);
  });

  it('is not suspected where the count alone says that there is more', async () => {
    const source = memorySource(spread(100), { pageSize: 50, maxResultWindow: 1_000 });
    const { count } = source;
    source.count = async (query, signal) => (await count(query, signal)) + 1;
    expect(await fetchAll(source)).toMatchObject({ records: 100, proven: 0, sizes: [] });
  });
});

describe('an API that refuses a page size', () => {
  it('gets requests of the size that it names', async () => {
    const source = memorySource(spread(2_495), { pageSize: 1_000, maxResultWindow: 2_000 });
    refuseAbove(source, 300, 300);
    expect(await fetchAll(source)).toMatchObject({ failed: [], proven: 2_495, sizes: [{ asked: 1_000, given: 300 }] });
  });

  it('and names none gets smaller and smaller requests', async () => {
    const source = memorySource(spread(500), { pageSize: 1_000, maxResultWindow: 2_000 });
    refuseAbove(source, 150);
    const { proven, sizes } = await fetchAll(source);
    expect(proven).toBe(500);
    expect(sizes.map(({ given }) => given)).toEqual([500, 200, 100]);
  });

  it('of any kind, ends the run', async () => {
    const source = memorySource(spread(500), { pageSize: 1_000, maxResultWindow: 2_000 });
    refuseAbove(source, 0);
    await expect(fetchAll(source)).rejects.toMatchObject({ code: 'PAGE_SIZE_REFUSED' });
  });
});

it.each([
  [1_000, undefined, 500],
  [1_000, 700, 700],
  [500, 1_000, 200],
  [10, undefined, 5],
  [1, undefined, null],
])('after %i refused and %s named comes %s', (refused, largest, expected) => {
  expect(sizeAfterRefusal(refused, largest)).toBe(expected);
});

it.each([
  [1_000, 10_000],
  [1_000, 9_801],
  [1_000, 900],
  [1_000, 3],
  [7, 70],
  [2, 2],
])('another way through pages of %i reaches all %i events and ends its pages elsewhere', (pageSize, count) => {
  const way = alternativePagination({ pageSize, reversed: false }, count, 10_000);
  expect(way?.reversed).toBe(true);
  const other = way?.pageSize ?? 0;
  expect(other).not.toBe(pageSize);
  expect(Math.ceil(count / other)).toBeGreaterThan(1);
  expect(Math.ceil(count / other) * other).toBeLessThanOrEqual(10_000);
});

it('pages of a single event have no other boundaries', () => {
  expect(alternativePagination({ pageSize: 1, reversed: false }, 5, 10_000)).toBe(null);
});
