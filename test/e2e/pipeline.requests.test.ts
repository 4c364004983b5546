import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MS_PER_DAY, startOfDayMs } from '@edrlake/core';
import { startSimulator } from '@edrlake/simulator';
import { connect, openLake, runPipeline } from 'edrlake';
import { expect, onTestFinished, test } from 'vitest';
import backfill from '../../pipelines/backfill.ts';

const [EVENTS, PAGE_SIZE] = [2_000, 20];

test('the pipeline backfill of quiet days needs hardly more requests than their events have pages', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'edrlake-pipelines-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const endMs = startOfDayMs('2026-10-01');
  const range = { startMs: endMs - 10 * MS_PER_DAY, endMs };
  const simulator = await startSimulator({ events: EVENTS, range, seed: 3 });
  onTestFinished(() => simulator.close());
  const source = await connect({
    ...{ baseUrl: simulator.url, username: 'demo', password: 'demo' },
    ...{ pageSize: PAGE_SIZE, maxResultWindow: 10 * PAGE_SIZE },
  });
  onTestFinished(() => source.close());
  await using lake = await openLake(directory);
  const params = { from: '2026-09-21', to: '2026-09-30' };
  const { state, rows } = await runPipeline(lake, source, backfill, { params });
  expect({ state, rows }).toEqual({ state: 'done', rows: EVENTS });
  // Day by day it were one count and half a page more for each.
  expect(simulator.calls.total / (EVENTS / PAGE_SIZE)).toBeLessThanOrEqual(1.06);
});
