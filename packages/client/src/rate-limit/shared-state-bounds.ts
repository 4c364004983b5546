import { MS_PER_DAY, MS_PER_MINUTE, sum } from '@edrlake/core';
import { longestWaitMs, STANDARD_RATE_LIMIT } from '../sliding-window/sliding-window.ts';
import type { SharedState } from './shared-state.ts';

/** The longest window of a rate limit; a stored one that is longer was damaged. */
const MAX_WINDOW_SECONDS = (31 * MS_PER_DAY) / 1_000;

/** More requests at once than any process makes. */
const MAX_RUNNING = 10_000;

/** Numbers that only count up stay far below. */
const MAX_COUNT = 2 ** 50;

/** Clocks of several hosts differ by less. */
const CLOCK_TOLERANCE_MS = MS_PER_MINUTE;

/**
 * Limits a stored state to the bounds that headers have, too. A file that was damaged, or written under a clock that
 * was years ahead, must not make a process wait for ever. Values beyond the bounds are dropped; the next answer's
 * headers restore them.
 * @returns null where all of it was plausible
 */
export function boundedState(state: SharedState, nowMs: number): SharedState | null {
  const { slidingWindow } = state;
  const { serverLimit } = slidingWindow;
  const isLimitPlausible = serverLimit === null || serverLimit.windowSeconds <= MAX_WINDOW_SECONDS;
  const limit = isLimitPlausible ? serverLimit : null;
  // A clock that was set back is recognised by the newest instant the state has seen.
  const latestMs = Math.max(nowMs, slidingWindow.lastNowMs) + CLOCK_TOLERANCE_MS;
  const lastWaitMs = latestMs + longestWaitMs(limit ?? STANDARD_RATE_LIMIT);
  const answered = slidingWindow.answered.filter(([ms]) => ms <= latestMs);
  const foreign = slidingWindow.foreign.filter(([ms]) => ms <= lastWaitMs);
  const isBlockPlausible = slidingWindow.blockedUntilMs <= lastWaitMs;
  const areCountsPlausible = Math.max(slidingWindow.begun, slidingWindow.newestFacts, state.nextTicket) <= MAX_COUNT;
  const holders = state.holders.filter(({ running, unanswered }) => Math.max(running, unanswered) <= MAX_RUNNING);
  const isPlausible =
    isLimitPlausible &&
    isBlockPlausible &&
    areCountsPlausible &&
    answered.length === slidingWindow.answered.length &&
    foreign.length === slidingWindow.foreign.length &&
    holders.length === state.holders.length;
  if (isPlausible) return null;
  return {
    ...state,
    nextTicket: areCountsPlausible ? state.nextTicket : 1,
    holders,
    slidingWindow: {
      ...slidingWindow,
      serverLimit: limit,
      answered,
      foreign,
      blockedUntilMs: isBlockPlausible ? slidingWindow.blockedUntilMs : 0,
      begun: areCountsPlausible ? slidingWindow.begun : 0,
      newestFacts: areCountsPlausible ? slidingWindow.newestFacts : 0,
      inFlight: sum(holders, ({ unanswered }) => unanswered),
    },
  };
}
