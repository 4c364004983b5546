import { describe, expect, it } from 'vitest';
import { between, countOf, DAY_MS, gateway, reader, START_MS } from './gateway.ts';

const sum = (counts: Record<string, number>) => Object.values(counts).reduce((total, count) => total + count, 0);

describe('GET /ioc/events/count', () => {
  it('starts with 18,048,196 events and counts any range at once', async () => {
    const range = { startMs: START_MS, endMs: START_MS + 30 * DAY_MS };
    const simulator = await gateway({ events: 18_048_196, range });
    const read = await reader(simulator);
    expect(await countOf(read, '')).toBe(18_048_196);
    const middle = START_MS + 1_000_000_007;
    const first = await countOf(read, between(START_MS, middle));
    expect(first + (await countOf(read, between(middle, range.endMs)))).toBe(18_048_196);
    const minute = between(START_MS + 36_000_000, START_MS + 36_060_000);
    const types = (await read('/count', { filter: minute, groupBy: 'type' })).json<Record<string, number>>();
    expect(sum(types)).toBe(await countOf(read, minute));
    const page = await read('', { filter: minute, pageSize: '5', sort: '[{"event.dateTime":"asc"}]' });
    expect(page.json()).toHaveLength(5);
  });

  it('groups by a field, most frequent first, up to the limit', async () => {
    const read = await reader(await gateway());
    const agents = (await read('/count', { groupBy: 'agentId' })).json<Record<string, number>>();
    const counts = Object.values(agents);
    expect(sum(agents)).toBe(3000);
    expect(counts).toEqual([...counts].sort((a, b) => b - a));
    const [top] = Object.keys(agents);
    expect(await countOf(read, `asset.agentid: '${top}'`)).toBe(counts[0]);
    const few = (await read('/count', { groupBy: 'agentId', limit: '3' })).json<Record<string, number>>();
    expect(Object.entries(few)).toEqual(Object.entries(agents).slice(0, 3));
  });

  it('groups by several fields and sorts as asked', async () => {
    const read = await reader(await gateway());
    const groups = (await read('/count', { groupBy: 'type,action', sort: '[{"type":"asc"}]' })).json<
      Record<string, number>
    >();
    expect(sum(groups)).toBe(3000);
    expect(Object.keys(groups)).toEqual(Object.keys(groups).sort());
    expect(groups['FILE,CREATED']).toBe(await countOf(read, 'type:FILE AND action:CREATED'));
    const rising = Object.values(
      (await read('/count', { groupBy: 'type', sort: '[{"count":"asc"}]' })).json<Record<string, number>>(),
    );
    expect(rising).toEqual([...rising].sort((a, b) => a - b));
    const perDay = (await read('/count', { groupBy: 'type,dateTime', interval: '1d' })).json<Record<string, number>>();
    expect(Object.keys(perDay)).toContain('FILE,2020-08-18T00:00:00.000Z');
    expect((await read('/count', { groupBy: 'nonsense' })).status).toBe(400);
  });

  it.each([
    ['epoch', (body: never) => Object.entries(body).map(([key, count]) => [Number(key), count])],
    ['iso', (body: never) => Object.entries(body).map(([key, count]) => [Date.parse(key), count])],
    ['from_to', (body: never) => Object.entries(body).map(([key, count]) => [Number(key.split('_')[0]), count])],
    [
      'key-count',
      (body: never) => (body as { key: string; count: number }[]).map((each) => [Date.parse(each.key), each.count]),
    ],
    [
      'key-doc_count',
      (body: never) => (body as { key: number; doc_count: number }[]).map((each) => [each.key, each.doc_count]),
    ],
  ] as const)('writes histograms as %s', async (histogramShape, read) => {
    const simulator = await gateway({ histogramShape });
    const ask = await reader(simulator);
    const filter = between(START_MS, START_MS + DAY_MS);
    const answer = await ask('/count', { filter, groupBy: 'event.dateTime', interval: '6h' });
    const expected = [0, 1, 2, 3].map((quarter) => {
      const startMs = START_MS + (quarter * DAY_MS) / 4;
      return [startMs, simulator.truth.count({ startMs, endMs: startMs + DAY_MS / 4 })];
    });
    expect(read(answer.json<never>())).toEqual(expected);
  });

  it.each([
    ['30s', 30_000, 0],
    ['15m', 900_000, 0],
    ['1h', 3_600_000, 0],
    ['2w', 14 * DAY_MS, 4 * DAY_MS],
  ])('starts buckets of %s at whole multiples', async (interval, lengthMs, originMs) => {
    const read = await reader(await gateway());
    const filter = between(START_MS, START_MS + DAY_MS / 8);
    const body = (await read('/count', { filter, groupBy: 'dateTime', interval })).json<Record<string, number>>();
    for (const key of Object.keys(body)) expect((Number(key) - originMs) % lengthMs).toBe(0);
    expect(sum(body)).toBe(await countOf(read, filter));
  });

  it.each([
    ['1M', ['2019-12-01', '2020-01-01', '2020-02-01']],
    ['1q', ['2019-10-01', '2020-01-01']],
    ['y', ['2019-01-01', '2020-01-01']],
  ])('knows calendar intervals: %s', async (interval, starts) => {
    const range = { startMs: Date.UTC(2019, 11, 15), endMs: Date.UTC(2020, 1, 20) };
    const read = await reader(await gateway({ range, histogramShape: 'iso' }));
    const body = (await read('/count', { groupBy: 'dateTime', interval })).json<Record<string, number>>();
    expect(Object.keys(body).map((key) => key.slice(0, 10))).toEqual(starts);
  });

  it('makes histograms of filtered events and of the processing time', async () => {
    const simulator = await gateway();
    const read = await reader(simulator);
    const files = (await read('/count', { filter: 'type:file', groupBy: 'dateTime', interval: '1h' })).json<
      Record<string, number>
    >();
    expect(sum(files)).toBe(await countOf(read, 'type:file'));
    const filter = between(START_MS, START_MS + DAY_MS, 'event.eventProcessedTime');
    const processed = (await read('/count', { filter, groupBy: 'event.eventProcessedTime', interval: '1h' })).json<
      Record<string, number>
    >();
    expect(sum(processed)).toBe(simulator.truth.count({ startMs: START_MS, endMs: START_MS + DAY_MS }, 'processed'));
  });

  it('refuses unsupported parameters', async () => {
    const read = await reader(await gateway({ histogramShape: 'unsupported' }));
    expect((await read('/count', { groupBy: 'dateTime', interval: '1d' })).status).toBe(400);
    const other = await reader(await gateway({ events: 20_000 }));
    expect((await other('/count', { groupBy: 'dateTime', interval: '1x' })).status).toBe(400);
    expect((await other('/count', { groupBy: 'dateTime', interval: '1s' })).status).toBe(400);
  });
});

