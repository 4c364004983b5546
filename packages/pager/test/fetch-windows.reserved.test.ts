import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EdrlakeError, type FetchedWindow, NO_FILTER, type PlannedWindow } from '@edrlake/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { FailedWindow } from '../src/fetch/failed-window.ts';
import { type FetchOptions, fetchWindows } from '../src/fetch/fetch-windows.ts';
import { requestsOf } from '../src/plan/page-math.ts';
import { planWindows } from '../src/plan/plan-windows.ts';
import { type MemorySource, memorySource } from './memory-source.ts';

const START_MS = Date.UTC(2020, 7, 17);
const RANGE = { startMs: START_MS, endMs: START_MS + 1_000_000 };

let directory: string;
let source: MemorySource;
let windows: readonly PlannedWindow[];
let options: FetchOptions;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-reserved-'));
  const events = Array.from({ length: 400 }, (_, i) => ({ atMs: START_MS + i * 100, id: `e${i}` }));
  source = memorySource(events, { pageSize: 10, maxResultWindow: 40 });
  const signal = new AbortController().signal;
  const emit = () => {};
  windows = (await planWindows(source, { axis: 'event', range: RANGE, scope: NO_FILTER }, { signal, emit })).windows;
  options = { spoolDirectory: directory, concurrency: 3, shape: null, signal, emit };
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** An account of requests from which pages are taken, and work only reserves. */
interface Account {
  left: number;
  /** Requests of reservations that have not ended. */
  reserved: number;
  underWay: number;
}

/** Gives the source an account. A page without a reservation is not answered. */
function withAccount(left: number): Account {
  const account: Account = { left, reserved: 0, underWay: 0 };
  const { page } = source;
  const reserve = async (requests: number) => {
    if (account.reserved + requests > account.left) throw new EdrlakeError('REQUESTS_SPENT', 'too few are left');
    account.reserved += requests;
    account.underWay += 1;
    return {
      end: () => {
        account.underWay -= 1;
        if (account.underWay === 0) account.reserved = 0;
      },
    };
  };
  const answer: MemorySource['page'] = (query, ...request) => {
    if (account.underWay === 0) throw new Error('a page of a window without a reservation');
    account.left -= 1;
    account.reserved = Math.max(0, account.reserved - 1);
    return page(query, ...request);
  };
  Object.assign(source, { reserve, page: answer });
  return account;
}

async function consume(): Promise<{ done: (FetchedWindow | FailedWindow)[]; error: unknown }> {
  const done: (FetchedWindow | FailedWindow)[] = [];
  try {
    for await (const each of fetchWindows(source, windows, options)) done.push(each);
    return { done, error: null };
  } catch (error) {
    return { done, error };
  }
}

test('no window begins that the requests left do not cover, and those that began are whole', async () => {
  const pagesEach = Math.max(...windows.map(({ count }) => requestsOf(count, 10)));
  // Enough for two windows, and all but one request of a third.
  const account = withAccount(3 * pagesEach - 1);
  const { done, error } = await consume();
  expect(error).toMatchObject({ code: 'REQUESTS_SPENT' });
  expect(done.every(({ verdict }) => verdict === 'complete')).toBe(true);
  // Every request was one of a window that is whole.
  expect(source.calls.page).toBeLessThanOrEqual(done.reduce((sum, { count }) => sum + requestsOf(count, 10), 0));
  expect(done.length).toBeGreaterThanOrEqual(2);
  expect(account.left).toBeLessThan(pagesEach);
  expect(account).toMatchObject({ reserved: 0, underWay: 0 });
});

test('with enough requests all windows are fetched, several at once, and nothing stays reserved', async () => {
  const account = withAccount(1_000);
  const { done, error } = await consume();
  expect(error).toBeNull();
  expect(done).toHaveLength(windows.length);
  expect(done.every(({ verdict }) => verdict === 'complete')).toBe(true);
  expect(source.mostPagesInFlight).toBeGreaterThan(1);
  expect(account).toMatchObject({ reserved: 0, underWay: 0 });
});

test('the parts of a window that outgrew its plan are fetched without a reservation of their own', async () => {
  const account = withAccount(requestsOf(windows[0]?.count ?? 0, 10));
  const [first] = windows;
  const { range } = first!.window;
  const more = Array.from({ length: 200 }, (_, i) => ({ atMs: range.startMs + (i % 1_000), id: `m${i}` }));
  source.events = [...source.events, ...more];
  windows = [first!];
  const { done, error } = await consume();
  expect(error).toBeNull();
  expect(done.length).toBeGreaterThan(1);
  expect(done.every(({ verdict }) => verdict === 'complete')).toBe(true);
  expect(account).toMatchObject({ reserved: 0, underWay: 0 });
});

test('pages on disk from an earlier attempt need no requests', async () => {
  windows = windows.slice(0, 1);
  const { done: earlier } = await consume();
  const { pages } = earlier[0] as FetchedWindow;
  expect(pages.length).toBeGreaterThan(1);
  // One is left, for the page after a full last one.
  withAccount(1);
  options = { ...options, resume: new Map([[windows[0]?.window.id ?? '', pages]]) };
  const { done, error } = await consume();
  expect(error).toBeNull();
  expect(done).toMatchObject([{ verdict: 'complete' }]);
});
