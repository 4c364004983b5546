import { MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, NO_FILTER, parseRange } from '@edrlake/core';
import { describe, expect, it } from 'vitest';
import { syncNewEvents } from '../src/sync/sync.ts';
import { impatientClock, OPTIONS, onStage, rowsOf, type Stage } from './flow-stage.ts';

const WEEK = parseRange('2020-08-17', '2020-08-23');
const REQUEST = {
  axis: 'processed',
  scope: NO_FILTER,
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

  it('holds the watermark back while a window fails, exports new events, and requests no page twice', async () => {
    let nowMs = WEEK.endMs - MS_PER_DAY;
    const clock = impatientClock(() => nowMs);
    await onStage({ events: 16_000, range: WEEK, nowMs, clock }, async (stage) => {
      const { simulator, ends, services, pagesServed } = stage;
      const fault = { kind: 'status', status: 500, match: { endpoint: 'events', page: 9 }, times: 100 } as const;
      simulator.faults.push(fault);
      const failed = await syncNewEvents(ends, { ...REQUEST, sinceMs: WEEK.startMs }, OPTIONS, services());
      expect(failed.exported?.outcome).toBe('partly');
      expect(failed.watermarkAfterMs ?? 0).toBeLessThan(nowMs - REQUEST.settleLagMs);

      nowMs += MS_PER_DAY;
      simulator.setNow(nowMs);
      const pagesBefore = pagesServed();
      const still = await syncNewEvents(ends, REQUEST, OPTIONS, services());
      expect(still).toMatchObject({ resumed: { outcome: 'partly' }, exported: { outcome: 'done' } });
      expect(still.watermarkAfterMs).toBe(failed.watermarkAfterMs);
      expect(pagesServed() - pagesBefore).toBe(Math.ceil((still.exported?.events.fetched ?? 0) / 1_000));

      simulator.faults.clear();
      const next = await syncNewEvents(ends, REQUEST, OPTIONS, services());
      expect(next.watermarkAfterMs).toBe(nowMs - REQUEST.settleLagMs);
      const visible = simulator.truth.ids({ startMs: WEEK.startMs, endMs: nowMs - REQUEST.settleLagMs }, 'processed');
      expect(await idsIn(stage)).toEqual([...visible].sort());
    });
  }, 240_000);
});

async function idsIn({ lake }: Stage): Promise<(string | null)[]> {
  return (await rowsOf(lake, 'select event_id from events')).map(([id]) => id ?? null).sort();
}

it('a platform without processing times is followed by event time, with a look-back over late events', async () => {
  const days = parseRange('2020-08-17', '2020-08-19');
  let nowMs = days.startMs;
  const clock = impatientClock(() => nowMs);
  const setup = { events: 2_000, range: days, seed: 9, nowMs, clock, timeTokens: 'event-time-only' } as const;
  await onStage(setup, async (stage) => {
    const { simulator, ends, services } = stage;
    const byEventTime = { ...REQUEST, axis: 'event', lookBackMs: 6 * MS_PER_DAY } as const;
    for (let night = 1; night <= 9; night += 1) {
      nowMs = days.startMs + night * MS_PER_DAY;
      simulator.setNow(nowMs);
      const sinceMs = night === 1 ? days.startMs : null;
      const { exported } = await syncNewEvents(ends, { ...byEventTime, sinceMs }, OPTIONS, services());
      expect(exported?.outcome).toBe('done');
    }
    expect(await idsIn(stage)).toEqual([...simulator.truth.ids()].sort());
  });
}, 240_000);
