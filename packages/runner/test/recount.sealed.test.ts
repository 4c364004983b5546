import { type Clock, dayOf, MS_PER_DAY, NO_FILTER, parseRange, rangeOfDays, type TimeRange } from '@edrlake/core';
import { readGate } from '@edrlake/runner/history';
import { describe, expect, it } from 'vitest';
import { reconcile, repair } from '../src/reconcile/reconcile.ts';
import { RECOUNT_REQUESTS, type RecountReport, recountSealedDays } from '../src/reconcile/recount.ts';
import { refuteLate, repairRecounted } from '../src/reconcile/repair-recounted.ts';
import { RECOUNT_AFTER_DAYS, recountSchedule } from '../src/reconcile/sealed-days.ts';
import { type SyncRequest, syncNewEvents } from '../src/sync/sync.ts';
import { impatientClock, OPTIONS, onStage, rowsOf, type Stage } from './flow-stage.ts';

const WEEK = parseRange('2020-08-17', '2020-08-23');
const PROVEN_MS = Date.UTC(2020, 7, 24, 6);
const SECOND = '2020-08-18';
const FIFTH = '2020-08-21';

/** So that a repair fetches a part of a day. */
const SMALL_PAGES = { settings: { pageSize: 5 } };

interface Nights {
  readonly stage: Stage;
  /** Moves both clocks. */
  later(days: number): void;
  /** With the requests for data that it took: a login is none. */
  recount(maxRequests?: number): Promise<RecountReport>;
  /** Adds events to a day after it was proven. */
  addLate(day: string, events?: number): void;
  isProven(day: string): Promise<boolean>;
}

/** A lake whose days were proven, and the days after. */
async function afterwards(
  work: (nights: Nights) => Promise<void>,
  { range = WEEK, events = 140, ...more }: Partial<Parameters<typeof onStage>[0]> = {},
): Promise<void> {
  let nowMs = Math.max(PROVEN_MS, range.endMs + MS_PER_DAY / 4);
  const clock: Clock = impatientClock(() => nowMs);
  await onStage({ range, events, seed: 5, ...more, clock, gatewayClock: clock }, async (stage) => {
    await stage.backfill(range);
    const gateOf = (asked: TimeRange) =>
      readGate(stage.lake, { range: asked, scope: NO_FILTER, require: 'proven', maxAgeMs: null, nowMs });
    await work({
      stage,
      later: (days) => {
        nowMs += days * MS_PER_DAY;
      },
      recount: async (maxRequests = RECOUNT_REQUESTS) => {
        const before = stage.simulator.calls.dataTotal;
        const report = await recountSealedDays(stage.ends, { within: null, maxRequests }, stage.services());
        return { ...report, requests: stage.simulator.calls.dataTotal - before };
      },
      addLate: (day, count = 5) => stage.simulator.addEvents({ events: count, range: rangeOfDays(day) }),
      isProven: async (day) => (await gateOf(rangeOfDays(day))).refused.length === 0,
    });
  });
}

