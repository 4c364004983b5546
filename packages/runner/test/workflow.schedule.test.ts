import { EdrlakeError, isoInstant, MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, type RunEvent } from '@edrlake/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lastSuccessAtMs, listRuns } from '../src/history/run-history.ts';
import type { Pipeline } from '../src/workflow/definition/define-pipeline.ts';
import { cronTimes } from '../src/workflow/definition/pipeline-shape.ts';
import { runSchedule, type ScheduleOptions } from '../src/workflow/engine/schedule.ts';
import { type VirtualClock, virtualClock } from './virtual-clock.ts';
import { definePipeline, newStage, type Stage } from './workflow-stage.ts';

const NOON = Date.parse('2026-11-21T12:00:00Z');

function scheduled(cron: string, timeZone = 'UTC', name = 'nightly'): Pipeline {
  return definePipeline({ name, schedule: { cron, timeZone }, tasks: { a: { run: async () => null } } });
}

/** A schedule on a virtual clock, whose runs are only recorded. */
function start(pipelines: readonly Pipeline[], clock: VirtualClock, given: Partial<ScheduleOptions> = {}) {
  const controller = new AbortController();
  const runs: string[] = [];
  const events: RunEvent[] = [];
  let lastMs: number | null = null;
  const services = {
    clock,
    random: () => 0.5,
    emit: (event: RunEvent) => events.push(event),
    signal: controller.signal,
  };
  const ended = runSchedule(pipelines, {
    services,
    startRun: async (_pipeline, dueAtMs) => {
      runs.push(`${isoInstant(clock.nowMs()).slice(0, 19)} for ${isoInstant(dueAtMs).slice(11, 16)}`);
      lastMs = clock.nowMs();
    },
    lastSuccessAtMs: async () => lastMs,
    needsRun: async () => true,
    ...given,
  });
  const stop = async () => {
    controller.abort();
    await ended;
  };
  const actions = () =>
    events.flatMap((event) => (event.type === 'schedule' && event.action !== 'waiting' ? event.action : []));
  return { runs, events, actions, stop, ended };
}

describe('a schedule', () => {
  it('runs what is due when it is due', async () => {
    const clock = virtualClock(NOON + 1);
    const { runs, actions, stop } = start([scheduled('*/10 * * * *')], clock, { lastSuccessAtMs: async () => NOON });
    await clock.passUntil(NOON + 25 * MS_PER_MINUTE);
    await stop();
    expect(runs).toEqual(['2026-11-21T12:10:00 for 12:10', '2026-11-21T12:20:00 for 12:20']);
    expect(actions()).toEqual(['covered', 'on-time', 'on-time']);
  });

  it('computes due times far in the future', async () => {
    const clock = virtualClock(NOON);
    const { runs, stop } = start([scheduled('0 0 1 1 *')], clock, { needsRun: async () => false });
    await clock.passUntil(NOON + 45 * MS_PER_DAY);
    await stop();
    expect(runs).toEqual(['2027-01-01T00:00:00 for 00:00']);
  });

  it('runs different pipelines in parallel, each by its own schedule', async () => {
    const clock = virtualClock(NOON);
    const both = [scheduled('5 * * * *', 'UTC', 'first'), scheduled('5 13 * * *', 'Europe/Berlin', 'second')];
    const { runs, stop } = start(both, clock, { needsRun: async () => false });
    await clock.passUntil(NOON + MS_PER_HOUR, 2);
    await stop();
    expect(runs).toEqual(['2026-11-21T12:05:00 for 12:05', '2026-11-21T12:05:00 for 12:05']);
  });

  it('goes on after a run that fails, and not before the next due time', async () => {
    const clock = virtualClock(NOON - 1);
    let calls = 0;
    const { actions, events, stop } = start([scheduled('* * * * *')], clock, {
      needsRun: async () => false,
      startRun: async () => {
        calls += 1;
        throw new EdrlakeError('HOST_UNREACHABLE', 'no connection');
      },
    });
    await clock.passUntil(NOON + 2 * MS_PER_MINUTE + 1);
    await stop();
    expect(calls).toBe(3);
    expect(actions()).toEqual(['covered', 'on-time', 'failed', 'on-time', 'failed', 'on-time', 'failed']);
    expect(events.filter((event) => event.type === 'schedule' && event.code === 'HOST_UNREACHABLE')).toHaveLength(3);
  });

  it('stops its run, and then itself', async () => {
    const clock = virtualClock(NOON - 1);
    const seen: string[] = [];
    const { stop } = start([scheduled('* * * * *')], clock, {
      needsRun: async () => false,
      startRun: async (_pipeline, _dueAtMs, signal) => {
        await clock.sleep(MS_PER_DAY, signal).catch(() => {});
        seen.push(signal.aborted ? 'interrupted' : 'ended');
      },
    });
    await clock.passUntil(NOON + 1);
    await stop();
    expect(seen).toEqual(['interrupted']);
  });

  it.each([
    [[definePipeline({ name: 'x', tasks: {} })], 'pipeline "x", schedule: it has none'],
    [[scheduled('x')], 'the cron line "x" cannot be read'],
    [[scheduled('@daily'), scheduled('@hourly')], 'pipeline "nightly": it is scheduled twice'],
  ])('refuses what it cannot keep', async (pipelines, message) => {
    const { ended } = start(pipelines, virtualClock());
    await expect(ended).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining(message) });
  });
});

