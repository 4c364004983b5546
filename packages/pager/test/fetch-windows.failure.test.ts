import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EdrlakeError, type FetchedWindow, NO_FILTER, type PlannedWindow, type RunEvent } from '@edrlake/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { FailedWindow } from '../src/fetch/failed-window.ts';
import { type FetchOptions, fetchWindows } from '../src/fetch/fetch-windows.ts';
import { planWindows } from '../src/plan/plan-windows.ts';
import { type MemorySource, memorySource } from './memory-source.ts';

const START_MS = Date.UTC(2020, 7, 17);
const RANGE = { startMs: START_MS, endMs: START_MS + 1_000_000 };

let directory: string;
let source: MemorySource;
let windows: readonly PlannedWindow[];
let seen: RunEvent[];
let options: FetchOptions;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-fetch-'));
  const events = Array.from({ length: 400 }, (_, i) => ({
    atMs: START_MS + i * 100,
    id: `e${i}`,
    padding: 'x'.repeat(100),
  }));
  source = memorySource(events, { pageSize: 10, maxResultWindow: 40 });
  seen = [];
  const signal = new AbortController().signal;
  const emit = (event: RunEvent) => seen.push(event);
  windows = (await planWindows(source, { axis: 'event', range: RANGE, scope: NO_FILTER }, { signal, emit })).windows;
  options = { spoolDirectory: directory, concurrency: 3, shape: null, signal, emit };
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function unfinishedFiles(): Promise<string[]> {
  const names = await readdir(directory, { recursive: true });
  return names.filter((name) => name.endsWith('.part'));
}

/** Fails page 1 of one window with the error, at each request. */
function failPageOf(windowNumber: number, error: EdrlakeError, before?: () => Promise<void>): void {
  const { page } = source;
  const { startMs } = windows[windowNumber]!.window.range;
  source.page = async (query, pageNumber, read, signal, way) => {
    if (query.range.startMs === startMs && pageNumber === 1) {
      await before?.();
      return read(
        (async function* () {
          yield Buffer.from('[{"id":"half');
          throw error;
        })(),
      );
    }
    return page(query, pageNumber, read, signal, way);
  };
}

test('a page that finally fails fails its window, and all others are fetched', async () => {
  failPageOf(2, new EdrlakeError('SERVER_ERROR', 'answered 500 after every retry'));
  const results: (FetchedWindow | FailedWindow)[] = [];
  for await (const result of fetchWindows(source, windows, options)) results.push(result);
  expect(results).toHaveLength(windows.length);
  const failed = results.filter((result) => result.verdict === 'failed');
  expect(failed).toMatchObject([{ window: windows[2]?.window, error: { code: 'SERVER_ERROR' } }]);
  expect(seen).toContainEqual(expect.objectContaining({ type: 'window-failed', code: 'SERVER_ERROR' }));
  expect(await unfinishedFiles()).toEqual([]);
});

test('a broken body that the source no longer retries fails its window', async () => {
  const { page } = source;
  const { startMs } = windows[1]!.window.range;
  source.page = (query, pageNumber, read, signal) =>
    page(query, pageNumber, (body) => read(query.range.startMs === startMs ? brokenOff(body) : body), signal);
  const results: (FetchedWindow | FailedWindow)[] = [];
  for await (const result of fetchWindows(source, windows, options)) results.push(result);
  expect(results.filter((result) => result.verdict === 'failed')).toMatchObject([{ error: { code: 'BODY_BROKEN' } }]);
  expect(await unfinishedFiles()).toEqual([]);
});

async function* brokenOff(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    yield chunk.subarray(0, chunk.length / 2);
    return;
  }
}

test.each(['AUTH_REJECTED', 'ACCESS_DENIED'] as const)('%s ends everything', async (code) => {
  failPageOf(2, new EdrlakeError(code, 'no'));
  const consume = async () => {
    for await (const _ of fetchWindows(source, windows, options));
  };
  await expect(consume()).rejects.toMatchObject({ code });
  expect(source.pagesInFlight).toBe(0);
  expect(source.calls.page).toBeLessThan(40);
  expect(await unfinishedFiles()).toEqual([]);
});

