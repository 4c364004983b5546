import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  EdrlakeError,
  type FetchedWindow,
  NO_FILTER,
  type Pagination,
  type RunEvent,
  type SpooledPage,
  windowOf,
} from '@edrlake/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FailedWindow } from '../src/fetch/failed-window.ts';
import { type FetchOptions, fetchWindows } from '../src/fetch/fetch-windows.ts';
import { planWindows } from '../src/plan/plan-windows.ts';
import { bodyOf, type MemoryEvent, type MemorySource, memorySource } from './memory-source.ts';

const START_MS = Date.UTC(2020, 7, 17);
const RANGE = { startMs: START_MS, endMs: START_MS + 1_000_000 };

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-fetch-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function spread(count: number, prefix = 'e'): MemoryEvent[] {
  return Array.from({ length: count }, (_, i) => ({ atMs: START_MS + i * 100, id: `${prefix}${i}` }));
}

async function planOf(source: MemorySource) {
  const options = { signal: new AbortController().signal, emit: () => undefined };
  return (await planWindows(source, { axis: 'event', range: RANGE, scope: NO_FILTER }, options)).windows;
}

/** One window over everything, with a given count. */
function oneWindow(count: number) {
  return [{ window: windowOf({ axis: 'event', range: RANGE, cuts: [], scope: NO_FILTER }), count }];
}

async function fetched(
  source: MemorySource,
  windows: Awaited<ReturnType<typeof planOf>>,
  more: Partial<FetchOptions> = {},
) {
  const seen: RunEvent[] = [];
  const results: (FetchedWindow | FailedWindow)[] = [];
  const options: FetchOptions = {
    spoolDirectory: directory,
    concurrency: 3,
    shape: null,
    signal: new AbortController().signal,
    emit: (event) => seen.push(event),
    ...more,
  };
  for await (const result of fetchWindows(source, windows, options)) results.push(result);
  expect(source.pagesInFlight).toBe(0);
  return { results, seen, types: seen.map(({ type }) => type) };
}

function whole(result: FetchedWindow | FailedWindow | undefined): FetchedWindow {
  if (result === undefined || result.verdict === 'failed') throw new EdrlakeError('BUG', 'expected a fetched window');
  return result;
}

async function spooledIds(results: readonly (FetchedWindow | FailedWindow)[]): Promise<string[]> {
  const ids: string[] = [];
  for (const result of results) {
    if (result.verdict === 'failed') continue;
    for (const page of result.pages) {
      const lines = (await readFile(page.path, 'utf8')).split('\n');
      expect(lines.pop()).toBe('');
      expect(lines).toHaveLength(page.recordCount);
      ids.push(...lines.map((line) => (JSON.parse(line) as { id: string }).id));
    }
  }
  return ids;
}

test('all windows come once, complete, in order, with every event on disk, under the concurrency limit', async () => {
  const source = memorySource(spread(995), { pageSize: 10, maxResultWindow: 50 });
  const windows = await planOf(source);
  const pages: SpooledPage[] = [];
  const { results, types } = await fetched(source, windows, {
    onPage: async (page) => {
      expect((await readFile(page.path)).length).toBe(page.bodyBytes);
      pages.push(page);
    },
  });
  expect(results.map((result) => result.verdict)).toEqual(windows.map(() => 'complete'));
  expect(results.map((result) => result.window.id).sort()).toEqual(windows.map(({ window }) => window.id).sort());
  const ids = await spooledIds(results);
  expect(ids).toHaveLength(995);
  expect(new Set(ids).size).toBe(995);
  expect(source.mostPagesInFlight).toBe(3);
  // Of a full window the first page from the other end is requested too, and not kept.
  const fullWindows = windows.filter(({ count }) => count === 50).length;
  expect(pages).toHaveLength(source.calls.page - fullWindows);
  expect(types.filter((type) => type === 'page')).toHaveLength(pages.length);
  expect(types.filter((type) => type === 'window')).toHaveLength(windows.length);
  expect(whole(results[0]).distinctIds).toBe(whole(results[0]).count);
  expect(whole(results[0]).bodyBytes).toBe(whole(results[0]).pages.reduce((sum, page) => sum + page.bodyBytes, 0));
});

