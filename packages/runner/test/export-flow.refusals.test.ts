import { parseRange } from '@edrlake/core';
import { describe, expect, it } from 'vitest';
import { onStage, rowsOf } from './flow-stage.ts';

const DAY = parseRange('2020-08-17', '2020-08-17');
const TWO_WINDOWS = { events: 12_000, range: DAY, seed: 5 };
/** Windows of 300 events: many, and quick to fetch. */
const MANY_WINDOWS = { events: 6_000, range: DAY, seed: 5, settings: { pageSize: 100, maxResultWindow: 300 } };

describe('a refusal around one page', () => {
  it.each([
    ['403 with a web page', { status: 403, body: 'html' }],
    ['403 with the words of the API', { status: 403, body: 'json' }],
    ['400 with a web page', { status: 400, body: 'html' }],
  ] as const)(
    '%s fails its window; the rest is committed, and the next run brings what is missing',
    async (_, refusal) => {
      await onStage(TWO_WINDOWS, async ({ simulator, backfill, lake }) => {
        simulator.faults.push({ kind: 'status', ...refusal, match: { endpoint: 'events', page: 3 } });
        const first = await backfill(DAY);
        expect(first.outcome).toBe('partly');
        expect(first.windows.failed).toMatchObject([{ code: 'REQUEST_REFUSED' }]);
        expect(first.events.new).toBeGreaterThan(0);
        expect((await backfill(DAY)).outcome).toBe('done');
        expect(await rowsOf(lake, 'select count(*), count(distinct event_id) from events')).toEqual([
          ['12000', '12000'],
        ]);
      });
    },
  );

  it('three 401s fail the window, after two it is fetched', async () => {
    await onStage(TWO_WINDOWS, async ({ simulator, backfill }) => {
      simulator.faults.push({ kind: 'status', status: 401, match: { endpoint: 'events', page: 3 }, times: 3 });
      const first = await backfill(DAY);
      expect(first.windows.failed).toMatchObject([{ code: 'REQUEST_REFUSED' }]);
      expect(first.events.new).toBeGreaterThan(0);
    });
    await onStage(TWO_WINDOWS, async ({ simulator, backfill }) => {
      simulator.faults.push({ kind: 'status', status: 401, match: { endpoint: 'events', page: 3 }, times: 2 });
      expect((await backfill(DAY)).outcome).toBe('done');
    });
  });

  it('that meets window after window ends the requests, and all complete windows are in the lake', async () => {
    await onStage(MANY_WINDOWS, async ({ simulator, backfill, lake }) => {
      simulator.faults.push({
        kind: 'status',
        status: 403,
        body: 'html',
        match: { endpoint: 'events', after: 20 },
        times: 1_000,
      });
      const report = await backfill(DAY);
      expect(report.outcome).toBe('partly');
      const { planned, committed, failed } = report.windows;
      expect(committed + failed.length).toBe(planned);
      expect(committed).toBeGreaterThanOrEqual(5);
      expect(failed.at(-1)?.message).toContain('not asked for, because 5 windows in a row were refused');
      const refused = simulator.calls.of('events').filter(({ status }) => status === 403);
      // Each page is tried three times. Three pages are in work, one more than may be in flight, so that at most three
      // windows have pages already and do not count, and at most two others are in work when the fifth window in a row
      // is refused. In the first window that is refused two further pages are still requested. 40 pages are left.
      expect(refused.length).toBeLessThanOrEqual(3 * (3 + 2 + 5 + 2));
      expect(report.events.new).toBe(Number((await rowsOf(lake, 'select count(*) from events'))[0]?.[0]));
    });
  });

  it('of every token stops the run, after complete windows are committed', async () => {
    await onStage(MANY_WINDOWS, async ({ simulator, backfill, lake }) => {
      simulator.faults.push({ kind: 'status', status: 401, match: { endpoint: 'events', after: 20 }, times: 10_000 });
      await expect(backfill(DAY)).rejects.toMatchObject({ code: 'ACCESS_DENIED', exitCode: 2 });
      const rows = Number((await rowsOf(lake, 'select count(*) from events'))[0]?.[0]);
      expect(rows).toBeGreaterThanOrEqual(1_000);
      simulator.faults.clear();
      expect((await backfill(DAY)).outcome).toBe('done');
    });
  });

  it('a login that is refused in the middle stops the run, after complete windows are committed', async () => {
    await onStage(MANY_WINDOWS, async ({ simulator, backfill, lake }) => {
      simulator.faults.push({ kind: 'expired-token', match: { endpoint: 'events', after: 20 } });
      simulator.faults.push({ kind: 'status', status: 401, match: { endpoint: 'auth', after: 1 } });
      await expect(backfill(DAY)).rejects.toMatchObject({ code: 'AUTH_REJECTED', exitCode: 2 });
      const rows = Number((await rowsOf(lake, 'select count(*) from events'))[0]?.[0]);
      expect(rows).toBeGreaterThanOrEqual(1_000);
    });
  });
});

describe('an account without the role', () => {
  it('stops at its very first request', async () => {
    await onStage(TWO_WINDOWS, async ({ simulator, backfill, lake }) => {
      simulator.faults.push({ kind: 'status', status: 403, match: { endpoint: 'count' }, times: 100 });
      await expect(backfill(DAY)).rejects.toMatchObject({ code: 'ACCESS_DENIED', exitCode: 2 });
      expect(simulator.calls.dataTotal).toBe(1);
      expect((await lake.snapshot()).version).toBe(0);
    });
  });
});

describe('a page that is broken for good', () => {
  it.each([{ kind: 'truncated' }, { kind: 'html' }] as const)(
    '$kind: is asked for twice, fails its window and says that the same came twice',
    async (fault) => {
      await onStage(TWO_WINDOWS, async ({ simulator, backfill }) => {
        simulator.faults.push({ ...fault, match: { endpoint: 'events', page: 3 }, times: 2 });
        const report = await backfill(DAY);
        expect(report.windows.failed).toMatchObject([{ code: 'BODY_BROKEN' }]);
        expect(report.windows.failed[0]?.message).toMatch(/the same answer came twice: \d+ bytes, CRC-32 [0-9a-f]{8}/);
        expect(simulator.faults.pending).toBe(0);
      });
    },
  );

  it('invalid-json: damage to one record that comes twice costs that record', async () => {
    await onStage(TWO_WINDOWS, async ({ simulator, backfill, lake }) => {
      simulator.faults.push({ kind: 'invalid-json', match: { endpoint: 'events', page: 3 }, times: 2 });
      const { windows, events } = await backfill(DAY);
      expect([windows.failed, windows.mismatched, events.rejected]).toEqual([[], [], 1]);
      expect(simulator.faults.pending).toBe(0);
      const stored = await rowsOf(lake, 'select count(*), (select string_agg(reason) from rejects) from events');
      expect(stored).toEqual([[String(events.counted - 1), 'not JSON']]);
    });
  });
});
