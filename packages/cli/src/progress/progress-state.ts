import { MS_PER_SECOND, type RunEvent } from '@edrlake/core';

/** What is known about a running export. Updated in place, event by event. */
export interface ProgressState {
  readonly startedAtMs: number;
  phase: 'planning' | 'fetching' | 'finishing';
  /** null until the plan is made. */
  eventsExpected: number | null;
  pagesExpected: number;
  eventsDone: number;
  pagesDone: number;
  /** Of the pages, those that were on disk from an earlier run and cost nothing. */
  pagesReused: number;
  eventsReused: number;
  /** Of the events, those of windows that the lake had already. */
  eventsSkipped: number;
  /** When the first page was asked for: planning does not count into the rate. */
  fetchingSinceMs: number | null;
  requestsMade: number;
  requestsLeft: number | null;
  limit: { readonly requests: number; readonly windowSeconds: number } | null;
  /** What the next request waits for; null once it goes out. */
  waiting: Pick<Extract<RunEvent, { type: 'pace' }>, 'reason' | 'untilMs'> | null;
  waitingSinceMs: number;
  eventsCommitted: number;
  windowsFailed: number;
  windowsMismatched: number;
  retries: number;
}

/** Nothing has happened yet. */
export function startProgress(nowMs: number): ProgressState {
  return {
    startedAtMs: nowMs,
    phase: 'planning',
    eventsExpected: null,
    pagesExpected: 0,
    eventsDone: 0,
    pagesDone: 0,
    pagesReused: 0,
    eventsReused: 0,
    eventsSkipped: 0,
    fetchingSinceMs: null,
    requestsMade: 0,
    requestsLeft: null,
    limit: null,
    waiting: null,
    waitingSinceMs: nowMs,
    eventsCommitted: 0,
    windowsFailed: 0,
    windowsMismatched: 0,
    retries: 0,
  };
}

/** Takes one event into account. */
export function advanceProgress(state: ProgressState, event: RunEvent, nowMs: number): void {
  switch (event.type) {
    case 'planned':
      state.phase = 'fetching';
      // A plan of several ranges comes in as many parts.
      state.eventsExpected = (state.eventsExpected ?? 0) + event.events;
      state.pagesExpected += event.pages;
      state.fetchingSinceMs ??= nowMs;
      break;
    case 'request':
      state.requestsMade += 1;
      state.requestsLeft = event.requestsLeft ?? state.requestsLeft;
      break;
    case 'retry':
      state.retries += 1;
      break;
    case 'limits':
      state.limit = { requests: event.requests, windowSeconds: event.windowSeconds };
      break;
    case 'pace':
      state.waiting = event;
      state.waitingSinceMs = nowMs;
      break;
    case 'pace-end':
      state.waiting = null;
      break;
    case 'page':
      state.pagesDone += 1;
      state.eventsDone += event.records;
      if (event.reused) {
        state.pagesReused += 1;
        state.eventsReused += event.records;
      }
      if (state.pagesDone >= state.pagesExpected) state.phase = 'finishing';
      break;
    case 'window-skipped':
      state.eventsDone += event.count;
      state.eventsReused += event.count;
      state.eventsSkipped += event.count;
      break;
    case 'window-refetch':
      // Its pages come once more.
      state.eventsDone = Math.max(0, state.eventsDone - event.fetched);
      break;
    case 'window':
      if (event.verdict === 'mismatch') state.windowsMismatched += 1;
      break;
    case 'window-failed':
      state.windowsFailed += 1;
      break;
    case 'commit':
      state.eventsCommitted += event.newEvents + event.changedEvents + event.unchangedEvents;
      break;
    default:
      break;
  }
}

/** Events that need nothing more: committed, or in the lake before. */
export function eventsInLake(state: ProgressState): number {
  return state.eventsCommitted + state.eventsSkipped;
}

/** Events a second that came over the network since fetching began; null while there is nothing to go by. */
export function eventsPerSecond(state: ProgressState, nowMs: number): number | null {
  const fetched = state.eventsDone - state.eventsReused;
  const elapsedMs = state.fetchingSinceMs === null ? 0 : nowMs - state.fetchingSinceMs;
  return fetched <= 0 || elapsedMs < MS_PER_SECOND / 2 ? null : (fetched * MS_PER_SECOND) / elapsedMs;
}

/**
 * Milliseconds until the last page, or null while unknown. The slower of two counts: the rate so far, and the request
 * limit, which a fast start does not show until the allowance is used up.
 */
export function timeLeftMs(state: ProgressState, nowMs: number): number | null {
  const rate = eventsPerSecond(state, nowMs);
  if (state.eventsExpected === null || rate === null) return null;
  const eventsLeft = Math.max(0, state.eventsExpected - state.eventsDone);
  const byRateMs = (eventsLeft / rate) * MS_PER_SECOND;
  const pagesLeft = Math.max(0, state.pagesExpected - state.pagesDone);
  const untilMs = state.waiting?.untilMs ?? nowMs;
  return Math.max(byRateMs, limitTimeMs(pagesLeft, state), untilMs - nowMs);
}

function limitTimeMs(requestsNeeded: number, state: ProgressState): number {
  if (state.limit === null || state.requestsLeft === null) return 0;
  const beyond = requestsNeeded - state.requestsLeft;
  return beyond <= 0 ? 0 : (beyond / state.limit.requests) * state.limit.windowSeconds * MS_PER_SECOND;
}
