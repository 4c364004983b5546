import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NO_FILTER, parseRange, rangeOfDays, systemClock } from '@edrlake/core';
import {
  comparedCommitOf,
  exportRange,
  openEdrLake,
  rebuildEdrLog,
  reconcile,
  rememberReconciliation,
  repair,
} from '@edrlake/runner';
import { readLakeStatus } from '@edrlake/runner/history';
import { expect, it } from 'vitest';
import { homeOf, loseFile } from '../../lake/test/lake-homes.ts';
import { OPTIONS, onStage, type Stage } from './flow-stage.ts';

const WEEK = parseRange('2020-08-17', '2020-08-23');
const SETUP = { events: 700, range: WEEK, seed: 21 };

async function compare({ lake, ends, services }: Pick<Stage, 'lake' | 'ends' | 'services'>): Promise<string[]> {
  const over = await comparedCommitOf(lake);
  const days = await reconcile(ends, { range: WEEK, by: 'day' }, services());
  await rememberReconciliation(lake, days, { over, atMs: systemClock.nowMs() }, services().newRunId);
  return days.map(({ verdict }) => verdict);
}

const daysOf = async (lake: Stage['lake']) =>
  (await readLakeStatus(lake, { userLimit: null, nowMs: systemClock.nowMs() })).calendar.counts;

it.each(['events', 'certificates'])(
  'a day that was found equal is not complete once a file of %s is gone',
  async (table) => {
    await onStage(SETUP, async (stage) => {
      const { lake, backfill } = stage;
      await backfill(WEEK);
      expect(await compare(stage)).toEqual(Array(7).fill('match'));
      expect(await daysOf(lake)).toMatchObject({ complete: 7 });
      await loseFile(lake.directory, (await lake.snapshot()).files[table]?.[0]?.path ?? '');
      expect(await daysOf(lake)).toMatchObject({ complete: 6, mismatched: 1 });
      expect(await compare(stage)).toContain('missing');
      expect(await daysOf(lake)).toMatchObject({ complete: 6, missing: 1 });
    });
  },
);

it.each(['events', 'certificates'])(
  'a day that was found equal is not complete once the loss of a file of %s is in the log',
  async (table) => {
    await onStage(SETUP, async (stage) => {
      const { lake, backfill } = stage;
      await backfill(WEEK);
      await compare(stage);
      await loseFile(lake.directory, (await lake.snapshot()).files[table]?.[0]?.path ?? '');
      await lake.forgetLostFiles('dropping', []);
      expect(await daysOf(lake)).toMatchObject({ complete: 6, mismatched: 1 });
      await backfill(WEEK);
      expect(await daysOf(lake)).toMatchObject({ complete: 7 });
    });
  },
);

it('a day that lost events is not equal because the API has as many others by now, and a repair proves it anew', async () => {
  await onStage(SETUP, async (stage) => {
    const { lake, ends, simulator, services, backfill } = stage;
    await backfill(WEEK);
    const file = (await lake.snapshot()).files.events?.[0];
    const day = rangeOfDays(file?.partition.split('=')[1] ?? '');
    await loseFile(lake.directory, file?.path ?? '');
    await lake.forgetLostFiles('forgetting', []);
    simulator.removeEvents([...simulator.truth.indexes(day)]);
    simulator.addEvents({ events: file?.rowCount ?? 0, range: day });
    const late = {
      axis: 'processed',
      ranges: [{ range: { ...day, endMs: systemClock.nowMs() } }],
      scope: NO_FILTER,
    } as const;
    await exportRange(ends, late, OPTIONS, services());
    const days = await reconcile(ends, { range: WEEK, by: 'day' }, services());
    expect(days[0]).toMatchObject({ verdict: 'missing', difference: 0 });
    const byType = await reconcile(ends, { range: WEEK, by: 'type' }, services());
    for (const { day: on, verdict, difference, lossOfDay } of byType) {
      const isLossy = on === days[0]?.day;
      expect(verdict).toBe(isLossy ? (difference < 0 ? 'missing' : 'unverified') : 'match');
      expect(lossOfDay ?? false).toBe(isLossy);
    }
    expect(byType.some(({ verdict }) => verdict === 'unverified')).toBe(true);
    await repair(ends, days, OPTIONS, services());
    expect(await compare(stage)).toEqual(Array(7).fill('match'));
    expect(await daysOf(lake)).toMatchObject({ complete: 7 });
    expect((await lake.coverage()).every(({ verdict }) => verdict === 'complete')).toBe(true);
  });
});

it('a rebuilt log makes nothing complete that was found equal before, also not on other machines', async () => {
  await onStage(SETUP, async (stage) => {
    const { ends, services } = stage;
    // Its own lake: no other process may have it open while its log is rebuilt.
    const directory = join(stage.lake.directory, '..', 'rebuilt');
    const place = { ...(await homeOf(directory)), memoryLimit: '512MB' };
    const onLake = async (create: boolean, work: (lake: Stage['lake']) => Promise<void>) => {
      const lake = await openEdrLake(directory, { ...place, create, readOnly: false }, services());
      await work(lake).finally(lake.close);
    };
    const file = join(directory, '_runs/reconciliation.json');
    let ofOthers = '';
    await onLake(true, async (lake) => {
      const request = { axis: 'event', ranges: [{ range: WEEK }], scope: NO_FILTER } as const;
      await exportRange({ ...ends, lake }, request, OPTIONS, services());
      await compare({ lake, ends: { ...ends, lake }, services });
      expect(await daysOf(lake)).toMatchObject({ complete: 7 });
      ofOthers = await readFile(file, 'utf8');
      const twice = { day: '2020-08-17', eventType: null, verdict: 'duplicate', inApi: 100, difference: 1 } as const;
      const about = { over: await comparedCommitOf(lake), atMs: systemClock.nowMs() };
      await rememberReconciliation(lake, [twice], about, services().newRunId);
      expect(await daysOf(lake)).toMatchObject({ complete: 6, mismatched: 1 });
    });
    await rebuildEdrLog(directory, { ...place, force: true, runId: 'rebuilding' }, services());
    await onLake(false, async (lake) => {
      expect(await daysOf(lake)).toMatchObject({ complete: 0, partial: 7 });
      await writeFile(file, ofOthers);
      expect(await daysOf(lake)).toMatchObject({ complete: 0, partial: 7 });
      await compare({ lake, ends: { ...ends, lake }, services });
      expect(await daysOf(lake)).toMatchObject({ complete: 7 });
    });
  });
});
