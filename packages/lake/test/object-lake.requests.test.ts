import { join } from 'node:path';
import { expect, test } from 'vitest';
import { newS3Server, openRemote } from './object-lakes.ts';
import { ask, newDirectory } from './opened-lakes.ts';
import {
  DAY,
  DAY_1,
  deliver,
  FURTHER_CHILDREN,
  proofOfDays,
  SMALL_DATASET,
  SMALL_TABLES,
  type SmallEvent,
} from './small-lake.ts';

const DAYS = 1_000;

/** Five tables, as EDR has. */
const TABLES = [...SMALL_TABLES, ...FURTHER_CHILDREN];
const DATASET = { ...SMALL_DATASET, tables: TABLES };

/** What a night brings in all tables: the day before, a late event of an older one, and one that has changed. */
const NIGHT: readonly SmallEvent[] = [
  ...Array.from({ length: 20 }, (_, n) => ({ id: `night-${n}`, timeMs: DAY_1 + DAYS * DAY + n, issuers: ['x', 'y'] })),
  { id: 'late', timeMs: DAY_1 + 990 * DAY, issuers: ['x', 'y'] },
  { id: 'day-995', timeMs: DAY_1 + 995 * DAY, score: 2, issuers: ['x', 'y'] },
];

test('a nightly commit into a lake of a thousand days takes few requests, with and without copies', async () => {
  const server = await newS3Server();
  const work = join(await newDirectory(), 'work');
  const lake = await openRemote(server, { work, dataset: DATASET });
  const first = Array.from({ length: DAYS }, (_, day) => ({
    ...{ id: `day-${day}`, timeMs: DAY_1 + day * DAY, score: 1, issuers: ['x'] },
  }));
  await deliver(lake, first, { tables: TABLES, proofs: [proofOfDays(DAY_1, DAYS, first)] });
  await lake.close();

  const nightOf = async (folder: string, events: readonly SmallEvent[]) => {
    const before = server.requests.length;
    const night = await openRemote(server, { work: folder, dataset: DATASET });
    const opened = server.requests.length;
    const proofs = [proofOfDays(DAY_1 + DAYS * DAY, 1, events.slice(0, 20))];
    await deliver(night, events, { tables: TABLES, proofs });
    const committed = server.requests.length;
    await night.close();
    const traffic = night.objectTraffic();
    const requests = server.requests
      .slice(before)
      .map(({ method, key, query }) => `${method} ${key || query.get('prefix')}`);
    return {
      open: opened - before,
      commit: committed - opened,
      close: server.requests.length - committed,
      traffic,
      requests,
    };
  };
  const warm = await nightOf(work, NIGHT);
  for (const table of ['events', 'certificates', ...FURTHER_CHILDREN.map(({ name }) => name)]) {
    const uploaded = warm.requests.filter((request) => request.startsWith(`PUT edr/${table}/`));
    expect(uploaded, table).toHaveLength(3);
  }
  expect(warm.commit).toBeLessThanOrEqual(40);
  const costs = await (await openRemote(server, { work, dataset: DATASET, readOnly: true })).objectCosts();
  expect(costs).toMatchObject({ lastCommit: { version: 2, requests: warm.commit }, lastRun: { commits: 1 } });
  expect(costs?.lastRun.requests).toBe(warm.traffic?.requests);
  const cold = await nightOf(
    join(await newDirectory(), 'work'),
    NIGHT.map((event) => ({ ...event, score: 3, processedMs: DAY_1 })),
  );
  expect(cold.commit).toBeLessThanOrEqual(40);
  expect(
    await ask(
      await openRemote(server, { readOnly: true, work, dataset: DATASET }),
      'SELECT count(*)::INTEGER FROM events',
    ),
  ).toEqual([[DAYS + 21]]);
}, 300_000);
