import { describe, expect, it } from 'vitest';
import { readTimeBuckets } from '../src/qualys/parse-counts.ts';
import { connect, failureOf, json, NEVER, startGateway, status, textOf } from './gateway.ts';

const PAGE = '[{"id":"a","n":9007199254740993},{"id":"b","s":"]}\\"{["}]';

describe('searchAfter', () => {
  it.each([
    [
      'in the header searchAfterValues',
      json(PAGE, { searchAfterValues: '[1597622400000,"7"]' }),
      '[1597622400000,"7"]',
    ],
    ['in the header searchAfterValue', json(PAGE, { SearchAfterValue: 'abc' }), 'abc'],
    [
      'in the body as a list',
      json(`{"data":${PAGE},"searchAfterValues":[9007199254740993,"7"]}`),
      '[9007199254740993,"7"]',
    ],
    ['in the body as a text', json(` {"searchAfterValue":"abc", "data" : ${PAGE} }`), 'abc'],
    ['in the header of an object', json(`{"data":${PAGE}}`, { searchAfterValues: 'abc' }), 'abc'],
    ['nowhere: the walk is over', json(PAGE), null],
    ['as null: the walk is over', json(`{"data":${PAGE},"searchAfterValues":null}`), null],
    ['empty: the walk is over', json(`{"data":${PAGE},"searchAfterValues":[]}`), null],
  ])('finds the next cursor %s, and hands the page over as it came', async (_, reply, next) => {
    const gateway = await startGateway({ data: [reply] });
    const { client } = connect(gateway.url);
    expect(await client.searchAfter({ pageSize: 2 }, textOf, NEVER)).toEqual({ value: PAGE, next });
  });

  it('sends every parameter, and the cursor back as it came', async () => {
    const gateway = await startGateway();
    const params = {
      fromDate: 1,
      toDate: 2,
      filter: 'type: FILE',
      state: true,
      pageSize: 1000,
      sort: [{ 'event.dateTime': 'asc' as const }],
      includeAttributes: ['id'],
      excludeAttributes: ['file'],
      searchAfterValues: '[1597622400000,"7"]',
    };
    expect(await connect(gateway.url).client.searchAfter(params, textOf, NEVER)).toEqual({ value: '[]', next: null });
    const [request] = gateway.data();
    expect(request?.path).toBe('/ioc/events/searchAfter');
    expect(Object.fromEntries(request?.query ?? [])).toEqual({
      fromDate: '1',
      toDate: '2',
      filter: 'type: FILE',
      state: 'true',
      pageSize: '1000',
      sort: '[{"event.dateTime":"asc"}]',
      include_attributes: 'id',
      exclude_attributes: 'file',
      searchAfterValues: '[1597622400000,"7"]',
    });
  });

  it.each(['{"id":"a"}\n{"id":"b"}', '{"id":"a"}'])(
    'hands records without a list over as they came: %s',
    async (lines) => {
      const gateway = await startGateway({ data: [status(200, lines, { searchAfterValues: '7' })] });
      const { client } = connect(gateway.url);
      expect(await client.searchAfter({}, textOf, NEVER)).toEqual({ value: lines, next: '7' });
    },
  );

  it('reads nothing at all as an empty page', async () => {
    const gateway = await startGateway({ data: [status(204)] });
    expect(await connect(gateway.url).client.searchAfter({}, textOf, NEVER)).toEqual({ value: '[]', next: null });
  });

  it.each(['{"data":[{"id":"a"}', '{"error":"none"}', '{"data":{}}', '{"data":[],"error":"timed out"}'])(
    'asks again for a broken page: %s',
    async (broken) => {
      const gateway = await startGateway({ data: [json(broken), json(PAGE, { searchAfterValues: 'x' })] });
      const { client } = connect(gateway.url);
      expect(await client.searchAfter({}, textOf, NEVER)).toEqual({ value: PAGE, next: 'x' });
      expect(gateway.data()).toHaveLength(2);
    },
  );

  it('a platform without it is asked once', async () => {
    const gateway = await startGateway({ data: [status(404, '{"message":"no such resource"}')] });
    const { client } = connect(gateway.url);
    const failure = await failureOf(client.searchAfter({}, textOf, NEVER));
    expect([failure.code, failure.disposition]).toEqual(['RESPONSE_UNEXPECTED', 'stop']);
    expect((await failureOf(client.countTimeBuckets({ bucketCount: 1 }, NEVER))).code).toBe('RESPONSE_UNEXPECTED');
    expect(gateway.data()).toHaveLength(2);
  });
});

describe('time buckets', () => {
  it('are requested with every parameter', async () => {
    const gateway = await startGateway({ data: [json('{"1597622400000_1597708800000":5}')] });
    const { client } = connect(gateway.url);
    const params = { fromDate: 1_597_622_400, toDate: 1_597_708_799, filter: 'x: 1', state: false, bucketCount: 1 };
    expect(await client.countTimeBuckets(params, NEVER)).toEqual([
      { range: { startMs: 1_597_622_400_000, endMs: 1_597_708_800_000 }, count: 5 },
    ]);
    expect(gateway.data()[0]?.path).toBe('/ioc/events/count/time-buckets');
    expect(Object.fromEntries(gateway.data()[0]?.query ?? [])).toEqual({
      fromDate: '1597622400',
      toDate: '1597708799',
      filter: 'x: 1',
      state: 'false',
      bucketCount: '1',
    });
  });

  const startMs = Date.UTC(2020, 7, 17);
  const rangesOf = (...ends: number[]) =>
    ends
      .slice(1)
      .map((end, index) => ({ range: { startMs: startMs + (ends[index] ?? 0), endMs: startMs + end }, count: index }));

  it.each([
    ['milliseconds, ends exclusive', (ms: number) => `${ms}`, 0],
    ['milliseconds, ends inclusive', (ms: number) => `${ms}`, 1],
    ['seconds, ends exclusive', (ms: number) => `${ms / 1000}`, 0],
    ['seconds, ends inclusive', (ms: number) => `${ms / 1000}`, 1000],
    ['ISO times', (ms: number) => new Date(ms).toISOString(), 0],
    ['ISO times, ends inclusive', (ms: number) => new Date(ms).toISOString(), 1],
  ])('are understood in %s, in any order', (_, text, inclusiveMs) => {
    const expected = rangesOf(0, 60_000, 120_000, 180_000);
    const entries = expected.map(({ range, count }): [string, number] => [
      `${text(range.startMs)}_${text(range.endMs - inclusiveMs)}`,
      count,
    ]);
    expect(readTimeBuckets(Object.fromEntries(entries.reverse()))).toEqual(expected);
  });

  it.each([
    [{ '1597622400000': 1 }],
    [{ '1597622400000_x': 1 }],
    [{ '1597622400000_1597622400000': 1 }],
    [{ '1597622400000_1597622460000': 1, '1597622430000_1597622490000': 1 }],
    [{ count: 5 }],
    [[]],
    [null],
    [{ '1597622400000_1597622460000': -1 }],
  ])('of another shape are not used: %j', (answer) => {
    expect(readTimeBuckets(answer)).toBeNull();
  });

  it('may be none', () => {
    expect(readTimeBuckets({})).toEqual([]);
  });
});
