import type { RateLimit } from '@edrlake/core';
import { latestVersion } from './cas-file.ts';
import { removeDeadHolders } from './fair-queue.ts';
import type { LimiterLiveness } from './shared-limiter-file.ts';
import { parseState } from './shared-state.ts';
import { boundedState } from './shared-state-bounds.ts';
import { createSlidingWindow } from './sliding-window.ts';

/** What a shared budget has left, for whoever only looks at it. */
export interface RemainingRequests {
  /** Requests that may be sent now, all processes together. */
  readonly requestsLeft: number;
  /** The tightest limit in force. */
  readonly limit: RateLimit;
  /** When the budget was last used. */
  readonly usedAtMs: number;
}

/**
 * Looks at a shared budget without taking part in it: nothing changes on disk.
 * @param userLimit as those who take part have it; null for none
 * @returns null where the folder is no budget, or holds nothing that can be read
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
