import { parseRange } from '@edrlake/core';
import { planExport } from '@edrlake/runner';
import { describe, expect, it } from 'vitest';
import { diagnose } from '../src/doctor/diagnose.ts';
import { onStage, rowsOf, type Stage } from './flow-stage.ts';

const DAY = parseRange('2020-08-17', '2020-08-17');
const WEEK = parseRange('2020-08-17', '2020-08-23');
/** Small pages: only their number matters here. */
const PAGES = { pageSize: 50, maxResultWindow: 200 } as const;
const EVENTS = { events: 600, range: DAY, seed: 5, settings: { ...PAGES, walk: 'searchAfter' } } as const;

/** The content of all tables, as one number for each. */
const CONTENT = `
  select 'events' as name, count(*), count(distinct event_id), bit_xor(hash(events::varchar)) from events
  union all select 'certificates', count(*), count(distinct event_id), bit_xor(hash(certificates::varchar)) from certificates
  union all select 'indicators', count(*), count(distinct event_id), bit_xor(hash(indicators::varchar)) from indicators
  union all select 'interfaces', count(*), count(distinct event_id), bit_xor(hash(interfaces::varchar)) from interfaces
  order by name`;

const walks = (stage: Stage) => stage.simulator.calls.of('search-after');

describe('a backfill that walks with searchAfter', () => {
  it.each(['searchAfterValues', 'body'] as const)(
    'brings the same lake as by page numbers, in fewer windows: cursor in %s',
    async (searchAfter) => {
      const byPages = await onStage({ ...EVENTS, settings: PAGES }, async ({ backfill, lake }) => {
        const report = await backfill(DAY);
        return { content: await rowsOf(lake, CONTENT), windows: report.windows.planned };
      });
      await onStage({ ...EVENTS, searchAfter }, async (stage) => {
        const report = await stage.backfill(DAY);
        expect(report).toMatchObject({ outcome: 'done', events: { new: 600 } });
        expect(await rowsOf(stage.lake, CONTENT)).toEqual(byPages.content);
        expect(report.windows.planned).toBeLessThan(byPages.windows);
        // 12 full pages, and one that shows that nothing follows.
        expect(walks(stage)).toHaveLength(13);
        expect(stage.pagesServed()).toBe(0);
        expect(report.requestsMade).toBeLessThanOrEqual(report.requests.planned);
      });
    },
  );

  it('is resumed after an abort in the middle, and asks again only for pages in flight', async () => {
    await onStage({ ...EVENTS, events: 1_120 }, async (stage) => {
      const stop = new AbortController();
      let pages = 0;
      const emit = ({ type }: { type: string }) => {
        if (type === 'page' && ++pages === 17) stop.abort();
      };
      const interrupted = stage.backfill(DAY, {}, { signal: stop.signal, emit });
      await expect(interrupted).rejects.toMatchObject({ code: 'INTERRUPTED' });
      const resumed = await stage.backfill(DAY);
      expect(resumed).toMatchObject({ outcome: 'done', resumed: true });
      // 23 pages, the last of them not full, and the request that was in flight.
      expect(walks(stage).length).toBeLessThanOrEqual(23 + 1);
      const counted = 'select count(*), count(distinct event_id) from events';
      expect(await rowsOf(stage.lake, counted)).toEqual([['1120', '1120']]);
    });
  });

  it.each(['truncated', 'reset', 'expired-token'] as const)('has the same result after %s', async (kind) => {
    await onStage({ ...EVENTS, events: 180 }, async ({ simulator, backfill, lake }) => {
      simulator.faults.push({ kind, match: { endpoint: 'search-after', after: 2 } });
      expect((await backfill(DAY)).outcome).toBe('done');
      expect((await lake.coverage())[0]).toMatchObject({ verdict: 'complete', counted: 180, inLake: 180 });
    });
  });

  it.each(['duplicate-row', 'missing-row'] as const)(
    'finds %s by its numbers and reads the pages again',
    async (kind) => {
      await onStage({ ...EVENTS, events: 180 }, async ({ simulator, backfill, lake, events }) => {
        simulator.faults.push({ kind, match: { endpoint: 'search-after', after: 1 } });
        expect((await backfill(DAY)).outcome).toBe('done');
        expect(events.filter(({ type }) => type === 'window-refetch')).toHaveLength(1);
        expect((await lake.coverage())[0]).toMatchObject({ verdict: 'complete', inLake: 180 });
      });
    },
  );

  it('includes an event that arrives ahead of the cursor', async () => {
    await onStage({ ...EVENTS, events: 180 }, async ({ simulator, backfill, lake }) => {
      const addition = { events: 1, range: { startMs: DAY.endMs - 1_000, endMs: DAY.endMs } };
      simulator.faults.push({ kind: 'late-arrival', addition, match: { endpoint: 'search-after', after: 1 } });
      expect((await backfill(DAY)).outcome).toBe('done');
      expect((await lake.coverage())[0]).toMatchObject({ verdict: 'complete', counted: 181, inLake: 181 });
    });
  });

  it('reports cursors that repeat as a mismatch, and repairs it once they do not', async () => {
    await onStage({ ...EVENTS, events: 180 }, async ({ ends, backfill, lake, events }) => {
      const { cursor } = ends.source;
      if (cursor === null) throw new TypeError('expected a source with cursors');
      const { page } = cursor;
      let stuck: string | null = null;
      cursor.page = async (...request) => {
        const answer = await page(...request);
        stuck ??= answer.next;
        return { ...answer, next: stuck };
      };
      expect((await backfill(DAY)).outcome).toBe('mismatch');
      // Two pages for each attempt: the second one names the cursor of its request.
      expect(events.filter(({ type }) => type === 'page')).toHaveLength(6);
      expect((await lake.coverage())[0]?.verdict).toBe('mismatched');
      cursor.page = page;
      expect((await backfill(DAY)).outcome).toBe('done');
      expect((await lake.coverage())[0]).toMatchObject({ verdict: 'complete', inLake: 180 });
    });
  });
});

