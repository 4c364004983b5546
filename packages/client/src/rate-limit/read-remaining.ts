import type { RateLimit } from '@edrlake/core';
import { latestVersion } from './cas-file.ts';
import { removeDeadHolders } from './fair-queue.ts';
import type { LimiterLiveness } from './shared-limiter-file.ts';
import { parseState } from './shared-state.ts';
import { boundedState } from './shared-state-bounds.ts';
import { createSlidingWindow } from './sliding-window.ts';

/** What a shared rate limiter has left, for a reader that does not take part in it. */
export interface RemainingRequests {
  /** Requests that may be sent now, all processes together. */
  readonly requestsLeft: number;
  /** The tightest limit in force. */
  readonly limit: RateLimit;
  /** When the limiter was last used. */
  readonly usedAtMs: number;
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
  return { requestsLeft: slidingWindow.left(nowMs), limit: slidingWindow.limit(), usedAtMs };
}

function readState(directory: string) {
  try {
    return parseState(latestVersion(directory).text);
  } catch {
    // Missing, or not readable by this user: unknown.
    return null;
  }
}
