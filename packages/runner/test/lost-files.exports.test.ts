import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, NO_FILTER, parseRange } from '@edrlake/core';
import { expect, it } from 'vitest';
import { syncNewEvents } from '../src/sync/sync.ts';
import { impatientClock, OPTIONS, onStage, rowsOf, type Stage } from './flow-stage.ts';

const DAYS = parseRange('2020-08-17', '2020-08-18');
const SYNC = {
  axis: 'processed',
  scope: NO_FILTER,
  sinceMs: DAYS.startMs,
  lookBackMs: 6 * MS_PER_HOUR,
  settleLagMs: 15 * MS_PER_MINUTE,
} as const;
const nowMs = DAYS.endMs + 10 * MS_PER_DAY;
const STAGE = { events: 300, range: DAYS, seed: 3, nowMs, clock: impatientClock(() => nowMs) };

/** Deletes the first file of a table. */
async function lose({ lake }: Stage, table: string): Promise<void> {
  await rm(join(lake.directory, (await lake.snapshot()).files[table]?.[0]?.path ?? ''));
}

const held = (lake: Stage['lake']) =>
  rowsOf(
    lake,
    'SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM certificates), (SELECT count(*) FROM indicators)',
  );

it.each([
  { table: 'events', force: false },
  { table: 'certificates', force: false },
  { table: 'events', force: true },
  { table: 'indicators', force: true },
])('a backfill brings back what was in a lost file of $table (force: $force)', async ({ table, force }) => {
  await onStage(STAGE, async (stage) => {
    const { lake, backfill } = stage;
    await backfill(DAYS);
    const before = await held(lake);
    await lose(stage, table);
    expect((await lake.coverage()).some(({ verdict }) => verdict === 'mismatched')).toBe(true);
    const report = await backfill(DAYS, { force });
    expect(report.outcome).toBe('done');
    expect(report.events.new).toBeGreaterThan(0);
    expect(await held(lake)).toEqual(before);
    expect((await lake.coverage()).every(({ verdict }) => verdict === 'complete')).toBe(true);
    expect(await backfill(DAYS)).toMatchObject({ events: { fetched: 0 } });
  });
});

it('a sync restores the lost rows that it fetches again, and reports the others', async () => {
  await onStage(STAGE, async (stage) => {
    const { lake, ends, services, backfill } = stage;
    await backfill(DAYS);
    const before = await held(lake);
    await lose(stage, 'events');
    const first = await syncNewEvents(ends, SYNC, OPTIONS, services());
    expect(first.lostFiles).toEqual([]);
    expect(await held(lake)).toEqual(before);
    await lose(stage, 'certificates');
    const next = await syncNewEvents(ends, { ...SYNC, sinceMs: null }, OPTIONS, services());
    expect(next.lostFiles).toHaveLength(1);
    await expect(lake.query('SELECT count(*) FROM certificates WHERE position > 5')).rejects.toMatchObject({
      code: 'LAKE_CORRUPT',
    });
  });
});
