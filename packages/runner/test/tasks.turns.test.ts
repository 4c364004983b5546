import { systemClock } from '@edrlake/core';
import { expect, it } from 'vitest';
import { NEVER, stageOfTasks } from './task-stage.ts';

it('tasks of a run take turns at the lake; one whose patience ends gives up, and the next one waits for the first', async () => {
  const { services, open } = await stageOfTasks();
  let patienceMs = Number.POSITIVE_INFINITY;
  const tools = open('normal', () => patienceMs);
  const order: string[] = [];
  let leave = () => {};
  const left = new Promise<void>((resolve) => {
    leave = resolve;
  });
  const first = tools.useLake(async () => {
    await left;
    order.push('first');
  }, services);
  patienceMs = 10;
  await expect(tools.useLake(async () => order.push('second'), services)).rejects.toMatchObject({ code: 'RUN_BUSY' });
  patienceMs = 600_000;
  const third = tools.useLake(async () => order.push('third'), services);
  await systemClock.sleep(1, NEVER);
  expect(order).toEqual([]);
  leave();
  await Promise.all([first, third]);
  expect(order).toEqual(['first', 'third']);
});
