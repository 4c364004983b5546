import { MS_PER_MINUTE, MS_PER_SECOND, type RunEvent, toEdrlakeError } from '@edrlake/core';
import { type CronTimes, cronTimes } from './cron-times.ts';
import type { Pipeline } from './define-pipeline.ts';
import { invalid } from './pipeline-shape.ts';
import type { WorkflowServices } from './task-registry.ts';

/** What the scheduler asks and tells its caller. */
export interface ScheduleOptions {
  /** Aborting the signal ends the schedule, and through it the runs that are going on. */
  readonly services: WorkflowServices;
  /** Runs the pipeline to its end. What it throws is reported, and the schedule goes on. */
  startRun(pipeline: Pipeline, dueAtMs: number, signal: AbortSignal): Promise<unknown>;
  /** When the newest run started that came to its end with all work done; null without one. */
  lastSuccessAtMs(pipeline: Pipeline): Promise<number | null>;
  /** Asked before a run is caught up, with the newest due time that was missed: whether the lake lacks anything. */
  needsRun(pipeline: Pipeline, dueAtMs: number): Promise<boolean>;
}

/** A run that begins later than this after its due time is a missed one. */
const ON_TIME_MS = 30 * MS_PER_SECOND;

/** Sleeps are short, because a machine that was suspended, or whose clock was set, does not tell its timers. */
const MAX_SLEEP_MS = MS_PER_MINUTE;

/**
 * Runs pipelines when they are due, each in a loop of its own: different pipelines may run at once, one pipeline never
 * beside itself. Due times that passed while it ran, while the machine slept or before the schedule was started are not
 * made up for one by one: when the last successful run is older than the newest of them and the lake lacks something,
 * there is exactly one run. A due time is used at most once, so that failures do not repeat faster than the cron line says.
 *
 * Resolves when the signal is aborted and the runs have ended.
 * @throws {EdrlakeError} `CONFIG_INVALID` before anything starts, for a pipeline without a schedule or with a bad one.
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
  let handledMs = Number.NEGATIVE_INFINITY;
  let awaitedMs: number | null = null;
  while (!signal.aborted) {
    const nowMs = clock.nowMs();
    const dueAtMs = times.lastUntil(nowMs);
    if (dueAtMs !== null && dueAtMs > handledMs) {
      // A run may end only just after the next due time, and then nobody has waited for it; nothing was missed all the same.
      const followsHandled = Number.isFinite(handledMs) && dueAtMs === times.nextAfter(handledMs);
      const onTime = (dueAtMs === awaitedMs || followsHandled) && nowMs - dueAtMs <= ON_TIME_MS;
      handledMs = dueAtMs;
      if (onTime || (await isMissing(pipeline, dueAtMs, options))) {
        await runOnce(pipeline, dueAtMs, onTime ? 'on-time' : 'catch-up', options);
      }
      // The run may have lasted beyond other due times.
      continue;
    }
    // A clock that was put back must not make a due time come again.
    awaitedMs = times.nextAfter(Math.max(nowMs, handledMs));
    if (awaitedMs === null) return;
    tell(options, pipeline, awaitedMs, 'waiting');
    await sleepUntil(awaitedMs, options.services);
  }
}

/** Whether a missed due time has left something undone. Where that cannot be told, the run itself will find out. */
async function isMissing(pipeline: Pipeline, dueAtMs: number, options: ScheduleOptions): Promise<boolean> {
  try {
    const succeededAtMs = await options.lastSuccessAtMs(pipeline);
    const covered =
      (succeededAtMs !== null && succeededAtMs >= dueAtMs) || !(await options.needsRun(pipeline, dueAtMs));
    if (covered) tell(options, pipeline, dueAtMs, 'covered');
    return !covered;
  } catch (thrown) {
    tell(options, pipeline, dueAtMs, 'failed', thrown);
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
  tell(options, pipeline, dueAtMs, action);
  try {
    await options.startRun(pipeline, dueAtMs, signal);
  } catch (thrown) {
    tell(options, pipeline, dueAtMs, 'failed', thrown);
  }
}

async function sleepUntil(instantMs: number, { clock, signal }: WorkflowServices): Promise<void> {
  for (let leftMs = instantMs - clock.nowMs(); leftMs > 0 && !signal.aborted; leftMs = instantMs - clock.nowMs()) {
    // Aborted while asleep: the loop's condition ends it.
    await clock.sleep(Math.min(leftMs, MAX_SLEEP_MS), signal).catch(() => {});
  }
}

function tell(
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
