import { EVERYTHING, MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, parseRange } from '@edrlake/core';
import { describe, expect, it } from 'vitest';
import { syncNewEvents } from '../src/sync.ts';
import { impatientClock, OPTIONS, onStage, rowsOf, type Stage } from './flow-stage.ts';

const WEEK = parseRange('2020-08-17', '2020-08-23');
const REQUEST = {
  axis: 'processed',
  scope: EVERYTHING,
  sinceMs: null,
  lookBackMs: 6 * MS_PER_HOUR,
  settleLagMs: 15 * MS_PER_MINUTE,
} as const;

describe('sync', () => {
  it('asks for a beginning where there is no watermark', async () => {
    await onStage({ events: 10, range: WEEK }, async ({ ends, services }) => {
      const first = syncNewEvents(ends, REQUEST, OPTIONS, services());
      await expect(first).rejects.toMatchObject({ code: 'USAGE', hint: expect.stringContaining('--since') });
    });
  });

  it('follows late events night by night until the lake holds them all, and finds nothing in three requests', async () => {
    let nowMs = WEEK.startMs;
    const clock = impatientClock(() => nowMs);
    await onStage({ events: 20_000, range: WEEK, seed: 3, nowMs, clock }, async (stage) => {
      const { simulator, ends, services, lake, connection } = stage;
      for (let night = 1; night <= 14; night += 1) {
        nowMs = WEEK.startMs + night * MS_PER_DAY;
        simulator.setNow(nowMs);
        const sinceMs = night === 1 ? WEEK.startMs : null;
        const report = await syncNewEvents(ends, { ...REQUEST, sinceMs }, OPTIONS, services());
        expect(report.watermarkAfterMs).toBe(nowMs - REQUEST.settleLagMs);
        expect(report.exported?.outcome).toBe('done');
      }
      expect(await idsIn(stage)).toEqual([...simulator.truth.ids()].sort());

      const requestsBefore = connection.requestsMade();
      const versionBefore = (await lake.snapshot()).version;
      nowMs += MS_PER_MINUTE;
      simulator.setNow(nowMs);
      const again = await syncNewEvents(ends, REQUEST, OPTIONS, services());
      expect(again.exported?.events.new ?? 0).toBe(0);
      expect(connection.requestsMade() - requestsBefore).toBeLessThanOrEqual(3);
      expect((await lake.snapshot()).files.events).toEqual((await lake.snapshot()).files.events);
      expect((await lake.snapshot()).version).toBeLessThanOrEqual(versionBefore + 1);
    });
  });

  it('replaces an event that was processed again, and finds what became visible behind the watermark', async () => {
    let nowMs = WEEK.endMs + 10 * MS_PER_DAY;
    const clock = impatientClock(() => nowMs);
    await onStage({ events: 3_000, range: WEEK, seed: 4, nowMs, clock }, async (stage) => {
      const { simulator, ends, services } = stage;
      await syncNewEvents(ends, { ...REQUEST, sinceMs: WEEK.startMs }, OPTIONS, services());
      const revised = [...simulator.truth.indexes()].slice(10, 20);
      simulator.reviseEvents(revised, nowMs + MS_PER_HOUR);
      // One hour behind the watermark, as if the platform had shown it late.
      const processedAtMs = nowMs - MS_PER_HOUR;
      const range = { startMs: WEEK.startMs, endMs: WEEK.startMs + MS_PER_DAY };
      simulator.addEvents({ events: 5, range, processedAtMs });
      nowMs += 2 * MS_PER_HOUR;
      simulator.setNow(nowMs);
      const report = await syncNewEvents(ends, REQUEST, OPTIONS, services());
      expect(report.reopened.length).toBe(1);
      expect(report.exported).toMatchObject({ outcome: 'done', events: { new: 5, changed: 10 } });
      expect(await idsIn(stage)).toEqual([...simulator.truth.ids()].sort());
    });
  });

  it('holds the watermark back while a window fails', async () => {
    const nowMs = WEEK.endMs + 10 * MS_PER_DAY;
    await onStage({ events: 25_000, range: WEEK, nowMs, clock: impatientClock(() => nowMs) }, async (stage) => {
      const { simulator, ends, services } = stage;
      simulator.faults.push({ kind: 'status', status: 500, match: { endpoint: 'events', page: 9 }, times: 100 });
      const sinceMs = WEEK.startMs;
      const failed = await syncNewEvents(ends, { ...REQUEST, sinceMs }, OPTIONS, services());
      expect(failed.exported?.outcome).toBe('partly');
      expect(failed.watermarkAfterMs ?? 0).toBeLessThan(nowMs - REQUEST.settleLagMs);
      simulator.faults.clear();
      const next = await syncNewEvents(ends, REQUEST, OPTIONS, services());
      expect(next.watermarkAfterMs).toBe(nowMs - REQUEST.settleLagMs);
      expect(await idsIn(stage)).toEqual([...simulator.truth.ids()].sort());
    });
  });
});

async function idsIn({ lake }: Stage): Promise<(string | null)[]> {
  return (await rowsOf(lake, 'select event_id from events')).map(([id]) => id ?? null).sort();
}

it('a platform without processing times is followed by event time, looking back over the days events are late by', async () => {
  let nowMs = WEEK.startMs;
  const clock = impatientClock(() => nowMs);
  const setup = { events: 6_000, range: WEEK, seed: 9, nowMs, clock, timeTokens: 'event-time-only' } as const;
  await onStage(setup, async (stage) => {
    const { simulator, ends, services } = stage;
    const byEventTime = { ...REQUEST, axis: 'event', lookBackMs: 6 * MS_PER_DAY } as const;
    for (let night = 1; night <= 13; night += 1) {
      nowMs = WEEK.startMs + night * MS_PER_DAY;
      simulator.setNow(nowMs);
      const sinceMs = night === 1 ? WEEK.startMs : null;
      const { exported } = await syncNewEvents(ends, { ...byEventTime, sinceMs }, OPTIONS, services());
      expect(exported?.outcome).toBe('done');
    }
    expect(await idsIn(stage)).toEqual([...simulator.truth.ids()].sort());
  });
});
