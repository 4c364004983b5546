import type { Clock } from '@edrlake/core';

interface Sleeper {
  wakeAtMs: number;
  wake(): void;
}

/** A clock whose time passes only when the test moves it. */
export interface VirtualClock extends Clock {
  /** Resolves when at least this number are asleep: everything else then waits for time to pass. */
  untilSleeping(count: number): Promise<void>;
  /** Waits until `count` are asleep, then moves to the earliest wake-up. Returns the new time. */
  wakeNext(count?: number): Promise<number>;
  /** Wakes the sleepers that are due until then, one after the other, each time once `count` are asleep. */
  passUntil(instantMs: number, count?: number): Promise<void>;
  /** Sets the clock, like a suspended machine or a user: sleepers still sleep for the rest of their time. */
  jumpTo(instantMs: number): void;
}

export function virtualClock(startMs = 0): VirtualClock {
  let nowMs = startMs;
  const sleepers = new Set<Sleeper>();
  const watchers = new Set<() => void>();
  const clock: VirtualClock = {
    nowMs: () => nowMs,
    sleep: (delayMs, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) {
          reject(signal.reason);
          return;
        }
        const leave = () => {
          sleepers.delete(sleeper);
          signal.removeEventListener('abort', onAbort);
        };
        const onAbort = () => {
          leave();
          reject(signal.reason);
        };
        const sleeper: Sleeper = {
          wakeAtMs: nowMs + delayMs,
          wake: () => {
            leave();
            resolve();
          },
        };
        signal.addEventListener('abort', onAbort, { once: true });
        sleepers.add(sleeper);
        for (const watcher of [...watchers]) watcher();
      }),
    untilSleeping: (count) =>
      new Promise((resolve) => {
        const look = () => {
          if (sleepers.size < count) return;
          watchers.delete(look);
          resolve();
        };
        watchers.add(look);
        look();
      }),
    wakeNext: async (count = 1) => {
      await clock.untilSleeping(count);
      const [first] = [...sleepers].sort((a, b) => a.wakeAtMs - b.wakeAtMs);
      if (first !== undefined) {
        nowMs = Math.max(nowMs, first.wakeAtMs);
        first.wake();
        await new Promise(setImmediate);
      }
      return nowMs;
    },
    passUntil: async (instantMs, count = 1) => {
      for (;;) {
        await clock.untilSleeping(count);
        const earliest = Math.min(...[...sleepers].map(({ wakeAtMs }) => wakeAtMs));
        if (earliest > instantMs) break;
        await clock.wakeNext(count);
      }
      nowMs = Math.max(nowMs, instantMs);
    },
    jumpTo: (instantMs) => {
      for (const sleeper of sleepers) sleeper.wakeAtMs += instantMs - nowMs;
      nowMs = instantMs;
    },
  };
  return clock;
}

/** A clock without waits; the requested delays can be read. */
export function hastyClock(startMs = 0): Clock & { readonly delaysMs: readonly number[] } {
  let nowMs = startMs;
  const delaysMs: number[] = [];
  return {
    delaysMs,
    nowMs: () => nowMs,
    sleep: async (delayMs, signal) => {
      signal.throwIfAborted();
      delaysMs.push(delayMs);
      nowMs += delayMs;
    },
  };
}
