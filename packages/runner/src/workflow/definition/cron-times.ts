import { didYouMean, EdrlakeError } from '@edrlake/core';
import { Cron } from 'croner';
import type { ScheduleSpec } from './define-pipeline.ts';

/** The due times of a schedule. */
export interface CronTimes {
  /** The first due time after the instant, or null if there is none. */
  nextAfter(instantMs: number): number | null;
  /** The last due time up to and including the instant, or null if there was none. */
  lastUntil(instantMs: number): number | null;
}

/**
 * The due times of a schedule. When clocks go forward, a fixed time that does not exist is due at the end of the gap.
 * When they go back, a fixed time that occurs twice is due the first time only; repeating patterns count every real
 * hour.
 * @throws {EdrlakeError} `CONFIG_INVALID` for a cron line or a time zone that cannot be read, or a cron line that is
 * never due.
 */
export function cronTimes({ cron, timeZone }: ScheduleSpec): CronTimes {
  assertTimeZone(timeZone);
  const job = parseCron(cron, timeZone);
  const times: CronTimes = {
    nextAfter: (instantMs) => job.nextRun(new Date(instantMs))?.getTime() ?? null,
    // The previous time that croner returns excludes the instant itself.
    lastUntil: (instantMs) => job.previousRuns(1, new Date(instantMs + 1))[0]?.getTime() ?? null,
  };
  if (times.nextAfter(0) === null) {
    throw new EdrlakeError('CONFIG_INVALID', `the cron line "${cron}" names a date that never comes`);
  }
  return times;
}

function parseCron(cron: string, timeZone: string): Cron {
  try {
    // Paused and without a function: it computes times and starts no timer.
    return new Cron(cron, { timezone: timeZone, paused: true, mode: '5-part', fixedTimeRule: 'no-wildcard' });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.replace(/^CronPattern: /, '') : String(cause);
    throw new EdrlakeError('CONFIG_INVALID', `the cron line "${cron}" cannot be read: ${reason}`, {
      cause,
      hint: 'Write minute, hour, day of month, month and day of week, for example "30 2 * * *" for 02:30 every day.',
    });
  }
}

function assertTimeZone(timeZone: string): void {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
  } catch (cause) {
    const close = didYouMean(timeZone, ['UTC', ...Intl.supportedValuesOf('timeZone')]);
    throw new EdrlakeError('CONFIG_INVALID', `there is no time zone "${timeZone}"`, {
      cause,
      hint: `${close === null ? '' : `Did you mean ${close}? `}Use an IANA name such as Europe/Berlin, or UTC.`,
    });
  }
}
