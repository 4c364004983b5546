import type { Clock, Emit, RateLimit } from '@edrlake/core';
import { createFifoMutex } from './fifo-mutex.ts';
import type { LimitFacts } from './limit-headers.ts';
import { createRequestSlots } from './request-slots.ts';
import { createSlidingWindow } from './sliding-window.ts';

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
 * The one place where a request waits for its turn. A `pace` event names what it waits for. Implementations keep the
 * caller under the limits, so that the server never has to refuse.
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
  /** Requests at once, as used now. */
  concurrency(): number;
}

/**
 * The rate limiter of one process:
 *
 *     acquire ──► FIFO queue ──► head: a free slot? ──► room in the sliding window? ──► permit
 *                                  │ no                   │ no
 *                                  └ sleep until ended    └ sleep until the window has room, or until an answer
 *
 * Reports each wait of the head as a `pace` event, again when the reason or the end changes.
 * @param userLimit an upper bound that headers may only lower; null: 300 per 3600 s until headers say otherwise
 * @param maxConcurrency requests at once, an upper bound that headers may only lower
 */
export function createRateLimiter(
  userLimit: RateLimit | null,
  tools: { readonly clock: Clock; readonly emit: Emit },
  maxConcurrency = Number.POSITIVE_INFINITY,
): RateLimiter {
  const { clock, emit } = tools;
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
    let announcedMs = 0;
    let hasSaidFull = false;
    // Each round ends with a permit, or waits for time or for an answer: there is nothing to spin on.
    for (;;) {
      signal.throwIfAborted();
      if (slots.isFull()) {
        if (!hasSaidFull) emit({ type: 'pace', reason: 'concurrency', delayMs: null, untilMs: null });
        hasSaidFull = true;
        await line.sleep(Number.POSITIVE_INFINITY, signal);
        continue;
      }
      const nowMs = clock.nowMs();
      const untilMs = slidingWindow.freeAtMs(nowMs);
      if (untilMs <= nowMs) return take();
      if (untilMs !== announcedMs) {
        announcedMs = untilMs;
        const reason = slidingWindow.isBlocked(nowMs) ? 'server-asked' : 'rate-limit';
        // Without an end: requests in flight use up the limit, and an answer has to come first.
        const hasEnd = untilMs !== Number.POSITIVE_INFINITY;
        emit({ type: 'pace', reason, delayMs: hasEnd ? untilMs - nowMs : null, untilMs: hasEnd ? untilMs : null });
      }
      await line.sleep(untilMs - nowMs, signal);
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
    concurrency: slots.limit,
  };
}
