import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EdrlakeError, NO_FILTER, type TimeAxis, windowOf } from '@edrlake/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FailedWindow, isFailedWindow } from '../src/fetch/failed-window.ts';
import { type FetchOptions, fetchWindows } from '../src/fetch/fetch-windows.ts';
import { bodyOf, type MemoryEvent, type MemorySource, memorySource } from './memory-source.ts';

const START_MS = Date.UTC(2020, 7, 17);
const RANGE = { startMs: START_MS, endMs: START_MS + 1_000_000 };

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-vanished-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function spread(count: number): MemoryEvent[] {
  return Array.from({ length: count }, (_, i) => ({ atMs: START_MS + i * 100, id: `e${i}` }));
}

async function fetched(
  source: MemorySource,
  count: number,
  axis: TimeAxis = 'event',
  more: Partial<FetchOptions> = {},
) {
  const window = windowOf({ axis, range: RANGE, cuts: [], scope: NO_FILTER });
  const signal = new AbortController().signal;
  const options = { spoolDirectory: directory, concurrency: 1, shape: null, signal, emit: () => undefined, ...more };
  const results = [];
  for await (const result of fetchWindows(source, [{ window, count }], options)) results.push(result);
  return results;
}

/** The ids of the pages that came of some windows. */
async function idsOf(results: Awaited<ReturnType<typeof fetched>>): Promise<Set<string>> {
  const pages = results.flatMap((result) => (isFailedWindow(result) ? (result.partial?.pages ?? []) : result.pages));
  const texts = await Promise.all(pages.map(({ path }) => readFile(path, 'utf8')));
  const lines = texts.flatMap((text) => text.split('\n').slice(0, -1));
  return new Set(lines.map((line) => (JSON.parse(line) as { id: string }).id));
}

/** A search service that loses some of its data after some pages: counts and pages agree without it. */
function losingAfter(
  pages: number,
  all: readonly MemoryEvent[],
  left: readonly MemoryEvent[],
  size: object,
): MemorySource {
  const source = memorySource(all, { pageSize: 20, maxResultWindow: 100, ...size });
  const { page, walk } = source;
  const lose = () => {
    if (source.calls.page === pages) source.events = left;
  };
  source.page = async (...request) => {
    const answer = await page(...request);
    lose();
    return answer;
  };
  source.walk = async (...request) => {
    const answer = await walk(...request);
    lose();
    return answer;
  };
  return source;
}

describe.each([
  ['by number', {}],
  ['by cursors', { maxWindowEvents: 100 }],
])('a window walked %s that listed events which its later attempts lack', (_, size) => {
  test('is not complete, though count and pages agree by then, and keeps them', async () => {
    const source = losingAfter(1, spread(10), spread(7), size);
    const results = await fetched(source, 11);
    expect(results).toMatchObject([{ verdict: 'failed', error: { code: 'EVENTS_VANISHED', context: { missing: 3 } } }]);
    expect((await idsOf(results)).size).toBe(10);
  });

  test('is complete once an attempt lists them again', async () => {
    const source = losingAfter(1, spread(10), spread(7), size);
    const { page, walk } = source;
    const isBack = () => {
      if (source.calls.page >= 2) source.events = spread(10);
    };
    source.page = (...request) => page(...request).finally(isBack);
    source.walk = (...request) => walk(...request).finally(isBack);
    const results = await fetched(source, 11);
    expect(results).toMatchObject([{ verdict: 'complete', count: 10, distinctIds: 10 }]);
  });

  test('is complete by processing time where they have a later time by then, and only there', async () => {
    const moved = spread(10).map((event, n) => (n < 3 ? { ...event, atMs: RANGE.endMs + 50 * n } : event));
    for (const [axis, left, verdict] of [
      ['processed', moved, 'complete'],
      ['processed', moved.slice(1), 'failed'],
      ['event', moved, 'failed'],
    ] as const) {
      const source = losingAfter(1, spread(10), left, size);
      const serverClock = { lastMs: () => RANGE.endMs + 1_000, ask: async () => RANGE.endMs + 1_000 };
      const results = await fetched(Object.assign(source, { serverClock }), 11, axis);
      expect([axis, left.length, results.map((result) => result.verdict)]).toEqual([axis, left.length, [verdict]]);
      await rm(directory, { recursive: true });
    }
  });

  test('is not complete in parts, where it is divided between the attempts, and keeps them', async () => {
    const source = losingAfter(
      1,
      spread(130),
      spread(130).filter((__, n) => n % 10 > 0),
      { ...size, histogram: false },
    );
    const results = await fetched(source, 19);
    expect(results.length).toBeGreaterThan(2);
    expect(results.map(({ verdict }) => verdict)).toEqual(results.map(() => 'failed'));
    expect(new Set(results.map(({ window }) => window.id)).size).toBe(results.length);
    expect((await idsOf(results)).size).toBe(119);
  });

  test('is complete in parts that list them all, and leaves no page of the whole', async () => {
    const source = losingAfter(1, spread(130), spread(130), size);
    const results = await fetched(source, 19);
    expect(results.map(({ verdict }) => verdict)).toEqual(results.map(() => 'complete'));
    expect((await idsOf(results)).size).toBe(130);
    const kept = new Set(results.map(({ window }) => window.id));
    for (const folder of await readdir(directory)) {
      if (!kept.has(folder)) expect(await readdir(join(directory, folder))).toEqual([]);
    }
  });
});

