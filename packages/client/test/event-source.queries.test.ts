import { type EventQuery, NO_FILTER, timeRange } from '@edrlake/core';
import { describe, expect, it } from 'vitest';
import { createQualysSource, type QualysSourceOptions } from '../src/index.ts';
import { connect, failureOf, json, NEVER, type Reply, startGateway, status, textOf } from './gateway.ts';

const HOUR = 3_600_000;
const START = Date.UTC(2020, 7, 17);
const RANGE_FILTER = "(event.dateTime : ['2020-08-17T00:00:00.000Z' .. '2020-08-17T23:59:59.999Z'])";
const QUERY: EventQuery = {
  axis: 'event',
  range: timeRange(START, START + 24 * HOUR),
  cuts: [{ field: 'type', op: 'in', values: ['FILE'] }],
  scope: { filter: 'a: 1 OR b: 2', state: true },
};

async function sourceOf(data: readonly Reply[], options: QualysSourceOptions = {}) {
  const gateway = await startGateway({ data });
  const { client } = connect(gateway.url);
  return { gateway, source: createQualysSource(client, options) };
}

describe('the source', () => {
  it('counts and pages the same selection', async () => {
    const { gateway, source } = await sourceOf([json('{"count":7}'), json('[{"id":1}]')]);
    expect(await source.count(QUERY, NEVER)).toBe(7);
    expect(await source.page(QUERY, 3, textOf, NEVER)).toBe('[{"id":1}]');
    const selection = { filter: `${RANGE_FILTER} AND (type: 'FILE') AND (a: 1 OR b: 2)`, state: 'true' };
    expect(gateway.data().map(({ query }) => Object.fromEntries(query))).toEqual([
      selection,
      { ...selection, pageNumber: '3', pageSize: '1000', sort: '[{"event.dateTime":"asc"}]' },
    ]);
    expect(source.name).toBe(`${gateway.host}/reader`);
  });

  it('sorts by the axis of the query, or as configured', async () => {
    const { gateway, source } = await sourceOf([json('[]')]);
    await source.page({ ...QUERY, axis: 'processed' }, 0, textOf, NEVER);
    const configured = createQualysSource(connect(gateway.url).client, { sort: [{ id: 'desc' }] });
    await configured.page(QUERY, 0, textOf, NEVER);
    expect(gateway.data().map(({ query }) => query.get('sort'))).toEqual([
      '[{"event.eventProcessedTime":"asc"}]',
      '[{"id":"desc"}]',
    ]);
  });

  it('reaches whole pages within the result window, and asks for none beyond', async () => {
    const { gateway, source } = await sourceOf([json('[]')], { pageSize: 3000 });
    expect([source.pageSize, source.maxResultWindow]).toEqual([3000, 9000]);
    await source.page(QUERY, 2, textOf, NEVER);
    const error = await failureOf(source.page(QUERY, 3, textOf, NEVER));
    expect([error.code, error.disposition]).toEqual(['RESULT_WINDOW_EXCEEDED', 'split']);
    expect(gateway.data()).toHaveLength(1);
  });

  it.each([0, 1.5, 10_001])('refuses a page size of %d', async (pageSize) => {
    const { client } = connect('http://127.0.0.1:1');
    expect(() => createQualysSource(client, { pageSize })).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });

  it('lists values by frequency, under the names that groupBy takes', async () => {
    const { gateway, source } = await sourceOf([json('{"a":1,"b":9,"c":5}')], {
      groupBy: { type: 'event.type', agent: 'agent' },
    });
    expect(await source.groups(QUERY, 'agent', 2, NEVER)).toEqual([
      { value: 'b', count: 9 },
      { value: 'c', count: 5 },
    ]);
    await source.groups(QUERY, 'type', 9, NEVER);
    expect(gateway.data().map(({ query }) => [query.get('groupBy'), query.get('limit')])).toEqual([
      ['agent', '2'],
      ['event.type', '9'],
    ]);
  });
});

