import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  EdrlakeError,
  type FetchedWindow,
  NO_FILTER,
  type PlannedWindow,
  type SpooledPage,
  windowOf,
} from '@edrlake/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type FailedWindow, isFailedWindow } from '../src/fetch/failed-window.ts';
import { type FetchOptions, fetchWindows } from '../src/fetch/fetch-windows.ts';
import { planWindows } from '../src/plan/plan-windows.ts';
import { cursorOf, type MemoryEvent, type MemorySource, memorySource } from './memory-source.ts';

const START_MS = Date.UTC(2020, 7, 17);
const RANGE = { startMs: START_MS, endMs: START_MS + 100_000 };
const CONCURRENCY = 3;

function spread(count: number, prefix = 'e', stepMs = 100): MemoryEvent[] {
  return Array.from({ length: count }, (_, i) => ({ atMs: START_MS + ((i * stepMs) % 100_000), id: `${prefix}${i}` }));
}

/** Ten events a page; windows of up to 40 with cursors, of 20 by page number. */
function walked(events: readonly MemoryEvent[], maxWindowEvents = 40): MemorySource {
  return memorySource(events, { pageSize: 10, maxResultWindow: 20, maxWindowEvents });
}

async function planOf(source: MemorySource) {
  const options = { signal: new AbortController().signal, emit: () => undefined };
  return planWindows(source, { axis: 'event', range: RANGE, scope: NO_FILTER }, options);
}

/** One window over everything, with a given count. */
function oneWindow(count: number): PlannedWindow[] {
  return [{ window: windowOf({ axis: 'event', range: RANGE, cuts: [], scope: NO_FILTER }), count }];
}

