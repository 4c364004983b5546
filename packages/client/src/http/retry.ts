import { type Clock, EdrlakeError, type Random } from '@edrlake/core';

/** How long and how often a request is tried before its error is final. */
export interface RetryLimits {
  /** All attempts, the first included. */
  readonly attempts: number;
  /** From the first attempt to the last, waiting for the rate limit not included. */
  readonly totalMs: number;
}

/** The state of one attempt of a request. */
export interface Attempt {
  /** From 1. */
  readonly number: number;
  /** Excludes waiting from the total time: for a slot, or for the rate limiter. */
  exclude(waitedMs: number): void;
}

/** How `withRetry` decides and waits. */
export interface RetryRules {
  readonly limits: RetryLimits;
  readonly clock: Clock;
  readonly random: Random;
  /** Called before each wait. */
  readonly onRetry: (error: EdrlakeError, delayMs: number, attempt: number) => void;
  /**
   * What to do about an answer that says "over the limit" (`RATE_LIMITED`), for the n-th time (from 1): it returns when
   * the next attempt may go. Not bounded by `limits`, only by `MAX_LIMITED_ATTEMPTS`.
   */
  readonly onLimited: (error: EdrlakeError, nth: number) => Promise<void>;
}

const BASE_DELAY_MS = 1_000;
const MAX_DELAY_MS = 60_000;
/** The longest wait after a 5xx, also where the server asks for more. */
const MAX_ASKED_DELAY_MS = 300_000;
/** With waits that double from one minute it is over an hour, the length of the standard window. */
const MAX_LIMITED_ATTEMPTS = 8;

/**
 * Runs an idempotent request until it succeeds, fails for good, or the limits are used up. Only errors with disposition
 * `retry` are tried again, after an exponential back-off with full jitter: clients that fail together must not come
 * back together.
 * @throws {EdrlakeError} the last error, with the number of attempts in message and context; the signal's reason when
 * aborted
 */
export async function withRetry<T>(
  work: (attempt: Attempt) => Promise<T>,
  rules: RetryRules,
  signal: AbortSignal,
): Promise<T> {
  const { limits, clock } = rules;
  const startedAtMs = clock.nowMs();
  let excludedMs = 0;
  let failures = 0;
  let limited = 0;
  for (let number = 1; ; number++) {
    try {
      return await work({
        number,
        exclude: (waitedMs) => {
          excludedMs += waitedMs;
        },
      });
    } catch (thrown) {
      signal.throwIfAborted();
      if (!(thrown instanceof EdrlakeError) || thrown.disposition !== 'retry') throw thrown;
      // Not now: the next attempt would bring the same bytes.
      if (thrown.context.cameTwice === true) throw thrown;
      if (thrown.code === 'RATE_LIMITED') {
        limited++;
        if (limited >= MAX_LIMITED_ATTEMPTS) throw givenUp(thrown, number);
        const waitedFromMs = clock.nowMs();
        await rules.onLimited(thrown, limited);
        excludedMs += clock.nowMs() - waitedFromMs;
        continue;
      }
      failures++;
      const delayMs = backOffMs(thrown, failures, rules.random);
      const spentMs = clock.nowMs() - startedAtMs - excludedMs;
      if (failures >= limits.attempts || spentMs + delayMs > limits.totalMs) throw givenUp(thrown, number);
      rules.onRetry(thrown, delayMs, number);
      await clock.sleep(delayMs, signal);
    }
  }
}

/** Up to 1 s, 2 s, 4 s … 60 s; never less than the server asked for, within reason. */
function backOffMs(error: EdrlakeError, failures: number, random: Random): number {
  const ceilingMs = Math.min(MAX_DELAY_MS, BASE_DELAY_MS * 2 ** (failures - 1));
  const askedMs = typeof error.context.waitMs === 'number' ? Math.min(error.context.waitMs, MAX_ASKED_DELAY_MS) : 0;
  return Math.round(Math.max(askedMs, random() * ceilingMs));
}

function givenUp(error: EdrlakeError, attempts: number): EdrlakeError {
  if (attempts === 1) return error;
  return new EdrlakeError(error.code, `${error.message} (given up after ${attempts} attempts)`, {
    disposition: error.disposition,
    context: { ...error.context, attempts },
    cause: error,
    ...(error.hint === null ? {} : { hint: error.hint }),
  });
}
