import { describe, expect, it } from 'vitest';
import { connect, failureOf, json, NEVER, type Reply, startGateway, status } from './gateway.ts';

const missing = status(404, '{"message":"no such resource"}');
const counted = json('{"count":3}');

/** A gateway that has the API below one path only. */
async function startPlatform(prefix: string, answer: Reply = counted) {
  const data: Reply = (request, response) =>
    (request.path.startsWith(`${prefix}/events`) ? answer : missing)(request, response);
  const gateway = await startGateway({ data: Array.from({ length: 20 }, () => data) });
  const paths = () => gateway.data().map(({ path }) => path);
  return { paths, client: connect(gateway.url, { apiPrefix: 'auto' }).client };
}

describe('the prefix auto', () => {
  it('is that of newer platforms where they answer, at the cost of no request', async () => {
    const { client, paths } = await startPlatform('/ioc/v1');
    expect(client.apiPrefix()).toBeNull();
    for (let n = 0; n < 2; n++) expect(await client.count({}, NEVER)).toBe(3);
    expect(paths()).toEqual(['/ioc/v1/events/count', '/ioc/v1/events/count']);
    expect(client.apiPrefix()).toBe('/ioc/v1');
  });

  it('is the usual one elsewhere, at the cost of one request, however many are asked at once', async () => {
    const { client, paths } = await startPlatform('/ioc');
    const counts = await Promise.all(Array.from({ length: 5 }, () => client.count({}, NEVER)));
    expect(counts).toEqual([3, 3, 3, 3, 3]);
    expect(paths()).toEqual(['/ioc/v1/events/count', ...Array.from({ length: 5 }, () => '/ioc/events/count')]);
    expect(client.apiPrefix()).toBe('/ioc');
  });

  it('stays open where nothing was answered, such as an event that is not there', async () => {
    const { client, paths } = await startPlatform('/ioc/v1', missing);
    expect((await failureOf(client.eventDetail('a', 'b', {}, NEVER))).code).toBe('NOT_FOUND');
    expect(client.apiPrefix()).toBeNull();
    expect(paths()).toEqual(['/ioc/v1/events/a/b', '/ioc/events/a/b']);
  });

  it('is not decided by a refusal of the account or the question', async () => {
    const { client } = await startPlatform('/ioc/v1', status(400, '{"message":"no such token"}'));
    expect((await failureOf(client.count({ filter: 'x: 1' }, NEVER))).code).toBe('FILTER_REJECTED');
    expect(client.apiPrefix()).toBeNull();
  });

  it('is not waited for by a call that is aborted', async () => {
    const { client } = await startPlatform('/ioc/v1', () => {});
    const [first, second] = [new AbortController(), new AbortController()];
    const held = failureOf(client.count({}, first.signal));
    const waiting = client.count({}, second.signal);
    second.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    first.abort(new Error('ended'));
    await held.catch(() => undefined);
  });
});
