import type { RateLimiter, RequestPermit } from '@edrlake/client';

/** A rate limiter that keeps to several at once, and to more as time goes by. */
export interface LimiterChain extends RateLimiter {
  /** From the next request on, this limiter must permit it, too. */
  add(limiter: RateLimiter): void;
}

/**
 * A source begins with a limiter of its own and joins that of a lake with its first call on it. Its own one goes on
 * counting: requests that were made before count against the limit as well.
 */
export function limiterChain(first: RateLimiter): LimiterChain {
  const limiters = [first];
  const tightest = () => limiters.map((each) => each.limit()).sort((a, b) => perSecond(a) - perSecond(b))[0];
  return {
    add: (limiter) => {
      limiters.push(limiter);
    },
    async acquire(signal) {
      const permits: RequestPermit[] = [];
      try {
        // In one order for all requests, so that two of them cannot wait for each other.
        for (const limiter of [...limiters]) permits.push(await limiter.acquire(signal));
      } catch (thrown) {
        for (const permit of permits) {
          permit.unused();
          permit.ended();
        }
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
    },
    blockUntil: (untilMs) => {
      for (const limiter of limiters) limiter.blockUntil(untilMs);
    },
    requestsLeft: () => Math.min(...limiters.map((each) => each.requestsLeft())),
    limit: () => tightest() ?? first.limit(),
    concurrency: () => Math.min(...limiters.map((each) => each.concurrency())),
  };
}

function perSecond({ requests, windowSeconds }: ReturnType<RateLimiter['limit']>): number {
  return requests / windowSeconds;
}
