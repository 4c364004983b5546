/** The only way a library learns the time or waits. Tests bring their own. */
export interface Clock {
  /** UTC epoch milliseconds. */
  nowMs(): number;
  /** Resolves after `delayMs`. @throws the signal's reason as soon as it is aborted. */
  sleep(delayMs: number, signal: AbortSignal): Promise<void>;
}

/** The machine's clock: the one place that reads it. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  sleep: (delayMs, signal) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal.reason);
      };
      const timer = setTimeout(() => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      }, delayMs);
      signal.addEventListener('abort', onAbort, { once: true });
    }),
};

/**
 * Runs `work` once in each period until it is stopped, in real time and not by a `Clock`: other processes wait for it.
 * @param isAwaited whether the process must not end meanwhile although it has nothing else to do
 * @returns a function that stops it
 */
export type Beat = (periodMs: number, work: () => void, isAwaited: boolean) => () => void;

/** Beats of the machine. A process that was stopped, for any time, has one beat when it continues. */
export const systemBeat: Beat = (periodMs, work, isAwaited) => {
  const timer = setInterval(work, periodMs);
  if (!isAwaited) timer.unref();
  return () => clearInterval(timer);
};

/** Uniform numbers in [0, 1). */
export type Random = () => number;

/**
 * A reproducible stream of numbers in [0, 1) from a 32-bit seed (mulberry32). For jitter and choices, not for secrets.
 * @example
 * const lake = await openLake(directory, { random: seededRandom(42) });
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
