import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type EdrEvent, type EventPage, events, openLake, type RunEvent } from '../src/index.ts';
import { startTestGateway, type TestGateway, type TestGatewayOptions } from '../src/testing.ts';

const DAYS = { from: '2020-08-17', to: '2020-08-18' };

let temporaryDirectory: string;
let gateway: TestGateway | null = null;

beforeEach(async () => {
  temporaryDirectory = await mkdtemp(join(tmpdir(), 'edrlake-events-test-'));
});

afterEach(async () => {
  await gateway?.close();
  gateway = null;
  await rm(temporaryDirectory, { recursive: true, force: true });
});

async function open(options: Partial<TestGatewayOptions>): Promise<TestGateway> {
  gateway = await startTestGateway({ ...DAYS, events: 3_000, seed: 5, ...options });
  return gateway;
}

async function pagesOf(iterator: AsyncIterable<EventPage>): Promise<EventPage[]> {
  const pages: EventPage[] = [];
  for await (const page of iterator) pages.push(page);
  return pages;
}

const idsOf = (pages: readonly EventPage[]) =>
  pages.flatMap((page) => page.events.map(({ id, eventId }) => id ?? eventId));

test('delivers every event of the range once, as the API gave it, over windows that had to be divided', async () => {
  const { source, simulator } = await open({ events: 12_000, resultWindow: 2_500, unknownFieldShare: 0.01 });
  const delivered = new Map<unknown, EdrEvent>();
  let windows = 0;
  for await (const page of events(source, { ...DAYS, temporaryDirectory })) {
    if (page.pageNumber === 0) windows++;
    expect(page.unreadable).toEqual([]);
    const { startMs, endMs } = page.range;
    const strays = page.events.filter(({ id, dateTime }) => {
      const ms = Date.parse(dateTime ?? '');
      return ms < startMs || ms >= endMs || delivered.has(id);
    });
    expect(strays).toEqual([]);
    for (const event of page.events) delivered.set(event.id, event);
  }
  expect(delivered.size).toBe(12_000);
  expect(windows).toBeGreaterThan(4);
  for (const index of [0, 1, 5_432, 11_999]) {
    const truth = simulator.truth.event(index);
    expect(delivered.get(truth.id)).toEqual(truth);
  }
  expect(await readdir(temporaryDirectory), 'nothing is left on disk').toEqual([]);
});

test('retries, follows cursors, and delivers once what a page holds twice', async () => {
  const { source, simulator } = await open({ settings: { walk: 'searchAfter' } });
  simulator.faults.push({ kind: 'status', status: 503, match: { endpoint: 'events' } });
  simulator.faults.push({ kind: 'duplicate-row', match: { endpoint: 'events' } });
  expect(new Set(idsOf(await pagesOf(events(source, DAYS)))).size).toBe(3_000);
});

test('waits while the reader is behind, and asks for nothing more once the loop is left', async () => {
  const { source, simulator } = await open({ events: 40_000, resultWindow: 1_000 });
  const progress: RunEvent[] = [];
  const options = {
    ...DAYS,
    temporaryDirectory,
    maxSpooledBytes: 1,
    onProgress: (event: RunEvent) => progress.push(event),
  };
  for await (const page of events(source, options)) {
    expect(page.events.length).toBeLessThanOrEqual(1_000);
    break;
  }
  const planned = progress.find(({ type }) => type === 'planned');
  const pages = progress.filter(({ type }) => type === 'page').length;
  expect(planned?.type === 'planned' && planned.windows).toBeGreaterThanOrEqual(40);
  expect(pages, 'one window at a time while nothing is read').toBeLessThanOrEqual(3);
  const made = source.requestsMade();
  await new Promise((resolve) => setImmediate(resolve));
  expect(source.requestsMade()).toBe(made);
  expect(simulator.calls.dataTotal).toBeLessThan(20);
  expect(await readdir(temporaryDirectory)).toEqual([]);
});

test('ends with an error that names the ranges which are not whole, after everything else', async () => {
  const { source, simulator } = await open({ events: 5_000, resultWindow: 1_000 });
  simulator.faults.push({ kind: 'status', status: 400, match: { endpoint: 'events', after: 4 }, times: 1 });
  const pages: EventPage[] = [];
  const reading = (async () => {
    for await (const page of events(source, { ...DAYS, temporaryDirectory })) pages.push(page);
  })();
  await expect(reading).rejects.toMatchObject({
    code: 'PARTLY_DONE',
    disposition: 'retry',
    message: expect.stringMatching(/^1 window is incomplete: 2020-08-1\dT.*Z to 2020-08-1\dT/),
  });
  expect(new Set(idsOf(pages)).size).toBeGreaterThan(3_000);
  expect(new Set(idsOf(pages)).size).toBeLessThan(5_000);
  expect(await readdir(temporaryDirectory)).toEqual([]);
});

test('stops with the signal, and keeps nothing', async () => {
  const { source } = await open({ events: 20_000, resultWindow: 1_000 });
  const stop = new AbortController();
  const reading = (async () => {
    for await (const _ of events(source, { ...DAYS, temporaryDirectory, signal: stop.signal })) stop.abort();
  })();
  await expect(reading).rejects.toMatchObject({ code: 'INTERRUPTED' });
  expect(await readdir(temporaryDirectory)).toEqual([]);
});

test('counts its requests in the account of a lake, and changes nothing else there', async () => {
  const { source } = await open({});
  const lake = await openLake(join(temporaryDirectory, 'lake'));
  await pagesOf(events(source, { ...DAYS, lake }));
  expect((await readdir(join(lake.directory, '_runs'))).map((name) => name.slice(0, 7))).toEqual(['budget-']);
  expect((await lake.version()).version).toBe(0);
  await lake.close();
});

test('reads numbers with the parser that it is given', async () => {
  const { source } = await open({ events: 10 });
  const texts: string[] = [];
  const parse = (json: string) => {
    texts.push(json);
    return { id: texts.length };
  };
  const pages = await pagesOf(events(source, { ...DAYS, parse }));
  expect(pages.flatMap((page) => page.events)).toHaveLength(10);
  expect(texts.map((text) => typeof JSON.parse(text).dateTime)).toEqual(new Array(10).fill('string'));
});

test('the end of a range in the future is left out; a range that begins there is refused', async () => {
  const { source } = await open({ events: 10 });
  expect(idsOf(await pagesOf(events(source, { from: '2020-08-17', to: '2130-01-01' })))).toHaveLength(10);
  await expect(pagesOf(events(source, { from: '2130-01-01', to: '2130-01-02' }))).rejects.toMatchObject({
    code: 'RANGE_INVALID',
  });
});