describe('later additions', () => {
  it('reads beyond 10,000 results with searchAfter', async () => {
    const profile = { busySecondEvents: 10_500 };
    const simulator = await gateway({ events: 12_000, profile, pageSizeMax: 5000 });
    const read = await reader(simulator);
    const seen: unknown[] = [];
    let cursor: string | null = null;
    for (let page = 0; page < 5; page += 1) {
      const params: Record<string, string> = { pageSize: '4000', sort: '[{"event.dateTime":"asc"},{"id":"asc"}]' };
      if (cursor !== null) params.searchAfterValues = cursor;
      const answer = await read('/searchAfter', params);
      const rows = answer.json();
      seen.push(...rows.map((row) => row.id));
      cursor = answer.headers.get('searchAfterValues');
      if (rows.length === 0) break;
    }
    expect(new Set(seen)).toEqual(new Set(simulator.truth.ids()));
    expect(seen).toHaveLength(12_000);
  });

  it('puts the cursor into another header or the body', async () => {
    const header = await (await reader(await gateway({ searchAfter: 'searchAfterValue' })))('/searchAfter');
    expect(header.headers.get('searchAfterValue')).toMatch(/^\[\d+,"\d+"\]$/);
    const body = (await (await reader(await gateway({ searchAfter: 'body' })))('/searchAfter')).json<
      Record<string, unknown>
    >();
    expect(body.data).toHaveLength(10);
    expect(body.searchAfterValues).toHaveLength(2);
    const off = await reader(await gateway({ searchAfter: 'unsupported', timeBuckets: false }));
    expect((await off('/searchAfter')).status).toBe(404);
    expect((await off('/count/time-buckets')).status).toBe(404);
  });

  it('divides the requested days into equal time buckets', async () => {
    const simulator = await gateway();
    const read = await reader(simulator);
    const seconds = { fromDate: String(START_MS / 1000), toDate: String((START_MS + DAY_MS) / 1000) };
    const all = (await read('/count/time-buckets', { ...seconds, bucketCount: '48' })).json<Record<string, number>>();
    expect(Object.keys(all)).toHaveLength(48);
    expect(Object.keys(all)[1]).toBe(`${START_MS + 3_600_000}_${START_MS + 7_200_000}`);
    expect(sum(all)).toBe(3000);
    const filter = `${between(START_MS, START_MS + 1000_000)} AND type:file`;
    const part = (await read('/count/time-buckets', { ...seconds, bucketCount: '7', filter })).json<
      Record<string, number>
    >();
    expect(sum(part)).toBe(simulator.truth.count({ startMs: START_MS, endMs: START_MS + 1000_000 }));
  });
});
