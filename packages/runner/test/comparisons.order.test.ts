import { MS_PER_DAY, MS_PER_HOUR, NO_FILTER, parseRange, systemClock } from '@edrlake/core';
import { comparedCommitOf, rememberReconciliation } from '@edrlake/runner';
import { readGate, readLakeStatus } from '@edrlake/runner/history';
import { expect, it } from 'vitest';
import { onStage, type Stage } from './flow-stage.ts';

const WEEK = parseRange('2020-08-17', '2020-08-23');
const SETUP = { events: 700, range: WEEK, seed: 21 };

/** Notes a comparison of the first day. @param agoMs when it ended, by its clock */
async function note(
  { lake, services }: Pick<Stage, 'lake' | 'services'>,
  verdict: 'match' | 'late' | 'missing' | 'duplicate',
  agoMs: number,
  over?: Awaited<ReturnType<typeof comparedCommitOf>>,
): Promise<void> {
  const found = { day: '2020-08-17', eventType: null, verdict, inApi: 1_000, difference: 0 } as const;
  const about = { over: over ?? (await comparedCommitOf(lake)), atMs: systemClock.nowMs() - agoMs };
  await rememberReconciliation(lake, [found], about, services().newRunId);
}

async function refusedBy(lake: Stage['lake']) {
  const nowMs = systemClock.nowMs();
  const question = { range: WEEK, scope: NO_FILTER, require: 'complete', maxAgeMs: null, nowMs } as const;
  const { counts } = (await readLakeStatus(lake, { userLimit: null, nowMs })).calendar;
  const refused = (await readGate(lake, question)).refused.map(({ state }) => state);
  expect(counts.complete + refused.length).toBe(7);
  return refused;
}

it.each(['late', 'missing'] as const)(
  'what was found %s by a clock that was behind is newer than the proof that was compared',
  async (verdict) => {
    await onStage(SETUP, async (stage) => {
      const { lake, backfill } = stage;
      await backfill(WEEK);
      expect(await refusedBy(lake)).toEqual([]);
      await note(stage, verdict, 2 * MS_PER_DAY);
      expect(await refusedBy(lake)).toEqual([verdict]);
    });
  },
);

it('a proof of a later commit ends a difference, and one that was made while it was compared does not', async () => {
  await onStage(SETUP, async (stage) => {
    const { lake, backfill, simulator } = stage;
    await backfill(WEEK);
    const before = await comparedCommitOf(lake);
    await note(stage, 'late', 5_000);
    simulator.addEvents({ events: 3, range: parseRange('2020-08-17', '2020-08-17') });
    await backfill(WEEK);
    expect(await refusedBy(lake)).toEqual([]);
    // A gateway's date has no milliseconds, and the proof has the earlier time of both clocks.
    await note(stage, 'late', -1_000, before);
    expect(await refusedBy(lake)).toEqual(['late']);
    await note(stage, 'match', -1_000);
    expect(await refusedBy(lake)).toEqual([]);
    // Of two comparisons at the same time, the one that began earlier does not overrule a difference.
    await note(stage, 'late', 0);
    await note(stage, 'match', -1_000, before);
    expect(await refusedBy(lake)).toEqual(['late']);
  });
});

it('a proof of a part of the day ends no difference, unless the lake then holds what was compared', async () => {
  await onStage(SETUP, async (stage) => {
    const { lake, backfill, simulator } = stage;
    await backfill(WEEK);
    const day = parseRange('2020-08-17', '2020-08-17');
    const hour = { startMs: day.startMs, endMs: day.startMs + MS_PER_HOUR };
    await note(stage, 'late', 5_000);
    await backfill(hour, { force: true });
    expect(await refusedBy(lake)).toEqual(['late']);
    simulator.addEvents({ events: 1_000, range: hour });
    await backfill(hour);
    expect(await refusedBy(lake)).toEqual([]);
    await note(stage, 'missing', 5_000);
    await backfill(day, { force: true });
    expect(await refusedBy(lake)).toEqual([]);
  });
});

it('a proof of counts does not end that an event is stored twice; another comparison does', async () => {
  await onStage(SETUP, async (stage) => {
    const { lake, backfill, simulator } = stage;
    await backfill(WEEK);
    await note(stage, 'duplicate', MS_PER_DAY);
    simulator.addEvents({ events: 3, range: parseRange('2020-08-17', '2020-08-17') });
    await backfill(WEEK);
    expect(await refusedBy(lake)).toEqual(['mismatched']);
    await note(stage, 'match', 0);
    expect(await refusedBy(lake)).toEqual([]);
  });
});

it('equal numbers by a clock that was ahead make no day complete, as later commits show', async () => {
  await onStage(SETUP, async (stage) => {
    const { lake, backfill, simulator } = stage;
    simulator.addEvents({ events: 50, range: parseRange('2020-08-10', '2020-08-10') });
    await backfill(parseRange('2020-08-18', '2020-08-23'));
    await note(stage, 'match', 0);
    const nowMs = systemClock.nowMs() + 3 * MS_PER_DAY;
    const completeLater = async () => (await readLakeStatus(lake, { userLimit: null, nowMs })).calendar.counts.complete;
    expect(await completeLater()).toBe(7);
    await note(stage, 'match', -2 * MS_PER_DAY);
    expect(await completeLater()).toBe(7);
    await backfill(parseRange('2020-08-10', '2020-08-10'));
    expect(await completeLater()).toBe(7);
    await note(stage, 'match', 0);
    expect(await completeLater()).toBe(8);
  });
});
