import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom, systemClock } from '@edrlake/core';
import { type SimulatorOptions, startSimulator } from '@edrlake/simulator';
import { expect, it, onTestFinished } from 'vitest';
import { connectSharing, type Sharing } from '../src/connect/shared-connection.ts';

const NEVER = new AbortController().signal;
const DAY = { startMs: Date.UTC(2020, 7, 17), endMs: Date.UTC(2020, 7, 18) };

async function stage(options: Partial<SimulatorOptions>) {
  const lakeDirectory = await mkdtemp(join(tmpdir(), 'edrlake-sharing-'));
  onTestFinished(() => rm(lakeDirectory, { recursive: true, force: true }));
  const simulator = await startSimulator({ events: 100, range: DAY, ...options });
  onTestFinished(() => simulator.close());
  const open = async (username = 'demo', priority: Sharing['priority'] = 'normal', more = {}) => {
    const connection = await connectSharing(
      { baseUrl: simulator.url, username, password: 'demo', ...more },
      { lakeDirectory, priority, command: 'sync' },
      { clock: systemClock, random: seededRandom(1), emit: () => {} },
    );
    onTestFinished(() => connection.close());
    return connection;
  };
  const budgets = async () =>
    (await readdir(join(lakeDirectory, '_runs')).catch(() => [])).filter((name) => name.startsWith('budget-'));
  return { simulator, open, budgets };
}

it('two connections of one lake and account share requests, limits and places', async () => {
  const rateLimit = { requests: 40, windowSeconds: 3600 };
  const { simulator, open, budgets } = await stage({ rateLimit, concurrencyLimit: 1 });
  const nightly = await open('demo', 'high');
  const backfill = await open();
  // The first answer reports one place.
  await nightly.client.count({}, NEVER);
  const work = [nightly, backfill, nightly, backfill].map(async ({ client }) => {
    for (let n = 0; n < 4; n++) await client.count({}, NEVER);
  });
  await Promise.all(work);
  expect(simulator.calls.dataTotal).toBe(17);
  expect(simulator.calls.mostRunning).toBe(1);
  expect(simulator.calls.all().filter(({ status }) => status === 429)).toEqual([]);
  expect(nightly.client.limits().requestsLeft).toBe(23);
  // A fifth is reserved for the nightly run.
  expect(backfill.client.limits().requestsLeft).toBe(15);
  await nightly.close();
  expect(backfill.client.limits()).toMatchObject({ requestsLeft: 23, requests: 40 });
  expect(await budgets()).toHaveLength(1);
});

it('a later connection begins with what the earlier ones have used and learned', async () => {
  const { open } = await stage({ rateLimit: { requests: 50, windowSeconds: 600 } });
  const first = await open();
  await first.client.count({}, NEVER);
  await first.close();
  const second = await open();
  expect(second.client.limits()).toMatchObject({ requests: 50, windowSeconds: 600, requestsLeft: 49 });
});

it('another account has a rate limiter of its own', async () => {
  const { open, budgets } = await stage({});
  const first = await open();
  const other = await open('another', 'normal', { rateLimit: { requests: 7, windowSeconds: 60 } });
  await first.client.count({}, NEVER);
  expect(other.client.limits().requestsLeft).toBe(7);
  expect(await budgets()).toHaveLength(2);
});

it('settings that cannot work are refused, and leave nothing that blocks others', async () => {
  const { open } = await stage({});
  await expect(open('demo', 'high', { baseUrl: 'http://example.com' })).rejects.toMatchObject({ code: 'URL_INVALID' });
  await expect(open('demo', 'high', { pageSize: 0 })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  const after = await open('demo', 'normal', { rateLimit: { requests: 10, windowSeconds: 60 } });
  expect(after.client.limits().requestsLeft).toBe(10);
});