describe('the histogram of the source', () => {
  it('asks for equal intervals of the axis and reads them', async () => {
    const { gateway, source } = await sourceOf([
      json(`{"2020-08-17T05:00:00.000Z":4,"${'2020-08-17T01:00:00.000Z'}":2}`),
    ]);
    const buckets = await source.histogram?.({ ...QUERY, axis: 'processed', scope: NO_FILTER }, HOUR, NEVER);
    expect(buckets).toEqual([
      { range: { startMs: START + HOUR, endMs: START + 2 * HOUR }, count: 2 },
      { range: { startMs: START + 5 * HOUR, endMs: START + 6 * HOUR }, count: 4 },
    ]);
    const { query } = gateway.data()[0]!;
    expect([query.get('groupBy'), query.get('interval'), query.get('limit')]).toEqual([
      'event.eventProcessedTime',
      '1h',
      '24',
    ]);
  });

  it('is not there when it is turned off', async () => {
    const { source } = await sourceOf([], { histogram: 'off' });
    expect(source.histogram).toBeNull();
  });

  it.each([
    ['a plain count', json('{"count":5}')],
    ['values that are no times', json('{"FILE":5}')],
    ['a refusal', status(400, 'unknown parameter interval')],
  ])('disappears after %s, unless it is said to be there', async (_, reply) => {
    const { source } = await sourceOf([reply]);
    const error = await failureOf(source.histogram?.(QUERY, HOUR, NEVER) ?? Promise.resolve());
    expect(error.disposition).toBe('stop');
    expect(source.histogram).toBeNull();
    const { source: insisting } = await sourceOf([reply], { histogram: 'on' });
    await failureOf(insisting.histogram?.(QUERY, HOUR, NEVER) ?? Promise.resolve());
    expect(insisting.histogram).not.toBeNull();
  });

  it.each([
    ['the question failed for another reason', status(403)],
    ['the answer had no body', status(204)],
  ])('stays when %s', async (_, reply) => {
    const { source } = await sourceOf([reply]);
    await failureOf(source.histogram?.(QUERY, HOUR, NEVER) ?? Promise.resolve());
    expect(source.histogram).not.toBeNull();
  });

  it('of too many buckets is a query that is too large', async () => {
    const { source, gateway } = await sourceOf([]);
    const range = timeRange(START, START + 1000 * 24 * HOUR);
    const error = await failureOf(source.histogram?.({ ...QUERY, range }, 1000, NEVER) ?? Promise.resolve());
    expect([error.code, error.disposition]).toEqual(['RESULT_WINDOW_EXCEEDED', 'split']);
    expect(gateway.seen).toEqual([]);
  });
});

describe('the pagination of the source', () => {
  it('is by page numbers unless searchAfter is wanted', async () => {
    const { source } = await sourceOf([]);
    expect(source.cursor).toBeNull();
  });

  it('asks searchAfter for the same selection and order, and hands its cursor on', async () => {
    const { gateway, source } = await sourceOf([json('[{"id":1}]', { searchAfterValues: '[1,"1"]' }), json('[]')], {
      walk: 'searchAfter',
      pageSize: 1,
    });
    expect(await source.cursor?.page(QUERY, null, textOf, NEVER)).toEqual({ value: '[{"id":1}]', next: '[1,"1"]' });
    expect(await source.cursor?.page(QUERY, '[1,"1"]', textOf, NEVER)).toEqual({ value: '[]', next: null });
    const selection = { filter: `${RANGE_FILTER} AND (type: 'FILE') AND (a: 1 OR b: 2)`, state: 'true' };
    const sent = { ...selection, pageSize: '1', sort: '[{"event.dateTime":"asc"}]' };
    expect(gateway.data().map(({ path, query }) => [path, Object.fromEntries(query)])).toEqual([
      ['/ioc/events/searchAfter', sent],
      ['/ioc/events/searchAfter', { ...sent, searchAfterValues: '[1,"1"]' }],
    ]);
  });

  it('has windows of at least one page', async () => {
    const sizes = [{}, { maxWindowEvents: 100_000 }, { pageSize: 5_000, maxWindowEvents: 1 }];
    const sources = await Promise.all(sizes.map((size) => sourceOf([], { walk: 'searchAfter', ...size })));
    expect(sources.map(({ source }) => source.cursor?.maxWindowEvents)).toEqual([30_000, 100_000, 5_000]);
  });
});