describe('planning with time buckets', () => {
  it.each(['pages', 'searchAfter'] as const)(
    'keeps the requests for 100,000 events of a week within 1.10 of the lower bound: %s',
    async (walk) => {
      const setup = {
        events: 100_000,
        range: WEEK,
        seed: 3,
        histogramShape: 'unsupported',
        settings: { walk },
      } as const;
      await onStage(setup, async ({ simulator, ends, services }) => {
        const request = { axis: 'event', ranges: [{ range: WEEK }], scope: { filter: null, state: null } } as const;
        const { windowPlan } = await planExport(ends.source, request, services());
        expect(windowPlan.events).toBe(100_000);
        expect(simulator.calls.of('time-buckets').length).toBeGreaterThan(0);
        // Logins, counts and refused endpoints are in the log; pages follow as planned.
        const requests = simulator.calls.total + windowPlan.pages;
        expect(requests / windowPlan.lowerBound).toBeLessThanOrEqual(1.1);
      });
    },
  );
});

describe('diagnosing', () => {
  const pagination = (stage: Stage, walk: 'pages' | 'searchAfter') => {
    const settings = { baseUrl: stage.simulator.url, username: 'demo', password: 'demo', walk };
    const target = { settings, lakeDirectory: stage.lake.directory, range: DAY };
    return diagnose(target, stage.services()).then((findings) =>
      findings.filter(({ name }) => name === 'pagination' || name === 'histograms'),
    );
  };

  it('recommends searchAfter where it exists, with one request', async () => {
    await onStage({ ...EVENTS, events: 100, histogramShape: 'unsupported' }, async (stage) => {
      expect(await pagination(stage, 'pages')).toMatchObject([
        { status: 'ok', found: expect.stringContaining('time buckets') },
        { status: 'ok', advice: expect.stringContaining('--walk search-after') },
      ]);
      expect(walks(stage)).toHaveLength(1);
      expect((await pagination(stage, 'searchAfter'))[1]).toMatchObject({ status: 'ok', advice: null });
    });
  });

  it('reports where it does not exist, and that an export fails there', async () => {
    const lacking = { searchAfter: 'unsupported', histogramShape: 'unsupported', timeBuckets: false } as const;
    await onStage({ ...EVENTS, ...lacking, events: 100 }, async (stage) => {
      expect(await pagination(stage, 'pages')).toMatchObject([{ status: 'warn' }, { status: 'ok', advice: null }]);
      expect((await pagination(stage, 'searchAfter'))[1]).toMatchObject({
        status: 'fail',
        advice: 'Set --walk pages.',
      });
    });
  });
});