test.each([
  ['the same number', 3, 4],
  ['fewer', 2, 4],
  ['more', 5, 3],
])(
  'a source that sends %s of requests at once has one more in its queue, if it sends no more than allowed',
  async (...row) => {
    const [, ofSource, inWork] = row;
    const source = Object.assign(memorySource(spread(995), { pageSize: 10, maxResultWindow: 50 }), {
      concurrency: () => ofSource,
    });
    const { results } = await fetched(source, await planOf(source), { concurrency: 3 });
    expect(new Set(await spooledIds(results)).size).toBe(995);
    expect(source.mostPagesInFlight).toBe(inWork);
  },
);

test('a full last page is followed by the next page, an incomplete one is not', async () => {
  const source = memorySource(spread(20), { pageSize: 10, maxResultWindow: 50 });
  await fetched(source, oneWindow(20));
  expect(source.calls).toMatchObject({ page: 3, count: 0 });
  const other = memorySource(spread(19), { pageSize: 10, maxResultWindow: 50 });
  await fetched(other, oneWindow(19));
  expect(other.calls).toMatchObject({ page: 2, count: 0 });
});

test('a full last page at the end of the result window is followed by the first page from the other end', async () => {
  const source = memorySource(spread(20), { pageSize: 10, maxResultWindow: 20 });
  const { results } = await fetched(source, oneWindow(20));
  expect(results).toMatchObject([{ verdict: 'complete', recordCount: 20 }]);
  expect(whole(results[0]).pages).toHaveLength(2);
  expect(source.calls).toMatchObject({ page: 3, count: 0 });
});

test.each([
  [11, 50],
  [21, 20],
])('%s events that are counted as one fewer are not complete (result window %s)', async (events, maxResultWindow) => {
  const source = memorySource(spread(events), { pageSize: 10, maxResultWindow });
  source.count = async (query) => source.matching(query).length - 1;
  const { results } = await fetched(source, oneWindow(events - 1));
  expect(results).toMatchObject([{ verdict: 'mismatch' }]);
  expect(new Set(await spooledIds(results)).size).toBe(events);
});

const refuseOrder = (): never => {
  throw new EdrlakeError('SORT_REJECTED', 'not in this order');
};
const refusePage = (): never => {
  throw new EdrlakeError('RESPONSE_UNEXPECTED', '404: there is no such page');
};

/** A source of 20 events that answers a page in another way than asked. */
function withPages(
  events: number,
  maxResultWindow: number,
  wayOf: (page: number, way: Pagination) => Pagination,
): MemorySource {
  const source = memorySource(spread(events), { pageSize: 10, maxResultWindow, histogram: false });
  const { page } = source;
  source.page = async (query, number, read, signal, way = { pageSize: 10, reversed: false }) =>
    page(query, number, read, signal, wayOf(number, way));
  return source;
}

test('a full last page is followed by a recount if the API refuses an empty page', async () => {
  const source = withPages(20, 50, (page, way) => (page >= 2 ? refusePage() : way));
  const { results } = await fetched(source, oneWindow(20));
  expect(results).toMatchObject([{ verdict: 'complete', recordCount: 20 }]);
  expect(source.calls.count).toBe(1);
});

describe.each([
  ['ignores the order', (_: number, way: Pagination) => ({ ...way, reversed: false })],
  ['refuses the order', (_: number, way: Pagination) => (way.reversed ? refuseOrder() : way)],
])('at the end of the result window of an API that %s', (_, wayOf) => {
  test('smaller windows show that nothing follows', async () => {
    const source = withPages(20, 20, wayOf);
    const { results } = await fetched(source, oneWindow(20));
    expect(results.map(({ verdict }) => verdict)).toEqual(results.map(() => 'complete'));
    expect(results.length).toBeGreaterThan(1);
    expect(new Set(await spooledIds(results)).size).toBe(20);
  });

  test.each([21, 40, 95])(
    'and that more follow, where it counts no further than it pages: %s events',
    async (events) => {
      const source = withPages(events, 20, wayOf);
      const { count } = source;
      source.count = async (query, signal) => Math.min(20, await count(query, signal));
      const { results } = await fetched(source, oneWindow(20));
      const complete = results.filter(({ verdict }) => verdict === 'complete');
      expect(complete.length).toBeGreaterThan(1);
      for (const { window } of complete) {
        const listed = await spooledIds(complete.filter((other) => other.window === window));
        expect(new Set(listed).size).toBe(source.matching(window).length);
      }
    },
  );
});

