import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dayOf, MS_PER_DAY, MS_PER_HOUR, systemClock } from '@edrlake/core';
import { readLakeStatus } from '@edrlake/runner/history';
import { expect, it, onTestFinished } from 'vitest';
import { BUILT_IN_TASKS } from '../src/tasks/built-in-tasks.ts';
import { definePipeline } from '../src/tasks/define-pipeline.ts';
import { DAY, stageOfTasks } from './task-stage.ts';
import { newStage } from './workflow-stage.ts';

const DAYS = 40;
const RANGE = { startMs: DAY.startMs, endMs: DAY.startMs + DAYS * MS_PER_DAY };
const [FIRST, LAST] = [dayOf(RANGE.startMs), dayOf(RANGE.endMs - 1)];

it('a pipeline calls onQuiet for a source that stopped, once; status names it, from one small file', async () => {
  const { simulator, lakeDirectory, services, open } = await stageOfTasks({
    range: RANGE,
    events: DAYS * 120,
    seed: 3,
  });
  const stoppedMs = RANGE.endMs - 30 * MS_PER_HOUR;
  const { truth } = simulator;
  const typeOf = (index: number) => String(truth.event(index).type);
  const stopped = [...truth.indexes({ startMs: stoppedMs, endMs: RANGE.endMs })].filter((i) => typeOf(i) === 'FILE');
  simulator.removeEvents(stopped);
  const stage = await newStage();
  onTestFinished(() => stage.remove());
  const provided = open('high');
  const pipeline = definePipeline({
    name: 'watched',
    tasks: {
      fetch: { uses: 'backfill', with: { from: FIRST, to: LAST } },
      quiet: { uses: 'quiet', needs: ['fetch'] },
    },
    hooks: { onQuiet: { url: 'http://localhost/quiet', attempts: 1 } },
  });
  const received: { newlyQuiet: number; quiet: object[] }[] = [];
  let status = 500;
  const run = async (n: number) => {
    received.length = 0;
    const post = async (_: string, body: string) => {
      received.push(JSON.parse(body));
      return status;
    };
    const options = { registry: BUILT_IN_TASKS as never, provided, post, runId: `20261122T00301${n}Z-1f9a2c` };
    const { state } = await stage.run(pipeline, { ...options, services: { clock: systemClock } as never });
    expect(state, JSON.stringify(stage.events.at(-2))).toBe('done');
    return [...received];
  };
  const silent = { kind: 'silent', type: 'FILE', events: 0 };
  const [refused] = await run(1);
  expect(refused?.quiet).toContainEqual(expect.objectContaining(silent));
  expect(refused?.newlyQuiet).toBe(1);
  status = 204;
  expect(await run(2)).toMatchObject([{ pipeline: 'watched', newlyQuiet: 1 }]);
  expect(await run(3)).toEqual([]);

  const statusOf = async () =>
    provided.useLake(({ lake }) => readLakeStatus(lake, { userLimit: null, nowMs: systemClock.nowMs() }), services);
  const { quiet } = await statusOf();
  expect(quiet).toMatchObject({ learnedDays: DAYS, findings: [{ kind: 'silent', source: { type: 'FILE' } }] });
  const [finding] = quiet?.findings ?? [];
  const sinceMs = finding?.kind === 'silent' ? finding.sinceMs : 0;
  expect(Math.abs(sinceMs - stoppedMs)).toBeLessThan(6 * MS_PER_HOUR);

  const file = join(lakeDirectory, '_runs', 'volume.json');
  const learned = JSON.parse(await readFile(file, 'utf8'));
  const counts = Object.values<{ rows: number }>(learned.days);
  expect(counts.reduce((sum, { rows }) => sum + rows, 0)).toBe(DAYS * 120 - stopped.length);
  // A day whose numbers are not those of the lake is not judged, and a file that is none says nothing.
  learned.days[LAST].rows += 1;
  await writeFile(file, JSON.stringify(learned));
  expect((await statusOf()).quiet?.learnedDays).toBe(DAYS - 1);
  await writeFile(file, '{"days":');
  expect((await statusOf()).quiet).toBeNull();
});
