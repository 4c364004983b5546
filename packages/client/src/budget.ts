import type { Clock, Emit } from '@edrlake/core';
import { linkAbort, unlessAborted } from './cancellation.ts';
import type { LimitFacts, RateLimit } from './limits.ts';
import { createRequestAccount } from './request-account.ts';

/** Leave to send one request at once. Exactly one of the two functions must be called, once. */
export interface RequestPermit {
  /** The server has counted the request: its answer began (`facts`), or none will come (null). */
  answered(facts: LimitFacts | null): void;
  /** The request was never sent. */
  unused(): void;
}

/** How many requests may be sent, and when. Implementations keep the caller under the limit instead of letting it run into it. */
export interface RequestBudget {
  /** Resolves, in the order of the calls, when one more request stays under every known limit. @throws the signal's reason */
  acquire(signal: AbortSignal): Promise<RequestPermit>;
  /** The server asked to wait: nobody gets a permit before. */
  blockUntil(untilMs: number): void;
  /** Requests that may be sent now without waiting. */
  requestsLeft(): number;
  /** The tightest limit in force. */
  limit(): RateLimit;
}

/** The longest time a timer can run; whoever waits longer wakes up and goes on waiting. */
const MAX_TIMER_MS = 2_000_000_000;

/**
 * A budget for one process. Reports each wait as a `pace` event, again when its end moves.
 * @param userLimit an upper bound that headers may only lower; null: 300 per 3600 s until headers say otherwise
 */
export function createRequestBudget(
  userLimit: RateLimit | null,
  tools: { readonly clock: Clock; readonly emit: Emit },
): RequestBudget {
  const { clock, emit } = tools;
  const account = createRequestAccount(userLimit);
  let wake = () => {};
  let turn: Promise<unknown> = Promise.resolve();

  function take(): RequestPermit {
    const sequence = account.begin();
    return {
      answered(facts) {
        account.end(sequence, facts, clock.nowMs());
        wake();
      },
      unused() {
        account.undo();
        wake();
      },
    };
  }

  /** Sleeps until the instant, or until the account changed. */
  async function waitUntil(untilMs: number, nowMs: number, signal: AbortSignal): Promise<void> {
    const { controller, unlink } = linkAbort(signal);
    wake = () => controller.abort();
    try {
      await clock.sleep(Math.min(untilMs - nowMs, MAX_TIMER_MS), controller.signal);
    } catch (thrown) {
      signal.throwIfAborted();
      if (!controller.signal.aborted) throw thrown;
    } finally {
      wake = () => {};
      unlink();
    }
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
      await waitUntil(untilMs, nowMs, signal);
    }
  }

  return {
    async acquire(signal) {
      const mine = turn.then(() => acquireInTurn(signal));
      turn = mine.catch(() => undefined);
      try {
        return await unlessAborted(mine, signal);
      } catch (thrown) {
        // Whoever gives up in the queue leaves at once; a permit that comes all the same is given back.
        mine.then(
          (permit) => permit.unused(),
          () => undefined,
        );
        throw thrown;
      }
    },
    blockUntil(untilMs) {
      account.blockUntil(untilMs);
      wake();
    },
    requestsLeft: () => account.left(clock.nowMs()),
    limit: account.limit,
  };
}