describe('missed due times', () => {
  it('are replaced by one run when the schedule starts', async () => {
    const clock = virtualClock(NOON + 30_000);
    const asked: string[] = [];
    const { runs, actions, stop } = start([scheduled('* * * * *')], clock, {
      lastSuccessAtMs: async () => NOON - 3 * MS_PER_MINUTE,
      needsRun: async (_pipeline, dueAtMs) => asked.push(isoInstant(dueAtMs)) > 0,
    });
    await clock.passUntil(NOON + MS_PER_MINUTE + 1);
    await stop();
    expect(asked).toEqual(['2026-11-21T12:00:00.000Z']);
    expect(runs).toEqual(['2026-11-21T12:00:30 for 12:00', '2026-11-21T12:01:00 for 12:01']);
    expect(actions()).toEqual(['catch-up', 'on-time']);
  });

  it('need no run where the lake lacks nothing, or where a run succeeded since', async () => {
    for (const given of [{ needsRun: async () => false }, { lastSuccessAtMs: async () => NOON }]) {
      const clock = virtualClock(NOON + 30_000);
      const { runs, actions, stop } = start([scheduled('* * * * *')], clock, given);
      await clock.untilSleeping(1);
      await stop();
      expect([runs, actions()]).toEqual([[], ['covered']]);
    }
  });

  it('are replaced by a run when it is unknown whether something is missing', async () => {
    const clock = virtualClock(NOON);
    const needsRun = async () => {
      throw new EdrlakeError('LAKE_CORRUPT', 'a log entry is missing');
    };
    const { runs, actions, stop } = start([scheduled('@hourly')], clock, { needsRun });
    await clock.untilSleeping(1);
    await stop();
    expect([runs.length, actions()]).toEqual([1, ['failed', 'catch-up']]);
  });

  it('while the machine was suspended are replaced by one run', async () => {
    const clock = virtualClock(NOON + 1);
    const { runs, actions, stop } = start([scheduled('* * * * *')], clock, { needsRun: async () => true });
    await clock.untilSleeping(1);
    // The rest of its sleep is a minute, less the millisecond that has passed.
    clock.jumpTo(NOON + 3.5 * MS_PER_MINUTE + 1);
    await clock.passUntil(NOON + 5 * MS_PER_MINUTE);
    await stop();
    expect(runs.slice(1)).toEqual(['2026-11-21T12:04:30 for 12:04', '2026-11-21T12:05:00 for 12:05']);
    expect(actions()).toEqual(['catch-up', 'catch-up', 'on-time']);
  });

  it('during a run do not start a second one in parallel', async () => {
    const clock = virtualClock(NOON - 1);
    let working = 0;
    let most = 0;
    const starts: string[] = [];
    const { stop } = start([scheduled('* * * * *')], clock, {
      needsRun: async (_pipeline, dueAtMs) => dueAtMs !== NOON - MS_PER_MINUTE,
      lastSuccessAtMs: async () => NOON - MS_PER_HOUR,
      startRun: async (_pipeline, dueAtMs, signal) => {
        starts.push(`${isoInstant(clock.nowMs()).slice(14, 19)} for ${isoInstant(dueAtMs).slice(14, 16)}`);
        working += 1;
        most = Math.max(most, working);
        await clock.sleep(3.5 * MS_PER_MINUTE, signal).catch(() => {});
        working -= 1;
      },
    });
    await clock.passUntil(NOON + 8 * MS_PER_MINUTE);
    await stop();
    expect(most).toBe(1);
    expect(starts).toEqual(['00:00 for 00', '03:30 for 03', '07:00 for 07']);
  });

  it('are none where a run ends just when the next one is due', async () => {
    const clock = virtualClock(NOON - 1);
    const lasting = [MS_PER_MINUTE, MS_PER_MINUTE + 20_000, 2 * MS_PER_MINUTE + 10_000, 0];
    const asked: string[] = [];
    const { actions, stop } = start([scheduled('* * * * *')], clock, {
      needsRun: async (_pipeline, dueAtMs) => asked.push(isoInstant(dueAtMs).slice(14, 16)) > 1,
      lastSuccessAtMs: async () => NOON - MS_PER_HOUR,
      startRun: async (_pipeline, _dueAtMs, signal) => {
        await clock.sleep(lasting.shift() ?? 0, signal).catch(() => {});
      },
    });
    await clock.passUntil(NOON + 5 * MS_PER_MINUTE + 1);
    await stop();
    // Due at 0, 1 and 2, each on time; that of 2 lasts until after 4, so 3 was missed; 5 is on time again.
    expect(actions()).toEqual(['covered', 'on-time', 'on-time', 'on-time', 'catch-up', 'on-time']);
    expect(asked).toEqual(['59', '04']);
  });

  it('do not come again when the clock is put back, be it during a run or between runs', async () => {
    const clock = virtualClock(NOON - 1);
    const starts: number[] = [];
    const { events, stop } = start([scheduled('0 * * * *')], clock, {
      needsRun: async () => false,
      startRun: async (_pipeline, dueAtMs) => {
        starts.push(dueAtMs - NOON);
        if (starts.length === 1) clock.jumpTo(NOON - 10 * MS_PER_MINUTE);
      },
    });
    await clock.passUntil(NOON + 20 * MS_PER_MINUTE);
    clock.jumpTo(NOON - 5 * MS_PER_MINUTE);
    await clock.passUntil(NOON + 70 * MS_PER_MINUTE);
    await stop();
    expect(starts).toEqual([0, MS_PER_HOUR]);
    const waits = events.flatMap((event) =>
      event.type === 'schedule' && event.action === 'waiting' ? event.dueAtMs : [],
    );
    expect(waits).toEqual([NOON, NOON + MS_PER_HOUR, NOON + 2 * MS_PER_HOUR]);
  });
});