describe('time buckets, where grouped counts give no histogram,', () => {
  const REFUSED = status(400, 'unknown parameter interval');
  const PLAIN: EventQuery = { ...QUERY, cuts: [], scope: NO_FILTER };
  const key = (startHour: number, endHour: number) => `${START + startHour * HOUR}_${START + endHour * HOUR}`;

  it('answer instead, and at once from then on', async () => {
    const buckets = json(JSON.stringify({ [key(0, 12)]: 3, [key(12, 24)]: 4 }));
    const { gateway, source } = await sourceOf([REFUSED, buckets]);
    const expected = [0, 12].map((hour) => ({
      range: { startMs: START + hour * HOUR, endMs: START + (hour + 12) * HOUR },
      count: hour === 0 ? 3 : 4,
    }));
    expect(await source.histogram?.(PLAIN, 12 * HOUR, NEVER)).toEqual(expected);
    expect(await source.histogram?.(PLAIN, 12 * HOUR, NEVER)).toEqual(expected);
    const asked = gateway.data().map(({ path }) => path);
    expect(asked).toEqual(['/ioc/events/count', ...Array(2).fill('/ioc/events/count/time-buckets')]);
    expect(Object.fromEntries(gateway.data()[1]?.query ?? [])).toEqual({
      fromDate: String(START / 1000),
      toDate: String(START / 1000 + 86_399),
      filter: RANGE_FILTER,
      bucketCount: '2',
    });
  });

  it('are added up where a range begins or ends within a bucket', async () => {
    const buckets = json(JSON.stringify({ [key(5, 6)]: 1, [key(6, 7)]: 2, [key(7, 8)]: 0, [key(8, 9)]: 8 }));
    const { gateway, source } = await sourceOf([REFUSED, buckets]);
    const range = timeRange(START + 5 * HOUR, START + 9 * HOUR);
    expect(await source.histogram?.({ ...PLAIN, range }, 2 * HOUR, NEVER)).toEqual([
      { range: { startMs: START + 4 * HOUR, endMs: START + 6 * HOUR }, count: 1 },
      { range: { startMs: START + 6 * HOUR, endMs: START + 8 * HOUR }, count: 2 },
      { range: { startMs: START + 8 * HOUR, endMs: START + 10 * HOUR }, count: 8 },
    ]);
    expect(gateway.data()[1]?.query.get('bucketCount')).toBe('4');
    const uneven = { ...PLAIN, range: timeRange(START + 1, START + 9 * HOUR) };
    const error = await failureOf(source.histogram?.(uneven, 2 * HOUR, NEVER) ?? Promise.resolve());
    expect([error.code, error.disposition]).toEqual(['RESULT_WINDOW_EXCEEDED', 'split']);
    expect([gateway.data().length, source.histogram === null]).toEqual([2, false]);
  });

  it.each([
    ['a filter', { ...PLAIN, scope: { filter: 'a: 1', state: null } }],
    ['a state', { ...PLAIN, scope: { filter: null, state: false } }],
    ['a cut', QUERY],
    ['the other axis', { ...PLAIN, axis: 'processed' as const }],
  ])('are not asked about %s, which they would not heed', async (_, query) => {
    const { gateway, source } = await sourceOf([REFUSED]);
    expect((await failureOf(source.histogram?.(query, HOUR, NEVER) ?? Promise.resolve())).code).toBe('FILTER_REJECTED');
    expect(gateway.data()).toHaveLength(1);
    expect(source.histogram).toBeNull();
  });

  it.each([
    ['other lengths', { [key(0, 8)]: 1, [key(8, 24)]: 1 }],
    ['other beginnings', { [key(6, 18)]: 1 }],
    ['times outside', { [key(-12, 0)]: 1 }],
    ['no times', { FILE: 1 }],
  ])('with %s are not used', async (_, answer) => {
    const { source } = await sourceOf([REFUSED, json(JSON.stringify(answer))]);
    await failureOf(source.histogram?.(PLAIN, 12 * HOUR, NEVER) ?? Promise.resolve());
    expect(source.histogram).toBeNull();
  });

  it('are not requested when grouped counts are required, or fail for another reason', async () => {
    const { gateway, source } = await sourceOf([REFUSED, status(403)], { histogram: 'on' });
    await failureOf(source.histogram?.(PLAIN, HOUR, NEVER) ?? Promise.resolve());
    expect(gateway.data()).toHaveLength(1);
    const { gateway: other, source: auto } = await sourceOf([status(403)]);
    await failureOf(auto.histogram?.(PLAIN, HOUR, NEVER) ?? Promise.resolve());
    expect([other.data().length, auto.histogram === null]).toEqual([1, false]);
  });
});
