import type { RunEvent } from '@edrlake/core';
import { describe, expect, it } from 'vitest';
import type { GatewayClient } from '../src/index.ts';
import { connect, failureOf, json, NEVER, type Reply, startGateway, status } from './gateway.ts';

const RETRIES = { retryAttempts: 3 };
const BOM = '\uFEFF';

interface Question {
  readonly ask: (client: GatewayClient) => Promise<unknown>;
  readonly good: string;
  readonly found: unknown;
}

const PERIOD = '1597622400000_1597708800000';
const QUESTIONS: Readonly<Record<string, Question>> = {
  'a count': { ask: (client) => client.count({}, NEVER), good: '{"count":3}', found: 3 },
  'a grouped count': {
    ask: (client) => client.groupedCount({ groupBy: ['type'] }, NEVER),
    good: '{"FILE":3}',
    found: { shape: 'map', values: [{ value: 'FILE', count: 3 }] },
  },
  'time buckets': {
    ask: (client) => client.countTimeBuckets({ bucketCount: 1 }, NEVER),
    good: `{"${PERIOD}":3}`,
    found: [{ range: { startMs: 1_597_622_400_000, endMs: 1_597_708_800_000 }, count: 3 }],
  },
};

const NO_BODY: readonly (readonly [string, Reply])[] = [
  ['status 200 without a body', status(200)],
  ['204', status(204)],
  ['white space', status(200, ' \r\n')],
  ['a byte order mark alone', status(200, BOM)],
];
const NO_JSON: readonly (readonly [string, Reply])[] = [
  ['text', status(200, 'no count here')],
  ['a web page', status(200, '<html></html>')],
  ['half of it', json('{"count":')],
];
const OTHER_JSON: readonly (readonly [string, Reply])[] = [
  ['an error object', json('{"errorCode":500,"message":"search failed"}')],
  ['a bare number', json('3')],
  ['null', json('null')],
  ['a negative number', json('{"count":-1}')],
  ['half an event', json('{"count":1.5}')],
  ['a count beside an error', json('{"count":0,"error":"no shards"}')],
  ['a count of some shards', json('{"count":2,"_shards":{"total":5,"successful":4,"failed":1}}')],
];

describe.each(Object.entries(QUESTIONS))('%s', (_, { ask, good, found }) => {
  it.each([...NO_BODY, ...NO_JSON, ...OTHER_JSON])('is requested again after %s', async (_name, broken) => {
    const gateway = await startGateway({ data: [broken, status(200, '{}{'), json(good)] });
    const { client, events } = connect(gateway.url, RETRIES);
    expect(await ask(client)).toEqual(found);
    const waits = events.filter((event: RunEvent) => event.type === 'retry').map(({ delayMs }) => delayMs >= 1_000);
    expect(waits).toEqual([true, true]);
  });

  it.each([
    ...[...NO_BODY, ...NO_JSON].map(([name, reply]) => [name, reply, 'BODY_BROKEN'] as const),
    ...OTHER_JSON.map(([name, reply]) => [name, reply, 'RESPONSE_UNEXPECTED'] as const),
  ])('fails by name when %s is all that ever comes', async (_name, broken, code) => {
    const gateway = await startGateway({ data: [broken] });
    const error = await failureOf(ask(connect(gateway.url, RETRIES).client));
    expect([error.code, error.disposition]).toEqual([code, 'retry']);
    expect(error.message).toMatch(/the same answer came twice: \d+ bytes/);
    expect(gateway.data()).toHaveLength(2);
  });

  it.each([
    status(200, 'The search is restarting, try again later'),
    json('{"error":"Service temporarily unavailable"}'),
  ])('keeps its attempts where the answer calls itself temporary', async (broken) => {
    const gateway = await startGateway({ data: [broken, broken, json(good)] });
    expect(await ask(connect(gateway.url, RETRIES).client)).toEqual(found);
  });

  it('is read after a byte order mark', async () => {
    const gateway = await startGateway({ data: [json(`${BOM}${good}\n`)] });
    expect(await ask(connect(gateway.url).client)).toEqual(found);
  });
});

it.each(['a grouped count', 'time buckets'])('%s that comes as a plain count is not requested again', async (name) => {
  const gateway = await startGateway({ data: [json('{"count":5}')] });
  const error = await failureOf(QUESTIONS[name]?.ask(connect(gateway.url).client) ?? Promise.resolve());
  expect([error.code, error.disposition]).toEqual(['RESPONSE_UNEXPECTED', 'stop']);
  expect(gateway.data()).toHaveLength(1);
});

it('a list where a plain count was asked for is no count', async () => {
  const gateway = await startGateway({ data: [json('[]'), json('{"count":4}')] });
  expect(await connect(gateway.url).client.count({}, NEVER)).toBe(4);
});
