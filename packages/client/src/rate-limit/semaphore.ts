/** Lets at most so many callers in at once; the others wait in the order they came. */
export interface Semaphore {
  /** Resolves to the function that leaves again; calling it twice does no harm. @throws the signal's reason while waiting. */
  enter(signal: AbortSignal): Promise<() => void>;
  /** A lower limit lets those who are inside finish. At least 1. */
  setLimit(limit: number): void;
  limit(): number;
}

/** The queue is as long as the number of callers, which bound it themselves. */
export function createSemaphore(initialLimit: number): Semaphore {
  let limit = Math.max(1, initialLimit);
  let inside = 0;
  const waiting: (() => void)[] = [];

  function admit(): void {
    while (inside < limit) {
      const next = waiting.shift();
      if (next === undefined) return;
      inside++;
      next();
    }
  }

  function leaveOnce(): () => void {
    let left = false;
    return () => {
      if (left) return;
      left = true;
      inside--;
      admit();
    };
  }

  return {
    async enter(signal) {
      signal.throwIfAborted();
      if (inside < limit && waiting.length === 0) {
        inside++;
        return leaveOnce();
      }
      await new Promise<void>((resolve, reject) => {
        const onTurn = () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        };
        const onAbort = () => {
          waiting.splice(waiting.indexOf(onTurn), 1);
          reject(signal.reason);
        };
        waiting.push(onTurn);
        signal.addEventListener('abort', onAbort, { once: true });
      });
      return leaveOnce();
    },
    setLimit(next) {
      limit = Math.max(1, next);
      admit();
    },
    limit: () => limit,
  };
}
