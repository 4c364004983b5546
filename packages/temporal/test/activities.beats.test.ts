import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, EdrlakeError, seededRandom, systemClock } from '@edrlake/core';
import type { Pipeline } from '@edrlake/runner';
import { expect, it, onTestFinished } from 'vitest';
import type { HeartbeatDetails } from '../src/contract/contract.ts';
import { runActivities } from '../src/worker/activities.ts';
import type { RunHost } from '../src/worker/run-hosts.ts';

const ABOUT = { subscription: 'acme', lake: '/lake', pipeline: 'test' };
const RUN_ID = '20261122T003012Z-1f9a2c';

/** As the package of Temporal has it, for one activity. */
class ApplicationFailure extends Error {
  static create(given: { message?: string; type?: string; nonRetryable?: boolean; nextRetryDelay?: number }) {
    return Object.assign(new ApplicationFailure(given.message), given);
  }
}

/** A worker with one pipeline, whose seconds are milliseconds. */
async function workerFor(run: NonNullable<Pipeline['tasks'][string]['run']>, before: HeartbeatDetails | null = null) {
  const runsDirectory = await mkdtemp(join(tmpdir(), 'edrlake-activities-'));
  onTestFinished(() => rm(runsDirectory, { recursive: true, force: true }));
  const beats: HeartbeatDetails[] = [];
  const [cancelling, stopping] = [new AbortController(), new AbortController()];
  const waits: number[] = [];
  const clock: Clock = {
    nowMs: () => 0,
    sleep: (ms, signal) => {
      waits.push(ms);
      return systemClock.sleep(ms === 1_000 ? 1 : ms, signal);
    },
  };
  const host: Partial<RunHost> = {
    ...{ pipeline: { name: 'test', tasks: { only: { run } } }, registry: {} as never, runsDirectory, post: null },
    ...{ provided: null as never, keepEnded: null, readLostWork: async () => new Map() },
    liveness: { owner: { host: 'h', pid: 1, startIdentity: '' }, isOwnerAlive: () => true },
    setPatience: () => {},
  };
  const current = () => ({
    info: { attempt: 1, heartbeatDetails: before },
    cancellationSignal: cancelling.signal,
    heartbeat: (details?: unknown) => void beats.push(details as HeartbeatDetails),
  });
  const activities = runActivities({
    sdk: { Context: { current }, ApplicationFailure: ApplicationFailure as never },
    hosts: { use: (_, __, work) => work(host as RunHost), close: async () => {} },
    ...{ clock, random: seededRandom(1), stopping: stopping.signal },
    viewFor: () => ({ emit: () => {}, log: () => {} }),
  });
  const begun = await activities.beginRun(ABOUT, { given: [], runId: RUN_ID, startedAtMs: 0 });
  beats.length = 0;
  const order = { runId: RUN_ID, start: begun.start, task: 'only', partition: null, attempt: 1 };
  const attempt = () => activities.attemptTask(ABOUT, { ...order, outputs: {}, partitionOutputs: {} });
  return { attempt, beats, cancelling, stopping };
}

it('an attempt shows each second that it is alive, and what it has fetched', async () => {
  const { attempt, beats } = await workerFor(async (_, { services }) => {
    services.emit({ type: 'page' } as never);
    while (beats.filter(({ pages }) => pages === 1).length < 2) await new Promise((resolve) => setImmediate(resolve));
    return {};
  });
  expect((await attempt()).at(-1)).toMatchObject({ type: 'task-end', outcome: 'done' });
  expect(beats[0]).toMatchObject({ pages: 0 });
  expect(beats.at(-1)).toEqual({ task: 'only', partition: null, pages: 1, windows: 0, commits: 0, fruitless: 0 });
});

it('a cancelled attempt ends at once with the reason; one of a stopped worker is for the next worker', async () => {
  const wait: Parameters<typeof workerFor>[0] = (_, { services }) => services.clock.sleep(600_000, services.signal);
  const cancelled = await workerFor(wait);
  const ended = cancelled.attempt();
  cancelled.cancelling.abort(new Error('the workflow was cancelled'));
  await expect(ended).rejects.toThrow('the workflow was cancelled');
  const stopped = await workerFor(wait);
  const given = stopped.attempt();
  stopped.stopping.abort(new EdrlakeError('INTERRUPTED', 'the worker was stopped'));
  await expect(given).rejects.toMatchObject({ type: 'INTERRUPTED', nextRetryDelay: 1 });
});

it('one that gets no request gives its slot back until there are some, and says how often that was in vain', async () => {
  const spent = async () => {
    throw new EdrlakeError('REQUESTS_SPENT', 'no request', { context: { readyAtMs: 60_000 } });
  };
  const before = { task: 'only', partition: null, pages: 0, windows: 0, commits: 0, fruitless: 1 };
  const { attempt, beats } = await workerFor(spent, before);
  const failure = await attempt().catch(
    (thrown: unknown) => thrown as { nextRetryDelay: number; nonRetryable?: boolean },
  );
  expect(failure).toMatchObject({ type: 'REQUESTS_SPENT', message: 'no request' });
  expect(failure).not.toHaveProperty('nonRetryable', true);
  expect((failure as { nextRetryDelay: number }).nextRetryDelay).toBeGreaterThanOrEqual(60_000);
  expect((failure as { nextRetryDelay: number }).nextRetryDelay).toBeLessThanOrEqual(62_001);
  expect(beats.at(-1)).toMatchObject({ fruitless: 2 });
});
