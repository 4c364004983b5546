import type { ResolvedOptions } from './options.ts';

/** Counts data requests against the limits and writes the limit headers. */
export interface LimitBook {
  /** Admits one request. @returns whether it is within both limits; `leave` must follow in either case */
  enter(): 'within' | 'rate' | 'concurrency';
  leave(): void;
  headers(outcome: 'within' | 'rate' | 'concurrency'): Record<string, string>;
  /** Data requests being answered now. */
  readonly running: number;
}

/** A window of the rate limit starts with the first request after the last one ended. */
export function limitBook(options: ResolvedOptions): LimitBook {
  const { rateLimit, concurrencyLimit, headerSpelling, clock } = options;
  let windowStartMs = Number.NEGATIVE_INFINITY;
  let used = 0;
  let running = 0;
  const waitSeconds = () =>
    rateLimit === null
      ? 0
      : Math.max(1, Math.ceil((windowStartMs + rateLimit.windowSeconds * 1000 - clock.nowMs()) / 1000));
  return {
    get running() {
      return running;
    },
    enter() {
      running += 1;
      if (concurrencyLimit !== null && running > concurrencyLimit) return 'concurrency';
      if (rateLimit === null) return 'within';
      if (clock.nowMs() >= windowStartMs + rateLimit.windowSeconds * 1000) {
        windowStartMs = clock.nowMs();
        used = 0;
      }
      if (used >= rateLimit.requests) return 'rate';
      used += 1;
      return 'within';
    },
    leave() {
      running -= 1;
    },
    headers(outcome) {
      const headers: Record<string, string> = {};
      if (headerSpelling === 'none') return headers;
      if (rateLimit !== null) {
        headers['X-RateLimit-Limit'] = String(rateLimit.requests);
        headers['X-RateLimit-Window-Sec'] = String(rateLimit.windowSeconds);
        headers['X-RateLimit-Remaining'] = String(Math.max(0, rateLimit.requests - used));
        if (outcome === 'rate') headers['X-RateLimit-ToWait-Sec'] = String(waitSeconds());
      }
      if (concurrencyLimit !== null) {
        const name = headerSpelling === 'dashed' ? 'X-Concurrency-Limit' : 'X-ConcurrencyLimit';
        headers[`${name}-Limit`] = String(concurrencyLimit);
        headers[`${name}-Running`] = String(running);
      }
      if (headerSpelling === 'empty') for (const name of Object.keys(headers)) headers[name] = '';
      return headers;
    },
  };
}
