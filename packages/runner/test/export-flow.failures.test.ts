import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, NO_FILTER, parseRange, type RunEvent } from '@edrlake/core';
import { describe, expect, it } from 'vitest';
import { exportRange } from '../src/export/export-flow.ts';
import { readRun } from '../src/history.ts';
import { impatientClock, OPTIONS, onStage, rowsOf, type Stage } from './flow-stage.ts';

const DAY = parseRange('2020-08-17', '2020-08-17');
const EVENTS = { events: 12_000, range: DAY, seed: 5 };

it('reports the count of the plan and the one when it was fetched where they differ', async () => {
  const range = parseRange('2020-08-17', '2020-08-17');
  await onStage({ events: 500, range, seed: 3 }, async (stage) => {
    stage.simulator.faults.push({ kind: 'wrong-count', offBy: -4, match: { endpoint: 'count' } });
    const wrongOnce = await stage.backfill(range);
    expect([wrongOnce.outcome, wrongOnce.events.counted, wrongOnce.events.recounted]).toEqual(['done', 496, 500]);
    const again = await stage.backfill(range, { force: true });
    expect([again.events.counted, again.events.recounted]).toEqual([500, undefined]);
  });
});

describe('a backfill that meets failures', () => {
  it('commits all pages but the one that never comes, reports its window, and the next run requests only that page', async () => {
    await onStage(EVENTS, async ({ simulator, backfill, lake, pagesServed }) => {
      // Every attempt of one page fails; no other page does.
      simulator.faults.push({ kind: 'status', status: 500, match: { endpoint: 'events', page: 9 }, times: 50 });
      const first = await backfill(DAY);
      expect(first.outcome).toBe('partly');
      expect(first.windows.failed).toMatchObject([{ code: 'SERVER_ERROR' }]);
      // The last page of a window is not full.
      expect(12_000 - first.events.new).toBeGreaterThan(900);
      expect(12_000 - first.events.new).toBeLessThanOrEqual(1_000);
      expect((await lake.coverage())[0]).toMatchObject({ verdict: 'partial', inLake: first.events.new });
      const still = await backfill(DAY);
      expect(still).toMatchObject({ outcome: 'partly', resumed: true, events: { new: 0 } });
      expect(still.windows.failed[0]?.fetched).toBeGreaterThan(1_000);

      simulator.faults.clear();
      const pagesBefore = pagesServed();
      const second = await backfill(DAY);
      expect(second).toMatchObject({ outcome: 'done', resumed: true, windows: { failed: [], mismatched: [] } });
      expect(first.events.new + second.events.new).toBe(12_000);
      expect(pagesServed() - pagesBefore).toBe(1);
      expect(await readdir(join(lake.directory, '_spool'))).not.toContain(second.runId);
      expect(await readRun(join(lake.directory, '_runs'), second.runId, { isOwnerAlive: () => true })).toMatchObject({
        state: 'done',
        starts: 3,
        rows: 12_000,
        requests: first.requestsMade + still.requestsMade + second.requestsMade,
      });
      expect(await rowsOf(lake, 'select count(*), count(distinct event_id) from events')).toEqual([['12000', '12000']]);
    });
  });

  it('records a window that never adds up as a mismatch, keeps its rows, and repairs it when it does', async () => {
    await onStage(EVENTS, async ({ simulator, backfill, lake, events }) => {
      simulator.faults.push({ kind: 'duplicate-row', match: { endpoint: 'events', page: 0 }, times: 50 });
      const first = await backfill(DAY);
      expect(first.outcome).toBe('mismatch');
      expect(first.windows.mismatched.length).toBeGreaterThan(0);
      expect(events.some(({ type }) => type === 'window-refetch')).toBe(true);
      expect((await lake.coverage())[0]?.verdict).toBe('mismatched');

      simulator.faults.clear();
      const second = await backfill(DAY);
      expect(second.outcome).toBe('done');
      expect((await lake.coverage())[0]).toMatchObject({ verdict: 'complete', counted: 12_000, inLake: 12_000 });
    });
  });

  it.each([
    { kind: 'reset' },
    { kind: 'truncated' },
    { kind: 'invalid-json' },
    { kind: 'html' },
    { kind: 'expired-token' },
    { kind: 'reorder' },
  ] as const)('comes through $kind without a trace', async (fault) => {
    await onStage({ ...EVENTS, events: 3_000 }, async ({ simulator, backfill, lake }) => {
      simulator.faults.push({ ...fault, match: { endpoint: 'events', page: 1 } });
      expect((await backfill(DAY)).outcome).toBe('done');
      expect((await lake.coverage())[0]).toMatchObject({ verdict: 'complete', counted: 3_000, inLake: 3_000 });
    });
  });

  it('stops at once when the login is refused, and leaves a lake that a later run fills', async () => {
    await onStage({ ...EVENTS, settings: { password: 'wrong' } }, async ({ backfill, lake }) => {
      await expect(backfill(DAY)).rejects.toMatchObject({ code: 'AUTH_REJECTED', exitCode: 2 });
      expect((await lake.snapshot()).version).toBe(0);
    });
  });
});

