import { MS_PER_DAY, systemClock } from '@edrlake/core';
import { expect, it } from 'vitest';
import { HORIZON_REQUESTS, readHorizon } from '../src/horizon/learned-horizon.ts';
import { recountTask } from '../src/tasks/recount-task.ts';
import { stageOfTasks } from './task-stage.ts';

it('the recount task looks once a day how far back the API answers', async () => {
  const endMs = Math.floor(systemClock.nowMs() / MS_PER_DAY) * MS_PER_DAY;
  const stage = await stageOfTasks({ range: { startMs: endMs - MS_PER_DAY, endMs } });
  const provided = stage.open('high');
  const recount = async (input: object) => {
    const before = stage.simulator.calls.dataTotal;
    const { requests } = await recountTask.run(recountTask.parseInput(input), {
      run: { runId: 'run', pipeline: 'nightly', startedAtMs: endMs },
      ...{ task: 'recount', partition: null, attempt: 1, services: stage.services, provided },
      notify: async () => null,
    });
    const sent = stage.simulator.calls.dataTotal - before;
    // The first of them logs in.
    expect(requests).toBe(sent === 0 ? 0 : sent + 1);
    return sent;
  };
  const lake = { directory: stage.lakeDirectory };
  expect([await recount({}), (await readHorizon(lake)).oldestMs]).toEqual([
    HORIZON_REQUESTS,
    expect.toSatisfy((oldestMs: number) => oldestMs >= endMs - MS_PER_DAY && oldestMs < endMs),
  ]);
  expect(await recount({})).toBe(0);
});
