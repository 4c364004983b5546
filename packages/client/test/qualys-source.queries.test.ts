import { EVERYTHING, type EventQuery, timeRange } from '@edrlake/core';
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

  it('sorts by the axis of the query, or as told', async () => {
    const { gateway, source } = await sourceOf([json('[]')]);
    await source.page({ ...QUERY, axis: 'processed' }, 0, textOf, NEVER);
    const told = createQualysSource(connect(gateway.url).client, { sort: [{ id: 'desc' }] });
    await told.page(QUERY, 0, textOf, NEVER);
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
  it('asks for equal stretches of the axis and reads them', async () => {
    const { gateway, source } = await sourceOf([
      json(`{"2020-08-17T05:00:00.000Z":4,"${'2020-08-17T01:00:00.000Z'}":2}`),
    ]);
    const buckets = await source.histogram?.({ ...QUERY, axis: 'processed', scope: EVERYTHING }, HOUR, NEVER);
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

  it('stays when the question failed for another reason', async () => {
    const { source } = await sourceOf([status(403)]);
    await failureOf(source.histogram?.(QUERY, HOUR, NEVER) ?? Promise.resolve());
    expect(source.histogram).not.toBeNull();
  });

  it('of too many buckets is a question that is too big', async () => {
    const { source, gateway } = await sourceOf([]);
    const range = timeRange(START, START + 1000 * 24 * HOUR);
    const error = await failureOf(source.histogram?.({ ...QUERY, range }, 1000, NEVER) ?? Promise.resolve());
    expect([error.code, error.disposition]).toEqual(['RESULT_WINDOW_EXCEEDED', 'split']);
    expect(gateway.seen).toEqual([]);
  });
});
