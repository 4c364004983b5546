import { createFifoMutex, giveBack, type RateLimiter, type RequestPermit } from '@edrlake/client';
import type { Clock } from '@edrlake/core';

/** A rate limiter that keeps to several at once, and to more as time goes by. */
export interface LimiterChain extends RateLimiter {
  /** From the next request on, this limiter must permit it, too. */
  add(limiter: RateLimiter): void;
}

/**
 * A source begins with a limiter of its own and joins that of a lake with its first call on it. Its own one goes on
 * counting: requests that were made before count against the limit as well. Only the head of one queue waits, for one
 * limiter after the other, so that its `pace` event names what holds back all requests.
 */
export function limiterChain(first: RateLimiter, clock: Clock): LimiterChain {
  const limiters = [first];
  const queue = createFifoMutex(clock);
  const tightest = () => limiters.map((each) => each.limit()).sort((a, b) => perSecond(a) - perSecond(b))[0];
  return {
    add: (limiter) => {
      limiters.push(limiter);
    },
    acquire: (signal) => queue.run(() => acquireAll([...limiters], signal), giveBack, signal),
    blockUntil: (untilMs) => {
      for (const limiter of limiters) limiter.blockUntil(untilMs);
    },
    requestsLeft: () => Math.min(...limiters.map((each) => each.requestsLeft())),
    limit: () => tightest() ?? first.limit(),
    usedByOthers: first.usedByOthers,
    concurrency: () => Math.min(...limiters.map((each) => each.concurrency())),
  };
}

async function acquireAll(limiters: readonly RateLimiter[], signal: AbortSignal): Promise<RequestPermit> {
  const permits: RequestPermit[] = [];
  try {
    for (const limiter of limiters) permits.push(await limiter.acquire(signal));
  } catch (thrown) {
    for (const permit of permits) giveBack(permit);
    throw thrown;
  }
  return {
    answered: (facts) => {
      for (const permit of permits) permit.answered(facts);
    },
    unused: () => {
      for (const permit of permits) permit.unused();
    },
    ended: () => {
      for (const permit of permits) permit.ended();
    },
  };
}

function perSecond({ requests, windowSeconds }: ReturnType<RateLimiter['limit']>): number {
  return requests / windowSeconds;
}
