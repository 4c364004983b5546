import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MS_PER_DAY, parseRange } from '@edrlake/core';
import { type Simulator, startSimulator } from '@edrlake/simulator';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inFreshDirectory, inPlainDuckDb, runCommand, runJson, startCommand } from './command.ts';
import { expectLakeHoldsTruth, parquetOf } from './lake-truth.ts';

const RANGE = parseRange('2020-08-17', '2020-08-20');
const THREE_DAYS = ['--from', '2020-08-17', '--to', '2020-08-19'];

async function parquetFiles(lake: string): Promise<string[]> {
  const names = await readdir(lake, { recursive: true });
  return names.filter((name) => name.endsWith('.parquet') && !name.startsWith('_')).sort();
}

/** Pages that the gateway has really delivered. */
function pagesServed(simulator: Simulator): number {
  return simulator.calls.all().filter((call) => call.endpoint === 'events' && call.status === 200).length;
}

describe('backfill of three busy days', () => {
  let simulator: Simulator;
  beforeEach(async () => {
    const profile = { busyMinutes: 1, busySecondEvents: 11_000, busyMinuteEvents: 12_000 };
    simulator = await startSimulator({ events: 80_000, range: RANGE, seed: 11, profile, nullIdShare: 0.0005 });
  });
  afterEach(() => simulator.close());

  it('is exact, changes nothing when run again, and stays exact when ranges overlap', async () => {
    await inFreshDirectory(async (directory) => {
      const lake = join(directory, 'lake');
      const target = ['--base-url', simulator.url, '--lake', lake];
      const threeDays = { startMs: RANGE.startMs, endMs: RANGE.endMs - MS_PER_DAY };

      const plan = (await runJson(['plan', ...THREE_DAYS, '--base-url', simulator.url])) as {
        requests: Record<string, number>;
      };
      const madeBefore = simulator.calls.all().length;
      const first = await runCommand(['backfill', ...THREE_DAYS, ...target]);
      expect(first).toMatchObject({ exitCode: 0 });
      expect(simulator.calls.all().length - madeBefore).toBeLessThanOrEqual(plan.requests.planned ?? 0);
      await expectLakeHoldsTruth(lake, simulator, threeDays);

      const filesBefore = await parquetFiles(lake);
      const pagesBefore = pagesServed(simulator);
      const again = await runJson(['backfill', ...THREE_DAYS, ...target]);
      expect(again).toMatchObject({ events: { new: 0, changed: 0 }, filesAdded: 0 });
      expect(await parquetFiles(lake)).toEqual(filesBefore);
      expect(pagesServed(simulator), 'proven windows are not fetched again').toBe(pagesBefore);

      const oneDay = ['--from', '2020-08-18', '--to', '2020-08-18'];
      const forced = await runJson(['backfill', ...oneDay, ...target, '--force']);
      expect(forced).toMatchObject({ events: { new: 0, changed: 0 }, filesAdded: 0 });
      expect(await parquetFiles(lake)).toEqual(filesBefore);

      const overlapping = await runCommand(['backfill', '--from', '2020-08-18', '--to', '2020-08-20', ...target]);
      expect(overlapping).toMatchObject({ exitCode: 0 });
      await expectLakeHoldsTruth(lake, simulator);
      await expectViewsEqualFiles(lake);
      await expectCoverageComplete(lake, simulator);
    });
  }, 240_000);

  it('ends with the same lake after being killed at random moments, and requests only pages in flight again', async () => {
    await inFreshDirectory(async (directory) => {
      const lake = join(directory, 'lake');
      const args = [
        'backfill',
        '--from',
        '2020-08-17',
        '--to',
        '2020-08-17',
        '--base-url',
        simulator.url,
        '--lake',
        lake,
      ];
      const day = parseRange('2020-08-17', '2020-08-17');
      const wanted = Math.ceil(simulator.truth.count(day) / 1000);
      let kills = 0;
      // Each run is killed some pages later than the last one reached, until one completes.
      for (const pages of [0, 1, 5, 9, 14, 20]) {
        const running = startCommand(args);
        const before = pagesServed(simulator);
        const due = until(() => pagesServed(simulator) >= before + pages / 2);
        const winner = await Promise.race([due.then(() => 'due' as const), running.ended]);
        running.kill('SIGKILL');
        due.cancel();
        const ended = await running.ended;
        if (winner === 'due' && ended.exitCode === null) kills += 1;
      }
      expect(kills).toBeGreaterThan(3);
      const last = await runCommand(args);
      expect(last).toMatchObject({ exitCode: 0 });
      await expectLakeHoldsTruth(lake, simulator, day);
      await expectViewsEqualFiles(lake);
      // Two pages may be in flight at each kill, and a window that the kill divides has few pages.
      expect(pagesServed(simulator)).toBeLessThanOrEqual(wanted + kills * 2 + 10);
      expect(await readdir(join(lake, '_spool')).then((names) => names.filter((name) => name !== 'tmp'))).toEqual([]);
    });
  }, 240_000);
});

/** Resolves once the condition is true, checked at each turn of the event loop; `cancel` ends the checks. */
function until(holds: () => boolean): Promise<void> & { cancel(): void } {
  let cancelled = false;
  const promise = new Promise<void>((resolve) => {
    const look = () => {
      if (cancelled || holds()) resolve();
      else setTimeout(look, 5);
    };
    look();
  });
  return Object.assign(promise, {
    cancel: () => {
      cancelled = true;
    },
  });
}

async function expectViewsEqualFiles(lake: string): Promise<void> {
  const database = join(lake, 'lake.duckdb');
  for (const table of ['events', 'certificates', 'indicators', 'interfaces', 'asset_tags']) {
    const viaViews = await inPlainDuckDb(`select count(*), bit_xor(hash(t)) from ${table} t`, database);
    const columns = (await inPlainDuckDb(`select column_name from (describe ${table})`, database)).map(
      ([name]) => `"${name}"`,
    );
    const viaFiles = await inPlainDuckDb(
      `select count(*), bit_xor(hash(t)) from (select ${columns.join(', ')} from ${parquetOf(lake, table)}) t`,
    );
    expect(viaFiles, table).toEqual(viaViews);
  }
}

async function expectCoverageComplete(lake: string, simulator: Simulator): Promise<void> {
  const coverage = await inPlainDuckDb(
    'select event_date, counted, in_lake + rejected, verdict from coverage order by event_date',
    join(lake, 'lake.duckdb'),
  );
  const truth = simulator.truth.perDay().map(({ day, events, rejects }) => {
    const total = String(events + rejects);
    return [day, total, total, 'complete'];
  });
  expect(coverage).toEqual(truth);
}
