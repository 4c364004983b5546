import type { LimitFacts } from './limit-headers.ts';

/** Counts the requests in flight of this process against its concurrency limit. */
export interface RequestSlots {
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
