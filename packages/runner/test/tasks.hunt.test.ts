import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '@edrlake/core';
import { expect, it, onTestFinished } from 'vitest';
import { BUILT_IN_TASKS } from '../src/tasks/built-in-tasks.ts';
import { definePipeline } from '../src/tasks/define-pipeline.ts';
import { stageOfTasks } from './task-stage.ts';
import { newStage } from './workflow-stage.ts';

it('a pipeline calls onMatch for matches until they are delivered, and once', async () => {
  const { parent, open } = await stageOfTasks();
  const stage = await newStage();
  onTestFinished(() => stage.remove());
  const provided = open('high');
  const lists = join(parent, 'hunts');
  await mkdir(lists);
  await writeFile(join(lists, 'any.txt'), '0.0.0.0/0\n!!\n');
  const days = { from: '2020-08-17', to: '2020-08-17' };
  const pipeline = definePipeline({
    name: 'watched',
    tasks: { fetch: { uses: 'backfill', with: days }, hunt: { uses: 'hunt', needs: ['fetch'], with: { lists } } },
    hooks: { onMatch: { url: 'http://localhost/match', attempts: 1 }, onSuccess: { url: 'http://localhost/success' } },
  });
  const received: { path: string; body: { newMatches?: number; matches?: { indicator: string }[] } }[] = [];
  let status = 500;
  const run = async (n: number) => {
    received.length = 0;
    const post = async (url: string, body: string) => {
      received.push({ path: new URL(url).pathname, body: JSON.parse(body) });
      return status;
    };
    const options = { registry: BUILT_IN_TASKS as never, provided, post, runId: `20261122T00301${n}Z-1f9a2c` };
    const { state } = await stage.run(pipeline, { ...options, services: { clock: systemClock } as never });
    expect(state, JSON.stringify(stage.events.at(-2))).toBe('done');
    return received.filter(({ path }) => path === '/match').map(({ body }) => body);
  };
  const [refused] = await run(1);
  expect(refused?.newMatches).toBeGreaterThan(0);
  expect(refused?.matches?.[0]).toMatchObject({ list: 'any.txt', indicator: '0.0.0.0/0' });
  status = 204;
  expect(await run(2)).toMatchObject([{ pipeline: 'watched', newMatches: refused?.newMatches }]);
  expect(await run(3)).toEqual([]);
  expect(received.map(({ path }) => path)).toEqual(['/success']);
  expect(stage.events.filter(({ type }) => type === 'list-fault')).toHaveLength(3);
  await writeFile(join(lists, 'more.txt'), '0.0.0.0/0\n');
  expect(await run(4)).toMatchObject([{ newMatches: refused?.newMatches }]);
});