async function inDirectory<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'edrlake-walk-'));
  try {
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

interface Outcome {
  readonly results: (FetchedWindow | FailedWindow)[];
  readonly ids: string[];
  readonly pages: SpooledPage[];
}

async function fetched(
  source: MemorySource,
  windows: readonly PlannedWindow[],
  spoolDirectory: string,
  more: Partial<FetchOptions> = {},
): Promise<Outcome> {
  const outcome: Outcome = { results: [], ids: [], pages: [] };
  const options: FetchOptions = {
    spoolDirectory,
    concurrency: CONCURRENCY,
    shape: null,
    signal: new AbortController().signal,
    emit: () => undefined,
    onPage: async (page) => {
      outcome.pages.push(page);
    },
    ...more,
  };
  for await (const result of fetchWindows(source, windows, options)) {
    outcome.results.push(result);
    if (!isFailedWindow(result)) outcome.ids.push(...(await idsIn(result)));
  }
  expect(source.pagesInFlight).toBe(0);
  return outcome;
}

async function idsIn(window: FetchedWindow): Promise<string[]> {
  const texts = await Promise.all(window.pages.map((page) => readFile(page.path, 'utf8')));
  return texts.flatMap((text) => text.split('\n').slice(0, -1)).map((line) => (JSON.parse(line) as { id: string }).id);
}

/** Answers one request by cursor otherwise, from the given one on. */
function answering(source: MemorySource, instead: (cursor: string | null, nth: number) => MemorySource['walk'] | null) {
  const { walk } = source;
  let nth = 0;
  source.walk = (query, cursor, read, signal) =>
    (instead(cursor, nth++) ?? walk)(query, cursor, read, signal) as ReturnType<typeof walk<never>>;
  return walk;
}

test.each(['refused', 'repeated'])(
  'a %s cursor is no end, where the API counts no further than it walks',
  async (how) => {
    for (const events of [20, 21, 47]) {
      const all = spread(events);
      const source = memorySource(all, { pageSize: 10, maxResultWindow: 100, maxWindowEvents: 100, histogram: false });
      const { count, walk } = source;
      source.count = async (query, signal) => Math.min(20, await count(query, signal));
      const pagesOf = new Map<string, number>();
      source.walk = async (query, cursor, read, signal, way) => {
        const { id } = windowOf(query);
        const nth = cursor === null ? 1 : (pagesOf.get(id) ?? 0) + 1;
        pagesOf.set(id, nth);
        if (nth > 2 && how === 'refused') throw new EdrlakeError('FILTER_REJECTED', 'no further');
        const answer = await walk(query, cursor, read, signal, way);
        return nth === 2 && how === 'repeated' ? { ...answer, next: cursor } : answer;
      };
      const { results } = await inDirectory((directory) =>
        fetched(source, oneWindow(20), directory, { concurrency: 1 }),
      );
      expect(results.length).toBeGreaterThan(1);
      for (const result of results) {
        if (result.verdict !== 'complete') continue;
        expect(result.recordCount).toBe(source.matching(result.window).length);
      }
    }
  },
);

test('windows are larger than paging by number reaches, several are read at a time, with the planned requests', () =>
  inDirectory(async (directory) => {
    const source = walked(spread(995));
    const plan = await planOf(source);
    expect(plan.windows.length).toBeLessThan(30);
    expect(Math.max(...plan.windows.map(({ count }) => count))).toBeGreaterThan(20);
    const { ids, results, pages } = await fetched(source, plan.windows, directory, { maxSpooledBytes: 1 });
    expect(results.every(({ verdict }) => verdict === 'complete')).toBe(true);
    expect([ids.length, new Set(ids).size]).toEqual([995, 995]);
    expect(source.mostPagesInFlight).toBe(CONCURRENCY);
    expect(source.calls.page).toBe(plan.pages);
    expect(source.calls.count + source.calls.histogram).toBe(plan.planRequests);
    expect(pages.every(({ nextCursor }) => nextCursor !== undefined)).toBe(true);
  }));

test.each([
  [19, 2],
  [20, 3],
])(
  '%d events take %d pages and no count: one that is not full ends the walk, one that is needs an empty one',
  (count, pages) =>
    inDirectory(async (directory) => {
      const source = walked(spread(count));
      const { ids } = await fetched(source, oneWindow(count), directory);
      expect(ids).toHaveLength(count);
      expect(source.calls).toEqual({ count: 0, groups: 0, histogram: 0, page: pages });
    }),
);

test.each([null, ''])('no cursor (%j) after a full page is an end, too', (next) =>
  inDirectory(async (directory) => {
    const source = walked(spread(20));
    const walk = answering(source, (_, nth) =>
      nth === 1 ? async (...request) => ({ ...(await walk(...request)), next: next as string | null }) : null,
    );
    expect((await fetched(source, oneWindow(20), directory)).results).toMatchObject([{ verdict: 'complete' }]);
    expect(source.calls).toMatchObject({ page: 2, count: 0 });
  }),
);

test('incomplete pages in the middle of a window do not end it', () =>
  inDirectory(async (directory) => {
    const source = walked(spread(35));
    source.walk = async (query, cursor, read, signal) => {
      const events = source.matching(query);
      const from = cursor === null ? 0 : events.findIndex((event) => cursorOf(event) === cursor) + 1;
      const page = events.slice(from, from + (cursor === null ? 4 : 10));
      const value = await read(
        (async function* () {
          signal.throwIfAborted();
          yield Buffer.from(JSON.stringify(page));
        })(),
      );
      return { value, next: page.length === 0 ? null : cursorOf(page.at(-1)!) };
    };
    const { results, ids } = await fetched(source, oneWindow(35), directory);
    expect(results).toMatchObject([{ verdict: 'complete', recordCount: 35 }]);
    expect(new Set(ids).size).toBe(35);
  }));

test('a cursor that comes twice ends the attempt: missing records make a mismatch, after bounded attempts', () =>
  inDirectory(async (directory) => {
    const source = walked(spread(40));
    const stuck = cursorOf(source.events[9]!);
    const walk = answering(source, () => async (...request) => ({ ...(await walk(...request)), next: stuck }));
    const { results } = await fetched(source, oneWindow(40), directory, { maxRefetches: 1 });
    expect(results).toMatchObject([{ verdict: 'mismatch', count: 40, distinctIds: 20 }]);
    expect(source.calls).toMatchObject({ page: 4, count: 2 });
  }));

test('a sequence of cursors that never ends is ended', () =>
  inDirectory(async (directory) => {
    const source = walked(spread(40));
    const walk = answering(source, (_, nth) => async (query, _cursor, read, signal) => ({
      ...(await walk(query, null, read, signal)),
      next: `further ${nth}`,
    }));
    const { results } = await fetched(source, oneWindow(40), directory, { maxRefetches: 1 });
    expect(results).toMatchObject([{ verdict: 'mismatch', count: 40, distinctIds: 10 }]);
    expect(source.calls.page).toBeLessThanOrEqual(2 * 7);
  }));

test('a refused cursor begins the window again, a refused query ends everything', () =>
  inDirectory(async (directory) => {
    const source = walked(spread(40));
    const refuse: MemorySource['walk'] = async () => {
      throw new EdrlakeError('FILTER_REJECTED', 'no such cursor');
    };
    answering(source, (_, nth) => (nth === 2 ? refuse : null));
    const { results } = await fetched(source, oneWindow(40), directory);
    expect(results).toMatchObject([{ verdict: 'complete', recordCount: 40 }]);
    answering(source, () => refuse);
    await expect(fetched(source, oneWindow(40), directory)).rejects.toMatchObject({ code: 'FILTER_REJECTED' });
  }));

test.each([
  ['ahead of the walk is counted anew and taken over', 3_650, 39],
  ['behind the walk is in neither the count nor the pages, as if it came after them', 50, 38],
])('an event that arrives %s', (_, offsetMs, count) =>
  inDirectory(async (directory) => {
    const source = walked(spread(38));
    answering(source, (_cursor, nth) => {
      if (nth === 2) source.events = [...source.events, { atMs: START_MS + offsetMs, id: 'late' }];
      return null;
    });
    const { results, ids } = await fetched(source, oneWindow(38), directory);
    expect(results).toMatchObject([{ verdict: 'complete', count }]);
    expect(new Set(ids).size).toBe(count);
    expect(ids.includes('late')).toBe(count === 39);
  }),
);

test('stopped after any number of pages and resumed, the result is the same, and only pages in flight are requested again', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 4 }),
      fc.constantFrom(37, 1_003),
      (stops, stepMs) =>
        inDirectory(async (directory) => {
          const source = walked(spread(150, 'e', stepMs));
          const { windows, pages: needed } = await planOf(source);
          const resume = new Map<string, SpooledPage[]>();
          const run = async (stopAfterPages: number) => {
            const controller = new AbortController();
            let pages = 0;
            const onPage = async (page: SpooledPage) => {
              // As a journal returns it.
              const kept = JSON.parse(JSON.stringify(page)) as SpooledPage;
              resume.set(page.windowId, [...(resume.get(page.windowId) ?? []), kept]);
              if (++pages === stopAfterPages) controller.abort(new EdrlakeError('INTERRUPTED', 'stopped'));
            };
            return fetched(source, windows, directory, { signal: controller.signal, onPage, resume });
          };
          for (const pages of stops) await run(pages).catch((thrown) => expect(thrown.code).toBe('INTERRUPTED'));
          const { ids } = await run(Number.POSITIVE_INFINITY);
          expect(ids.sort()).toEqual(source.events.map(({ id }) => id).sort());
          expect(source.calls.page).toBeLessThanOrEqual(needed + stops.length * CONCURRENCY);
        }),
    ),
    { numRuns: 10 },
  );
});

