import { Readable } from 'node:stream';
import { EdrlakeError, MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, NO_FILTER, parseRange } from '@edrlake/core';
import type { FaultEffect } from '@edrlake/simulator';
import { describe, expect, it } from 'vitest';
import { exportRange } from '../src/export/export-flow.ts';
import { planExport } from '../src/export/plan-export.ts';
import { syncNewEvents } from '../src/sync/sync.ts';
import { impatientClock, OPTIONS, onStage, rowsOf, type Stage } from './flow-stage.ts';

const DAY = parseRange('2020-08-17', '2020-08-17');
const YEAR = parseRange('2019-01-01', '2019-12-31');
const SYNC = {
  axis: 'processed',
  scope: NO_FILTER,
  sinceMs: null,
  lookBackMs: 6 * MS_PER_HOUR,
  settleLagMs: 15 * MS_PER_MINUTE,
} as const;

async function eventsIn({ lake }: Stage): Promise<number> {
  return Number((await rowsOf(lake, 'select count(distinct event_id) from events'))[0]?.[0]);
}

describe('a count that is wrong once', () => {
  it.each<[string, FaultEffect]>([
    ['zero', { kind: 'zero-count' }],
    ['too small', { kind: 'wrong-count', offBy: -250 }],
    ['too large', { kind: 'wrong-count', offBy: 250 }],
    ['without a body', { kind: 'empty-body' }],
    ['204', { kind: 'no-content' }],
    ['an error object', { kind: 'error-object' }],
    ['a bare number', { kind: 'bare-number' }],
  ])('and says %s leaves no event out', async (_, fault) => {
    await onStage({ events: 400, range: DAY, seed: 3 }, async (stage) => {
      stage.simulator.faults.push({ ...fault, match: { endpoint: 'count' } });
      expect(await stage.backfill(DAY)).toMatchObject({ outcome: 'done', events: { new: 400 } });
      expect(await eventsIn(stage)).toBe(400);
      expect((await stage.lake.coverage())[0]).toMatchObject({ verdict: 'complete', counted: 400, inLake: 400 });
    });
  });

  it('never makes --replace delete existing events', async () => {
    await onStage({ events: 400, range: DAY, seed: 3 }, async (stage) => {
      await stage.backfill(DAY);
      stage.simulator.faults.push({ kind: 'zero-count', match: { endpoint: 'count' } });
      await stage.backfill(DAY, { force: true, replace: true });
      expect(await eventsIn(stage)).toBe(400);
    });
  });
});

it('a count far too small and one 204 in place of the page that confirms it prove nothing together', async () => {
  await onStage({ events: 400, range: DAY, seed: 3 }, async ({ simulator, backfill, lake }) => {
    simulator.faults.push({ kind: 'wrong-count', offBy: -1000, match: { endpoint: 'count' }, times: 8 });
    simulator.faults.push({ kind: 'no-content', match: { endpoint: 'events' } });
    await backfill(DAY);
    for (const { verdict, inLake } of await lake.coverage()) expect([verdict, inLake]).not.toEqual(['complete', 0]);
    simulator.faults.clear();
    await backfill(DAY);
    expect((await lake.coverage())[0]).toMatchObject({ verdict: 'complete', counted: 400, inLake: 400 });
  });
});

