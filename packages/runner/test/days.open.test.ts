import { MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, NO_FILTER, parseRange, SETTLE_LAG_MS } from '@edrlake/core';
import { describe, expect, it } from 'vitest';
import { impatientClock, onStage, rowsOf, type Stage } from './flow-stage.ts';

const DAY = parseRange('2020-08-17', '2020-08-17');

/** Exports from a gateway whose events become visible as they happen, with a clock that the test sets. */
async function onTheDay(
  startMs: number,
  work: (stage: Stage, setNow: (nowMs: number, visibleMs?: number) => void) => Promise<void>,
): Promise<void> {
  let nowMs = startMs;
  const clock = impatientClock(() => nowMs);
  await onStage({ events: 6_000, range: DAY, nowMs, clock }, async (stage) => {
    await work(stage, (nextMs, visibleMs = nextMs) => {
      nowMs = nextMs;
      stage.simulator.setNow(visibleMs);
    });
  });
}

async function verdicts({ lake }: Stage): Promise<string[]> {
  return (await lake.coverage()).map(({ verdict }) => verdict);
}

describe('a day that is not over', () => {
  it('is open at noon and shortly after midnight, and complete when it was counted after it had settled', async () => {
    const noonMs = DAY.startMs + 12 * MS_PER_HOUR;
    await onTheDay(noonMs, async (stage, setNow) => {
      const { backfill, lake } = stage;
      expect(await backfill(DAY)).toMatchObject({ outcome: 'done', frozenAtMs: noonMs });
      expect(await verdicts(stage)).toEqual(['open']);
      expect(await lake.provenRanges('event', NO_FILTER)).toEqual([{ startMs: DAY.startMs, endMs: noonMs }]);

      const afterMidnightMs = DAY.endMs + 5 * MS_PER_MINUTE;
      setNow(afterMidnightMs);
      expect(await backfill(DAY)).toMatchObject({ outcome: 'done', frozenAtMs: null });
      expect(await verdicts(stage)).toEqual(['open']);
      setNow(DAY.endMs + SETTLE_LAG_MS);
      expect(await verdicts(stage)).toEqual(['partial']);

      // Nothing new came, so both proofs have the same numbers: only their times of counting differ.
      const settled = await backfill(DAY);
      expect(settled).toMatchObject({ outcome: 'done', windows: { skipped: 0 } });
      expect(await verdicts(stage)).toEqual(['complete']);
      const skipped = await backfill(DAY);
      expect(skipped.windows).toMatchObject({ planned: 1, skipped: 1, committed: 0 });
      expect(await rowsOf(lake, 'select count(*) from events')).toEqual([[String(skipped.events.counted)]]);
    });
  }, 60_000);

  it('is resumed up to where its end was frozen first, with the plan and the pages of that run', async () => {
    const noonMs = DAY.startMs + 12 * MS_PER_HOUR;
    await onTheDay(noonMs, async (stage, setNow) => {
      const { backfill, simulator, pagesServed } = stage;
      simulator.faults.push({ kind: 'status', status: 500, match: { endpoint: 'events', page: 1 }, times: 100 });
      const failed = await backfill(DAY);
      expect(failed).toMatchObject({ outcome: 'partly', frozenAtMs: noonMs });
      simulator.faults.clear();
      // Nothing became visible meanwhile: late events would cause the window to be counted and fetched again.
      setNow(noonMs + MS_PER_HOUR, noonMs);
      const pagesBefore = pagesServed();
      const resumed = await backfill(DAY);
      expect(resumed).toMatchObject({ outcome: 'done', resumed: true, frozenAtMs: noonMs, runId: failed.runId });
      expect(pagesServed() - pagesBefore).toBeLessThan(Math.ceil(failed.events.counted / 1_000));
      expect(await stage.lake.provenRanges('event', NO_FILTER)).toEqual([{ startMs: DAY.startMs, endMs: noonMs }]);

      setNow(DAY.endMs + MS_PER_DAY);
      expect(await backfill(DAY)).toMatchObject({ outcome: 'done', resumed: false, frozenAtMs: null });
      expect(await verdicts(stage)).toEqual(['complete']);
    });
  }, 60_000);
});