describe('a clock that is set', () => {
  const clockLines = (events: readonly RunEvent[]) =>
    events.flatMap((event) => (event.type === 'schedule' && event.action === 'clock-changed' ? event.message : []));

  it.each([
    ['a day', MS_PER_DAY],
    ['a year', 365 * MS_PER_DAY],
  ])('ahead by %s for a minute and back does not silence a pipeline', async (_, byMs) => {
    const clock = virtualClock(NOON - 1);
    let lastMs: number | null = null;
    const { runs, events, stop } = start([scheduled('* * * * *')], clock, {
      needsRun: async () => true,
      lastSuccessAtMs: async () => lastMs,
      startRun: async (_pipeline, dueAtMs) => {
        lastMs = clock.nowMs();
        runs.push(isoInstant(dueAtMs).slice(0, 16));
      },
    });
    await clock.passUntil(NOON + 2.5 * MS_PER_MINUTE);
    clock.jumpTo(NOON + 2.5 * MS_PER_MINUTE + byMs);
    await clock.passUntil(NOON + 3.5 * MS_PER_MINUTE + byMs);
    clock.jumpTo(NOON + 3.5 * MS_PER_MINUTE);
    await clock.passUntil(NOON + 8 * MS_PER_MINUTE + 1);
    await stop();
    const correct = runs.filter((due) => due.startsWith('2026-11-21'));
    // 12:03 was due while the clock was wrong; it is noticed at 12:04 at the latest.
    for (const minute of [0, 1, 2, 5, 6, 7, 8]) expect(correct).toContain(`2026-11-21T12:0${minute}`);
    expect(new Set(runs).size, 'no due time twice').toBe(runs.length);
    expect(clockLines(events)).toEqual([
      `it went ahead by ${byMs / MS_PER_MINUTE} min, or the machine slept`,
      expect.stringMatching(/^it went back by \d+ min$/),
    ]);
  });

  it('ahead by a day and back does not take the run of tomorrow away', async () => {
    const clock = virtualClock(NOON);
    const { runs, stop } = start([scheduled('0 13 * * *')], clock, {
      needsRun: async () => true,
      lastSuccessAtMs: async () => NOON,
    });
    await clock.untilSleeping(1);
    clock.jumpTo(NOON + MS_PER_DAY + 2 * MS_PER_HOUR);
    await clock.passUntil(NOON + MS_PER_DAY + 2 * MS_PER_HOUR + MS_PER_MINUTE);
    clock.jumpTo(NOON + 2 * MS_PER_MINUTE);
    await clock.passUntil(NOON + 2 * MS_PER_DAY);
    await stop();
    expect(runs.slice(-2)).toEqual(['2026-11-21T13:00:00 for 13:00', '2026-11-22T13:00:00 for 13:00']);
  });

  it('back by a day continues by the new time, and has one run when it is right again', async () => {
    const clock = virtualClock(NOON - 1);
    const due: string[] = [];
    let lastMs: number | null = NOON - MS_PER_MINUTE;
    const { events, stop } = start([scheduled('*/10 * * * *')], clock, {
      needsRun: async () => true,
      lastSuccessAtMs: async () => lastMs,
      startRun: async (_pipeline, dueAtMs) => {
        lastMs = clock.nowMs();
        due.push(isoInstant(dueAtMs).slice(8, 16));
      },
    });
    await clock.passUntil(NOON + 11 * MS_PER_MINUTE);
    clock.jumpTo(NOON + 11 * MS_PER_MINUTE - MS_PER_DAY);
    await clock.passUntil(NOON + 25 * MS_PER_MINUTE - MS_PER_DAY);
    clock.jumpTo(NOON + 25 * MS_PER_MINUTE);
    await clock.passUntil(NOON + 31 * MS_PER_MINUTE);
    await stop();
    expect(due).toEqual(['21T12:00', '21T12:10', '20T12:20', '21T12:20', '21T12:30']);
    expect(clockLines(events)).toHaveLength(2);
  });
});

