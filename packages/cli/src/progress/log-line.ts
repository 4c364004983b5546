import { bytesText, countText, durationText, instantText, nounText, type RunEvent } from '@edrlake/core';
import { LOG_LEVELS, type LogLevel } from '../args/options.ts';
import { clockTimeText } from '../text/format-numbers.ts';
import { REQUEST_WAITS } from './request-waits.ts';

/** One line of the log: how much it matters and what it says. */
export interface LogLine {
  readonly level: LogLevel;
  readonly text: string;
}

/** Whether a line of `level` is wanted when `least` was asked for. */
export function isLogged(level: LogLevel, least: LogLevel): boolean {
  return LOG_LEVELS.indexOf(level) <= LOG_LEVELS.indexOf(least);
}

/** A wait that a person would wonder about. Shorter ones are ordinary pacing. */
const NOTICEABLE_WAIT_MS = 5_000;

/** What is in the way while a lease has not expired. */
const LEASE_WORK = { commit: 'a commit is', run: 'this run is', requests: 'places for requests are' } as const;

/**
 * What an event says in a log. A record is one line of any width: wrapped, `grep` and the journal of systemd would find
 * half of it.
 */
export function logLineOf(event: RunEvent, nowMs: number): LogLine {
  switch (event.type) {
    case 'login':
      return debug(`logged in, until ${instantText(event.expiresAtMs)}`);
    case 'request':
      return debug(`request ${event.endpoint}: ${event.status ?? 'no answer'} in ${durationText(event.durationMs)}`);
    case 'retry':
      return warn(`${event.endpoint}: ${event.code}, attempt ${event.attempt + 1} in ${durationText(event.delayMs)}`);
    case 'pace': {
      if (event.untilMs === null || event.delayMs === null) {
        const line = `waiting for ${REQUEST_WAITS[event.reason]}`;
        return event.reason === 'other-process' ? info(line) : debug(line);
      }
      const line = `waiting until ${clockTimeText(event.untilMs, nowMs)} (${event.reason === 'rate-limit' ? 'rate limit' : 'the gateway asked'})`;
      return event.delayMs >= NOTICEABLE_WAIT_MS ? info(line) : debug(line);
    }
    case 'pace-end':
      return debug(`waited ${durationText(event.waitedMs)} for ${REQUEST_WAITS[event.reason]}`);
    case 'limits':
      return debug(`the gateway allows ${nounText(event.requests, 'request')} in ${countText(event.windowSeconds)} s`);
    case 'planned': {
      const windows = nounText(event.windows, 'window');
      return info(
        `planned ${nounText(event.events, 'event')} in ${windows}, ${nounText(event.pages, 'page')} (${nounText(event.planRequests, 'request')} to plan)`,
      );
    }
    case 'page':
      return debug(
        `page ${event.pageNumber} of ${event.windowId}: ${nounText(event.records, 'event')}, ${bytesText(event.bodyBytes)}${event.reused ? ', from disk' : ''}`,
      );
    case 'window':
      if (event.duplicates !== undefined) {
        return info(
          `window ${rangeText(event.range)}: complete; the API lists ${nounText(event.duplicates, 'record')} twice`,
        );
      }
      return event.verdict === 'complete'
        ? debug(`window ${rangeText(event.range)}: ${nounText(event.fetched, 'event')}, complete`)
        : warn(
            `window ${rangeText(event.range)}: ${countText(event.counted)} counted, ${countText(event.fetched)} fetched`,
          );
    case 'window-refetch':
      return warn(
        `window ${rangeText(event.range)}: ${countText(event.counted)} counted, ${countText(event.fetched)} fetched, ${countText(event.distinct)} distinct; fetching it again (${event.attempt})`,
      );
    case 'page-size':
      return warn(
        `the gateway gives ${countText(event.given)} events a page, not ${countText(event.asked)}: going on with ${countText(event.given)}`,
      );
    case 'window-split':
      if (event.reach !== undefined) {
        return warn(
          `window ${rangeText(event.range)}: the gateway pages to ${nounText(event.reach, 'event')} only; split into ${event.into}. Set --max-result-window ${event.reach}`,
        );
      }
      return info(`window ${rangeText(event.range)} has grown, split into ${event.into}`);
    case 'window-failed':
      return warn(`window ${rangeText(event.range)} failed: ${event.message} [${event.code}]`);
    case 'window-skipped':
      return debug(`window ${rangeText(event.range)}: ${nounText(event.count, 'event')}, already proven`);
    case 'batch':
      return debug(
        `flattened ${nounText(event.records, 'event')} (${bytesText(event.bodyBytes)}) in ${durationText(event.durationMs)}`,
      );
    case 'unknown-field':
      return warn(
        `new field ${event.path} in ${nounText(event.eventCount, 'event')} since ${event.firstDay}; kept in extra`,
      );
    case 'commit':
      return info(
        `version ${event.version}: ${countText(event.newEvents)} new, ${countText(event.changedEvents)} changed, ${countText(event.unchangedEvents)} unchanged`,
      );
    case 'commit-contended':
      return info(`another writer committed version ${event.version} first, trying again (${event.attempt})`);
    case 'lease-wait':
      return warn(
        `${LEASE_WORK[event.work]} held by process ${event.pid} of ${event.host || 'another host'}, which cannot be seen from here; waiting up to ${durationText(event.atMostMs)} for its lease`,
      );
    case 'budget-forgotten':
      return warn(
        `the request budget in ${event.directory} is impossible in part; that part is dropped, and the next answer replaces it`,
      );
    case 'requests-unlogged':
      return warn(
        `the log of requests in ${event.directory} cannot be written (${event.reason}); edrlake requests will not show those of this run`,
      );
    case 'unfinished':
      return warn(
        `${nounText(event.commits, 'commit')} of a process that died must still be finished or undone: patterns over the table folders may show rows twice or in part. Run: edrlake status, as a user who may write the lake`,
      );
    case 'recovered':
      return info(`finished or undid ${nounText(event.commits, 'commit')} of processes that died`);
    case 'resumed':
      return info(`resuming run ${event.runId}, ${nounText(event.pagesReused, 'page')} on disk`);
    default:
      return workflowLine(event);
  }
}

