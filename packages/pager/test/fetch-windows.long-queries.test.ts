import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EdrlakeError, type EventQuery, NO_FILTER } from '@edrlake/core';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { fetchWindows } from '../src/fetch/fetch-windows.ts';
import { planWindows } from '../src/plan/plan-windows.ts';
import { type MemoryEvent, type MemorySource, memorySource } from './memory-source.ts';

const START_MS = Date.UTC(2020, 7, 17);
const RANGE = { startMs: START_MS, endMs: START_MS + 1_000 };

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-long-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** One millisecond that only values divide: 40 agents with 5 events each, and some events elsewhere. */
function busyInstant(): MemorySource {
  const burst: MemoryEvent[] = Array.from({ length: 200 }, (_, i) => ({
    atMs: START_MS + 500,
    id: `e${i}`,
    type: 'FILE',
    agent: `agent-${String(i % 40).padStart(2, '0')}`,
  }));
  const quiet: MemoryEvent[] = Array.from({ length: 10 }, (_, i) => ({
    atMs: START_MS + i,
    id: `q${i}`,
    type: 'FILE',
  }));
  return memorySource([...burst, ...quiet], { pageSize: 25, maxResultWindow: 100 });
}

/** Refuses pages of queries that select, or exclude, more than a number of values. */
function refuseLongerThan(source: MemorySource, op: 'in' | 'not-in', most: number): void {
  const { page } = source;
  const valuesOf = ({ cuts }: EventQuery) =>
    Math.max(0, ...cuts.filter((cut) => cut.op === op).map(({ values }) => values.length));
  source.page = async (query, ...rest) => {
    if (valuesOf(query) > most) throw new EdrlakeError('QUERY_TOO_LONG', 'answered 414');
    return page(query, ...rest);
  };
}

async function fetchAll(source: MemorySource) {
  const signal = new AbortController().signal;
  const options = { signal, emit: () => undefined };
  const { windows } = await planWindows(source, { axis: 'event', range: RANGE, scope: NO_FILTER }, options);
  let proven = 0;
  const failed: EdrlakeError[] = [];
  const more = { spoolDirectory: directory, concurrency: 2, shape: null };
  for await (const window of fetchWindows(source, windows, { ...options, ...more })) {
    if (window.verdict === 'failed') failed.push(window.error);
    else if (window.verdict === 'complete') proven += window.recordCount;
  }
  return { proven, failed };
}

it('a list of values that the gateway finds too long is divided into shorter ones', async () => {
  const source = busyInstant();
  refuseLongerThan(source, 'in', 5);
  expect(await fetchAll(source)).toEqual({ proven: 210, failed: [] });
});

it('a list that cannot be shortened fails its window and says what to do; the rest is fetched', async () => {
  const source = busyInstant();
  refuseLongerThan(source, 'not-in', 5);
  const { proven, failed } = await fetchAll(source);
  expect(failed.map(({ code }) => code)).toEqual(['QUERY_TOO_LONG']);
  expect(failed[0]?.hint).toContain('narrow the export with --filter');
  expect(proven).toBeGreaterThanOrEqual(110);
});