describe('a range without events', () => {
  it('is proven by one empty page for a whole year, as planned', async () => {
    await onStage({ events: 10, range: DAY }, async ({ simulator, ends, backfill, lake, services }) => {
      const request = { axis: 'event', ranges: [{ range: YEAR }], scope: NO_FILTER } as const;
      const { requests } = await planExport(ends.source, request, services());
      expect(requests).toMatchObject({ planning: 1, pages: 1, planned: 3 });
      const report = await backfill(YEAR);
      expect(report).toMatchObject({
        outcome: 'done',
        windows: { planned: 1, committed: 1 },
        requests: { planned: 3 },
      });
      expect(simulator.calls.of('events')).toHaveLength(1);
      expect(await lake.provenRanges('event', NO_FILTER)).toEqual([YEAR]);
    });
  });

  it('is unverified where its page fails, and the next run confirms it with that page', async () => {
    await onStage({ events: 10, range: DAY }, async ({ simulator, backfill, lake }) => {
      simulator.faults.push({ kind: 'status', status: 500, match: { endpoint: 'events' }, times: 50 });
      const first = await backfill(YEAR);
      const windows = { committed: 0, failed: [], unverified: [{ range: YEAR, code: 'SERVER_ERROR' }] };
      expect(first).toMatchObject({ outcome: 'partly', windows });
      expect(await lake.provenRanges('event', NO_FILTER)).toEqual([]);
      const verdicts = async () => new Set((await lake.coverage()).map(({ verdict }) => verdict));
      expect(await verdicts()).toEqual(new Set(['unverified']));
      simulator.faults.clear();
      const madeBefore = simulator.calls.of('events').length;
      expect(await backfill(YEAR)).toMatchObject({ outcome: 'done', resumed: true });
      expect(simulator.calls.of('events').length - madeBefore).toBe(1);
      expect(await lake.provenRanges('event', NO_FILTER)).toEqual([YEAR]);
      expect(await verdicts()).toEqual(new Set(['complete']));
      // A failed second confirmation does not change an earlier proof.
      simulator.faults.push({ kind: 'status', status: 500, match: { endpoint: 'events' }, times: 50 });
      expect((await backfill(YEAR)).outcome).toBe('partly');
      expect(await lake.provenRanges('event', NO_FILTER)).toEqual([YEAR]);
    });
  });

  it('holds the watermark of a sync back until its page was fetched', async () => {
    const nowMs = DAY.endMs + 20 * MS_PER_DAY;
    const clock = impatientClock(() => nowMs);
    await onStage({ events: 400, range: DAY, seed: 3, nowMs, clock }, async ({ simulator, ends, services }) => {
      const sinceMs = DAY.endMs + 10 * MS_PER_DAY;
      simulator.faults.push({ kind: 'reset', match: { endpoint: 'events' }, times: 50 });
      const first = await syncNewEvents(ends, { ...SYNC, sinceMs }, OPTIONS, services());
      expect(first).toMatchObject({ exported: { outcome: 'partly' }, watermarkAfterMs: sinceMs });
      simulator.faults.clear();
      const second = await syncNewEvents(ends, SYNC, OPTIONS, services());
      expect(second.watermarkAfterMs).toBe(nowMs - SYNC.settleLagMs);
    });
  });
});

describe('a count that stays broken', () => {
  it.each([
    ['is fetched instead of compared, of a look-back', 4, 'done'],
    ['fails that range alone, of a look-back', 6, 'partly'],
  ])('%s', async (_, times, outcome) => {
    let nowMs = DAY.endMs - 12 * MS_PER_HOUR;
    const clock = impatientClock(() => nowMs);
    await onStage({ events: 400, range: DAY, seed: 3, nowMs, clock }, async (stage) => {
      const { simulator, ends, services } = stage;
      await syncNewEvents(ends, { ...SYNC, sinceMs: DAY.startMs }, OPTIONS, services());
      const before = await eventsIn(stage);
      nowMs += 20 * MS_PER_DAY;
      simulator.setNow(nowMs);
      simulator.faults.push({ kind: 'empty-body', match: { endpoint: 'count' }, times });
      const { exported } = await syncNewEvents(ends, SYNC, OPTIONS, services());
      expect(exported?.outcome).toBe(outcome);
      expect(exported?.windows.failed.map(({ code }) => code)).toEqual(outcome === 'done' ? [] : ['BODY_BROKEN']);
      expect([before < 400, await eventsIn(stage)]).toEqual([true, 400]);
      // The next sync counts the uncounted range again.
      const next = await syncNewEvents(ends, SYNC, OPTIONS, services());
      expect([next.resumed?.outcome ?? 'done', next.watermarkAfterMs]).toEqual(['done', nowMs - SYNC.settleLagMs]);
    });
  });

  it('ends a run that has nothing else to fetch with its name', async () => {
    await onStage({ events: 400, range: DAY, seed: 3 }, async ({ simulator, backfill }) => {
      simulator.faults.push({ kind: 'error-object', match: { endpoint: 'count' }, times: 2 });
      await expect(backfill(DAY)).rejects.toMatchObject({ code: 'RESPONSE_UNEXPECTED', context: { cameTwice: true } });
    });
  });
});

