import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MS_PER_DAY, parseRange, type TimeRange } from '@edrlake/core';
import { type Simulator, startSimulator } from '@edrlake/simulator';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inFreshDirectory, inPlainDuckDb, runCommand, runJson, startCommand } from './command.ts';
import { HOMES, type LakeHome, type LakeHomes } from './lake-home.ts';
import { expectLakeHoldsTruth, parquetOf, type TrueDataset } from './lake-truth.ts';

// The tests that each dataset must pass in each kind of store.

const RANGE = parseRange('2020-08-17', '2020-08-20');
const THREE_DAYS = ['--from', '2020-08-17', '--to', '2020-08-19'];

async function parquetFiles(home: LakeHome): Promise<string[]> {
  const names = await readdir(await home.files(), { recursive: true });
  return names.filter((name) => name.endsWith('.parquet') && !name.startsWith('_')).sort();
}

/** Does some work with a new lake, which is removed afterwards. */
async function withHome(homes: LakeHomes, dataset: TrueDataset, work: (home: LakeHome) => Promise<void>) {
  await inFreshDirectory(async (directory) => {
    const home = await homes.at(directory, dataset);
    try {
      await work(home);
    } finally {
      await home.close();
    }
  });
}

/** Pages that the gateway has really delivered. */
function pagesServed(simulator: Simulator): number {
  return simulator.calls.all().filter((call) => call.endpoint === 'events' && call.status === 200).length;
}

/** Declares them. @param events of four days, 12,000 of them within a minute; the first day needs about 20 pages */
export function exactlyOnceTests(dataset: TrueDataset, events: number, pageSize: number, homes = HOMES): void {
  const gatewayOf = ({ url }: Simulator, { args }: LakeHome) => [
    ...['--base-url', url, ...args, '--page-size', String(pageSize)],
  ];
  const expectTruth = async (home: LakeHome, simulator: Simulator, range?: TimeRange) =>
    expectLakeHoldsTruth(await home.files(), simulator, range, dataset);
  describe(`backfill of three busy days of ${dataset.name} into ${homes.name}`, () => {
    let simulator: Simulator;
    beforeEach(async () => {
      const profile = { busyMinutes: 1, busySecondEvents: 11_000, busyMinuteEvents: 12_000 };
      simulator = await startSimulator({ events, range: RANGE, seed: 11, profile, nullIdShare: 0.0005 });
    });
    afterEach(() => simulator.close());

    it('is exact, changes nothing when run again, and stays exact when ranges overlap', async () => {
      await withHome(homes, dataset, async (home) => {
        const target = gatewayOf(simulator, home);
        const threeDays = { startMs: RANGE.startMs, endMs: RANGE.endMs - MS_PER_DAY };

        const plan = (await runJson(['plan', ...THREE_DAYS, ...target], home)) as {
          requests: Record<string, number>;
        };
        const madeBefore = simulator.calls.all().length;
        const first = await runCommand(['backfill', ...THREE_DAYS, ...target], home);
        expect(first).toMatchObject({ exitCode: 0 });
        expect(simulator.calls.all().length - madeBefore).toBeLessThanOrEqual(plan.requests.planned ?? 0);
        await expectTruth(home, simulator, threeDays);

        const filesBefore = await parquetFiles(home);
        const pagesBefore = pagesServed(simulator);
        const again = await runJson(['backfill', ...THREE_DAYS, ...target], home);
        expect(again).toMatchObject({ events: { new: 0, changed: 0 }, filesAdded: 0 });
        expect(await parquetFiles(home)).toEqual(filesBefore);
        expect(pagesServed(simulator), 'proven windows are not fetched again').toBe(pagesBefore);

        const oneDay = ['--from', '2020-08-18', '--to', '2020-08-18'];
        const forced = await runJson(['backfill', ...oneDay, ...target, '--force'], home);
        expect(forced).toMatchObject({ events: { new: 0, changed: 0 }, filesAdded: 0 });
        expect(await parquetFiles(home)).toEqual(filesBefore);

        const overlapping = await runCommand(
          ['backfill', '--from', '2020-08-18', '--to', '2020-08-20', ...target],
          home,
        );
        expect(overlapping).toMatchObject({ exitCode: 0 });
        await expectTruth(home, simulator);
        await expectViewsEqualFiles(home, dataset);
        await expectCoverageComplete(home, simulator, dataset);
      });
    }, 240_000);

    it('ends with the same lake after being killed at random moments, and requests only pages in flight again', async () => {
      await withHome(homes, dataset, async (home) => {
        const args = ['backfill', '--from', '2020-08-17', '--to', '2020-08-17', ...gatewayOf(simulator, home)];
        const day = parseRange('2020-08-17', '2020-08-17');
        const wanted = Math.ceil(simulator.truth.count(day) / pageSize);
        let kills = 0;
        // Each run is killed some pages later than the last one reached, until one completes.
        for (const pages of [0, 1, 5, 9, 14, 20]) {
          const running = startCommand(args, home);
          const before = pagesServed(simulator);
          const due = until(() => pagesServed(simulator) >= before + pages / 2);
          const winner = await Promise.race([due.then(() => 'due' as const), running.ended]);
          running.kill('SIGKILL');
          due.cancel();
          const ended = await running.ended;
          if (winner === 'due' && ended.exitCode === null) kills += 1;
        }
        expect(kills).toBeGreaterThan(3);
        const last = await runCommand(args, home);
        expect(last).toMatchObject({ exitCode: 0 });
        await expectTruth(home, simulator, day);
        await expectViewsEqualFiles(home, dataset);
        // Two pages may be in flight at each kill, and a window that the kill divides has few pages.
        expect(pagesServed(simulator)).toBeLessThanOrEqual(wanted + kills * 2 + 10);
        expect(
          await readdir(join(home.work, '_spool')).then((names) => names.filter((name) => name !== 'tmp')),
        ).toEqual([]);
      });
    }, 240_000);
  });
}

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

async function expectViewsEqualFiles(home: LakeHome, { children }: TrueDataset): Promise<void> {
  const files = await home.files();
  for (const table of ['events', ...Object.keys(children)]) {
    const viaViews = await home.viaViews(`select count(*), bit_xor(hash(t)) from ${table} t`);
    const columns = (await home.viaViews(`select column_name from (describe ${table})`)).map(([name]) => `"${name}"`);
    const viaFiles = await inPlainDuckDb(
      `select count(*), bit_xor(hash(t)) from (select ${columns.join(', ')} from ${parquetOf(files, table)}) t`,
    );
    expect(viaFiles, table).toEqual(viaViews);
  }
}

async function expectCoverageComplete(home: LakeHome, simulator: Simulator, dataset: TrueDataset): Promise<void> {
  const coverage = await home.viaViews(
    'select event_date, counted, in_lake + rejected, verdict from coverage order by event_date',
  );
  const truth = dataset.perDay(simulator).map(({ day, events, rejects }) => {
    const total = String(Number(events) + Number(rejects));
    return [day, total, total, 'complete'];
  });
  expect(coverage).toEqual(truth);
}