describe('a backfill that is interrupted', () => {
  it('ends with INTERRUPTED and is resumed without asking again for its pages', async () => {
    await onStage({ ...EVENTS, events: 30_000 }, async ({ backfill, lake, pagesServed }) => {
      const stop = new AbortController();
      let pages = 0;
      const interrupted = backfill(
        DAY,
        {},
        {
          signal: stop.signal,
          emit: ({ type }) => {
            if (type === 'page' && ++pages === 12) stop.abort();
          },
        },
      );
      await expect(interrupted).rejects.toMatchObject({ code: 'INTERRUPTED', exitCode: 130 });
      const resumed = await backfill(DAY);
      expect(resumed).toMatchObject({ outcome: 'done', resumed: true });
      expect(pagesServed()).toBeLessThanOrEqual(31 + 2);
      expect(await rowsOf(lake, 'select count(*), count(distinct event_id) from events')).toEqual([['30000', '30000']]);
    });
  });
});

describe('a backfill that is resumed', () => {
  const interruptedAfterItsPages = async (backfill: Stage['backfill']) => {
    const stop = new AbortController();
    const emit = ({ type }: RunEvent) => {
      if (type === 'window') stop.abort();
    };
    await expect(backfill(DAY, {}, { signal: stop.signal, emit })).rejects.toMatchObject({ code: 'INTERRUPTED' });
  };

  it('brings the events that came since its plan', async () => {
    await onStage({ ...EVENTS, events: 3_000 }, async ({ simulator, backfill, lake }) => {
      await interruptedAfterItsPages(backfill);
      simulator.addEvents({ events: 5, range: DAY });
      const resumed = await backfill(DAY);
      expect(resumed).toMatchObject({ outcome: 'done', resumed: true, events: { counted: 3_005, fetched: 3_005 } });
      expect(await rowsOf(lake, 'select count(*) from events')).toEqual([['3005']]);
    });
  });

  it('uses no page of a listing from which events have left', async () => {
    await onStage({ ...EVENTS, events: 3_000 }, async ({ simulator, backfill }) => {
      const stop = new AbortController();
      let pages = 0;
      const emit = ({ type }: RunEvent) => {
        if (type === 'page' && ++pages === 2) stop.abort();
      };
      await expect(backfill(DAY, {}, { signal: stop.signal, emit })).rejects.toMatchObject({ code: 'INTERRUPTED' });
      simulator.removeEvents([0, 1, 2, 3, 4]);
      expect(await backfill(DAY)).toMatchObject({ outcome: 'done', resumed: true, events: { counted: 2_995 } });
      const again = await backfill(DAY, { force: true });
      expect(again).toMatchObject({ outcome: 'done', events: { fetched: 2_995, new: 0, unchanged: 2_995 } });
    });
  });

  it('has its day complete that had not settled when it was planned, with the pages it has', async () => {
    let nowMs = DAY.endMs + MS_PER_MINUTE;
    const clock = impatientClock(() => nowMs);
    await onStage({ ...EVENTS, events: 2_999, clock }, async ({ backfill, lake, pagesServed }) => {
      await interruptedAfterItsPages(backfill);
      nowMs += MS_PER_HOUR;
      expect(await backfill(DAY)).toMatchObject({ outcome: 'done', resumed: true, frozenAtMs: null });
      expect(await lake.coverage(DAY)).toMatchObject([{ verdict: 'complete' }]);
      expect(pagesServed()).toBe(3);
    });
  });
});

