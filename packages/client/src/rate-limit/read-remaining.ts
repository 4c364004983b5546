import type { RateLimit } from '@edrlake/core';
import { latestVersion } from './cas-file.ts';
import { removeDeadHolders } from './fair-queue.ts';
import type { LimiterLiveness } from './shared-limiter-file.ts';
import { parseState } from './shared-state.ts';
import { boundedState } from './shared-state-bounds.ts';
import { createSlidingWindow } from './sliding-window.ts';

/** What a shared rate limiter has left, for a reader that takes no part in it. */
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
 * @returns null where the folder has no state that can be read
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
  const usedAtMs = state.account.lastNowMs;
  removeDeadHolders(state, ({ owner }) => stateOf(owner) === 'dead', nowMs);
  const account = createSlidingWindow(userLimit, state.account);
  return { requestsLeft: account.left(nowMs), limit: account.limit(), usedAtMs };
}

function readState(directory: string) {
  try {
    return parseState(latestVersion(directory).text);
  } catch {
    // Not there, or not to be read by this user: unknown.
    return null;
  }
}
