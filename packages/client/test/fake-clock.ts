import type { Clock } from '@edrlake/core';

export interface FakeClock extends Clock {
  /** Moves time forward and wakes each sleeper that is due, in order. */
  advance(ms: number): Promise<void>;
  /** Sets the clock without waking any sleeper. */
  set(ms: number): void;
  /** Requested delays, in order. */
  readonly sleeps: number[];
  sleeping(): number;
}

interface Sleeper {
  readonly atMs: number;
  readonly wake: () => void;
}

/** Virtual time. With `isHurried` it jumps to the next sleeper's end as soon as the process has nothing else to do. */
export function createFakeClock(startMs = Date.UTC(2026, 0, 1), isHurried = true): FakeClock {
  let nowMs = startMs;
  let sleepers: Sleeper[] = [];
  const sleeps: number[] = [];

  const next = () => sleepers.toSorted((a, b) => a.atMs - b.atMs)[0];
  function wakeNext(sleeper: Sleeper): void {
    sleepers = sleepers.filter((other) => other !== sleeper);
    nowMs = Math.max(nowMs, sleeper.atMs);
    sleeper.wake();
  }
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

  return {
    nowMs: () => nowMs,
    sleeps,
    sleeping: () => sleepers.length,
    set: (ms) => {
      nowMs = ms;
    },
    async advance(ms) {
      const untilMs = nowMs + ms;
      await turn();
      for (let due = next(); due !== undefined && due.atMs <= untilMs; due = next()) {
        wakeNext(due);
        await turn();
      }
      nowMs = Math.max(nowMs, untilMs);
    },
    sleep: (delayMs, signal) =>
      new Promise<void>((resolve, reject) => {
        if (signal.aborted) {
          reject(signal.reason);
          return;
        }
        sleeps.push(delayMs);
        const onAbort = () => {
          sleepers = sleepers.filter((other) => other !== sleeper);
          reject(signal.reason);
        };
        const sleeper: Sleeper = {
          atMs: nowMs + delayMs,
          wake: () => {
            signal.removeEventListener('abort', onAbort);
            resolve();
          },
        };
        sleepers.push(sleeper);
        signal.addEventListener('abort', onAbort, { once: true });
        if (!isHurried) return;
        setImmediate(() => {
          const due = next();
          if (sleepers.includes(sleeper) && due !== undefined) wakeNext(due);
        });
      }),
  };
}
