import { dayOf, MS_PER_DAY, MS_PER_HOUR, NO_FILTER, parseRange, sum } from '@edrlake/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planExport } from '../src/export/plan-export.ts';
import { dividedAtKnownHorizon } from '../src/horizon/guard-windows.ts';
import { lookAtHorizon, readHorizon } from '../src/horizon/learned-horizon.ts';
import { type HorizonObservation, lossOf, lossText, retentionOf } from '../src/horizon/retention.ts';
import { plannedDays } from '../src/investigate/planned-days.ts';
import { impatientClock, onStage, rowsOf, type Stage } from './flow-stage.ts';

const DAYS = parseRange('2020-08-17', '2020-08-22');
const SIMULATED = { events: 3_000, range: DAYS, settings: { pageSize: 100, maxResultWindow: 500 } } as const;
const START_MS = Date.UTC(2020, 7, 23);

/** Looks on three days, before which the API has forgotten none, one and two days. */
async function learn({ simulator, ends, services }: Stage, setNow: (ms: number) => void): Promise<void> {
  for (const day of [0, 1, 2]) {
    setNow(START_MS + day * MS_PER_DAY);
    if (day > 0) {
      const startMs = DAYS.startMs + (day - 1) * MS_PER_DAY;
      simulator.removeEvents([...simulator.truth.indexes({ startMs, endMs: startMs + MS_PER_DAY })]);
    }
    expect((await readHorizon(ends.lake)).retentionMs).toBeNull();
    expect(await lookAtHorizon(ends, services())).toBe(true);
  }
}

async function onLearnedStage(work: (stage: Stage) => Promise<void>): Promise<void> {
  let nowMs = START_MS;
  await onStage({ ...SIMULATED, clock: impatientClock(() => nowMs) }, async (stage) => {
    await learn(stage, (ms) => {
      nowMs = ms;
    });
    await work(stage);
  });
}

describe('the retention of an API', () => {
  it('is learned from what it forgets, by two histograms a day', () =>
    onLearnedStage(async ({ ends, services, connection, simulator }) => {
      const { retentionMs, lookedAtMs } = await readHorizon(ends.lake);
      const [oldest = 0] = simulator.truth.indexes();
      const oldestMs = Date.parse(String(simulator.truth.event(oldest).dateTime));
      const ageMs = START_MS + 2 * MS_PER_DAY - Math.floor(oldestMs / MS_PER_HOUR) * MS_PER_HOUR;
      expect([retentionMs, lookedAtMs]).toEqual([ageMs - MS_PER_HOUR, START_MS + 2 * MS_PER_DAY]);
      const before = connection.requestsMade();
      expect(await lookAtHorizon(ends, services())).toBe(false);
      expect(connection.requestsMade()).toBe(before);
    }));

  it('is never said to be longer than it is, and not known before two looks have found the oldest hour moved', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 24, max: 4_000 }),
        fc.array(fc.integer({ min: 20, max: 200 }), { minLength: 1, maxLength: 14 }),
        fc.integer({ min: 0, max: 8_000 }),
        (retention, gaps, firstEvent) => {
          let hour = 4_000;
          const looks = gaps.map((gap): HorizonObservation => {
            hour += gap;
            return { atMs: hour * MS_PER_HOUR, oldestMs: Math.max(firstEvent, hour - retention) * MS_PER_HOUR };
          });
          const found = retentionOf(looks);
          const first = looks[0]?.oldestMs ?? 0;
          const moved = looks.filter(({ oldestMs }) => oldestMs > first).length;
          expect(found === null).toBe(moved < 2);
          if (found !== null) expect(found).toBeLessThanOrEqual(retention * MS_PER_HOUR);
        },
      ),
    );
  });

  it('is not learned from one wrong answer, nor from events that are added', () => {
    const looks = (...oldest: readonly number[]) =>
      oldest.map((day, at) => ({ atMs: (100 + at) * MS_PER_DAY, oldestMs: day * MS_PER_DAY }));
    expect(retentionOf(looks(10, 10, 40))).toBeNull();
    expect(retentionOf(looks(10, 40, 10, 10))).toBeNull();
    expect(retentionOf(looks(10, 9, 8, 8))).toBeNull();
    expect(retentionOf(looks(10, 11, 12))).toBe(90 * MS_PER_DAY - MS_PER_HOUR);
  });

  it('is looked for at any time of the day where a platform divides ranges into equal parts only', () => {
    const nowMs = START_MS + 45_296_789;
    const only = { histogramShape: 'unsupported', timeBuckets: true } as const;
    return onStage({ ...SIMULATED, ...only, clock: impatientClock(() => nowMs) }, async ({ ends, services }) => {
      expect(await lookAtHorizon(ends, services())).toBe(true);
      expect((await readHorizon(ends.lake)).lookedAtMs).toBe(nowMs);
    });
  });

  it('is not learned from an answer that is broken or empty', () =>
    onStage({ ...SIMULATED, clock: impatientClock(() => START_MS) }, async ({ simulator, ends, services }) => {
      simulator.faults.push({ kind: 'zero-count', match: { endpoint: 'count' } });
      await lookAtHorizon(ends, services());
      simulator.faults.push({ kind: 'html', match: { endpoint: 'count' }, times: 40 });
      await lookAtHorizon(ends, services());
      expect(await readHorizon(ends.lake)).toEqual({ retentionMs: null, oldestMs: null, lookedAtMs: null });
    }));
});

