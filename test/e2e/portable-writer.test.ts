import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MS_PER_HOUR, parseRange } from '@edrlake/core';
import { startSimulator } from '@edrlake/simulator';
import { expect, test } from 'vitest';
import { inFreshDirectory, runCommand, runJson, startCommand } from './command.ts';
import { expectLakeHoldsTruth } from './lake-truth.ts';

const HOOK = fileURLToPath(new URL('without-duckdb.mjs', import.meta.url));
const WITHOUT_DUCKDB = { NODE_OPTIONS: `--import=${HOOK}`, EDRLAKE_WRITER: 'parquetjs' };
const DAY = ['--from', '2020-08-17', '--to', '2020-08-17'];

test('a day is exported, killed, resumed, followed and shown where DuckDB cannot be loaded', async () => {
  const range = parseRange('2020-08-17', '2020-08-17');
  const simulator = await startSimulator({
    ...{ events: 2_500, range, seed: 5, latencyMs: 15 },
    ...{ nullIdShare: 0.002, unknownFieldShare: 0.02 },
  });
  try {
    await inFreshDirectory(async (directory) => {
      const lake = join(directory, 'lake');
      const gateway = ['--base-url', simulator.url, '--lake', lake];
      const portable = { env: WITHOUT_DUCKDB };
      const pages = () => simulator.calls.of('events').filter(({ status }) => status === 200).length;

      const slow = ['--page-size', '100', '--concurrency', '1'];
      const killed = startCommand(['backfill', ...DAY, ...gateway, ...slow], portable);
      let isOver = false;
      const ended = killed.ended.finally(() => {
        isOver = true;
      });
      while (pages() < 8 && !isOver) await new Promise((resolve) => setTimeout(resolve, 5));
      killed.kill('SIGKILL');
      expect((await ended).exitCode).toBe(null);

      const resumed = await runJson(['backfill', ...DAY, ...gateway, ...slow], portable);
      expect(resumed).toMatchObject({ resumed: true, outcome: 'done' });
      expect(pages(), 'pages that were durable are not asked for again').toBeLessThanOrEqual(27);
      await expectLakeHoldsTruth(lake, simulator);

      // Everything is known: the index says so without a row being read.
      const since = ['sync', '--since', '2020-08-17', '--settle-lag', '0s'];
      const known = await runJson([...since, ...gateway], portable);
      expect(known).toMatchObject({ exported: { events: { new: 0, changed: 0 } } });

      const revised = [...simulator.truth.indexes()].slice(10, 30);
      simulator.reviseEvents(revised, Date.now() - MS_PER_HOUR);
      simulator.addEvents({ events: 15, range, processedAtMs: Date.now() - MS_PER_HOUR });
      const followed = await runJson(['sync', '--settle-lag', '0s', ...gateway], portable);
      expect(followed).toMatchObject({ exported: { events: { new: 15, changed: 20 } } });
      await expectLakeHoldsTruth(lake, simulator);

      const status = await runCommand(['status', '--lake', lake], portable);
      expect(status).toMatchObject({ exitCode: 0, stderr: '' });
      const query = await runCommand(
        ['query', 'select count(*) from events where score > 3', '--lake', lake],
        portable,
      );
      expect(query).toMatchObject({ exitCode: 1 });
      expect(query.stderr).toMatch(/DuckDB cannot be loaded.*\[DUCKDB_MISSING\]/s);

      // The whole edrlake works on such a lake, and finds it sound.
      const again = await runJson(['backfill', ...DAY, ...gateway, '--force']);
      expect(again).toMatchObject({ events: { new: 0, changed: 0 }, filesAdded: 0 });
      expect(await runCommand(['doctor', '--lake', lake])).toMatchObject({ exitCode: 0 });
      expect(await runCommand(['compact', '--lake', lake])).toMatchObject({ exitCode: 0 });
      await expectLakeHoldsTruth(lake, simulator);
    });
  } finally {
    await simulator.close();
  }
}, 240_000);

test('Ctrl-C while a file is written ends the command, and the next run goes on with the pages that it has', async () => {
  const range = parseRange('2020-08-17', '2020-08-17');
  const simulator = await startSimulator({ events: 3_000, range, seed: 6 });
  try {
    await inFreshDirectory(async (directory) => {
      const lake = join(directory, 'lake');
      const args = ['backfill', ...DAY, '--base-url', simulator.url, '--lake', lake];
      const fault = { root: `${lake}/`, matching: '^stream .*events/', step: 1, action: 'interrupt', stepsFile: null };
      const hook = fileURLToPath(new URL('../crash/fault-hook.mjs', import.meta.url));
      const env = { EDRLAKE_WRITER: 'parquetjs', NODE_OPTIONS: `--import=${hook}` };
      const interrupted = await runCommand(args, { env: { ...env, EDRLAKE_TEST_FAULT: JSON.stringify(fault) } });
      expect(interrupted).toMatchObject({ exitCode: 130, stderr: expect.stringContaining('[INTERRUPTED]') });
      const names = await readdir(lake, { recursive: true });
      expect(names.filter((name) => name.endsWith('.parquet'))).toEqual([]);
      const pages = simulator.calls.of('events').length;
      const resumed = await runJson(args, { env: { EDRLAKE_WRITER: 'parquetjs' } });
      expect(resumed).toMatchObject({ resumed: true, outcome: 'done', events: { new: 3_000 } });
      expect(simulator.calls.of('events').length).toBe(pages);
      await expectLakeHoldsTruth(lake, simulator);
    });
  } finally {
    await simulator.close();
  }
}, 120_000);

test('the heap of one batch is enough for any number of events', async () => {
  const range = parseRange('2020-08-17', '2020-08-19');
  // About three batches; all of them at once take more than twice the heap.
  const simulator = await startSimulator({ events: 30_000, range, seed: 5 });
  try {
    await inFreshDirectory(async (directory) => {
      const days = ['--from', '2020-08-17', '--to', '2020-08-19'];
      const target = ['--base-url', simulator.url, '--lake', join(directory, 'lake')];
      const env = { ...WITHOUT_DUCKDB, NODE_OPTIONS: `${WITHOUT_DUCKDB.NODE_OPTIONS} --max-old-space-size=160` };
      const report = await runJson(['backfill', ...days, ...target], { env });
      expect(report).toMatchObject({ outcome: 'done', events: { new: 30_000 } });
      expect(report.version).toBeGreaterThan(2);
    });
  } finally {
    await simulator.close();
  }
}, 240_000);
