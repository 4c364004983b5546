import type { Clock, Emit, EventSource, RateLimit, RunEvent } from '@edrlake/core';
import type { LimitFacts } from '../sliding-window/limit-headers.ts';
import { createSlidingWindow } from '../sliding-window/sliding-window.ts';
import { createFifoMutex } from './fifo-mutex.ts';

/**
 * Permission to send one request at once. Exactly one of `answered` and `unused` must be called, once; then `ended`,
 * once.
 */
export interface RequestPermit {
  /** The server has counted the request: its answer began (`facts`), or none will come (null). */
  answered(facts: LimitFacts | null): void;
  /** The request was never sent. */
  unused(): void;
  /** The answer was read to its end or abandoned: the request's slot is free. */
  ended(): void;
}

/** Returns a permit whose request was never sent. */
export function giveBack(permit: RequestPermit): void {
  permit.unused();
  permit.ended();
}

/**
 * The one place where a request waits for its turn. A `pace` event names what the head of the queue waits for, and
 * `pace-end` says that it waits no more. Implementations keep the caller under the limits, so that the server never has
 * to refuse.
 */
export interface RateLimiter {
  /**
   * Resolves, in the order of the calls, when one more request stays under every known limit.
   * @throws the signal's reason
   */
  acquire(signal: AbortSignal): Promise<RequestPermit>;
  /** The server asked to wait: no permit before that instant. */
  blockUntil(untilMs: number): void;
  /** Requests that may be sent now without waiting. */
  requestsLeft(): number;
  /** The tightest limit in force. */
  limit(): RateLimit;
  /**
   * Requests of other users of the subscription that count now: what the last answer said is used, without the own
   * ones. Requests in flight can make it too high by their number. null until an answer said what is left.
   */
  usedByOthers(): number | null;
  /** Requests at once, as used now. */
  concurrency(): number;
  /** See `EventSource`. Absent where no request is refused for want of patience. */
  readonly reserve?: EventSource['reserve'];
}

/**
 * The rate limiter of one process:
 *
 *     acquire ──► FIFO queue ──► head: a free slot? ──► room in the sliding window? ──► permit
 *                                  │ no                   │ no
 *                                  └ sleep until ended    └ sleep until the window has room, or until an answer
 *
 * Reports the wait of the head, see `WaitReport`.
 * @param userLimit an upper bound that headers may only lower; null: 300 per 3600 s until headers say otherwise
 * @param maxConcurrency requests at once, an upper bound that headers may only lower
 */
export function createRateLimiter(
  userLimit: RateLimit | null,
  tools: { readonly clock: Clock; readonly emit: Emit },
  maxConcurrency = Number.POSITIVE_INFINITY,
): RateLimiter {
  const { clock } = tools;
  const slidingWindow = createSlidingWindow(userLimit);
  const line = createFifoMutex(clock);
  const slots = createRequestSlots(maxConcurrency);

  function take(): RequestPermit {
    const sequence = slidingWindow.begin();
    slots.take();
    return {
      answered(facts) {
        slidingWindow.end(sequence, facts, clock.nowMs());
        slots.learn(facts);
        line.wake();
      },
      unused() {
        slidingWindow.undo();
        line.wake();
      },
      ended() {
        slots.free();
        line.wake();
      },
    };
  }

  async function acquireInTurn(signal: AbortSignal): Promise<RequestPermit> {
    const report = waitReport(tools);
    try {
      // Each round ends with a permit, or waits for time or for an answer: there is nothing to spin on.
      for (;;) {
        signal.throwIfAborted();
        if (slots.isFull()) {
          report.waits('concurrency', null);
          await line.sleep(Number.POSITIVE_INFINITY, signal);
          continue;
        }
        const nowMs = clock.nowMs();
        const untilMs = slidingWindow.freeAtMs(nowMs);
        if (untilMs <= nowMs) return take();
        // Without an end: requests in flight use up the limit, and an answer has to come first.
        const endMs = untilMs === Number.POSITIVE_INFINITY ? null : untilMs;
        report.waits(slidingWindow.isBlocked(nowMs) ? 'server-asked' : 'rate-limit', endMs);
        await line.sleep(untilMs - nowMs, signal);
      }
    } finally {
      report.ended();
    }
  }

  return {
    acquire: (signal) => line.run(() => acquireInTurn(signal), giveBack, signal),
    blockUntil(untilMs) {
      slidingWindow.blockUntil(untilMs);
      line.wake();
    },
    requestsLeft: () => slidingWindow.left(clock.nowMs()),
    limit: slidingWindow.limit,
    usedByOthers: () => slidingWindow.usedByOthers(clock.nowMs()),
    concurrency: slots.limit,
  };
}

/** Counts the requests in flight of this process against its concurrency limit. */
interface RequestSlots {
  isFull(): boolean;
  take(): void;
  free(): void;
  /** Headers may only lower the limit. Requests in flight above a lower limit finish. */
  learn(facts: LimitFacts | null): void;
  /** At least 1. */
  limit(): number;
}

/** @param maxConcurrency requests at once; Infinity for no limit */
export function createRequestSlots(maxConcurrency: number): RequestSlots {
  let underWay = 0;
  let learned = maxConcurrency;
  const limit = () => Math.max(1, Math.min(maxConcurrency, learned));
  return {
    isFull: () => underWay >= limit(),
    take: () => {
      underWay++;
    },
    free: () => {
      underWay--;
    },
    learn: (facts) => {
      learned = facts?.concurrency ?? learned;
    },
    limit,
  };
}

/** What a request can wait for. */
export type WaitReason = Extract<RunEvent, { readonly type: 'pace' }>['reason'];

/**
 * Reports the wait of one request: a `pace` event when it begins, another one when its reason or its end changes, and
 * `pace-end` when it is over. A request that never waits has no event.
 */
export interface WaitReport {
  /** @param untilMs null where the wait ends with an answer, at an unknown time */
  waits(reason: WaitReason, untilMs: number | null): void;
  /** The request goes out, or was given up. */
  ended(): void;
}

/** @param movedMs an end that moves by no more is not reported again */
export function waitReport({ clock, emit }: { readonly clock: Clock; readonly emit: Emit }, movedMs = 0): WaitReport {
  let sinceMs = 0;
  let last: { readonly reason: WaitReason; readonly untilMs: number | null } | null = null;
  return {
    waits(reason, untilMs) {
      const isSame = last?.reason === reason && Math.abs((last.untilMs ?? 0) - (untilMs ?? 0)) <= movedMs;
      if (isSame) return;
      const nowMs = clock.nowMs();
      if (last === null) sinceMs = nowMs;
      last = { reason, untilMs };
      emit({ type: 'pace', reason, delayMs: untilMs === null ? null : untilMs - nowMs, untilMs });
    },
    ended() {
      if (last !== null) emit({ type: 'pace-end', reason: last.reason, waitedMs: clock.nowMs() - sinceMs });
      last = null;
    },
  };
}