type Beginning = Extract<RunEvent, { readonly type: 'planning' | 'window-started' | 'page-started' | 'lake-work' }>;

function beginningText(event: Beginning): string {
  switch (event.type) {
    case 'planning':
      return `planning ${rangeText(event.range)}`;
    case 'window-started':
      return `window ${rangeText(event.range)}: ${nounText(event.counted, 'event')} to fetch`;
    case 'page-started':
      return `page ${event.pageNumber} of ${event.windowId}: its turn`;
    case 'lake-work':
      return `${event.work}: ${countText(event.done)} of ${nounText(event.total, 'file')}`;
  }
}

type WorkflowEvent = Extract<
  RunEvent,
  { readonly type: 'pipeline' | 'task' | 'hook' | 'schedule' | 'derived-behind' | 'list-fault' }
>;

const BAD_STATES: readonly string[] = ['failed', 'partly', 'mismatch', 'rejected', 'retry'];

const SCHEDULE_WORDS = {
  waiting: 'next run at',
  'on-time': 'starting the run due at',
  'catch-up': 'catching up what was due at',
  covered: 'the lake lacks nothing that was due at',
  failed: 'trouble with the run due at',
  'clock-changed': 'the clock was changed, next run at',
} as const;

function workflowLine(event: WorkflowEvent | Beginning): LogLine {
  switch (event.type) {
    case 'planning':
    case 'window-started':
    case 'page-started':
    case 'lake-work':
      return debug(beginningText(event));
    case 'pipeline':
      return { level: levelOf(event.state), text: `${event.pipeline} ${event.runId}: ${event.state}` };
    case 'task': {
      const part = event.partition === null ? '' : ` ${event.partition}`;
      return {
        level: levelOf(event.state),
        text: `${event.pipeline}, ${event.task}${part}: ${event.state}${why(event)}`,
      };
    }
    case 'derived-behind':
      return warn(
        `${event.what === 'value-index' ? 'the index of values' : 'the standing hunts'} could not be brought up to date: ${event.message} [${event.code}]. Run: edrlake ${event.what === 'value-index' ? 'index' : 'hunt --standing'}`,
      );
    case 'list-fault':
      return warn(`${event.list}, ${event.place}: ${event.problem}`);
    case 'hook':
      return event.delivered
        ? info(`${event.pipeline}: ${event.hook} delivered`)
        : warn(
            `${event.pipeline}: ${event.hook} not delivered after ${nounText(event.attempts, 'attempt')}: ${event.reason}`,
          );
    case 'schedule':
      return {
        level: levelOf(event.action),
        text: `${event.pipeline}: ${SCHEDULE_WORDS[event.action]} ${instantText(event.dueAtMs)}${why(event)}`,
      };
  }
}

function levelOf(state: string): LogLevel {
  return BAD_STATES.includes(state) ? 'warn' : 'info';
}

function why({ message, code }: { readonly message: string | null; readonly code: string | null }): string {
  return message === null ? '' : `, ${message}${code === null ? '' : ` [${code}]`}`;
}

function rangeText(range: { readonly startMs: number; readonly endMs: number }): string {
  return `${instantText(range.startMs)} to ${instantText(range.endMs)}`;
}

function debug(text: string): LogLine {
  return { level: 'debug', text };
}

function info(text: string): LogLine {
  return { level: 'info', text };
}

function warn(text: string): LogLine {
  return { level: 'warn', text };
}