test.each([undefined, 100])(
  'a window without events is complete after one empty page (walked by: %s)',
  async (walked) => {
    const size = { pageSize: 10, maxResultWindow: 50, ...(walked !== undefined && { maxWindowEvents: walked }) };
    const source = memorySource([], size);
    const { results } = await fetched(source, oneWindow(0));
    expect(results).toMatchObject([{ verdict: 'complete', pages: [{ recordCount: 0 }], recordCount: 0 }]);
    expect(source.calls).toEqual({ count: 0, groups: 0, histogram: 0, page: 1 });
  },
);

test.each([undefined, 100])(
  'a zero that was given in error is noticed by its first page (walked by: %s)',
  async (walked) => {
    for (const events of [1, 10, 33, 400]) {
      const size = { pageSize: 10, maxResultWindow: 50, ...(walked !== undefined && { maxWindowEvents: walked }) };
      const source = memorySource(spread(events), size);
      const { results } = await fetched(source, oneWindow(0));
      expect(results.map(({ verdict }) => verdict)).toEqual(results.map(() => 'complete'));
      expect(new Set(await spooledIds(results)).size).toBe(events);
      await rm(directory, { recursive: true });
    }
  },
);

test('a wrong recount of zero does not make a window empty', async () => {
  const source = memorySource(spread(30), { pageSize: 10, maxResultWindow: 50 });
  const { count } = source;
  const answers = [0];
  source.count = async (query, signal) => answers.pop() ?? count(query, signal);
  const { results } = await fetched(source, oneWindow(25));
  expect(results).toMatchObject([{ verdict: 'complete', count: 30, recordCount: 30 }]);
});

test('an empty page that finally fails leaves the zero unconfirmed: a failed window', async () => {
  const source = memorySource([], { pageSize: 10, maxResultWindow: 50 });
  source.page = async () => {
    throw new EdrlakeError('SERVER_ERROR', 'answered 500');
  };
  const { results } = await fetched(source, oneWindow(0));
  expect(results).toMatchObject([{ verdict: 'failed', count: 0, error: { code: 'SERVER_ERROR' } }]);
});

test('a count that has shrunk to the fetched number is accepted once another attempt agrees', async () => {
  const source = memorySource(spread(17), { pageSize: 10, maxResultWindow: 50 });
  const { results, types } = await fetched(source, oneWindow(19));
  expect(results).toMatchObject([{ verdict: 'complete', count: 17, recordCount: 17 }]);
  expect(types.filter((type) => type === 'window-refetch')).toHaveLength(1);
});

test('more events than planned are fetched with a second attempt', async () => {
  const source = memorySource(spread(33), { pageSize: 10, maxResultWindow: 50 });
  const { results, seen } = await fetched(source, oneWindow(20));
  expect(results).toMatchObject([{ verdict: 'complete', count: 33, recordCount: 33, distinctIds: 33 }]);
  expect(seen).toContainEqual(
    expect.objectContaining({ type: 'window-refetch', counted: 33, fetched: 30, attempt: 1 }),
  );
  const left = await readdir(join(directory, results[0]!.window.id));
  expect(left.sort()).toEqual(['0-retry1.ndjson', '1-retry1.ndjson', '2-retry1.ndjson', '3-retry1.ndjson']);
});