describe('a sync whose counts say zero', () => {
  it('by mistake, in the new range, does not advance past it', async () => {
    let nowMs = DAY.endMs + 20 * MS_PER_DAY;
    const clock = impatientClock(() => nowMs);
    await onStage({ events: 400, range: DAY, seed: 3, nowMs, clock }, async (stage) => {
      stage.simulator.faults.push({ kind: 'zero-count', match: { endpoint: 'count' } });
      const first = await syncNewEvents(stage.ends, { ...SYNC, sinceMs: DAY.startMs }, OPTIONS, stage.services());
      expect(first.exported).toMatchObject({ outcome: 'done', events: { new: 400 } });
      nowMs += MS_PER_DAY;
      stage.simulator.setNow(nowMs);
      await syncNewEvents(stage.ends, SYNC, OPTIONS, stage.services());
      expect(await eventsIn(stage)).toBe(400);
    });
  });

  it('by mistake, in a look-back without rows in the lake, still finds the events that became visible there', async () => {
    let nowMs = DAY.endMs + 20 * MS_PER_DAY;
    const clock = impatientClock(() => nowMs);
    await onStage({ events: 400, range: DAY, seed: 3, nowMs, clock }, async (stage) => {
      const { simulator, ends, services } = stage;
      await syncNewEvents(ends, { ...SYNC, sinceMs: DAY.startMs }, OPTIONS, services());
      simulator.addEvents({ events: 5, range: DAY, processedAtMs: nowMs - 2 * MS_PER_HOUR });
      nowMs += MS_PER_HOUR;
      simulator.setNow(nowMs);
      simulator.faults.push({ kind: 'zero-count', match: { endpoint: 'count' } });
      await syncNewEvents(ends, SYNC, OPTIONS, services());
      expect(await eventsIn(stage)).toBe(405);
    });
  });

  it('correctly costs two counts and one page, over the look-back and the new range together', async () => {
    let nowMs = DAY.endMs + 20 * MS_PER_DAY;
    const clock = impatientClock(() => nowMs);
    await onStage({ events: 400, range: DAY, seed: 3, nowMs, clock }, async (stage) => {
      const { simulator, ends, services } = stage;
      await syncNewEvents(ends, { ...SYNC, sinceMs: DAY.startMs }, OPTIONS, services());
      nowMs += MS_PER_HOUR;
      simulator.setNow(nowMs);
      simulator.calls.clear();
      const report = await syncNewEvents(ends, SYNC, OPTIONS, services());
      // The second shows that the API still counts events of any time.
      expect([simulator.calls.of('count').length, simulator.calls.of('events').length]).toEqual([2, 1]);
      expect(report).toMatchObject({ reopened: [], watermarkAfterMs: nowMs - SYNC.settleLagMs });
    });
  });

  it('correctly costs two counts and one page where the look-back has events', async () => {
    let nowMs = DAY.endMs + MS_PER_HOUR;
    const clock = impatientClock(() => nowMs);
    await onStage({ events: 400, range: DAY, seed: 3, nowMs, clock }, async (stage) => {
      const { simulator, ends, services } = stage;
      await syncNewEvents(ends, { ...SYNC, sinceMs: DAY.startMs }, OPTIONS, services());
      simulator.addEvents({ events: 5, range: DAY, processedAtMs: nowMs });
      nowMs += MS_PER_HOUR;
      simulator.setNow(nowMs);
      await syncNewEvents(ends, SYNC, OPTIONS, services());
      nowMs += MS_PER_HOUR;
      simulator.setNow(nowMs);
      simulator.calls.clear();
      expect(await syncNewEvents(ends, SYNC, OPTIONS, services())).toMatchObject({ reopened: [] });
      expect([simulator.calls.of('count').length, simulator.calls.of('events').length]).toEqual([2, 1]);
    });
  });
});

it('a part is not proven empty where the API loses everything, and then answers no count, while it is planned', async () => {
  await onStage({ events: 400, range: DAY, seed: 3 }, async ({ ends, services, lake }) => {
    for (const lostAfter of [1, 2, 3]) {
      let counts = 0;
      const count = async (...request: Parameters<typeof ends.source.count>) => {
        counts += 1;
        if (counts > lostAfter + 1) throw new EdrlakeError('SERVER_ERROR', 'answered 503', { disposition: 'retry' });
        return counts > lostAfter ? 0 : ends.source.count(...request);
      };
      const page: typeof ends.source.page = (_, __, read) => read(Readable.from([Buffer.from('[]')]));
      const lost = { count, page, histogram: null, maxResultWindow: 100, pageSize: 100 };
      const source = Object.create(ends.source, Object.getOwnPropertyDescriptors(lost)) as typeof ends.source;
      const request = { axis: 'event', ranges: [{ range: DAY }], scope: NO_FILTER } as const;
      const report = await exportRange({ ...ends, source }, request, OPTIONS, services());
      expect(report).toMatchObject({ outcome: 'partly', windows: { committed: 0 } });
      expect(await lake.provenRanges('event', NO_FILTER)).toEqual([]);
    }
  });
});
