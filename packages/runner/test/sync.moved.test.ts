import { MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, NO_FILTER, parseRange } from '@edrlake/core';
import { describe, expect, it } from 'vitest';
import { syncNewEvents } from '../src/sync/sync.ts';
import { impatientClock, OPTIONS, onStage, rowsOf, type Stage } from './flow-stage.ts';

const WEEK = parseRange('2020-08-17', '2020-08-23');
const NOW_MS = WEEK.endMs + 12 * MS_PER_DAY;
const SYNC = {
  axis: 'processed',
  scope: NO_FILTER,
  sinceMs: null,
  lookBackMs: 6 * MS_PER_HOUR,
  settleLagMs: 15 * MS_PER_MINUTE,
} as const;

/** One event is processed again, and another one, which the lake lacks, takes its place in all counts. */
async function replaceInCounts({ simulator, lake }: Stage, movedToMs: number): Promise<void> {
  const [index = 0] = simulator.truth.indexes();
  const before = new Map((await timesOf(lake)).map(([id, ms]) => [id, Number(ms)]));
  simulator.reviseEvents([index], movedToMs);
  const id = [...simulator.truth.ids()][0] ?? '';
  const processedAtMs = before.get(id) ?? 0;
  expect(processedAtMs).toBeGreaterThan(0);
  simulator.addEvents({ events: 1, range: { startMs: WEEK.startMs - MS_PER_DAY, endMs: WEEK.startMs }, processedAtMs });
}

function timesOf(lake: Stage['lake']) {
  return rowsOf(lake, 'SELECT event_id, epoch_ms(processed_time) FROM events ORDER BY 1');
}

async function expectTruth({ lake, simulator }: Stage): Promise<void> {
  expect((await timesOf(lake)).map(([id]) => id)).toEqual([...simulator.truth.ids()].sort());
}

describe('an event that takes the place of another in a count', () => {
  it.each([
    ['within the range of the first sync', 2 * MS_PER_HOUR],
    ['behind its end, and so within that of the next', 3 * MS_PER_HOUR - MS_PER_MINUTE],
  ])('is found once the other is fetched: %s', async (_, movedAfterMs) => {
    let nowMs = NOW_MS;
    const clock = impatientClock(() => nowMs);
    const setNow = (ms: number, { simulator }: Stage) => {
      nowMs = ms;
      simulator.setNow(ms);
    };
    await onStage({ events: 6_000, range: WEEK, seed: 6, nowMs, clock }, async (stage) => {
      const { ends, services } = stage;
      expect((await stage.backfill(WEEK)).outcome).toBe('done');
      await replaceInCounts(stage, NOW_MS + movedAfterMs);
      setNow(NOW_MS + 3 * MS_PER_HOUR, stage);
      const first = await syncNewEvents(ends, { ...SYNC, sinceMs: WEEK.startMs }, OPTIONS, services());
      expect(first.held).toBeGreaterThan(5_000);
      setNow(NOW_MS + 4 * MS_PER_HOUR, stage);
      await syncNewEvents(ends, SYNC, OPTIONS, services());
      await expectTruth(stage);
    });
  });

  it('is found in a look-back by the same sync', async () => {
    let nowMs = WEEK.endMs;
    const clock = impatientClock(() => nowMs);
    await onStage({ events: 400, range: WEEK, seed: 3, nowMs, clock }, async (stage) => {
      const { simulator, ends, services } = stage;
      await syncNewEvents(ends, { ...SYNC, sinceMs: WEEK.startMs }, OPTIONS, services());
      await replaceInCounts(stage, nowMs + MS_PER_HOUR);
      nowMs += 2 * MS_PER_HOUR;
      simulator.setNow(nowMs);
      const lookBackMs = 8 * MS_PER_DAY;
      await syncNewEvents(ends, { ...SYNC, lookBackMs }, OPTIONS, services());
      await expectTruth(stage);
    });
  });
});