test('an event that arrives between two pages, shifting all others, is noticed and corrected', async () => {
  const source = memorySource(spread(25), { pageSize: 10, maxResultWindow: 50 });
  const { page } = source;
  let arrived = false;
  source.page = async (query, pageNumber, read, signal) => {
    if (pageNumber === 1 && !arrived) {
      arrived = true;
      source.events = [{ atMs: START_MS, id: 'late' }, ...source.events];
    }
    return page(query, pageNumber, read, signal);
  };
  const { results, types } = await fetched(source, oneWindow(25), { concurrency: 1 });
  expect(types).toContain('window-refetch');
  expect(results).toMatchObject([{ verdict: 'complete', count: 26, distinctIds: 26 }]);
  expect(new Set(await spooledIds(results)).size).toBe(26);
});

test('pages that overlap because the order changed are fetched again', async () => {
  const source = memorySource(spread(25), { pageSize: 10, maxResultWindow: 50 });
  const { page } = source;
  source.page = async (query, pageNumber, read, signal) => {
    if (source.calls.page === 1) {
      source.calls.page++;
      return read(bodyOf([...source.matching(query)].reverse().slice(10, 20), signal));
    }
    return page(query, pageNumber, read, signal);
  };
  const { results } = await fetched(source, oneWindow(25), { concurrency: 1 });
  expect(results).toMatchObject([{ verdict: 'complete', recordCount: 25, distinctIds: 25 }]);
});

test('records without an id may repeat', async () => {
  const nameless = Array.from({ length: 5 }, () => ({ atMs: START_MS, id: null }));
  const source = memorySource([...spread(10), ...nameless], { pageSize: 10, maxResultWindow: 50 });
  const { results } = await fetched(source, oneWindow(15));
  expect(results).toMatchObject([{ verdict: 'complete', recordCount: 15, distinctIds: 10, withoutId: 5 }]);
});

test('a window that never adds up is a mismatch with every distinct record of all attempts', async () => {
  const source = memorySource(spread(25), { pageSize: 10, maxResultWindow: 50 });
  const { page } = source;
  let attempts = 0;
  source.page = async (query, pageNumber, read, signal) => {
    if (pageNumber !== 1) return page(query, pageNumber, read, signal);
    source.calls.page++;
    // Each attempt drops another event and delivers its neighbour twice.
    const dropped = attempts++;
    const events = [...source.matching(query).slice(10, 20)];
    events[dropped] = events[dropped + 1]!;
    return read(bodyOf(events, signal));
  };
  const { results, types } = await fetched(source, oneWindow(25));
  expect(types.filter((type) => type === 'window-refetch')).toHaveLength(2);
  expect(attempts).toBe(3);
  const result = whole(results[0]);
  expect(result).toMatchObject({ verdict: 'mismatch', count: 25, distinctIds: 25, recordCount: 35 });
  expect(new Set(await spooledIds(results)).size).toBe(25);
  expect((await readdir(join(directory, result.window.id))).length).toBe(result.pages.length);
});

test('a count that the API always contradicts keeps the last attempt only', async () => {
  const source = memorySource(spread(25), { pageSize: 10, maxResultWindow: 50 });
  source.count = async () => 26;
  const { results } = await fetched(source, oneWindow(26), { maxRefetches: 1 });
  expect(results).toMatchObject([{ verdict: 'mismatch', count: 26, recordCount: 25, distinctIds: 25 }]);
  expect(await readdir(join(directory, results[0]!.window.id))).toHaveLength(3);
});

test('a window that has outgrown the result window is replaced by parts that tile it', async () => {
  const source = memorySource(spread(130), { pageSize: 10, maxResultWindow: 50 });
  const { results, seen } = await fetched(source, oneWindow(45));
  expect(results.length).toBeGreaterThanOrEqual(3);
  expect(results.every((result) => result.verdict === 'complete')).toBe(true);
  expect(seen).toContainEqual(expect.objectContaining({ type: 'window-split', into: results.length }));
  expect(new Set(await spooledIds(results)).size).toBe(130);
  const ranges = results.map(({ window }) => window.range).sort((a, b) => a.startMs - b.startMs);
  expect(ranges[0]?.startMs).toBe(RANGE.startMs);
  expect(ranges.at(-1)?.endMs).toBe(RANGE.endMs);
  for (const [i, range] of ranges.slice(1).entries()) expect(range.startMs).toBe(ranges[i]?.endMs);
});

