import { MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, NO_FILTER, parseRange } from '@edrlake/core';
import { describe, expect, it } from 'vitest';
import { syncNewEvents } from '../src/sync/sync.ts';
import { impatientClock, OPTIONS, onStage, rowsOf, type Stage } from './flow-stage.ts';

const WEEK = parseRange('2020-08-17', '2020-08-23');
const FIRST_SYNC = {
  axis: 'processed',
  scope: NO_FILTER,
  sinceMs: WEEK.startMs,
  lookBackMs: 6 * MS_PER_HOUR,
  settleLagMs: 15 * MS_PER_MINUTE,
} as const;
const NOW_MS = WEEK.endMs + 12 * MS_PER_DAY;
const EVENTS = 12_000;

/** Works after a backfill of the week, with the requests and the pages that the first sync behind it costs. */
async function afterBackfill(
  work: (stage: Stage, setNow: (nowMs: number) => void, firstSync: () => ReturnType<typeof costOf>) => Promise<void>,
): Promise<void> {
  let nowMs = NOW_MS;
  const clock = impatientClock(() => nowMs);
  await onStage({ events: EVENTS, range: WEEK, seed: 6, nowMs, clock }, async (stage) => {
    expect((await stage.backfill(WEEK)).outcome).toBe('done');
    const setNow = (ms: number) => {
      nowMs = ms;
      stage.simulator.setNow(ms);
    };
    await work(stage, setNow, () => costOf(stage));
  });
}

async function costOf({ ends, services, pagesServed }: Stage) {
  const [requests, pages] = [ends.requestsMade(), pagesServed()];
  const report = await syncNewEvents(ends, FIRST_SYNC, OPTIONS, services());
  return { report, requests: ends.requestsMade() - requests, pages: pagesServed() - pages };
}

async function expectTruth({ lake, simulator }: Stage): Promise<void> {
  const rows = await rowsOf(lake, 'SELECT event_id, epoch_ms(processed_time) FROM events ORDER BY 1');
  expect(rows.map(([id]) => id)).toEqual([...simulator.truth.ids()].sort());
}

describe('the first sync after a backfill', () => {
  it('proves what the lake holds from counts, with at most six requests', async () => {
    await afterBackfill(async (stage, _, firstSync) => {
      const { report, requests } = await firstSync();
      expect(requests).toBeLessThanOrEqual(6);
      expect(report).toMatchObject({ held: EVENTS, watermarkAfterMs: NOW_MS - FIRST_SYNC.settleLagMs });
      expect(report.exported).toMatchObject({ outcome: 'done', events: { fetched: 0, new: 0 } });
      await expectTruth(stage);
      const compared = (await stage.lake.snapshot()).proofs.filter(({ comparedOnly }) => comparedOnly);
      expect(compared.reduce((total, { counted }) => total + counted, 0)).toBe(EVENTS);
    });
  });

  it('fetches what was late or processed again, and little beside it', async () => {
    await afterBackfill(async (stage, setNow, firstSync) => {
      const { simulator } = stage;
      simulator.reviseEvents([...simulator.truth.indexes()].slice(100, 120), NOW_MS + MS_PER_HOUR);
      const day = { startMs: WEEK.startMs, endMs: WEEK.startMs + MS_PER_DAY };
      simulator.addEvents({ events: 7, range: day, processedAtMs: WEEK.startMs + 3 * MS_PER_DAY });
      setNow(NOW_MS + 3 * MS_PER_HOUR);
      const { report, pages } = await firstSync();
      expect(report.exported).toMatchObject({ outcome: 'done', events: { new: 7, changed: 20 } });
      expect(report.held).toBeGreaterThan(EVENTS * 0.9);
      expect(pages).toBeLessThanOrEqual(5);
      await expectTruth(stage);
    });
  });

  it('fetches a bucket in which events were fetched: one that was processed again there leaves its count as it was', async () => {
    await afterBackfill(async (stage, setNow, firstSync) => {
      const { simulator } = stage;
      const before = new Set(simulator.truth.indexes());
      simulator.addEvents({ events: 3, range: WEEK, processedAtMs: NOW_MS });
      const added = [...simulator.truth.indexes()].filter((index) => !before.has(index));
      setNow(NOW_MS + MS_PER_MINUTE);
      expect((await stage.backfill(WEEK, { force: true })).events.new).toBe(3);
      // After the backfill, and in the same ten minutes as before.
      simulator.reviseEvents(added, NOW_MS + 3 * MS_PER_MINUTE);
      setNow(NOW_MS + MS_PER_HOUR);
      const { report } = await firstSync();
      expect(report.held).toBeGreaterThan(EVENTS * 0.9);
      expect(report.exported?.events).toMatchObject({ new: 0, changed: 3 });
      await expectTruth(stage);
    });
  });

  it.each([
    ['the count', 0],
    ['a histogram', 1],
  ])('believes no single wrong number of %s', async (_, after) => {
    await afterBackfill(async (stage, __, firstSync) => {
      stage.simulator.faults.push({ kind: 'wrong-count', offBy: -3, match: { endpoint: 'count', after } });
      const { report } = await firstSync();
      expect(report.held).toBe(0);
      expect(report.exported?.events).toMatchObject({ fetched: EVENTS, new: 0 });
      await expectTruth(stage);
    });
  });

  it('that was killed after its comparison goes on from there', async () => {
    await afterBackfill(async (stage, _, firstSync) => {
      stage.simulator.faults.push({ kind: 'status', status: 403, match: { endpoint: 'events' }, times: 50 });
      await firstSync().catch(() => undefined);
      stage.simulator.faults.clear();
      const { requests } = await firstSync();
      expect(requests).toBeLessThanOrEqual(8);
      await expectTruth(stage);
      expect((await firstSync()).report.watermarkAfterMs).toBe(NOW_MS - FIRST_SYNC.settleLagMs);
    });
  });
});