describe('a schedule over real runs', () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await newStage();
  });
  afterEach(() => stage.remove());

  it('due every minute, stopped for three minutes and started again, makes one catch-up run', async () => {
    const clock = virtualClock(NOON - 1);
    const pipeline = scheduled('* * * * *');
    const startRun: ScheduleOptions['startRun'] = (_pipeline, dueAtMs, signal) =>
      stage.run(pipeline, {
        runId: isoInstant(dueAtMs).replaceAll(/[-:.]/g, ''),
        services: { clock, random: () => 0.5, emit: () => {}, signal },
      });
    const given = {
      startRun,
      lastSuccessAtMs: ({ name }: Pipeline) => lastSuccessAtMs(stage.runsDirectory, name),
      needsRun: async () => true,
    };
    const first = start([pipeline], clock, given);
    await clock.passUntil(NOON + 1);
    await first.stop();
    clock.jumpTo(NOON + 3 * MS_PER_MINUTE + 20_000);
    const second = start([pipeline], clock, given);
    await clock.passUntil(NOON + 4 * MS_PER_MINUTE + 1);
    await second.stop();

    expect(first.actions()).toEqual(['catch-up', 'on-time']);
    expect(second.actions()).toEqual(['catch-up', 'on-time']);
    const runs = await listRuns(stage.runsDirectory, { limit: 9, isOwnerAlive: () => false });
    expect(runs.map(({ startedAtMs, state }) => [(startedAtMs - NOON) / 1_000, state])).toEqual([
      [240, 'done'],
      [200, 'done'],
      [0, 'done'],
      [-0.001, 'done'],
    ]);
  });

  it('leaves an interrupted run in the journal when it is stopped', async () => {
    const clock = virtualClock(NOON);
    const pipeline = definePipeline({
      name: 'long',
      schedule: { cron: '@hourly', timeZone: 'UTC' },
      tasks: { wait: { run: (_facts, { services }) => clock.sleep(MS_PER_DAY, services.signal) } },
    });
    const schedule = start([pipeline], clock, {
      startRun: (_pipeline, _dueAtMs, signal) =>
        stage.run(pipeline, { services: { clock, random: () => 0.5, emit: () => {}, signal } }),
    });
    await clock.untilSleeping(1);
    await schedule.stop();
    const [run] = await listRuns(stage.runsDirectory, { limit: 1, isOwnerAlive: () => false });
    expect(run?.state).toBe('interrupted');
  });
});

