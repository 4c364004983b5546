import { readdir } from 'node:fs/promises';
import { systemClock } from '@edrlake/core';
import { expect, it, onTestFinished } from 'vitest';
import { remainingRequests } from '../src/connect/limiter-folder.ts';
import { connectBeside, connectSharing } from '../src/connect/shared-connection.ts';
import { DAY, NEVER, stageOfTasks } from './task-stage.ts';

it('the tasks of a pipeline use the shared limiter of the lake, and nightly tasks go first', async () => {
  const { simulator, lakeDirectory, services, connection, open } = await stageOfTasks({
    rateLimit: { requests: 40, windowSeconds: 3600 },
  });
  const nightly = open('high');
  const counted = await nightly.useLake(({ connection: { client } }) => client.count({}, NEVER), services);
  expect(counted).toBe(100);
  const backfill = await connectSharing(
    connection,
    { lakeDirectory, priority: 'normal', command: 'backfill' },
    services,
  );
  onTestFinished(() => backfill.close());
  // One request is used, and a fifth is reserved for the night.
  expect(backfill.client.limits()).toMatchObject({ requests: 40, requestsLeft: 31 });
  expect(await remainingRequests(lakeDirectory, null, systemClock.nowMs())).toMatchObject({
    requestsLeft: 39,
    limit: { requests: 40, windowSeconds: 3600 },
  });
  await nightly.close();
  expect(backfill.client.limits().requestsLeft).toBe(39);
  expect(simulator.calls.dataTotal).toBe(1);
});

it('describing what a task would do creates nothing on disk, and uses the shared limiter where there is a lake', async () => {
  const { lakeDirectory, parent, services, connection, open } = await stageOfTasks();
  const query = { axis: 'event', range: DAY, cuts: [], scope: { filter: null, state: null } } as const;
  await open('normal').askSource((source) => source.count(query, NEVER));
  expect(await readdir(parent)).toEqual([]);
  expect(await remainingRequests(lakeDirectory, null, systemClock.nowMs())).toBeNull();

  await open('high').useLake(async () => {}, services);
  const beside = await connectBeside(connection, { lakeDirectory, priority: 'normal', command: 'backfill' }, services);
  onTestFinished(() => beside.close());
  await beside.client.count({}, NEVER);
  const left = await remainingRequests(lakeDirectory, { requests: 7, windowSeconds: 60 }, systemClock.nowMs());
  expect(left).toMatchObject({ requestsLeft: 6, limit: { requests: 7, windowSeconds: 60 } });
});
