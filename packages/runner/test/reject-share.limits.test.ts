import { EVERYTHING, MS_PER_DAY, parseRange, type RunEvent } from '@edrlake/core';
import { exportRange } from '@edrlake/runner';
import { expect, test } from 'vitest';
import { hasTooManyRejects, isAboveShare, joinReasons } from '../src/reject-share.ts';
import { OPTIONS, onStage, type Stage } from './flow-stage.ts';

test.each([
  [500, 500, 0.01, true],
  [10, 999, 0.01, true],
  [10, 1_000, 0.01, false],
  [9, 9, 0.01, false],
  [10, 10, 1, false],
  [10, 10, 0, true],
  [0, 0, 0, false],
])('%d rejects of %d with a share of %d: %s', (rejected, fetched, share, tooMany) => {
  expect(hasTooManyRejects({ rejected, fetched }, share)).toBe(tooMany);
});

test('few rejects may still be a large share', () => {
  expect(isAboveShare({ rejected: 2, fetched: 2 }, 0.01)).toBe(true);
  expect(isAboveShare({ rejected: 0, fetched: 0 }, 0)).toBe(false);
});

test('reasons of batches are added up, the most frequent first, each with its first sample', () => {
  const one = [{ reason: 'no id', count: 2, sample: 'a' }];
  const other = [
    { reason: 'not UTF-8', count: 7, sample: 'b' },
    { reason: 'no id', count: 3, sample: 'c' },
  ];
  expect(joinReasons(one, other)).toEqual([
    { reason: 'not UTF-8', count: 7, sample: 'b' },
    { reason: 'no id', count: 5, sample: 'a' },
  ]);
});

const DAY = parseRange('2020-08-17', '2020-08-17');

const provenOf = ({ lake }: Stage) => lake.provenRanges('event', EVERYTHING);

test('a window with too many rejects is not proven for a moment, whatever becomes of its run', async () => {
  await onStage({ events: 1_000, range: DAY, seed: 5, nullIdShare: 0.05 }, async (stage) => {
    const emit = ({ type }: RunEvent) => {
      if (type === 'batch') throw new Error('the run ends right after its commit');
    };
    await expect(stage.backfill(DAY, {}, { emit })).rejects.toThrow('right after its commit');
    expect(await stage.lake.coverage(DAY)).toMatchObject([{ day: '2020-08-17', verdict: 'rejected' }]);
    expect(await provenOf(stage)).toEqual([]);

    const { outcome, windows, events } = await stage.backfill(DAY);
    expect([outcome, windows.committed, windows.rejected.length]).toEqual(['rejected', 0, 1]);
    expect(events.rejected).toBeGreaterThan(10);
    expect(await provenOf(stage)).toEqual([]);
  });
});

test('few rejects in each of many windows are too many together, and none of these windows stays proven', async () => {
  const range = parseRange('2020-08-17', '2020-08-26');
  await onStage({ events: 1_000, range, seed: 5, nullIdShare: 0.04 }, async (stage) => {
    // Days apart from each other are windows of their own.
    const ranges = [0, 2, 4, 6, 8].map((day) => ({
      startMs: range.startMs + day * MS_PER_DAY,
      endMs: range.startMs + (day + 1) * MS_PER_DAY,
    }));
    const request = { axis: 'event', ranges, scope: EVERYTHING } as const;
    const { outcome, windows } = await exportRange(stage.ends, request, OPTIONS, stage.services());
    expect([outcome, windows.planned]).toEqual(['rejected', 5]);
    expect(Math.max(...windows.rejected.map(({ rejected }) => rejected))).toBeLessThan(10);
    expect(windows.committed + windows.rejected.length).toBe(5);
    expect(await provenOf(stage)).toHaveLength(windows.committed);
    const verdicts = (await stage.lake.coverage(range)).map(({ verdict }) => verdict);
    expect(verdicts.filter((verdict) => verdict === 'rejected')).toHaveLength(windows.rejected.length);
  });
});
