import type { Clock, Emit } from '@edrlake/core';
import { createFifoMutex } from './fifo-mutex.ts';
import type { LimitFacts, RateLimit } from './limit-headers.ts';
import { createSlidingWindow } from './sliding-window.ts';

/** Leave to send one request at once. Exactly one of `answered` and `unused` must be called, once; then `ended`, once. */
export interface RequestPermit {
  /** The server has counted the request: its answer began (`facts`), or none will come (null). */
  answered(facts: LimitFacts | null): void;
  /** The request was never sent. */
  unused(): void;
  /** The answer was read to its end or given up: the request's place among those at once is free. */
  ended(): void;
}

/** How many requests may be sent, and when. Implementations keep the caller under the limit instead of letting it run into it. */
export interface RateLimiter {
  /** Resolves, in the order of the calls, when one more request stays under every known limit. @throws the signal's reason */
  acquire(signal: AbortSignal): Promise<RequestPermit>;
  /** The server asked to wait: nobody gets a permit before. */
  blockUntil(untilMs: number): void;
  /** Requests that may be sent now without waiting. */
  requestsLeft(): number;
  /** The tightest limit in force. */
  limit(): RateLimit;
}

/**
 * A budget for one process; how many requests run at once is left to its user. Reports each wait as a `pace` event, again when
 * its end moves.
 * @param userLimit an upper bound that headers may only lower; null: 300 per 3600 s until headers say otherwise
 */
export function createRateLimiter(
  userLimit: RateLimit | null,
  tools: { readonly clock: Clock; readonly emit: Emit },
): RateLimiter {
  const { clock, emit } = tools;
  const account = createSlidingWindow(userLimit);
  const line = createFifoMutex(clock);

  function take(): RequestPermit {
    const sequence = account.begin();
    return {
      answered(facts) {
        account.end(sequence, facts, clock.nowMs());
        line.wake();
      },
      unused() {
        account.undo();
        line.wake();
      },
      ended() {},
    };
  }

  async function acquireInTurn(signal: AbortSignal): Promise<RequestPermit> {
    let announcedMs = 0;
    // Each round ends with a permit, or waits for time or for an answer: there is nothing to spin on.
    for (;;) {
      signal.throwIfAborted();
      const nowMs = clock.nowMs();
      const untilMs = account.freeAtMs(nowMs);
      if (untilMs <= nowMs) return take();
      if (untilMs !== announcedMs && untilMs !== Number.POSITIVE_INFINITY) {
        announcedMs = untilMs;
        const reason = account.isBlocked(nowMs) ? 'server-asked' : 'rate-limit';
        emit({ type: 'pace', reason, delayMs: untilMs - nowMs, untilMs });
      }
      await line.sleep(untilMs - nowMs, signal);
    }
  }

  return {
    acquire: (signal) =>
      line.run(
        () => acquireInTurn(signal),
        (permit) => permit.unused(),
        signal,
      ),
    blockUntil(untilMs) {
      account.blockUntil(untilMs);
      line.wake();
    },
    requestsLeft: () => account.left(clock.nowMs()),
    limit: account.limit,
  };
}