describe('proven days are counted again', () => {
  it('1, 3, 7, 30 and 90 days after they were proven, two requests each time', async () => {
    await afterwards(async ({ stage, recount, later }) => {
      expect(await recount()).toMatchObject({ sealed: 7, due: 0, requests: 0 });
      const nights: number[] = [];
      for (const night of [1, 2, 3, 4, 7, 8, 29, 30, 31, 90, 91, 400]) {
        later(night - (nights.at(-1) ?? 0));
        nights.push(night);
        const { due, counted, late, left, requests } = await recount();
        const isDue = RECOUNT_AFTER_DAYS.includes(night);
        expect([night, due, counted, requests]).toEqual([night, isDue ? 7 : 0, isDue ? 7 : 0, isDue ? 2 : 0]);
        expect([late, left]).toEqual([[], 0]);
      }
      expect((await stage.lake.snapshot()).recounts).toHaveLength(7);
    });
  });

  it('1,000 days with two requests', async () => {
    const range = { startMs: WEEK.startMs, endMs: WEEK.startMs + 1_000 * MS_PER_DAY };
    await afterwards(
      async ({ recount, later }) => {
        later(1);
        expect(await recount()).toMatchObject({ sealed: 1_000, due: 1_000, counted: 1_000, left: 0, requests: 2 });
        expect(await recount()).toMatchObject({ due: 0, requests: 0 });
      },
      // Most of them hold nothing: that costs as many requests, and fewer files.
      { range, events: 40 },
    );
  });

  it('takes the completeness from a day of which the API has more, until what was missing is there', async () => {
    await afterwards(async ({ stage, recount, later, addLate, isProven }) => {
      later(1);
      addLate(SECOND);
      addLate(FIFTH, 1);
      const { late, requests } = await recount();
      expect(late.map(({ day, inApi, inLake }) => [day, inApi - inLake])).toEqual([
        [SECOND, 5],
        [FIFTH, 1],
      ]);
      expect(requests).toBe(4);
      expect([await isProven(SECOND), await isProven(FIFTH), await isProven('2020-08-19')]).toEqual([
        false,
        false,
        true,
      ]);
      const shown = await rowsOf(stage.lake, 'select distinct event_date from events_proven order by 1');
      expect(shown.map(([day]) => day)).toEqual(['17', '19', '20', '22', '23'].map((day) => `2020-08-${day}`));

      const days = await reconcile(stage.ends, { range: WEEK, by: 'day' }, stage.services());
      await repair(stage.ends, days, OPTIONS, stage.services());
      const after = await recount();
      expect(after).toMatchObject({ settled: [SECOND, FIFTH], late: [] });
      expect([await isProven(SECOND), await isProven(FIFTH)]).toEqual([true, true]);
    }, SMALL_PAGES);
  });

  it('does not take equal numbers of one histogram for the end of a difference that a recount found', async () => {
    await afterwards(async ({ stage, recount, later, addLate, isProven }) => {
      later(1);
      addLate(SECOND);
      await recount();
      // The API has lost its data for a while: counts, histograms and pages say so alike.
      stage.simulator.faults.push({ kind: 'zero-count', match: { endpoint: 'count' }, times: 100 });
      expect(await recount()).toMatchObject({ counted: 0, settled: [], unconfirmed: [SECOND] });
      expect(await isProven(SECOND)).toBe(false);
    });
  });

  it('ends a difference when all of the day is fetched and proven again, though it brings the numbers of before', async () => {
    await afterwards(async ({ stage, recount, later, isProven }) => {
      later(1);
      stage.simulator.addEvents({ events: 3, range: rangeOfDays(SECOND) });
      const added = [...stage.simulator.truth.indexes()].slice(-3);
      await recount();
      expect(await isProven(SECOND)).toBe(false);
      stage.simulator.removeEvents(added);
      await stage.backfill(rangeOfDays(SECOND), { force: true });
      expect(await isProven(SECOND)).toBe(true);
    });
  });

  it.each([
    ['the histogram', 0],
    ['the count', 1],
  ] as const)('changes nothing by one wrong answer, of %s', async (_, position) => {
    await afterwards(async ({ stage, recount, later, addLate, isProven }) => {
      const { faults } = stage.simulator;
      const wrong = (offBy: number) => {
        if (position === 1) faults.push({ kind: 'stall', stallMs: 0, match: { endpoint: 'count' } });
        faults.push({ kind: 'wrong-count', offBy, match: { endpoint: 'count' } });
      };
      later(1);
      for (const offBy of [5, -5]) {
        wrong(offBy);
        // Asked again, the numbers add up.
        expect(await recount()).toMatchObject({ counted: 7, late: [], unconfirmed: [], requests: 4 });
        later(offBy > 0 ? 2 : 4);
      }
      wrong(3);
      wrong(3);
      expect((await recount()).late).toEqual([]);
      expect(await isProven('2020-08-17')).toBe(true);
      // A day that differs is found all the same, when the answers are right.
      addLate(SECOND);
      later(30);
      expect(await recount()).toMatchObject({ counted: 7, late: [{ day: SECOND }] });
    });
  });

  it('calls no day late that another writer may have completed meanwhile', async () => {
    await afterwards(async ({ stage, recount, later, addLate, isProven }) => {
      later(1);
      addLate(SECOND);
      const record = stage.lake.recordRecounts;
      const lake = {
        ...stage.lake,
        recordRecounts: (...[id, found, at]: Parameters<typeof record>) => record(id, found, at - 1),
      };
      const request = { within: null, maxRequests: RECOUNT_REQUESTS };
      const overtaken = await recountSealedDays({ ...stage.ends, lake }, request, stage.services());
      expect(overtaken).toMatchObject({ counted: 6, late: [], unconfirmed: [SECOND], left: 0 });
      expect(await isProven(SECOND)).toBe(true);
      expect(await recount()).toMatchObject({ due: 1, late: [{ day: SECOND }] });
    });
  });

  it('takes what retention has removed for no difference', async () => {
    await afterwards(async ({ stage, recount, later, isProven }) => {
      later(1);
      stage.simulator.removeEvents([...stage.simulator.truth.indexes(rangeOfDays(SECOND))].slice(0, 9));
      expect(await recount()).toMatchObject({ counted: 7, late: [] });
      expect(await isProven(SECOND)).toBe(true);
    });
  });

  it('finds what came behind the watermark of a lake that is only synced', async () => {
    let nowMs = PROVEN_MS;
    const clock = impatientClock(() => nowMs);
    await onStage({ range: WEEK, events: 140, seed: 5, nowMs, clock, gatewayClock: clock }, async (stage) => {
      const { ends, lake, services, simulator } = stage;
      const follow: SyncRequest = {
        axis: 'processed',
        scope: NO_FILTER,
        sinceMs: WEEK.startMs,
        lookBackMs: MS_PER_DAY / 4,
        settleLagMs: MS_PER_DAY / 96,
      };
      await syncNewEvents(ends, follow, OPTIONS, services());
      const recount = () => recountSealedDays(ends, { within: null, maxRequests: RECOUNT_REQUESTS }, services());
      expect((await recountSchedule(lake, nowMs)).sealed).toBe(7);
      nowMs += MS_PER_DAY;
      simulator.setNow(nowMs);
      simulator.addEvents({ events: 4, range: rangeOfDays(SECOND), processedAtMs: WEEK.startMs + 2 * MS_PER_DAY });
      await syncNewEvents(ends, follow, OPTIONS, services());
      expect(await recount()).toMatchObject({ due: 7, late: [{ day: SECOND, inApi: expect.any(Number) }] });
      const { repair: repaired, settled } = await repairRecounted(ends, [SECOND], OPTIONS, services);
      expect([repaired.exported?.events.new, settled]).toEqual([4, [SECOND]]);
      expect(await recountSchedule(lake, nowMs)).toMatchObject({ sealed: 8, due: [] });
    });
  });

  it('keeps to its allowance, and counts the rest another time', async () => {
    await afterwards(async ({ recount, later, addLate }) => {
      later(1);
      for (const day of ['17', '18', '19', '20', '21']) addLate(`2020-08-${day}`);
      expect(await recount(4)).toMatchObject({ due: 7, counted: 4, left: 3, requests: 4 });
      expect(await recount(1)).toMatchObject({ counted: 0, requests: 0 });
      const rest = await recount();
      expect(rest).toMatchObject({ left: 0, late: { length: 5 } });
    });
  });

  it('takes one request a day, and three for one that differs, where the API has no histograms', async () => {
    await afterwards(
      async ({ recount, later, addLate, isProven }) => {
        later(1);
        addLate(FIFTH);
        expect(await recount()).toMatchObject({ counted: 7, late: [{ day: FIFTH }], requests: 6 + 3 });
        expect(await isProven(FIFTH)).toBe(false);
      },
      { settings: { histogram: 'off' } },
    );
  });

  it('takes the proof from a day that a comparison finds late, if a count of its own says so too', async () => {
    await afterwards(async ({ stage, addLate, isProven }) => {
      const { ends, services, simulator } = stage;
      const compare = () => reconcile(ends, { range: WEEK, by: 'day' }, services());
      const refute = async (days: Awaited<ReturnType<typeof compare>>) => {
        const before = simulator.calls.dataTotal;
        await refuteLate(ends, days, services);
        return simulator.calls.dataTotal - before;
      };
      const matching = await compare();
      expect(await refute(matching)).toBe(0);
      expect(await refute(matching.map((line) => ({ ...line, verdict: 'late' as const })))).toBe(2);
      expect(await isProven(SECOND)).toBe(true);
      addLate(SECOND);
      expect(await refute(await compare())).toBe(3);
      expect([await isProven(SECOND), await isProven(FIFTH)]).toEqual([false, true]);
      // It is refuted already.
      expect(await refute(await compare())).toBe(0);
      const { settled } = await repairRecounted(ends, [SECOND], OPTIONS, services);
      expect([settled, await isProven(SECOND)]).toEqual([[SECOND], true]);
    });
  });

  it('says when the next day is due, and asks for days of a range alone', async () => {
    await afterwards(async ({ stage, later }) => {
      const { nextDueAtMs, due } = await recountSchedule(stage.lake, PROVEN_MS);
      expect([due.length, dayOf(nextDueAtMs ?? 0)]).toEqual([0, '2020-08-25']);
      later(1);
      const nowMs = PROVEN_MS + MS_PER_DAY + 1;
      const some = await recountSchedule(stage.lake, nowMs, parseRange(SECOND, FIFTH));
      expect(some.due.map(({ day }) => day).sort()).toEqual(['18', '19', '20', '21'].map((day) => `2020-08-${day}`));
    });
  });
});
