import { MS_PER_DAY, NO_FILTER, parseRange } from '@edrlake/core';
import { QUALYS_EDR, QUALYS_FIM } from '@edrlake/datasets';
import { agreementOf, exportRange, openEdrLake, reconcile, repair } from '@edrlake/runner';
import type { Fault, SimulatorOptions } from '@edrlake/simulator';
import { describe, expect, it } from 'vitest';
import { chosenOf, editNewestEntry, homeOf, loseFile } from '../../lake/test/lake-homes.ts';
import { OPTIONS, onStage, rowsOf, type Stage } from './flow-stage.ts';

const WEEK = parseRange('2020-08-17', '2020-08-23');
const DATASETS = chosenOf([QUALYS_EDR, QUALYS_FIM]);
const SETUP = { events: 14_000, range: WEEK, seed: 21, nullIdShare: 0.001 };

const ONE_DAY_LESS = { startMs: WEEK.startMs, endMs: WEEK.endMs - MS_PER_DAY };

const compare = ({ ends, services }: Stage) => reconcile(ends, { range: WEEK, by: 'day' }, services());

describe.each(DATASETS)('the dataset $name', (dataset) => {
  /** The FIM API has none, and is asked for a count of each range. */
  const hasHistograms = dataset === QUALYS_EDR;

  it('matches every day of a complete lake with one request or one for each day, rejects included', async () => {
    await onStage({ ...SETUP, dataset }, async (stage) => {
      await stage.backfill(WEEK);
      const requestsBefore = stage.connection.requestsMade();
      const days = await compare(stage);
      expect(days.map(({ verdict, difference }) => [verdict, difference])).toEqual(Array(7).fill(['match', 0]));
      expect(stage.connection.requestsMade() - requestsBefore).toBe(hasHistograms ? 1 : 7);
      expect(days.map(({ inApi }) => inApi)).toEqual(
        stage.simulator.truth.perDay().map(({ events, rejects }) => events + rejects),
      );
    });
  });

  it('reports a day as unverified that was never fetched, and events that retention removed as a match', async () => {
    await onStage({ ...SETUP, dataset, nullIdShare: 0 }, async (stage) => {
      await stage.backfill(ONE_DAY_LESS);
      stage.simulator.removeEvents([...stage.simulator.truth.indexes()].slice(0, 30));
      const days = await compare(stage);
      expect(days[0]).toMatchObject({ verdict: 'match', difference: 30 });
      expect(days[6]).toMatchObject({ verdict: 'unverified', whenFetched: null, inLake: 0 });
    });
  });

  it('counts dated rejects in the lake, not in an old proof', async () => {
    const day = parseRange('2020-08-17', '2020-08-17');
    await onStage({ dataset, events: 300, range: day, seed: 4 }, async (stage) => {
      const { lake, simulator, ends, services } = stage;
      await stage.backfill(day);
      const [proof] = (await lake.snapshot()).proofs;
      if (proof === undefined) throw new Error('no proof');
      // A proof with a reject whose event came in readable form since; another event of the day is missing.
      const older = { ...proof, counted: 301, fetched: 301, rejected: 1, rejectedPerDay: { '2020-08-17': 1 } };
      await lake.commit({ batch: null, proofs: [older], runId: 'test', replace: false });
      simulator.addEvents({ events: 1, range: day });
      expect(await reconcile(ends, { range: day, by: 'day' }, services())).toMatchObject([
        { verdict: 'missing', inApi: 301, inLake: 300, whenFetched: 301 },
      ]);
    });
  });

  it('calls no day a match by a reject without a time whose event came in readable form', async () => {
    const day = parseRange('2020-08-17', '2020-08-17');
    await onStage({ dataset, events: 300, range: day, seed: 4 }, async (stage) => {
      const { lake, simulator, ends, services } = stage;
      await stage.backfill(day);
      const [proof] = (await lake.snapshot()).proofs;
      if (proof === undefined) throw new Error('no proof');
      // As one that found a reject without a time where the lake now holds its event; another event came late.
      const rejecting = { ...proof, distinct: 299, rejected: 1, perDay: { '2020-08-17': 299 } };
      await lake.commit({ batch: null, proofs: [rejecting], runId: 'test', replace: false });
      simulator.addEvents({ events: 1, range: day });
      const days = await reconcile(ends, { range: day, by: 'day' }, services());
      expect(days).toMatchObject([{ verdict: 'late', inApi: 301, inLake: 300 }]);
      await repair(ends, days, OPTIONS, services());
      expect(await reconcile(ends, { range: day, by: 'day' }, services())).toMatchObject([{ verdict: 'match' }]);
    });
  });

  it('proves a day again that holds less than when it was fetched, and all that the API has now', async () => {
    const day = parseRange('2020-08-17', '2020-08-17');
    await onStage({ dataset, events: 300, range: day, seed: 4 }, async (stage) => {
      const { lake, ends, services } = stage;
      await stage.backfill(day);
      const [proof] = (await lake.snapshot()).proofs;
      if (proof === undefined) throw new Error('no proof');
      // As one that was fetched before the API took an event away.
      const older = { ...proof, counted: 301, fetched: 301, distinct: 301, perDay: { '2020-08-17': 301 } };
      await lake.commit({ batch: null, proofs: [older], runId: 'test', replace: false });
      const days = await reconcile(ends, { range: day, by: 'day' }, services());
      expect(days).toMatchObject([{ verdict: 'missing', inApi: 300, inLake: 300, whenFetched: 301 }]);
      await repair(ends, days, OPTIONS, services());
      expect(await reconcile(ends, { range: day, by: 'day' }, services())).toMatchObject([{ verdict: 'match' }]);
    });
  });

  it('leaves days unverified that the API counts as empty although their pages are not', async () => {
    await onStage({ ...SETUP, dataset, nullIdShare: 0 }, async (stage) => {
      const { simulator } = stage;
      await stage.backfill(ONE_DAY_LESS);
      const verdictsWith = async (times: number) => {
        simulator.calls.clear();
        // These counts agree with each other, by day and in total.
        simulator.faults.push({ kind: 'zero-count', match: { endpoint: 'count' }, times });
        const days = await compare(stage);
        simulator.faults.clear();
        return new Set(days.map(({ verdict }) => verdict));
      };
      // No event of any time, asked twice: a page would show nothing either.
      expect(await verdictsWith(1_000)).toEqual(new Set(['unverified']));
      expect(simulator.calls.of('events')).toHaveLength(0);
      expect(await verdictsWith(simulator.calls.of('count').length - 2)).toEqual(new Set(['unverified']));
      expect(simulator.calls.of('events')).toHaveLength(1);
    });
  });

  describe('repair', () => {
    it('repairs a deleted file and late events with requests for the ranges that differ', async () => {
      await onStage({ ...SETUP, dataset }, async (stage) => {
        const { simulator, lake, ends, services, backfill, connection, pagesServed } = stage;
        await backfill(WEEK);
        const lost = (await lake.snapshot()).files.events?.find(({ partition }) => partition.endsWith('2020-08-18'));
        await loseFile(lake.directory, lost?.path ?? 'no such file');
        const late = { startMs: WEEK.startMs + 4 * MS_PER_DAY, endMs: WEEK.startMs + 5 * MS_PER_DAY };
        simulator.addEvents({ events: 500, range: late });

        const days = await compare(stage);
        expect(days.filter(({ verdict }) => verdict !== 'match')).toMatchObject([
          { day: '2020-08-18', verdict: 'missing', lostFiles: [lost?.path] },
          { day: '2020-08-21', verdict: 'late', difference: -500 },
        ]);

        const pagesBefore = pagesServed();
        const requestsBefore = connection.requestsMade();
        const report = await repair(ends, days, OPTIONS, services());
        expect(report.exported?.outcome).toBe('done');
        expect(agreementOf(await compare(stage))).toBe('match');
        expect(await idsOf(stage)).toEqual([...simulator.truth.ids()].sort());
        // Two of seven days were changed, so only their pages and a few counts were requested.
        expect(pagesServed() - pagesBefore).toBeLessThanOrEqual(6);
        expect(connection.requestsMade() - requestsBefore).toBeLessThanOrEqual(hasHistograms ? 12 : 17);
      });
    });

    it('finds one late event in a busy day and fetches only a range of it', async () => {
      await onStage(
        { dataset, events: 30_000, range: parseRange('2020-08-17', '2020-08-17'), seed: 8 },
        async (stage) => {
          const { simulator, ends, services, backfill, pagesServed } = stage;
          const day = parseRange('2020-08-17', '2020-08-17');
          await backfill(day);
          const startMs = day.startMs + 13 * 3_600_000;
          simulator.addEvents({ events: 1, range: { startMs, endMs: startMs + 60_000 } });
          const days = await reconcile(ends, { range: day, by: 'day' }, services());
          simulator.calls.clear();
          const { ranges } = await repair(ends, days, OPTIONS, services());
          expect(ranges.length).toBe(1);
          expect(pagesServed()).toBe(1);
          // One count of the day and one histogram, or a few halves; the fetched ranges are not counted again.
          const counts = simulator.calls.of('count').map(({ params }) => params.groupBy !== undefined);
          if (hasHistograms) expect(counts).toEqual([false, true]);
          else expect(counts.length).toBeLessThanOrEqual(8);
          expect(await idsOf(stage)).toEqual([...simulator.truth.ids()].sort());
        },
      );
    });
  });

  it('a day whose events are stored twice is not a match, and repair leaves one copy of each', async () => {
    const day = parseRange('2020-08-17', '2020-08-17');
    await onStage({ dataset, events: 300, range: day, seed: 4 }, async (stage) => {
      const { simulator, services } = stage;
      await stage.backfill(day);
      await forgetIds(stage.lake);
      const { directory } = stage.lake;
      const open = { ...(await homeOf(directory)), dataset, create: false, readOnly: false };
      const lake = await openEdrLake(directory, open, services());
      try {
        const ends = { ...stage.ends, lake };
        const request = { axis: 'event', ranges: [{ range: day }], scope: NO_FILTER } as const;
        await exportRange(ends, request, { ...OPTIONS, force: true }, services());
        const twice = await reconcile(ends, { range: day, by: 'day' }, services());
        expect(twice).toMatchObject([{ verdict: 'duplicate', inLake: 600, distinctIds: 300, inApi: 300 }]);
        expect(agreementOf(twice)).toBe('mismatch');

        const { removedRows } = await repair(ends, twice, OPTIONS, services());
        expect(removedRows).toBeGreaterThanOrEqual(300);
        const once = await reconcile(ends, { range: day, by: 'day' }, services());
        expect(once).toMatchObject([{ verdict: 'match', inLake: 300, distinctIds: 300 }]);
        expect(await idsOf({ lake })).toEqual([...simulator.truth.ids()].sort());
      } finally {
        await lake.close();
      }
    });
  });
});

