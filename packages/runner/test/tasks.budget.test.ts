import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom, systemClock } from '@edrlake/core';
import { type SimulatorOptions, startSimulator } from '@edrlake/simulator';
import { expect, it, onTestFinished } from 'vitest';
import { remainingRequests } from '../src/connect/limiter-folder.ts';
import { connectBeside, connectSharing, type Sharing } from '../src/connect/shared-connection.ts';
import { openTaskTools } from '../src/tasks/task-tools.ts';

const DAY = { startMs: Date.UTC(2020, 7, 17), endMs: Date.UTC(2020, 7, 18) };
const NEVER = new AbortController().signal;

async function stage(options: Partial<SimulatorOptions> = {}) {
  const parent = await mkdtemp(join(tmpdir(), 'edrlake-tasks-'));
  onTestFinished(() => rm(parent, { recursive: true, force: true }));
  const lakeDirectory = join(parent, 'lake');
  const simulator = await startSimulator({ events: 100, range: DAY, ...options });
  onTestFinished(() => simulator.close());
  const services = { clock: systemClock, random: seededRandom(1), emit: () => {}, signal: NEVER };
  const connection = { baseUrl: simulator.url, username: 'demo', password: 'demo' };
  const open = (priority: Sharing['priority']) => {
    const exportOptions = { concurrency: 2, batchBytes: 1_000_000 };
    const post = async () => 200;
    const tools = openTaskTools(
      { connection, lakeDirectory, priority, exportOptions, newRunId: () => 'run', post },
      services,
    );
    onTestFinished(() => tools.close());
    return tools;
  };
  return { simulator, lakeDirectory, parent, services, connection, open };
}

it('the tasks of a pipeline use the shared limiter of the lake, and nightly tasks go first', async () => {
  const { simulator, lakeDirectory, services, connection, open } = await stage({
    rateLimit: { requests: 40, windowSeconds: 3600 },
  });
  const nightly = open('high');
  const counted = await nightly.useLake(({ connection: { client } }) => client.count({}, NEVER), services);
  expect(counted).toBe(100);
  const backfill = await connectSharing(connection, { lakeDirectory, priority: 'normal' }, services);
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
  const { lakeDirectory, parent, services, connection, open } = await stage();
  const query = { axis: 'event', range: DAY, cuts: [], scope: { filter: null, state: null } } as const;
  await open('normal').askSource((source) => source.count(query, NEVER));
  expect(await readdir(parent)).toEqual([]);
  expect(await remainingRequests(lakeDirectory, null, systemClock.nowMs())).toBeNull();

  await open('high').useLake(async () => {}, services);
  const beside = await connectBeside(connection, { lakeDirectory, priority: 'normal' }, services);
  onTestFinished(() => beside.close());
  await beside.client.count({}, NEVER);
  const left = await remainingRequests(lakeDirectory, { requests: 7, windowSeconds: 60 }, systemClock.nowMs());
  expect(left).toMatchObject({ requestsLeft: 6, limit: { requests: 7, windowSeconds: 60 } });
});
