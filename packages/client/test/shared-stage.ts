import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunEvent, seededRandom } from '@edrlake/core';
import { onTestFinished } from 'vitest';
import { openSharedLimiter, type SharedLimiter, type SharedLimiterOptions } from '../src/index.ts';
import type { LimitFacts } from '../src/sliding-window/limit-headers.ts';
import { createFakeClock, type FakeClock } from './fake-clock.ts';

export const NEVER = new AbortController().signal;
export const START = Date.UTC(2026, 0, 1);

/** An answer without any limit header. */
export const NOTHING: LimitFacts = {
  requests: null,
  windowSeconds: null,
  remaining: null,
  toWaitMs: null,
  concurrency: null,
  running: null,
  serverAtMs: null,
};

/** The most instants in any half-open window of the length. */
export function densest(instantsMs: readonly number[], windowMs: number): number {
  return Math.max(0, ...instantsMs.map((end) => instantsMs.filter((ms) => ms <= end && ms > end - windowMs).length));
}

/** A folder of its own for a test, removed when it ends. */
export async function temporaryFolder(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'edrlake-budget-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return join(directory, 'budget');
}

/** Several processes in virtual time that share one folder. */
export interface SharedStage {
  readonly clock: FakeClock;
  readonly directory: string;
  readonly events: RunEvent[];
  /** Opens a limiter as another process would. */
  open(
    options?: Partial<SharedLimiterOptions> & { readonly pid?: number; readonly host?: string },
  ): Promise<SharedLimiter>;
  /** Makes the process dead from now on, without closing anything. */
  kill(pid: number): void;
  versions(): Promise<string[]>;
}

export async function shareBudget(clock = createFakeClock(START, false)): Promise<SharedStage> {
  const directory = await temporaryFolder();
  const events: RunEvent[] = [];
  const dead = new Set<number>();
  let pids = 0;
  return {
    clock,
    directory,
    events,
    open: ({ pid = ++pids, host = 'here', ...options } = {}) =>
      openSharedLimiter(
        {
          directory,
          userLimit: null,
          priority: 'normal',
          liveness: {
            owner: { host, pid, startIdentity: '' },
            stateOf: (owner) => (owner.host !== host ? 'elsewhere' : dead.has(owner.pid) ? 'dead' : 'alive'),
          },
          ...options,
        },
        { clock, emit: (event) => events.push(event), random: seededRandom(pid) },
      ),
    kill: (pid) => {
      dead.add(pid);
    },
    versions: async () => (await readdir(directory)).sort(),
  };
}

/** One request, from asking for the permit to the end of its answer. */
export async function oneRequest(
  budget: SharedLimiter,
  facts: LimitFacts | null = NOTHING,
  whileRunning: () => Promise<void> = async () => {},
): Promise<void> {
  const permit = await budget.acquire(NEVER);
  await whileRunning();
  permit.answered(facts);
  permit.ended();
}

/** Whether the promise has settled. */
export async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const open = Symbol();
  const first = await Promise.race([
    promise.catch(() => null),
    new Promise((resolve) => setImmediate(() => resolve(open))),
  ]);
  return first !== open;
}