describe('histograms', () => {
  it('counts by type, and day by day where the platform has no histograms', async () => {
    await onStage({ ...SETUP, histogramShape: 'unsupported', timeBuckets: false }, async (stage) => {
      await stage.backfill(WEEK);
      expect(agreementOf(await compare(stage))).toBe('match');
      const byType = await reconcile(stage.ends, { range: WEEK, by: 'type' }, stage.services());
      expect(agreementOf(byType)).toBe('match');
      expect(new Set(byType.map(({ eventType }) => eventType)).size).toBe(5);
      expect(byType.reduce((sum, { inApi }) => sum + inApi, 0)).toBe(14_000);
    });
  });

  it('a histogram that puts events into other hours is noticed, and the lake is still repaired', async () => {
    const day = parseRange('2020-08-17', '2020-08-17');
    await onStage({ events: 5_000, range: day, seed: 9 }, async (stage) => {
      const { simulator, ends, services, backfill } = stage;
      await backfill(day);
      simulator.addEvents({ events: 3, range: { startMs: day.startMs + 9_000_000, endMs: day.startMs + 9_060_000 } });
      const days = await reconcile(ends, { range: day, by: 'day' }, services());
      const { source } = ends;
      // As on a platform that counts in local time, nine hours off.
      const shiftMs = 9 * 3_600_000;
      const histogram: typeof source.histogram = async (query, bucketMs, signal) => {
        const range = { startMs: query.range.startMs - shiftMs, endMs: query.range.endMs - shiftMs };
        const buckets = (await source.histogram?.({ ...query, range }, bucketMs, signal)) ?? [];
        return buckets.map((bucket) => ({
          ...bucket,
          range: { startMs: bucket.range.startMs + shiftMs, endMs: bucket.range.endMs + shiftMs },
        }));
      };
      await repair({ ...ends, source: { ...source, histogram } }, days, OPTIONS, services());
      expect(await idsOf(stage)).toEqual([...simulator.truth.ids()].sort());
    });
  });
});

