import { sum } from '@edrlake/core';
import type { SlidingWindow } from '../sliding-window/sliding-window.ts';
import { type LimiterClient, slidingWindowOf } from './fair-queue.ts';
import { IDLE, type StateUpdate } from './shared-state.ts';

/** Work that was given up goes on when this part of the limit is free. */
const WORTHWHILE_SHARE = 1 / 3;

/** What work that was given up costs before it goes on: a login, and counts. */
const BEGIN_AGAIN_REQUESTS = 5;

/** When work that does not begin now may. */
export interface Refusal {
  /** When its requests are free. */
  readonly untilMs: number;
  /** When it is worth while to try again. */
  readonly readyAtMs: number;
}

/**
 * Reserves the requests of work, if they are free within the patience there is, besides those that other work under way
 * still needs. Work with more requests than the limit ever allows at once begins as soon as one is free: no wait makes
 * it shorter.
 * @returns null where it may begin
 */
export function reserveRequests(
  draft: StateUpdate,
  client: LimiterClient,
  requests: number,
  patienceMs: number,
): Refusal | null {
  const { state, nowMs } = draft;
  const mine = draft.mine ?? IDLE;
  const slidingWindow = slidingWindowOf(state, client);
  const others = sum(state.holders, ({ id, reserved = 0 }) => (id === client.id ? 0 : reserved));
  const own = mine.reserved ?? 0;
  const isTooLarge = requests + BEGIN_AGAIN_REQUESTS > slidingWindow.capacity();
  const wanted = isTooLarge ? 1 : requests + own + others;
  const untilMs = freeOrLaterMs(slidingWindow, nowMs, wanted);
  if (untilMs - nowMs <= patienceMs) {
    draft.mine = { ...mine, reserved: own + requests };
    return null;
  }
  const again = isTooLarge ? 0 : wanted + BEGIN_AGAIN_REQUESTS;
  return { untilMs, readyAtMs: worthwhileMs(slidingWindow, nowMs, again) };
}

/** When work that was given up is worth beginning again. @param least requests that it needs by then */
export function worthwhileMs(slidingWindow: SlidingWindow, nowMs: number, least = 0): number {
  const wanted = Math.max(least, Math.ceil(slidingWindow.limit().requests * WORTHWHILE_SHARE));
  return freeOrLaterMs(slidingWindow, nowMs, wanted);
}

/** When that many requests are free; where answers have to come first, when all that is known has passed. */
function freeOrLaterMs(slidingWindow: SlidingWindow, nowMs: number, wanted: number): number {
  const freeMs = slidingWindow.freeAtMs(nowMs, wanted);
  return Number.isFinite(freeMs) ? freeMs : nowMs + slidingWindow.limit().windowSeconds * 1_000;
}