describe('due times in Europe/Berlin', () => {
  const dueBetween = (cron: string, from: string, to: string) => {
    const times = cronTimes({ cron, timeZone: 'Europe/Berlin' });
    const due: string[] = [];
    let atMs = times.nextAfter(Date.parse(from));
    while (atMs !== null && atMs < Date.parse(to)) {
      // Looking back from a due time, and from just before it, finds the same times.
      expect(times.lastUntil(atMs)).toBe(atMs);
      const before = due.at(-1);
      if (before !== undefined) expect(times.lastUntil(atMs - 1)).toBe(Date.parse(before));
      due.push(isoInstant(atMs).replace(':00.000Z', 'Z'));
      atMs = times.nextAfter(atMs);
    }
    return due;
  };

  it('come once in the night that clocks are put forward, also where the time is skipped', () => {
    expect(dueBetween('30 2 * * *', '2026-03-28T00:00Z', '2026-03-30T12:00Z')).toEqual([
      '2026-03-28T01:30Z',
      '2026-03-29T01:00Z',
      '2026-03-30T00:30Z',
    ]);
  });

  it('come once in the night that clocks are put back, also where the time comes twice', () => {
    expect(dueBetween('30 2 * * *', '2026-10-24T00:00Z', '2026-10-26T12:00Z')).toEqual([
      '2026-10-24T00:30Z',
      '2026-10-25T00:30Z',
      '2026-10-26T01:30Z',
    ]);
  });

  it('every half hour come every half hour that really passes', () => {
    expect(dueBetween('*/30 * * * *', '2026-03-29T00:00Z', '2026-03-29T03:01Z')).toHaveLength(6);
    expect(dueBetween('*/30 * * * *', '2026-10-25T00:00Z', '2026-10-25T03:01Z')).toHaveLength(6);
  });

  it('start the run of that night once', async () => {
    for (const [night, expected] of [
      ['2026-03-29', 'T01:00:00 for 01:00'],
      ['2026-10-25', 'T00:30:00 for 00:30'],
    ] as const) {
      const startMs = Date.parse(`${night}T00:00:00Z`) - 2 * MS_PER_HOUR;
      const clock = virtualClock(startMs);
      const { runs, stop } = start([scheduled('30 2 * * *', 'Europe/Berlin')], clock, { needsRun: async () => false });
      await clock.passUntil(startMs + 12 * MS_PER_HOUR);
      await stop();
      expect(runs).toEqual([`${night}${expected}`]);
    }
  });
});
