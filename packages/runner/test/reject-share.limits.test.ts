import { MS_PER_DAY, NO_FILTER, parseRange, type RunEvent } from '@edrlake/core';
import { exportRange } from '@edrlake/runner';
import { expect, test } from 'vitest';
import { hasTooManyRejects, isAboveShare, joinReasons } from '../src/run/reject-share.ts';
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

const provenOf = ({ lake }: Stage) => lake.provenRanges('event', NO_FILTER);

test('a window with too many rejects is never proven, even if its run dies', async () => {
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

const RANGE = parseRange('2020-08-17', '2020-08-26');
const SETUP = { events: 1_000, range: RANGE, seed: 5, nullIdShare: 0.04 };
/** Days apart from each other are separate windows. */
const APART = [0, 2, 4, 6, 8];
const REQUEST = {
  axis: 'event',
  ranges: APART.map((day) => ({
    range: { startMs: RANGE.startMs + day * MS_PER_DAY, endMs: RANGE.startMs + (day + 1) * MS_PER_DAY },
  })),
  scope: NO_FILTER,
} as const;
/** Every window is committed alone, in the order of time. */
const ONE_BY_ONE = { ...OPTIONS, batchBytes: 1, concurrency: 1 };

test('windows with few rejects each, too many together, are not proven when the run ends after its last commit', async () => {
  await onStage(SETUP, async (stage) => {
    let batches = 0;
    const emit = ({ type }: RunEvent) => {
      if (type === 'batch' && ++batches === APART.length) throw new Error('the run ends right after its commit');
    };
    const run = exportRange(stage.ends, REQUEST, ONE_BY_ONE, stage.services({ emit }));
    await expect(run).rejects.toThrow('right after its commit');
    const rejects = stage.simulator.truth.perDay().filter((_, day) => APART.includes(day));
    const clean = rejects.filter(({ rejects, events }) => rejects <= (rejects + events) * 0.01);
    expect(clean.length).toBeLessThan(APART.length);
    expect(await provenOf(stage)).toHaveLength(clean.length);
  });
});

test('windows with few rejects each, too many together, are not proven where a run is resumed between them', async () => {
  await onStage(SETUP, async (stage) => {
    const ranges = REQUEST.ranges.slice(0, 4);
    const days = stage.simulator.truth.perDay().filter((_, day) => APART.slice(0, 4).includes(day));
    const rejectsIn = (some: typeof days) => some.reduce((sum, { rejects }) => sum + rejects, 0);
    const halves = [rejectsIn(days.slice(0, 2)), rejectsIn(days.slice(2))];
    expect(Math.max(...halves)).toBeLessThan(10);
    let batches = 0;
    const emit = ({ type }: RunEvent) => {
      if (type === 'batch' && ++batches === 2) throw new Error('the run ends right after its commit');
    };
    const request = { ...REQUEST, ranges };
    const run = exportRange(stage.ends, request, ONE_BY_ONE, stage.services({ emit }));
    await expect(run).rejects.toThrow('right after its commit');
    expect((await provenOf(stage)).length).toBe(2);

    const { resumed, outcome, windows } = await exportRange(stage.ends, request, ONE_BY_ONE, stage.services());
    const clean = days.filter(({ rejects, events }) => rejects <= (rejects + events) * 0.01);
    expect([resumed, outcome, windows.rejected.length]).toEqual([true, 'rejected', 4 - clean.length]);
    expect(windows.skipped + windows.committed).toBe(clean.length);
    expect(await provenOf(stage)).toHaveLength(clean.length);
  });
});

test('windows that a run commits as rejected are proven again where later windows make the rejects few', async () => {
  await onStage({ ...SETUP, seed: 8, nullIdShare: 0.03 }, async (stage) => {
    const days = stage.simulator.truth.perDay().filter((_, day) => APART.includes(day));
    const upTo = (count: number) => {
      const some = days.slice(0, count);
      const rejected = some.reduce((sum, { rejects }) => sum + rejects, 0);
      return { rejected, share: rejected / some.reduce((sum, { rejects, events }) => sum + rejects + events, 0) };
    };
    const early = APART.map((_, n) => upTo(n + 1)).filter(({ rejected }) => rejected >= 10);
    const highest = Math.max(...early.map(({ share }) => share));
    const whole = upTo(APART.length).share;
    expect(highest).toBeGreaterThan(whole);
    const versions: (readonly string[])[] = [];
    const options = { ...ONE_BY_ONE, maxRejectShare: (whole + highest) / 2 };
    const commit: typeof stage.lake.commit = async (request) => {
      versions.push(request.proofs.map(({ verdict }) => verdict));
      return stage.lake.commit(request);
    };
    const ends = { ...stage.ends, lake: { ...stage.lake, commit } };
    const { outcome, windows } = await exportRange(ends, REQUEST, options, stage.services());
    expect([outcome, windows.committed]).toEqual(['done', APART.length]);
    expect(versions.flat()).toContain('rejected');
    expect(await provenOf(stage)).toHaveLength(APART.length);
    const known = (await stage.lake.coverage(RANGE)).filter(({ counted }) => counted !== null);
    expect(known.map(({ verdict }) => verdict)).toEqual(APART.map(() => 'complete'));
  });
});

test('a window with too many rejects is not proven, even if they are few among all records of the run', async () => {
  await onStage({ ...SETUP, events: 5_000 }, async (stage) => {
    const days = stage.simulator.truth.perDay().filter((_, day) => APART.includes(day));
    const shareOf = (some: typeof days) => {
      const rejected = some.reduce((sum, { rejects }) => sum + rejects, 0);
      return rejected / some.reduce((sum, { rejects, events }) => sum + rejects + events, 0);
    };
    const highest = Math.max(...days.map((day) => shareOf([day])));
    const maxRejectShare = (shareOf(days) + highest) / 2;
    const bad = days.filter((day) => shareOf([day]) > maxRejectShare);
    expect(Math.min(...bad.map(({ rejects }) => rejects))).toBeGreaterThanOrEqual(10);
    const { windows } = await exportRange(stage.ends, REQUEST, { ...OPTIONS, maxRejectShare }, stage.services());
    expect([windows.planned, windows.rejected.length]).toEqual([APART.length, bad.length]);
    expect(await provenOf(stage)).toHaveLength(APART.length - bad.length);
  });
});

test('few rejects in each of many windows are too many together, and none of these windows stays proven', async () => {
  const range = RANGE;
  await onStage(SETUP, async (stage) => {
    const { outcome, windows } = await exportRange(stage.ends, REQUEST, OPTIONS, stage.services());
    expect([outcome, windows.planned]).toEqual(['rejected', 5]);
    expect(Math.max(...windows.rejected.map(({ rejected }) => rejected))).toBeLessThan(10);
    expect(windows.committed + windows.rejected.length).toBe(5);
    expect(await provenOf(stage)).toHaveLength(windows.committed);
    const verdicts = (await stage.lake.coverage(range)).map(({ verdict }) => verdict);
    expect(verdicts.filter((verdict) => verdict === 'rejected')).toHaveLength(windows.rejected.length);
  });
});