test('a complete window has every event once, for any arriving, repeated or failing pages', async () => {
  const kinds = ['none', 'none', 'none', 'arrive', 'repeat', 'fail', 'lost', 'back', 'end', 'empty'] as const;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...kinds), { maxLength: 25 }),
      fc.constantFrom(37, 1_003),
      (troubles, stepMs) =>
        inDirectory(async (directory) => {
          const source = walked(spread(90, 'e', stepMs));
          const { windows } = await planOf(source);
          const late = spread(100, 'late', 91);
          const walk = answering(source, (cursor) => {
            const next = troubles.shift();
            if (next === 'arrive') source.events = [...source.events, ...late.splice(0, 3)];
            if (next === 'fail')
              return async () => {
                throw new EdrlakeError('SERVER_ERROR', 'answered 500');
              };
            if (next === 'lost' && cursor !== null)
              return async () => {
                throw new EdrlakeError('FILTER_REJECTED', 'no such cursor');
              };
            if (next === 'back') return async (...request) => ({ ...(await walk(...request)), next: cursor });
            if (next === 'end') return async (...request) => ({ ...(await walk(...request)), next: null });
            if (next === 'repeat') return (query, _, read, signal) => walk(query, null, read, signal);
            if (next === 'empty')
              return async (_query, _cursor, read) => ({
                value: await read(
                  (async function* () {
                    yield Buffer.from('[]');
                  })(),
                ),
                next: cursor,
              });
            return null;
          });
          const { results } = await fetched(source, windows, directory);
          for (const window of results) {
            if (isFailedWindow(window)) continue;
            const ids = await idsIn(window);
            expect(ids).toHaveLength(window.recordCount);
            expect(new Set(ids).size).toBe(window.distinctIds);
            if (window.verdict === 'complete') expect(window.distinctIds).toBe(window.count);
          }
        }),
    ),
    { numRuns: 60 },
  );
});