test('smaller windows are requested from a source that pages less far than it says', async () => {
  const source = memorySource(spread(48), { pageSize: 10, maxResultWindow: 50 });
  const { page } = source;
  source.page = async (query, pageNumber, read, signal) => {
    if (pageNumber < 3) return page(query, pageNumber, read, signal);
    throw new EdrlakeError('RESULT_WINDOW_EXCEEDED', 'too far', { disposition: 'split' });
  };
  const { results } = await fetched(source, oneWindow(48));
  expect(results.every((result) => result.verdict === 'complete')).toBe(true);
  expect(new Set(await spooledIds(results)).size).toBe(48);
});

test('a window that keeps growing past the limit fails after a bounded number of splits', async () => {
  const source = memorySource(spread(60), { pageSize: 1, maxResultWindow: 2 });
  source.page = async () => {
    throw new EdrlakeError('RESULT_WINDOW_EXCEEDED', 'too far', { disposition: 'split' });
  };
  const { results } = await fetched(source, oneWindow(2));
  expect(results.length).toBeGreaterThan(0);
  expect(results.every((result) => result.verdict === 'failed')).toBe(true);
});

test('pages of a killed run are used again when they are unchanged, and fetched when not', async () => {
  const source = memorySource(spread(95), { pageSize: 10, maxResultWindow: 50 });
  const windows = await planOf(source);
  const journal = new Map<string, SpooledPage[]>();
  const onPage = async (page: SpooledPage) => {
    journal.set(page.windowId, [...(journal.get(page.windowId) ?? []), page]);
  };
  await fetched(source, windows, { onPage });
  const all = [...journal.values()].flat();
  const [first, second, third] = all;
  await writeFile(first!.path, (await readFile(first!.path, 'utf8')).replace('e', 'f'));
  await rm(second!.path);
  await writeFile(third!.path, (await readFile(third!.path)).subarray(0, -20));
  await writeFile(`${third!.path}.part`, 'half a page');
  source.calls.page = 0;
  const again: SpooledPage[] = [];
  const { results, seen } = await fetched(source, windows, {
    resume: journal,
    onPage: async (page) => {
      again.push(page);
    },
  });
  const fullWindows = windows.filter(({ count }) => count === 50).length;
  expect(source.calls.page).toBe(3 + fullWindows);
  expect(again).toHaveLength(3);
  const names = await readdir(join(directory, third!.windowId));
  expect(names.filter((name) => name.endsWith('.part'))).toEqual([]);
  expect(seen.filter((event) => event.type === 'page' && event.reused)).toHaveLength(all.length - 3);
  expect(results.every((result) => result.verdict === 'complete')).toBe(true);
  expect(new Set(await spooledIds(results)).size).toBe(95);
});

test('events that leave the window between two pages cause the window to be read again, although the numbers agree', async () => {
  const laterMs = RANGE.endMs + 5;
  const serverClock = { lastMs: () => laterMs, ask: async () => laterMs };
  const source = Object.assign(memorySource(spread(30), { pageSize: 10, maxResultWindow: 100 }), { serverClock });
  const { page } = source;
  source.page = async (query, pageNumber, read, signal, way) => {
    const answer = await page(query, pageNumber, read, signal, way);
    // The first two are processed again after the first page was listed: all others move up, and two are never listed.
    if (pageNumber === 0) source.events = spread(30).map((event, n) => (n < 2 ? { ...event, atMs: laterMs } : event));
    return answer;
  };
  const window = windowOf({ axis: 'processed', range: RANGE, cuts: [], scope: NO_FILTER });
  const { results, types } = await fetched(source, [{ window, count: 30 }], { concurrency: 1 });
  expect(whole(results[0]).verdict).toBe('complete');
  expect(types).toContain('window-refetch');
  const current = spread(30).slice(2);
  expect(new Set(await spooledIds(results))).toEqual(new Set(current.map(({ id }) => id)));
});