test.each(['FILTER_REJECTED', 'QUERY_TOO_LONG'] as const)(
  '%s ends everything where it is the answer to every page, and fails its window where others are answered',
  async (code) => {
    const consume = async () => {
      const verdicts: string[] = [];
      for await (const { verdict } of fetchWindows(source, windows, { ...options, concurrency: 1 }))
        verdicts.push(verdict);
      return verdicts;
    };
    failPageOf(0, new EdrlakeError(code, 'no'));
    expect((await consume()).sort()).toEqual([...Array(windows.length - 1).fill('complete'), 'failed']);
    source.page = async () => {
      throw new EdrlakeError(code, 'no');
    };
    await expect(consume()).rejects.toMatchObject({ code });
  },
);

test('a window of one page that alone is refused fails, because a page of another range is answered', async () => {
  const small = memorySource(source.events.slice(0, 5), { pageSize: 10, maxResultWindow: 40 });
  const { page } = small;
  const refuse = (isEverything: boolean) => {
    small.page = async (query, ...rest) => {
      const isOther = query.range.endMs - query.range.startMs === 1;
      if (isOther && !isEverything) return page(query, ...rest);
      throw new EdrlakeError('FILTER_REJECTED', 'no');
    };
  };
  const { windows: only } = await planWindows(small, { axis: 'event', range: RANGE, scope: NO_FILTER }, options);
  const consume = async () => {
    const verdicts: string[] = [];
    for await (const { verdict } of fetchWindows(small, only, options)) verdicts.push(verdict);
    return verdicts;
  };
  refuse(false);
  expect(await consume()).toEqual(['failed']);
  refuse(true);
  await expect(consume()).rejects.toMatchObject({ code: 'FILTER_REJECTED' });
});

test('a failed window has all pages but those that failed, and three that fail in a row end the asking', async () => {
  failPageOf(2, new EdrlakeError('SERVER_ERROR', 'answered 500 after every retry'));
  const results: (FetchedWindow | FailedWindow)[] = [];
  for await (const result of fetchWindows(source, windows, { ...options, concurrency: 1 })) results.push(result);
  const failed = results.find((result) => result.verdict === 'failed');
  const numbers = failed?.verdict === 'failed' && failed.partial?.pages.map(({ pageNumber }) => pageNumber);
  expect(numbers).toEqual([0, 2, 3]);
  source.calls.page = 0;
  const { page } = source;
  source.page = async (...asked) => {
    await page(...asked).catch(() => undefined);
    throw new EdrlakeError('SERVER_ERROR', 'answered 500 after every retry');
  };
  const down: (FetchedWindow | FailedWindow)[] = [];
  for await (const result of fetchWindows(source, windows, { ...options, concurrency: 1 })) down.push(result);
  expect(down.every((result) => result.verdict === 'failed' && result.partial === null)).toBe(true);
  expect(source.calls.page).toBe(windows.length + 2);
});

test('complete windows before a fatal error are yielded before it is thrown', async () => {
  const last = windows.length - 1;
  const othersAreFetched = async () => {
    while (seen.filter(({ type }) => type === 'window').length < last) await new Promise(setImmediate);
  };
  failPageOf(last, new EdrlakeError('ACCESS_DENIED', 'no'), othersAreFetched);
  const whole: string[] = [];
  const consume = async () => {
    for await (const { window } of fetchWindows(source, windows, options)) {
      // The consumer is slow: by now everything has been requested.
      await othersAreFetched();
      for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
      whole.push(window.id);
    }
  };
  await expect(consume()).rejects.toMatchObject({ code: 'ACCESS_DENIED' });
  expect(whole.sort()).toEqual(
    windows
      .slice(0, last)
      .map(({ window }) => window.id)
      .sort(),
  );
});

