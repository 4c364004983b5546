import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EdrlakeError, type FetchedWindow, NO_FILTER, type PlannedWindow, type SpooledPage } from '@edrlake/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isFailedWindow } from '../src/fetch/failed-window.ts';
import { fetchWindows } from '../src/fetch/fetch-windows.ts';
import { planWindows } from '../src/plan/plan-windows.ts';
import { bodyOf, type MemoryEvent, type MemorySource, memorySource } from './memory-source.ts';

const START_MS = Date.UTC(2020, 7, 17);
const RANGE = { startMs: START_MS, endMs: START_MS + 10_000 };
const CONCURRENCY = 3;

function someEvents(count: number, stepMs: number, prefix: string): MemoryEvent[] {
  return Array.from({ length: count }, (_, i) => ({
    atMs: START_MS + ((i * stepMs) % 10_000),
    id: `${prefix}${i}`,
    type: i % 2 === 0 ? 'FILE' : 'PROCESS',
    agent: `a${i % 7}`,
  }));
}

async function planOf(source: MemorySource): Promise<readonly PlannedWindow[]> {
  const options = { signal: new AbortController().signal, emit: () => undefined };
  return (await planWindows(source, { axis: 'event', range: RANGE, scope: NO_FILTER }, options)).windows;
}

async function idsIn(window: FetchedWindow): Promise<string[]> {
  const texts = await Promise.all(window.pages.map((page) => readFile(page.path, 'utf8')));
  return texts.flatMap((text) => text.split('\n').slice(0, -1)).map((line) => (JSON.parse(line) as { id: string }).id);
}

async function inDirectory<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'edrlake-fetch-'));
  try {
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

test('stopped after any number of pages and resumed, the result is the same, and only pages in flight are requested again', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 4 }),
      fc.constantFrom(1, 37, 1_003),
      (stops, stepMs) =>
        inDirectory(async (spoolDirectory) => {
          const source = memorySource(someEvents(150, stepMs, 'e'), { pageSize: 5, maxResultWindow: 20 });
          const windows = await planOf(source);
          const resume = new Map<string, SpooledPage[]>();
          const run = async (stopAfterPages: number) => {
            const controller = new AbortController();
            let pages = 0;
            const onPage = async (page: SpooledPage) => {
              resume.set(page.windowId, [...(resume.get(page.windowId) ?? []), page]);
              if (++pages === stopAfterPages) controller.abort(new EdrlakeError('INTERRUPTED', 'stopped'));
            };
            const ids: string[] = [];
            const options = {
              spoolDirectory,
              concurrency: CONCURRENCY,
              shape: null,
              signal: controller.signal,
              emit: () => undefined,
            };
            for await (const window of fetchWindows(source, windows, { ...options, onPage, resume })) {
              if (!isFailedWindow(window)) ids.push(...(await idsIn(window)));
            }
            return ids;
          };
          for (const pages of stops) await run(pages).catch((thrown) => expect(thrown.code).toBe('INTERRUPTED'));
          const ids = await run(Number.POSITIVE_INFINITY);
          expect(ids.sort()).toEqual(source.events.map(({ id }) => id).sort());
          const needed = windows.reduce((sum, { count }) => sum + Math.ceil(count / 5), 0);
          // Each run requests one page more of each window whose last page is full.
          const full = windows.filter(({ count }) => count % 5 === 0).length;
          const runs = stops.length + 1;
          expect(source.calls.page).toBeLessThanOrEqual(needed + full * runs + stops.length * CONCURRENCY);
        }),
    ),
    { numRuns: 12 },
  );
});

test('a complete window has every event once, for any arriving, repeated, reordered or failing pages', async () => {
  const trouble = fc.array(fc.constantFrom('none', 'none', 'arrive', 'repeat', 'reverse', 'fail', 'refuse'), {
    maxLength: 25,
  });
  await fc.assert(
    fc.asyncProperty(trouble, fc.constantFrom(1, 37, 1_003), (troubles, stepMs) =>
      inDirectory(async (spoolDirectory) => {
        const source = memorySource(someEvents(60, stepMs, 'e'), { pageSize: 5, maxResultWindow: 20 });
        const windows = await planOf(source);
        const late = someEvents(100, 91, 'late');
        const { page } = source;
        source.page = async (query, pageNumber, read, signal) => {
          const next = troubles.shift();
          if (next === 'arrive') source.events = [...source.events, ...late.splice(0, 3)];
          if (next === 'fail') throw new EdrlakeError('SERVER_ERROR', 'answered 500');
          if (next === 'refuse') throw new EdrlakeError('RESULT_WINDOW_EXCEEDED', 'too far', { disposition: 'split' });
          const delivered = source.matching(query).slice(pageNumber * 5, pageNumber * 5 + 5);
          if (next === 'repeat') return read(bodyOf([...delivered.slice(1), ...delivered.slice(1, 2)], signal));
          if (next === 'reverse')
            return read(
              bodyOf([...source.matching(query)].reverse().slice(pageNumber * 5, pageNumber * 5 + 5), signal),
            );
          return page(query, pageNumber, read, signal);
        };
        const options = {
          spoolDirectory,
          concurrency: CONCURRENCY,
          shape: null,
          signal: new AbortController().signal,
          emit: () => undefined,
        };
        const seen = new Set<string>();
        for await (const window of fetchWindows(source, windows, options)) {
          expect(seen.has(window.window.id)).toBe(false);
          seen.add(window.window.id);
          if (isFailedWindow(window)) continue;
          const ids = await idsIn(window);
          expect(ids).toHaveLength(window.recordCount);
          expect(new Set(ids).size).toBe(window.distinctIds);
          if (window.verdict === 'complete') expect(window.distinctIds).toBe(window.count);
          const known = new Set(source.matching(window.window).map(({ id }) => id));
          expect(ids.every((id) => known.has(id))).toBe(true);
        }
        expect(source.pagesInFlight).toBe(0);
      }),
    ),
    { numRuns: 60 },
  );
});
