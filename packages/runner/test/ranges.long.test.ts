import { MS_PER_DAY, NO_FILTER, parseRange, startOfDayMs, systemClock } from '@edrlake/core';
import { describe, expect, it } from 'vitest';
import { exportRange } from '../src/export/export-flow.ts';
import { differingRanges } from '../src/reconcile/diff-ranges.ts';
import { reconcile, repair } from '../src/reconcile/reconcile.ts';
import { OPTIONS, onStage, rowsOf } from './flow-stage.ts';

const WEEK = parseRange('2020-08-17', '2020-08-23');
const ALL_TIME = parseRange('1000-01-01', '9999-12-31');
const SINCE_1970 = parseRange('1970-01-01', '9999-12-31');

describe.each(['on', 'off'] as const)(
  'a range of three million days, of which 375,000 are over, histograms %s',
  (histogram) => {
    it('is exported, skipped the second time, compared and repaired with a handful of objects', async () => {
      await onStage({ events: 3_000, range: WEEK, settings: { histogram } }, async (stage) => {
        const { lake, ends, services, simulator } = stage;
        const startedMs = systemClock.nowMs();
        const report = await stage.backfill(ALL_TIME);
        expect(report).toMatchObject({ outcome: 'done', events: { counted: 3_000, new: 3_000 } });
        const { frozenAtMs } = report;
        expect(Math.abs((frozenAtMs ?? 0) - startedMs)).toBeLessThan(60_000);
        expect(report.request.ranges).toEqual([{ startMs: ALL_TIME.startMs, endMs: frozenAtMs }]);

        const lines = await lake.coverage();
        expect(lines.length).toBeLessThanOrEqual(20);
        expect(lines.at(-1)).toMatchObject({ verdict: 'open' });
        expect((await lake.snapshot()).proofs.length).toBeLessThanOrEqual(10);
        const [proven] = await lake.provenRanges('event', NO_FILTER);
        expect(proven).toEqual({ startMs: ALL_TIME.startMs, endMs: frozenAtMs });
        const complete = await rowsOf(
          lake,
          `select min(event_date)::varchar, count(*), (max(event_date) < current_date)::varchar
           from coverage where verdict = 'complete'`,
        );
        const days = (Math.floor(startedMs / MS_PER_DAY) * MS_PER_DAY - ALL_TIME.startMs) / MS_PER_DAY;
        expect(complete).toEqual([['1000-01-01', String(days), 'true']]);

        const requestsBefore = ends.requestsMade();
        const again = await stage.backfill(ALL_TIME);
        expect(again).toMatchObject({ outcome: 'done', events: { new: 0 } });
        const compared = await reconcile(ends, { range: SINCE_1970, by: 'day' }, services());
        expect(compared.length).toBeLessThanOrEqual(12);
        expect(compared.every(({ verdict }) => verdict === 'match')).toBe(true);

        const late = { startMs: startOfDayMs('1999-03-04'), endMs: startOfDayMs('1999-03-05') };
        simulator.addEvents({ events: 7, range: late });
        const behind = await reconcile(ends, { range: SINCE_1970, by: 'day' }, services());
        expect(behind.filter(({ verdict }) => verdict !== 'match')).toMatchObject([
          { day: '1999-03-04', verdict: 'late', inApi: 7, whenFetched: 0 },
        ]);
        const found = await differingRanges(
          ends.source,
          lake,
          { axis: 'event', range: SINCE_1970, scope: NO_FILTER },
          services(),
        );
        expect(found).toMatchObject([{ inApi: 7, inLake: 0 }]);
        const repaired = await repair(ends, behind, OPTIONS, services());
        expect(repaired.exported).toMatchObject({ outcome: 'done', events: { new: 7 } });
        expect(ends.requestsMade() - requestsBefore).toBeLessThanOrEqual(120);
      });
    }, 120_000);
  },
);

it('the future is cut from a request, and refused where the request is only in the future', async () => {
  await onStage({ events: 100, range: WEEK }, async ({ ends, services, lake, backfill }) => {
    const ahead = parseRange('2130-01-01', '2130-01-02');
    await expect(backfill(ahead)).rejects.toMatchObject({ code: 'RANGE_INVALID' });
    const request = { axis: 'event', ranges: [{ range: WEEK }, { range: ahead }], scope: NO_FILTER } as const;
    const report = await exportRange(ends, request, OPTIONS, services());
    expect(report).toMatchObject({ outcome: 'done', request: { ranges: [WEEK] }, events: { new: 100 } });
    expect((await lake.coverage()).every(({ verdict }) => verdict === 'complete')).toBe(true);
  });
});
