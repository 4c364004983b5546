import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { AFTER, BEFORE, DELIVERED, filled, newS3Server, openRemote, ROWS, STORED } from './object-lakes.ts';
import { ask, newDirectory } from './opened-lakes.ts';
import type { S3Fault } from './s3-server.ts';
import { DAY_1, deliver } from './small-lake.ts';

describe('a commit of which one request fails', () => {
  const faults: readonly S3Fault[] = ['lost', 'unanswered', 'failed-after', 'late', 503];
  test.each(faults)(
    'with %s, for each of its requests, is in the lake once',
    async (fault) => {
      const server = await newS3Server();
      const lake = await openRemote(server);
      await deliver(lake, STORED);
      let commits = 1;
      for (let requests = commits; commits <= requests; commits += 1) {
        const before = server.requests.length;
        const failing = before + commits;
        server.fault = (_, number) => (number === failing ? fault : null);
        const changed = { ...STORED[0], id: 'a', timeMs: DAY_1, score: 1 + commits };
        const result = await deliver(lake, [changed, { id: `n${commits}`, timeMs: DAY_1 }]);
        expect(result).toMatchObject({ version: 1 + commits, newEvents: 1, changedEvents: 1 });
        requests = server.requests.length - before;
      }
      server.fault = () => null;
      const other = await openRemote(server, { create: false });
      const scores = "SELECT event_id, score FROM events WHERE event_id IN ('a', 'b') ORDER BY 1";
      expect(await ask(other, scores)).toEqual([
        ['a', commits],
        ['b', 1],
      ]);
      expect(await ask(other, 'SELECT count(*)::INTEGER FROM events')).toEqual([[STORED.length + commits - 1]]);
      expect(commits).toBeGreaterThan(8);
    },
    60_000,
  );

  test('to the end leaves the lake as it was, and the next delivery is whole', async () => {
    const server = await newS3Server();
    const lake = await filled(server);
    server.fault = ({ method, key }) => (method === 'PUT' && key.includes('/events/') ? 'lost' : null);
    await expect(deliver(lake, DELIVERED)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    server.fault = () => null;
    expect(await ask(lake, ROWS)).toEqual(BEFORE);
    expect(await deliver(lake, DELIVERED)).toMatchObject({ version: 2 });
    expect(await ask(lake, ROWS)).toEqual(AFTER);
  });

  test.each([true, false])('so that it is unknown says so, and the next writer finds out (%s)', async (isIn) => {
    const server = await newS3Server();
    const work = join(await newDirectory(), 'work');
    const lake = await filled(server, work);
    let isFirst = true;
    server.fault = ({ method, key }) => {
      // Until it is sent, the entry may be asked for; from then on nothing is answered.
      if (!key.endsWith('_log/00000000000000000002.json') || (isFirst && method !== 'PUT')) return null;
      const fault = isFirst && isIn ? 'unanswered' : 'lost';
      isFirst = false;
      return fault;
    };
    const refused = deliver(lake, DELIVERED);
    await expect(refused).rejects.toMatchObject({ message: expect.stringContaining('may or may not be committed') });
    server.fault = () => null;
    await lake.close();
    const next = await openRemote(server, { work });
    expect(await ask(next, ROWS)).toEqual(isIn ? AFTER : BEFORE);
    expect(await deliver(next, DELIVERED)).toMatchObject({ version: 2, newEvents: isIn ? 0 : 1 });
    expect(await ask(next, ROWS)).toEqual(AFTER);
  });
});
