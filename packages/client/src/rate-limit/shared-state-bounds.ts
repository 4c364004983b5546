import { MS_PER_DAY, MS_PER_MINUTE } from '@edrlake/core';
import type { SharedState } from './shared-state.ts';
import { longestWaitMs, STANDARD_RATE_LIMIT } from './sliding-window.ts';

/** No window of a rate limit is longer: a stored one that is was damaged. */
const MAX_WINDOW_SECONDS = (31 * MS_PER_DAY) / 1_000;

/** More requests at once than any process makes. */
const MAX_RUNNING = 10_000;

/** Numbers that only count up stay far below. */
const MAX_COUNT = 2 ** 50;

/** Clocks of several hosts differ by less. */
const CLOCK_TOLERANCE_MS = MS_PER_MINUTE;

/**
 * A stored state within the bounds that headers have, too: a file that was damaged, or written under a clock that was
 * years ahead, must not make anyone wait for ever. What is beyond them is forgotten; the next answer's headers tell.
 * @returns null where all of it was plausible
 */
export function boundedState(state: SharedState, nowMs: number): SharedState | null {
  const { account } = state;
  const { serverLimit } = account;
  const isLimitPlausible = serverLimit === null || serverLimit.windowSeconds <= MAX_WINDOW_SECONDS;
  const limit = isLimitPlausible ? serverLimit : null;
  // A clock that was set back is recognised by the newest instant the state has seen.
  const latestMs = Math.max(nowMs, account.lastNowMs) + CLOCK_TOLERANCE_MS;
  const lastWaitMs = latestMs + longestWaitMs(limit ?? STANDARD_RATE_LIMIT);
  const answered = account.answered.filter(([ms]) => ms <= latestMs);
  const foreign = account.foreign.filter(([ms]) => ms <= lastWaitMs);
  const isBlockPlausible = account.blockedUntilMs <= lastWaitMs;
  const areCountsPlausible = Math.max(account.begun, account.newestFacts, state.nextTicket) <= MAX_COUNT;
  const holders = state.holders.filter(({ running, unanswered }) => Math.max(running, unanswered) <= MAX_RUNNING);
  const isPlausible =
    isLimitPlausible &&
    isBlockPlausible &&
    areCountsPlausible &&
    answered.length === account.answered.length &&
    foreign.length === account.foreign.length &&
    holders.length === state.holders.length;
  if (isPlausible) return null;
  return {
    ...state,
    nextTicket: areCountsPlausible ? state.nextTicket : 1,
    holders,
    account: {
      ...account,
      serverLimit: limit,
      answered,
      foreign,
      blockedUntilMs: isBlockPlausible ? account.blockedUntilMs : 0,
      begun: areCountsPlausible ? account.begun : 0,
      newestFacts: areCountsPlausible ? account.newestFacts : 0,
      inFlight: holders.reduce((sum, { unanswered }) => sum + unanswered, 0),
    },
  };
}