describe('a count of days that is wrong once', () => {
  it.each<[string, Partial<SimulatorOptions>, Fault]>([
    ['none at all', {}, { kind: 'zero-count', match: { endpoint: 'count' } }],
    ['a bucket that is too small', {}, { kind: 'wrong-count', offBy: -500, match: { endpoint: 'count' } }],
    [
      'a zero, day by day',
      { histogramShape: 'unsupported', timeBuckets: false },
      { kind: 'zero-count', match: { endpoint: 'count', after: 1 } },
    ],
  ])('makes no day a match that is none: %s', async (_, options, fault) => {
    await onStage({ ...SETUP, nullIdShare: 0, ...options }, async (stage) => {
      await stage.backfill(ONE_DAY_LESS);
      stage.simulator.addEvents({ events: 400, range: { startMs: WEEK.startMs, endMs: WEEK.startMs + MS_PER_DAY } });
      stage.simulator.faults.push(fault);
      const days = await compare(stage);
      expect(days.map(({ verdict }) => verdict)).toEqual([
        'late',
        ...['match', 'match', 'match', 'match', 'match'],
        'unverified',
      ]);
    });
  });

  it('leaves days unverified whose counts never add up', async () => {
    await onStage({ ...SETUP, nullIdShare: 0 }, async (stage) => {
      await stage.backfill(WEEK);
      const { source } = stage.ends;
      const histogram: typeof source.histogram = async () => [];
      const days = await reconcile(
        { ...stage.ends, source: { ...source, histogram } },
        { range: WEEK, by: 'day' },
        stage.services(),
      );
      expect(new Set(days.map(({ verdict }) => verdict))).toEqual(new Set(['unverified']));
      expect(agreementOf(days)).toBe('mismatch');
    });
  });

  it('is requested once more, with one request, where the other days have no events', async () => {
    await onStage({ ...SETUP, events: 10, range: parseRange('2020-08-19', '2020-08-19') }, async (stage) => {
      await stage.backfill(WEEK);
      stage.simulator.calls.clear();
      expect(agreementOf(await compare(stage))).toBe('match');
      expect(stage.simulator.calls.total).toBe(2);
    });
  });
});

async function idsOf({ lake }: Pick<Stage, 'lake'>): Promise<(string | null)[]> {
  return (await rowsOf(lake, 'select event_id from events')).map(([id]) => id ?? null).sort();
}

/** Removes all files from the id index, so that the next delivery is stored once more. */
async function forgetIds({ directory, snapshot }: Stage['lake']): Promise<void> {
  const known = (await snapshot()).idFiles.map((file) => file.path);
  await editNewestEntry(directory, ({ idsAdded, ...last }) => {
    const idsRemoved = [...(last.idsRemoved as string[]), ...known];
    return { ...last, crc32: undefined, idsAdded: [], idsRemoved };
  });
}
