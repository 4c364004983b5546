import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom, systemClock } from '@edrlake/core';
import { attemptStep, beginSteps, endSteps, fanOutStep, type Pipeline, type StepTools } from '@edrlake/runner';
import { readRun } from '@edrlake/runner/history';
import { expect, it, onTestFinished, vi } from 'vitest';
import type { RunActivities } from '../src/contract/contract.ts';
import { edrlakeRun } from '../src/workflow/run-workflow.ts';
import { type Activities, runWorkflow } from './fake-temporal.ts';

// The decisions of the workflow, with the real steps and a real journal. What Temporal does with them is tested with a
// real server: npm run test:services -- temporal.

vi.mock('@temporalio/workflow', async () => (await import('./fake-temporal.ts')).sdk);

const REQUEST = { subscription: 'acme', lake: '/lake', pipeline: 'test', given: [], runId: null };

/** The activities of a worker for one pipeline, and what its journal says in the end. */
async function workerFor(pipeline: Pipeline) {
  const runsDirectory = await mkdtemp(join(tmpdir(), 'edrlake-workflow-'));
  onTestFinished(() => rm(runsDirectory, { recursive: true, force: true }));
  const stop = new AbortController();
  const tools: StepTools<null> = {
    ...{ pipeline, registry: {}, provided: null, runsDirectory, post: null, keepEnded: null },
    liveness: { owner: { host: 'h', pid: 1, startIdentity: '' }, isOwnerAlive: () => true },
    services: { clock: systemClock, random: seededRandom(1), emit: () => {}, signal: stop.signal },
    readLostWork: async () => new Map(),
  };
  const activities: Omit<RunActivities, 'divide'> = {
    beginRun: (_, run) => beginSteps(tools, { ...run, engine: 'temporal', workflow: null }),
    fanOut: (_, order) => fanOutStep(tools, order, 1_000),
    attemptTask: (_, order) => attemptStep(tools, order, () => false),
    endRun: (_, { runId, start, lines, unwritten, outcome }) => {
      const ending = { ...tools, services: { ...tools.services, signal: new AbortController().signal } };
      return endSteps(ending, { runId, start }, { lines, unwritten }, outcome);
    },
  };
  const runId = '19700101T000000Z-1f9a2c';
  const journaled = () => readRun(runsDirectory, runId, { isOwnerAlive: () => false });
  return { activities: activities as unknown as Activities, stop, journaled };
}

it('a run in many histories does each partition once, and its tasks in order', async () => {
  const done: string[] = [];
  const names = Array.from({ length: 30 }, (_, n) => `p${n}`);
  const { activities, journaled } = await workerFor({
    name: 'test',
    tasks: {
      parts: {
        forEach: () => names,
        concurrency: 4,
        run: async ({ partition }) => {
          done.push(partition);
          return { rows: 1 };
        },
      },
      after: { needs: ['parts'], run: async ({ partitionOutputs }) => ({ parts: partitionOutputs.parts?.length }) },
    },
  });
  const { result, histories } = await runWorkflow(edrlakeRun, REQUEST, { activities, most: 20 });
  expect(histories).toBeGreaterThan(3);
  expect(done.toSorted()).toEqual(names.toSorted());
  expect(result).toMatchObject({ state: 'done', rows: 30 });
  expect(result?.tasks[1]?.output).toEqual({ parts: 30 });
  expect(await journaled()).toMatchObject({ state: 'done', rows: 30, tasks: [{ attempts: 30 }, { attempts: 1 }] });
});

/** Two tasks that end once both have begun, and three more beside them. */
function beside(order: string[]): Pipeline {
  const begun = new Set<string>();
  const met = (own: string, other: string) => async () => {
    begun.add(own);
    while (!begun.has(other)) await new Promise((resolve) => setImmediate(resolve));
  };
  const noted = (name: string) => async () => {
    order.push(name);
    return {};
  };
  return {
    name: 'test',
    tasks: {
      a: { run: met('a', 'b') },
      b: { run: met('b', 'a') },
      c: { run: noted('c') },
      d: { run: noted('d') },
      e: { run: noted('e') },
      last: { needs: ['a', 'b', 'c', 'd', 'e'], run: noted('last') },
    },
  };
}

it('tasks that do not need each other are at work at once, four at most', async () => {
  const order: string[] = [];
  const { activities } = await workerFor(beside(order));
  const { result, mostAtWork } = await runWorkflow(edrlakeRun, REQUEST, { activities });
  expect(result?.state).toBe('done');
  expect(mostAtWork).toBe(4);
  expect(order.toSorted()).toEqual(['c', 'd', 'e', 'last']);
  expect(order.at(-1)).toBe('last');
});

it('tasks of a run that an older version began follow each other', async () => {
  const order: string[] = [];
  const noted = (name: string) => async () => void order.push(name);
  const { activities } = await workerFor({
    name: 'test',
    tasks: { a: { run: noted('a') }, b: { needs: ['a'], run: noted('b') }, c: { run: noted('c') } },
  });
  const begin = activities.beginRun as RunActivities['beginRun'];
  const older: RunActivities['beginRun'] = async (...given) => {
    const { atOnce: _, ...begun } = await begin(...given);
    return begun;
  };
  const { result, mostAtWork } = await runWorkflow(edrlakeRun, REQUEST, {
    activities: { ...activities, beginRun: older as never },
  });
  expect(result?.state).toBe('done');
  expect(mostAtWork).toBe(1);
  expect(order).toEqual(['a', 'b', 'c']);
});

it('a cancelled run interrupts what is at work, and begins nothing more', async () => {
  let cancelled = false;
  let stopAll = () => {};
  const wait = async (_: unknown, { services }: { services: { clock: typeof systemClock; signal: AbortSignal } }) => {
    setImmediate(stopAll);
    await services.clock.sleep(600_000, services.signal);
  };
  const waiting = Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((name) => [name, { run: wait }]));
  const pipeline = { name: 'test', tasks: { ...waiting, after: { needs: ['a'], run: wait } } } as Pipeline;
  const { activities, stop, journaled } = await workerFor(pipeline);
  stopAll = () => {
    cancelled = true;
    stop.abort(new Error('cancelled'));
  };
  const { thrown } = await runWorkflow(edrlakeRun, REQUEST, { activities, isCancelled: () => cancelled });
  expect(thrown).toBeInstanceOf(Error);
  const { state, tasks } = await journaled();
  expect(state).toBe('interrupted');
  expect(tasks.map((task) => task.state)).toEqual([
    ...['interrupted', 'interrupted', 'interrupted', 'interrupted'],
    ...['pending', 'pending'],
  ]);
});