it('a day says that it will be lost when that is near', () => {
  const day = { startMs: DAYS.startMs };
  const text = (retentionDays: number | null, now: string) => {
    const loss = lossOf(day, retentionDays === null ? null : retentionDays * MS_PER_DAY, Date.parse(now));
    return loss === null ? null : lossText(loss);
  };
  expect(text(90, '2020-11-01')).toBe('unrecoverable after 2020-11-15');
  expect(text(90, '2020-11-16')).toBe('unrecoverable since 2020-11-15');
  expect([text(90, '2020-10-01'), text(null, '2020-11-16')]).toEqual([null, null]);
});

describe('a look that finds no event', () => {
  /** Days since the first look, and whether each looked. */
  const looksOn = async (days: readonly number[], events: number, isExported: boolean) => {
    let nowMs = START_MS;
    const looked: boolean[] = [];
    const simulated = { ...SIMULATED, events, clock: impatientClock(() => nowMs) };
    await onStage(simulated, async ({ simulator, ends, services, backfill, connection }) => {
      if (isExported) await backfill(DAYS);
      simulator.removeEvents([...simulator.truth.indexes(DAYS)]);
      for (const day of days) {
        nowMs = START_MS + day * MS_PER_DAY;
        const before = connection.requestsMade();
        looked.push(await lookAtHorizon(ends, services()));
        expect(connection.requestsMade() > before).toBe(looked.at(-1));
      }
      expect(await readHorizon(ends.lake)).toEqual({ retentionMs: null, oldestMs: null, lookedAtMs: null });
    });
    return looked;
  };

  it('is repeated after a week while neither source nor lake has one, else after a day', async () => {
    const days = [0, 0.5, 1, 6, 7.1, 8];
    expect(await looksOn(days, 10, false)).toEqual([true, false, false, false, true, false]);
    expect(await looksOn(days, 10, true)).toEqual([true, false, true, true, true, true]);
  });

  it('does not keep one with events from being noted', () => {
    let nowMs = START_MS;
    return onStage({ ...SIMULATED, clock: impatientClock(() => nowMs) }, async ({ simulator, ends, services }) => {
      simulator.faults.push({ kind: 'zero-count', match: { endpoint: 'count' } });
      expect(await lookAtHorizon(ends, services())).toBe(true);
      nowMs += 7 * MS_PER_DAY;
      expect(await lookAtHorizon(ends, services())).toBe(true);
      expect((await readHorizon(ends.lake)).lookedAtMs).toBe(nowMs);
    });
  });
});

describe('where the retention is known', () => {
  it('a run with a limit fetches first what is lost first', () =>
    onLearnedStage(async ({ lake, backfill }) => {
      const report = await backfill(parseRange('2020-08-19', '2020-08-22'), { maxRequests: 15 });
      expect([report.outcome, report.windows.committed > 0]).toEqual(['partly', true]);
      const [[first, last] = []] = await rowsOf(lake, 'SELECT min(event_date), max(event_date) FROM events');
      expect([first, (last ?? '') < '2020-08-22']).toEqual(['2020-08-19', true]);
    }));

  it('days of which the API has forgotten all events are not proven empty, those that were proven before stay proven', () =>
    onLearnedStage(async ({ simulator, backfill, lake }) => {
      const report = await backfill(DAYS);
      expect(report.outcome).toBe('partly');
      const unverified = report.windows.unverified ?? [];
      expect(unverified.map(({ message }) => message).join()).toContain('it has been seen to forget');
      const states = new Map((await lake.coverage()).map(({ day, verdict }) => [day, verdict]));
      expect([states.get('2020-08-17'), states.get('2020-08-22')]).toEqual(['unverified', 'complete']);
      expect(simulator.truth.perDay()[0]?.day).toBe('2020-08-19');
    }));

  it('a dry run lists the windows that run, divided where the API begins to answer', () =>
    onLearnedStage(async ({ connection: { source }, lake, backfill, services }) => {
      const nowMs = START_MS + 2 * MS_PER_DAY;
      const asked = { axis: 'event', ranges: [{ range: DAYS }], scope: NO_FILTER } as const;
      const request = await dividedAtKnownHorizon(asked, lake, nowMs);
      expect(request.ranges.length).toBeGreaterThan(1);
      const plan = await planExport(source, request, services());
      const preview = { pageSize: source.pageSize, force: false, limit: null, maxRequests: null, nowMs };
      const days = await plannedDays(plan, request, lake, preview);
      const { windows } = await backfill(DAYS);
      expect(sum(days, (day) => day.windows)).toBe(windows.planned);
    }));

  it('is what makes the difference: the same days of an API that was never seen to forget are empty', () =>
    onStage({ ...SIMULATED, clock: impatientClock(() => START_MS + 2 * MS_PER_DAY) }, async (stage) => {
      const { simulator, backfill, lake } = stage;
      simulator.removeEvents([...simulator.truth.indexes(parseRange('2020-08-17', '2020-08-18'))]);
      expect((await backfill(DAYS)).outcome).toBe('done');
      expect((await lake.coverage()).every(({ verdict }) => verdict === 'complete')).toBe(true);
      expect(dayOf(DAYS.startMs)).toBe('2020-08-17');
    }));
});
