import { MS_PER_HOUR, MS_PER_MINUTE, MS_PER_SECOND, type RunEvent, toEdrlakeError } from '@edrlake/core';
import type { Pipeline, WorkflowServices } from '../definition/define-pipeline.ts';
import { type CronTimes, cronTimes, invalid } from '../definition/pipeline-shape.ts';

/** The functions that the scheduler calls. */
export interface ScheduleOptions {
  /** Aborting the signal ends the schedule, and with it the runs in progress. */
  readonly services: WorkflowServices;
  /** Runs the pipeline to its end. An error is reported, and the schedule continues. */
  startRun(pipeline: Pipeline, dueAtMs: number, signal: AbortSignal): Promise<unknown>;
  /** When the newest run started that completed all work; null without one. */
  lastSuccessAtMs(pipeline: Pipeline): Promise<number | null>;
  /** Called before a run for a missed due time, with the newest of these times: whether the lake lacks anything. */
  needsRun(pipeline: Pipeline, dueAtMs: number): Promise<boolean>;
}

/** A run that begins later than this after its due time counts as missed. */
const ON_TIME_MS = 30 * MS_PER_SECOND;

/** A clock that goes back by more was wrong before; a smaller change may be an adjustment. */
const WRONG_CLOCK_MS = MS_PER_HOUR;

/** Smaller changes of the clock are not worth a line. */
const REPORTED_FROM_MS = 5 * MS_PER_MINUTE;

/** Due times remembered for each pipeline; most pipelines are due far less often than once a minute. */
const MOST_USED_TIMES = 1_000;

/** Sleeps are short, because timers do not notice that the machine was suspended or that its clock was set. */
const MAX_SLEEP_MS = MS_PER_MINUTE;

/**
 * Runs pipelines when they are due, each in a loop of its own: different pipelines may run at once, but one pipeline
 * never runs twice at once. Due times may pass while it runs, while the machine is suspended or before the schedule
 * starts. They are not repeated one by one: if the last successful run is older than the newest of them and the lake
 * lacks something, there is exactly one run. A due time is used at most once, so that failures do not repeat faster
 * than the cron line says. A change of the clock, even by a year and back, is noticed within a minute and reported:
 * then the next due time by the corrected clock comes next.
 *
 * Resolves when the signal is aborted and the runs have ended.
 * @throws {EdrlakeError} `CONFIG_INVALID` before anything starts, for a pipeline without a schedule or with an invalid
 * one.
 */
export async function runSchedule(pipelines: readonly Pipeline[], options: ScheduleOptions): Promise<void> {
  const names = new Set<string>();
  const loops = pipelines.map((pipeline) => {
    if (names.has(pipeline.name)) throw invalid({ pipeline: pipeline.name }, 'it is scheduled twice');
    names.add(pipeline.name);
    if (pipeline.schedule !== undefined) return { pipeline, times: cronTimes(pipeline.schedule) };
    throw invalid({ pipeline: pipeline.name, key: 'schedule' }, 'it has none', 'Add { cron, timeZone } to it.');
  });
  await Promise.all(loops.map(({ pipeline, times }) => keepSchedule(pipeline, times, options)));
}

async function keepSchedule(pipeline: Pipeline, times: CronTimes, options: ScheduleOptions): Promise<void> {
  const { clock, signal } = options.services;
  const used = usedTimes();
  let handledMs = Number.NEGATIVE_INFINITY;
  let awaitedMs: number | null = null;
  let latestMs = Number.NEGATIVE_INFINITY;
  let reportedMs: number | null = null;
  while (!signal.aborted) {
    const nowMs = clock.nowMs();
    const backMs = latestMs - nowMs;
    latestMs = nowMs;
    if (backMs > 0) {
      // Due times up to now, by the clock as it is now, have passed; later ones are due again, unless they were used.
      handledMs = Math.min(handledMs, nowMs);
      awaitedMs = null;
      if (backMs >= WRONG_CLOCK_MS) used.forgetAfter(nowMs);
      if (backMs >= REPORTED_FROM_MS) reportClock(pipeline, -backMs, times.nextAfter(nowMs), options);
    }
    const dueAtMs = times.lastUntil(nowMs);
    if (dueAtMs !== null && dueAtMs > handledMs) {
      // A run may end just after the next due time, with no wait in between. Nothing was missed then.
      const followsHandled = Number.isFinite(handledMs) && dueAtMs === times.nextAfter(handledMs);
      const onTime = (dueAtMs === awaitedMs || followsHandled) && nowMs - dueAtMs <= ON_TIME_MS;
      handledMs = dueAtMs;
      if (used.has(dueAtMs)) continue;
      used.add(dueAtMs);
      if (onTime || (await isMissing(pipeline, dueAtMs, options))) {
        await runOnce(pipeline, dueAtMs, onTime ? 'on-time' : 'catch-up', options);
      }
      // The run may have lasted beyond other due times.
      continue;
    }
    awaitedMs = times.nextAfter(nowMs);
    while (awaitedMs !== null && used.has(awaitedMs)) awaitedMs = times.nextAfter(awaitedMs);
    if (awaitedMs === null) return;
    if (awaitedMs !== reportedMs) report(options, pipeline, awaitedMs, 'waiting');
    reportedMs = awaitedMs;
    const aheadMs = await sleepUntil(awaitedMs, options.services);
    if (aheadMs >= REPORTED_FROM_MS) reportClock(pipeline, aheadMs, times.nextAfter(clock.nowMs()), options);
  }
}