it('a page that lacks an event just as another one arrives proves nothing, at one request', async () => {
  for (const isLacking of [true, false]) {
    await onStage({ ...EVENTS, events: 20 }, async ({ simulator, ends, backfill, lake, services }) => {
      const page: typeof ends.source.page = (...request) => {
        if (isLacking) simulator.addEvents({ events: 1, range: DAY, processedAtMs: Date.now() });
        if (isLacking) simulator.faults.push({ kind: 'missing-row', match: { endpoint: 'events' } });
        return ends.source.page(...request);
      };
      const source = Object.create(ends.source, { page: { value: page } }) as typeof ends.source;
      const request = { axis: 'event', ranges: [{ range: DAY }], scope: NO_FILTER } as const;
      const report = await exportRange({ ...ends, source }, request, OPTIONS, services());
      expect(report.outcome).toBe(isLacking ? 'mismatch' : 'done');
      expect(simulator.calls.of('count')).toHaveLength(isLacking ? 2 : 1);
      expect(await backfill(DAY)).toMatchObject({ outcome: 'done' });
      expect(await lake.coverage(DAY)).toMatchObject([{ verdict: 'complete', inLake: isLacking ? 21 : 20 }]);
    });
  }
});

describe('a backfill with --replace', () => {
  it('deletes what the API no longer returns, in all tables, and nothing else', async () => {
    await onStage({ ...EVENTS, events: 2_000 }, async ({ simulator, backfill, lake }) => {
      await backfill(DAY);
      simulator.removeEvents([...simulator.truth.indexes()].slice(100, 150));
      expect((await backfill(DAY)).outcome).toBe('done');
      expect(await rowsOf(lake, 'select count(*) from events')).toEqual([['2000']]);
      expect((await backfill(DAY, { replace: true })).outcome).toBe('done');
      expect(await rowsOf(lake, 'select count(*) from events')).toEqual([['1950']]);
      const orphans = 'select count(*) from certificates where event_id not in (select event_id from events)';
      expect(await rowsOf(lake, orphans)).toEqual([['0']]);
    });
  });

  it('deletes nothing that another run has brought since its windows were counted', async () => {
    await onStage({ ...EVENTS, events: 300 }, async ({ simulator, ends, backfill, lake, services }) => {
      await backfill(DAY);
      simulator.removeEvents([...simulator.truth.indexes()].slice(100, 150));
      let isBeside = true;
      const page: typeof ends.source.page = async (...request) => {
        const answer = await ends.source.page(...request);
        if (isBeside) {
          isBeside = false;
          simulator.addEvents({ events: 5, range: DAY });
          expect(await backfill(DAY, { force: true })).toMatchObject({ outcome: 'done', events: { new: 5 } });
        }
        return answer;
      };
      const source = Object.create(ends.source, { page: { value: page } }) as typeof ends.source;
      const request = { axis: 'event', ranges: [{ range: DAY }], scope: NO_FILTER } as const;
      const report = await exportRange({ ...ends, source }, request, { ...OPTIONS, replace: true }, services());
      expect(report.outcome).toBe('done');
      expect(await rowsOf(lake, 'select count(*) from events')).toEqual([['255']]);
      await backfill(DAY, { replace: true, force: true });
      expect(await rowsOf(lake, 'select count(*) from events')).toEqual([['255']]);
    });
  });

  it('also empties a day that the API has emptied', async () => {
    await onStage({ ...EVENTS, events: 300 }, async ({ simulator, backfill, lake }) => {
      await backfill(DAY);
      simulator.removeEvents([...simulator.truth.indexes()]);
      simulator.addEvents({ events: 5, range: { startMs: DAY.endMs, endMs: DAY.endMs + MS_PER_DAY } });
      expect(await backfill(DAY, { replace: true })).toMatchObject({ outcome: 'done' });
      expect(await rowsOf(lake, 'select count(*) from events')).toEqual([['0']]);
      expect(await rowsOf(lake, 'select count(*) from interfaces')).toEqual([['0']]);
    });
  });

  it('empties nothing on the word of an API that counts no event of any time', async () => {
    await onStage({ ...EVENTS, events: 300 }, async ({ simulator, backfill, lake }) => {
      await backfill(DAY);
      simulator.removeEvents([...simulator.truth.indexes()]);
      expect(await backfill(DAY, { replace: true })).toMatchObject({ outcome: 'partly' });
      expect(await rowsOf(lake, 'select count(*) from events')).toEqual([['300']]);
    });
  });
});
