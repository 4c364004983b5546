import { MS_PER_HOUR, MS_PER_MINUTE, systemClock } from '@edrlake/core';
import { expect, it, onTestFinished } from 'vitest';
import { BUILT_IN_TASKS } from '../src/tasks/built-in-tasks.ts';
import { definePipeline } from '../src/tasks/define-pipeline.ts';
import { stageOfTasks } from './task-stage.ts';
import { newStage } from './workflow-stage.ts';

interface Received {
  readonly outcome: string;
  readonly tasks: readonly { readonly name: string; readonly noProgress?: readonly string[] }[];
}

/** Nights of a pipeline with one backfill, and what its hooks received. */
async function nights() {
  const { simulator, open } = await stageOfTasks();
  const stage = await newStage();
  onTestFinished(() => stage.remove());
  let atMs = systemClock.nowMs() - 48 * MS_PER_HOUR;
  let runs = 0;
  const provided = { ...open('high'), newRunId: () => `20261122T003010Z-${String(100_000 + runs)}` };
  const pipeline = definePipeline({
    name: 'stuck',
    tasks: { fetch: { uses: 'backfill', with: { from: '2020-08-17', to: '2020-08-17' } } },
    hooks: { onMismatch: { url: 'http://localhost/mismatch' }, onFailure: { url: 'http://localhost/failure' } },
  });
  const night = async (laterMs: number) => {
    atMs += laterMs;
    runs += 1;
    const received: { path: string; body: Received }[] = [];
    const post = async (url: string, body: string) => {
      received.push({ path: new URL(url).pathname, body: JSON.parse(body) });
      return 204;
    };
    const clock = { nowMs: () => atMs, sleep: async () => {} };
    const options = { registry: BUILT_IN_TASKS as never, provided, post, runId: `20261122T00301${runs}Z-1f9a2c` };
    const { state } = await stage.run(pipeline, { ...options, services: { clock } as never });
    const [hook] = received;
    return { state, path: hook?.path, noProgress: hook?.body.tasks[0]?.noProgress };
  };
  return { simulator, night };
}

const DAY_TEXT = '2020-08-17T00:00:00Z to 2020-08-18T00:00:00Z';

it('a window that three runs asked for without a new event is a mismatch, with the reason', async () => {
  const { simulator, night } = await nights();
  simulator.faults.push({ kind: 'missing-row', match: { endpoint: 'events' }, times: 1_000 });
  const nothing = { state: 'mismatch', path: '/mismatch', noProgress: undefined };
  expect(await night(0)).toEqual(nothing);
  // Tried again at once is the same attempt.
  expect(await night(MS_PER_MINUTE)).toEqual(nothing);
  expect(await night(24 * MS_PER_HOUR)).toEqual(nothing);
  const third = await night(20 * MS_PER_HOUR);
  const reason = /^(.*) was asked for 3 times without a new event: the API counts 100, \d+ records of \d+ ids came$/;
  expect(reason.exec(third.noProgress?.[0] ?? '')?.[1]).toBe(DAY_TEXT);
  simulator.addEvents({ events: 1, range: { startMs: Date.UTC(2020, 7, 17), endMs: Date.UTC(2020, 7, 18) } });
  expect(await night(2 * MS_PER_HOUR)).toEqual(nothing);
});

it('so is a window that only fails, which is a failure before', async () => {
  const { simulator, night } = await nights();
  simulator.faults.push({ kind: 'truncated', match: { endpoint: 'events' }, times: 1_000 });
  const failure = { state: 'partly', path: '/failure', noProgress: undefined };
  expect(await night(0)).toEqual(failure);
  expect(await night(2 * MS_PER_HOUR)).toEqual(failure);
  const third = await night(2 * MS_PER_HOUR);
  expect(third).toMatchObject({ state: 'mismatch', path: '/mismatch' });
  expect(third.noProgress?.[0]).toContain(`${DAY_TEXT} was asked for 3 times without a new event: `);
});