/**
 * The newest due times that had a run or were skipped, so that a clock that was set back does not make them due again.
 */
function usedTimes() {
  const used = new Set<number>();
  return {
    has: (dueAtMs: number) => used.has(dueAtMs),
    add: (dueAtMs: number) => {
      used.add(dueAtMs);
      for (const oldest of used) {
        if (used.size <= MOST_USED_TIMES) break;
        used.delete(oldest);
      }
    },
    /** Removes times that a wrong clock had reached: they are due when they really come. */
    forgetAfter: (instantMs: number) => {
      for (const dueAtMs of [...used]) if (dueAtMs > instantMs) used.delete(dueAtMs);
    },
  };
}

/** Whether a missed due time has left work undone. If that is unknown, the run itself finds out. */
async function isMissing(pipeline: Pipeline, dueAtMs: number, options: ScheduleOptions): Promise<boolean> {
  try {
    const succeededAtMs = await options.lastSuccessAtMs(pipeline);
    // A run that began later than now began by a wrong clock.
    const nowMs = options.services.clock.nowMs();
    const covered =
      (succeededAtMs !== null && succeededAtMs >= dueAtMs && succeededAtMs <= nowMs) ||
      !(await options.needsRun(pipeline, dueAtMs));
    if (covered) report(options, pipeline, dueAtMs, 'covered');
    return !covered;
  } catch (thrown) {
    report(options, pipeline, dueAtMs, 'failed', thrown);
    return true;
  }
}

async function runOnce(
  pipeline: Pipeline,
  dueAtMs: number,
  action: 'on-time' | 'catch-up',
  options: ScheduleOptions,
): Promise<void> {
  const { signal } = options.services;
  if (signal.aborted) return;
  report(options, pipeline, dueAtMs, action);
  try {
    await options.startRun(pipeline, dueAtMs, signal);
  } catch (thrown) {
    report(options, pipeline, dueAtMs, 'failed', thrown);
  }
}

/**
 * Sleeps until the instant comes, the clock is set back or the signal is aborted.
 * @returns the largest jump of the clock ahead of the time slept, in milliseconds
 */
async function sleepUntil(instantMs: number, { clock, signal }: WorkflowServices): Promise<number> {
  let mostAheadMs = 0;
  for (;;) {
    const beforeMs = clock.nowMs();
    const leftMs = instantMs - beforeMs;
    if (leftMs <= 0 || signal.aborted) return mostAheadMs;
    const sleptMs = Math.min(leftMs, MAX_SLEEP_MS);
    // Aborted while asleep: the condition above ends it.
    await clock.sleep(sleptMs, signal).catch(() => {});
    const passedMs = clock.nowMs() - beforeMs;
    if (passedMs < 0) return mostAheadMs;
    mostAheadMs = Math.max(mostAheadMs, passedMs - sleptMs);
  }
}

/** Reports that the clock was changed, which explains runs that come early, late or twice a day. */
function reportClock(pipeline: Pipeline, byMs: number, nextMs: number | null, options: ScheduleOptions): void {
  const minutes = Math.round(Math.abs(byMs) / MS_PER_MINUTE);
  const message = byMs < 0 ? `it went back by ${minutes} min` : `it went ahead by ${minutes} min, or the machine slept`;
  const { services } = options;
  const dueAtMs = nextMs ?? services.clock.nowMs();
  services.emit({ type: 'schedule', pipeline: pipeline.name, dueAtMs, action: 'clock-changed', code: null, message });
}

function report(
  { services }: ScheduleOptions,
  pipeline: Pipeline,
  dueAtMs: number,
  action: Extract<RunEvent, { type: 'schedule' }>['action'],
  thrown?: unknown,
): void {
  const error = thrown === undefined ? null : toEdrlakeError(thrown);
  const { code = null, message = null } = error ?? {};
  services.emit({ type: 'schedule', pipeline: pipeline.name, dueAtMs, action, code, message });
}
