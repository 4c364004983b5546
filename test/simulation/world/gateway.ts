import { type Clock, seededRandom } from '@edrlake/core';
import { type Simulator, type SimulatorOptions, startSimulator } from '@edrlake/simulator';
import { takeListener } from './boundary.ts';
import type { Listener } from './network.ts';
import type { Scheduler } from './scheduler.ts';

/** The simulated gateway of a world. */
export interface Gateway {
  readonly simulator: Simulator;
  readonly listener: Listener;
  readonly nowMs: () => number;
  /** Shows what has been processed until now; called before each answer and each look at the truth. */
  advance(): void;
  /** Nothing new becomes visible from now on, however much time passes. */
  freeze(): void;
}

/** A clock that shows the time of a world's scheduler. */
export function worldClock(scheduler: Scheduler, offsetMs: () => number): Clock {
  return {
    nowMs: () => scheduler.nowMs + offsetMs(),
    sleep: (delayMs, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        const onAbort = () => {
          timer.stop();
          reject(signal.reason);
        };
        const timer = scheduler.timer(null, delayMs, () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        });
        signal.addEventListener('abort', onAbort, { once: true });
      }),
  };
}

/** Starts the simulator without a socket. */
export async function openGateway(options: SimulatorOptions, scheduler: Scheduler, skewMs: number): Promise<Gateway> {
  const clock = worldClock(scheduler, () => skewMs);
  const simulator = await startSimulator({ ...options, clock, nowMs: clock.nowMs() });
  let frozenAtMs = Number.POSITIVE_INFINITY;
  return {
    simulator,
    listener: takeListener(),
    nowMs: clock.nowMs,
    advance: () => simulator.setNow(Math.min(frozenAtMs, clock.nowMs())),
    freeze: () => {
      frozenAtMs = clock.nowMs();
    },
  };
}

/** A seed for one of many uses of chance, so that they are independent. */
export function subSeed(seed: number, use: string): number {
  let mixed = seed >>> 0;
  for (const letter of use) mixed = Math.imul(mixed ^ letter.charCodeAt(0), 0x01000193) >>> 0;
  return Math.floor(seededRandom(mixed)() * 2 ** 32);
}