test('parts that came are handed over, but not as complete, where everything ends before the last one', async () => {
  const source = losingAfter(1, spread(130), spread(130), {});
  const { page } = source;
  source.page = async (...request) => {
    if (source.calls.page > 4) throw new EdrlakeError('REQUESTS_SPENT', 'no more requests');
    return page(...request);
  };
  const results: (FailedWindow | { verdict: string })[] = [];
  const window = windowOf({ axis: 'event', range: RANGE, cuts: [], scope: NO_FILTER });
  const signal = new AbortController().signal;
  const options = { spoolDirectory: directory, concurrency: 1, shape: null, signal, emit: () => undefined };
  const all = fetchWindows(source, [{ window, count: 19 }], options);
  await expect(async () => {
    for await (const result of all) results.push(result);
  }).rejects.toMatchObject({ code: 'REQUESTS_SPENT' });
  expect(results.length).toBeGreaterThan(0);
  expect(results.map(({ verdict }) => verdict)).toEqual(results.map(() => 'failed'));
});

test('a readable part of an answer that another one replaced is what the window listed, too', async () => {
  const source = memorySource(spread(10), { pageSize: 20, maxResultWindow: 100 });
  const { page } = source;
  source.page = async (query, pageNumber, read, signal, way) => {
    source.calls.page += 1;
    if (source.calls.page > 1) {
      source.events = spread(7);
      return page(query, pageNumber, read, signal, way);
    }
    const bytes: Uint8Array[] = [];
    for await (const piece of bodyOf(spread(10), signal)) bytes.push(piece);
    const damaged = Buffer.concat(bytes).toString().replace('{"atMs"', '{"atMs\u0000"');
    return read(
      (async function* () {
        yield Buffer.from(damaged);
      })(),
    );
  };
  const results = await fetched(source, 10);
  expect(results).toMatchObject([{ verdict: 'failed', error: { code: 'EVENTS_VANISHED' } }]);
});

test.each([
  ['counts', undefined],
  ['counts by value', 1],
])(
  'a part without events is not complete where the API loses everything and then fails to answer %s',
  async (_, step) => {
    const events = spread(130).map((one, n) => ({
      ...one,
      atMs: START_MS + 500_000 + n * (step ?? 45),
      type: `t${n % 5}`,
    }));
    let empty = 0;
    for (const lostAfter of [0, 1, 2, 3]) {
      const source = memorySource(events, { pageSize: 20, maxResultWindow: 100, histogram: false });
      const { count } = source;
      const fail = (): never => {
        throw new EdrlakeError('SERVER_ERROR', 'answered 500', { disposition: 'retry' });
      };
      source.count = async (query, signal) => {
        if (source.calls.count > lostAfter && step === undefined) fail();
        if (source.calls.count >= lostAfter) source.events = [];
        return count(query, signal);
      };
      source.groups = async () => fail();
      const results = await fetched(source, 130);
      for (const { verdict, window, count: counted } of results) {
        if (verdict !== 'complete' || counted > 0) continue;
        empty += 1;
        const inside = events.filter(({ atMs }) => window.range.startMs <= atMs && atMs < window.range.endMs);
        expect([lostAfter, inside.length]).toEqual([lostAfter, 0]);
      }
      await rm(directory, { recursive: true });
    }
    expect(empty).toBe(0);
  },
);
