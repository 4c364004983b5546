import { join } from 'node:path';
import { expect, it } from 'vitest';
import { BUILT_IN_TASKS } from '../src/tasks/built-in-tasks.ts';
import { stageOfTasks } from './task-stage.ts';

it('a pipeline publishes as OCSF what changed since the last time', async () => {
  const { parent, services, open, simulator } = await stageOfTasks();
  const tools = open('high');
  const context = { provided: tools, services, run: { runId: 'run' }, task: { name: 'night' } } as never;
  const days = { from: '2020-08-17', to: '2020-08-17' };
  const backfill = async () =>
    BUILT_IN_TASKS.backfill.run(BUILT_IN_TASKS.backfill.parseInput({ ...days, force: true }), context);
  const directory = join(parent, 'ocsf');
  const publish = async () =>
    BUILT_IN_TASKS['publish-ocsf'].run(BUILT_IN_TASKS['publish-ocsf'].parseInput({ to: directory }), context);
  await backfill();
  expect(await publish()).toMatchObject({ directory, published: 1, typedShare: expect.any(Number) });
  expect(await publish()).toMatchObject({ published: 0, unchanged: 1 });
  simulator.addEvents({ events: 3, range: { startMs: Date.UTC(2020, 7, 17), endMs: Date.UTC(2020, 7, 18) } });
  await backfill();
  expect(await publish()).toMatchObject({ published: 1 });
});
