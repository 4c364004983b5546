import { describe, expect, it } from 'vitest';
import { connect, failureOf, json, NEVER, startGateway, textOf } from './gateway.ts';

describe('the parameters of a request', () => {
  it('of /events are all nine, under their documented names', async () => {
    const gateway = await startGateway();
    await connect(gateway.url).client.events(
      {
        fromDate: 1_597_622_400,
        toDate: 1_597_795_199,
        filter: "event.dateTime : ['a' .. 'b'] AND file.name: `x&y+z%`",
        pageNumber: 0,
        pageSize: 1000,
        sort: [{ 'event.dateTime': 'asc' }, { action: 'desc' }],
        includeAttributes: ['id', 'dateTime'],
        excludeAttributes: ['file', 'asset.tags'],
        state: true,
      },
      textOf,
      NEVER,
    );
    const [request] = gateway.data();
    expect(request?.path).toBe('/ioc/events');
    expect(Object.fromEntries(request?.query ?? [])).toEqual({
      fromDate: '1597622400',
      toDate: '1597795199',
      filter: "event.dateTime : ['a' .. 'b'] AND file.name: `x&y+z%`",
      state: 'true',
      pageNumber: '0',
      pageSize: '1000',
      sort: '[{"event.dateTime":"asc"},{"action":"desc"}]',
      include_attributes: 'id,dateTime',
      exclude_attributes: 'file,asset.tags',
    });
    // A server that does not read queries as forms would see a plus sign in place of each space.
    expect(request?.rawQuery).not.toContain('+');
  });

  it('of /events/count are sent with and without groups', async () => {
    const gateway = await startGateway({ data: [json('{"count":3}'), json('{"a":1}')] });
    const { client } = connect(gateway.url);
    await client.count({ fromDate: 1, toDate: 2, filter: 'type: FILE', state: false }, NEVER);
    const params = {
      groupBy: ['agentId', 'type'],
      limit: 7,
      sort: [{ count: 'desc' as const }],
      interval: '1d' as const,
    };
    await client.groupedCount({ fromDate: 1, toDate: 2, filter: 'type: FILE', state: false, ...params }, NEVER);
    const selection = { fromDate: '1', toDate: '2', filter: 'type: FILE', state: 'false' };
    expect(gateway.data().map(({ path }) => path)).toEqual(['/ioc/events/count', '/ioc/events/count']);
    expect(gateway.data().map(({ query }) => Object.fromEntries(query))).toEqual([
      selection,
      { ...selection, groupBy: 'agentId,type', limit: '7', sort: '[{"count":"desc"}]', interval: '1d' },
    ]);
  });

  it('that are absent or null are not sent', async () => {
    const gateway = await startGateway();
    const { client } = connect(gateway.url);
    await client.events({ filter: null, state: null, sort: null, includeAttributes: [] }, textOf, NEVER);
    expect(gateway.data()[0]?.rawQuery).toBe('');
  });

  it('of one event are parts of the path, encoded', async () => {
    const gateway = await startGateway({ data: [json('{"id":"x"}')] });
    const { client } = connect(gateway.url, { apiPrefix: 'ioc/v1/' });
    await client.eventDetail('a/../b', 'F_7dc23490_10-6-2019?x=1#%&', { state: true }, NEVER);
    await client.eventDetail('..', 'é ', {}, NEVER);
    expect(gateway.data().map(({ path, rawQuery }) => `${path}?${rawQuery}`)).toEqual([
      '/ioc/v1/events/a%2F..%2Fb/F_7dc23490_10-6-2019%3Fx%3D1%23%25%26?state=true',
      '/ioc/v1/events/%2E%2E/%C3%A9%20?',
    ]);
  });

  it('that cannot be sent are refused before any request', async () => {
    const gateway = await startGateway();
    const { client } = connect(gateway.url);
    expect((await failureOf(client.eventDetail('', 'x', {}, NEVER))).code).toBe('USAGE');
    expect((await failureOf(client.count({ filter: 'a\ud800' }, NEVER))).code).toBe('USAGE');
    expect(gateway.seen).toEqual([]);
  });

  it('come with the accepted type and encoding', async () => {
    const gateway = await startGateway();
    await connect(gateway.url).client.events({}, textOf, NEVER);
    expect(gateway.data()[0]?.headers).toMatchObject({ 'accept-encoding': 'gzip', accept: 'application/json' });
  });
});

it.each([
  { concurrency: 0 },
  { retryAttempts: 1.5 },
  { rateLimit: { requests: 0, windowSeconds: 1 } },
  { apiPrefix: '/a b' },
])('an option that cannot work is refused: %j', (options) => {
  expect(() => connect('http://127.0.0.1:1', options)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
});
