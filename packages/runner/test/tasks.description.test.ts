import { MS_PER_DAY, startOfDayMs } from '@edrlake/core';
import { expect, it } from 'vitest';
import { BUILT_IN_TASKS } from '../src/tasks/built-in-tasks.ts';
import { stageOfTasks } from './task-stage.ts';

it.each([
  [{ since: '2026-11-01' }, 'from the watermark less 6 h (at first: from 2026-11-01) to now less 15 min'],
  [{}, 'from the watermark less 6 h to now less 15 min'],
])('a sync with %j says where the first one begins', async (given, said) => {
  const startMs = startOfDayMs('2020-08-17');
  const { open, services } = await stageOfTasks({ range: { startMs, endMs: startMs + MS_PER_DAY } });
  const { parseInput, describe } = BUILT_IN_TASKS.sync;
  const about = { run: { runId: 'run', pipeline: 'nightly', startedAtMs: startMs }, notify: async () => null };
  const context = { ...about, task: 'sync', partition: null, attempt: 1, services, provided: open('high') };
  expect(await describe?.(parseInput(given), context)).toBe(said);
});