test('a page that is torn on disk is fetched again from the page before, with the pages after it', () =>
  inDirectory(async (directory) => {
    const source = walked(spread(39));
    const first = await fetched(source, oneWindow(39), directory);
    await rm(first.pages[1]!.path);
    const resume = new Map([[first.pages[0]!.windowId, first.pages]]);
    const asked: (string | null)[] = [];
    answering(source, (cursor) => {
      asked.push(cursor);
      return null;
    });
    const { ids } = await fetched(source, oneWindow(39), directory, { resume });
    expect(new Set(ids).size).toBe(39);
    expect(asked).toEqual([9, 19, 29].map((nth) => cursorOf(source.events[nth]!)));
  }));

test('pages and windows of one pagination are not taken for those of the other', () =>
  inDirectory(async (directory) => {
    const byCursor = walked(spread(39));
    const byNumber = memorySource(byCursor.events, { pageSize: 10, maxResultWindow: 20 });
    const first = await fetched(byCursor, oneWindow(39), directory);
    const resume = new Map([[first.pages[0]!.windowId, first.pages]]);
    const second = await fetched(byNumber, oneWindow(39), directory, { resume });
    expect([second.results.length > 1, new Set(second.ids).size, second.ids.length]).toEqual([true, 39, 39]);

    const small = memorySource(byCursor.events, { pageSize: 10, maxResultWindow: 40 });
    const third = await fetched(small, oneWindow(39), directory, { resume });
    expect([third.ids.length, small.calls.page]).toEqual([39, 4]);
    const fourth = await fetched(byCursor, oneWindow(39), directory, {
      resume: new Map([[first.pages[0]!.windowId, third.pages]]),
    });
    expect([fourth.ids.length, byCursor.calls.page]).toEqual([39, 8]);
  }));

test.each([40, undefined])(
  'a resumed run does not write over the pages it goes on from (window of %s)',
  (maxWindowEvents) =>
    inDirectory(async (directory) => {
      const options = { pageSize: 10, maxResultWindow: 40, ...(maxWindowEvents && { maxWindowEvents }) };
      const source = memorySource(spread(35), options);
      // The first run counts two that never come, so its last pages are from its second attempt.
      const first = await fetched({ ...source, count: async () => 37 }, oneWindow(37), directory, { maxRefetches: 1 });
      expect(first.results).toMatchObject([{ verdict: 'mismatch' }]);
      const resume = new Map([[first.pages[0]!.windowId, first.pages]]);
      source.events = [...source.events, { atMs: START_MS + 50, id: 'late' }];
      const { results, ids } = await fetched(source, oneWindow(37), directory, { resume });
      expect(results).toMatchObject([{ verdict: 'complete', count: 36 }]);
      expect(new Set(ids).size).toBe(36);
    }),
);
