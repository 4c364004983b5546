import { type RateLimit, sum } from '@edrlake/core';
import { createSlidingWindow } from '../sliding-window/sliding-window.ts';
import { latestVersion } from './cas-file.ts';
import { removeDeadHolders } from './fair-queue.ts';
import type { LimiterLiveness } from './shared-limiter-file.ts';
import { parseState } from './shared-state.ts';
import { boundedState } from './shared-state-bounds.ts';

/** What a shared rate limiter has left, for a reader that does not take part in it. */
export interface RemainingRequests {
  /** Requests that may be sent now, all processes together. */
  readonly requestsLeft: number;
  /** The tightest limit in force. */
  readonly limit: RateLimit;
  /** When the limiter was last used. */
  readonly usedAtMs: number;
  /** Requests of this lake that still count. */
  readonly own: number;
  /** Requests of other users of the subscription that still count, as far as answers of the gateway gave them away. */
  readonly foreign: number;
  /** When the next request may go; now where one may go at once, Infinity where an answer has to come first. */
  readonly nextAtMs: number;
  /** When nothing of the budget is used any more, if no request is sent until then. */
  readonly allFreeAtMs: number;
  /** The gateway asked to wait until then; null where it does not. */
  readonly blockedUntilMs: number | null;
}

/**
 * Reads a shared limiter without taking part in it: nothing changes on disk.
 * @param userLimit the limit that the taking processes have; null for none
 * @returns null where the folder has no readable state
 */
export function readRemainingRequests(
  directory: string,
  userLimit: RateLimit | null,
  stateOf: LimiterLiveness['stateOf'],
  nowMs: number,
): RemainingRequests | null {
  const stored = readState(directory);
  if (stored === null) return null;
  const state = boundedState(stored, nowMs) ?? stored;
  const usedAtMs = state.slidingWindow.lastNowMs;
  removeDeadHolders(state, ({ owner }) => stateOf(owner) === 'dead', nowMs);
  const slidingWindow = createSlidingWindow(userLimit, state.slidingWindow);
  const requestsLeft = slidingWindow.left(nowMs);
  const limit = slidingWindow.limit();
  const { answered, foreign, blockedUntilMs } = state.slidingWindow;
  const ends = [...answered.map(([ms]) => ms + limit.windowSeconds * 1_000), ...foreign.map(([ms]) => ms)];
  return {
    requestsLeft,
    limit,
    usedAtMs,
    own: sum(answered, ([, count]) => count),
    foreign: sum(foreign, ([, count]) => count),
    nextAtMs: slidingWindow.freeAtMs(nowMs),
    allFreeAtMs: Math.max(nowMs, blockedUntilMs, ...ends),
    blockedUntilMs: blockedUntilMs > nowMs ? blockedUntilMs : null,
  };
}

function readState(directory: string) {
  try {
    return parseState(latestVersion(directory).text);
  } catch {
    // Missing, or not readable by this user: unknown.
    return null;
  }
}