test('a journal that cannot be written ends everything', async () => {
  const onPage = async () => {
    throw new EdrlakeError('BUG', 'disk full');
  };
  const consume = async () => {
    for await (const _ of fetchWindows(source, windows, { ...options, onPage }));
  };
  await expect(consume()).rejects.toMatchObject({ code: 'LAKE_UNWRITABLE' });
  expect(source.pagesInFlight).toBe(0);
});

test('a spool that cannot be written ends everything', async () => {
  const consume = async (spoolDirectory: string) => {
    for await (const _ of fetchWindows(source, windows, { ...options, spoolDirectory }));
  };
  await expect(consume('/dev/null/spool')).rejects.toMatchObject({ code: 'LAKE_UNWRITABLE', disposition: 'stop' });
  // Later than at the start: a file is in the place of a window's directory.
  await writeFile(join(directory, windows[3]!.window.id), '');
  await expect(consume(directory)).rejects.toMatchObject({ code: 'LAKE_UNWRITABLE' });
  expect(source.pagesInFlight).toBe(0);
});

test('an abort in the middle ends with the reason, nothing in flight and no half-written page', async () => {
  const controller = new AbortController();
  const reason = new EdrlakeError('INTERRUPTED', 'stopped by SIGINT');
  const pages: string[] = [];
  const onPage = async ({ path }: { path: string }) => {
    pages.push(path);
    if (pages.length === 7) controller.abort(reason);
  };
  const consume = async () => {
    for await (const _ of fetchWindows(source, windows, { ...options, signal: controller.signal, onPage }));
  };
  await expect(consume()).rejects.toBe(reason);
  expect(source.pagesInFlight).toBe(0);
  expect(await unfinishedFiles()).toEqual([]);
  const files = (await readdir(directory, { recursive: true })).filter((name) => name.endsWith('.ndjson'));
  expect(files.length).toBeGreaterThanOrEqual(7);
});

test('after the consumer leaves nothing keeps running', async () => {
  for await (const result of fetchWindows(source, windows, options)) {
    expect(result.verdict).toBe('complete');
    break;
  }
  expect(source.pagesInFlight).toBe(0);
  const asked = source.calls.page;
  expect(asked).toBeLessThan(40);
  await new Promise((resolve) => setImmediate(resolve));
  expect(source.calls.page).toBe(asked);
  expect(await unfinishedFiles()).toEqual([]);
});

test('no more than the allowed bytes wait for a slow consumer, and fetching goes on while it works', async () => {
  const maxSpooledBytes = 20_000;
  let ahead = 0;
  let most = 0;
  const onPage = async ({ bodyBytes }: { bodyBytes: number }) => {
    ahead += bodyBytes;
    most = Math.max(most, ahead);
  };
  let largest = 0;
  let aheadWhileWorking = 0;
  for await (const result of fetchWindows(source, windows, { ...options, onPage, maxSpooledBytes })) {
    if (result.verdict === 'failed') throw result.error;
    largest = Math.max(largest, result.bodyBytes);
    ahead -= result.bodyBytes;
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
    aheadWhileWorking = Math.max(aheadWhileWorking, ahead);
  }
  expect(ahead).toBe(0);
  expect(most).toBeLessThanOrEqual(maxSpooledBytes + largest);
  expect(aheadWhileWorking).toBeGreaterThan(0);
});

test('a limit smaller than any window still lets one window through at a time', async () => {
  let done = 0;
  for await (const result of fetchWindows(source, windows, { ...options, maxSpooledBytes: 1 })) {
    if (result.verdict === 'complete') done++;
  }
  expect(done).toBe(windows.length);
});

test('a page that the source reads twice is on disk once, as it was read last', async () => {
  const { page } = source;
  source.page = async (query, pageNumber, read, signal) => {
    await page(query, pageNumber, (body) => read(brokenOff(body)), signal).catch(() => undefined);
    return page(query, pageNumber, read, signal);
  };
  for await (const result of fetchWindows(source, windows, options)) expect(result.verdict).toBe('complete');
  expect(await unfinishedFiles()).toEqual([]);
});
