import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MS_PER_DAY, NO_FILTER, type RunEvent, seededRandom, systemClock } from '@edrlake/core';
import { type ConnectionSettings, connectSharing, exportRange, joinLakeLimiter, openEdrLake } from '@edrlake/runner';
import { type SimulatorOptions, startSimulator } from '@edrlake/simulator';
import { expect, it, onTestFinished } from 'vitest';
import { advanceProgress, startProgress } from '../src/progress/progress-state.ts';
import { plainLine } from '../src/progress/progress-text.ts';

// An export over a socket, and what its progress says that a request waits for.

const START_MS = Date.UTC(2020, 7, 17);
const RANGE = { startMs: START_MS, endMs: START_MS + MS_PER_DAY };
const NEVER = new AbortController().signal;
/** A wait without a known end is shown once it has lasted for two seconds. */
const LONG_MS = 2_000;

async function stage(options: Partial<SimulatorOptions>, settings: Partial<ConnectionSettings>) {
  const directory = await mkdtemp(join(tmpdir(), 'edrlake-waits-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const simulator = await startSimulator({ events: 80, range: RANGE, ...options });
  onTestFinished(() => simulator.close());
  const lakeDirectory = join(directory, 'lake');
  const events: RunEvent[] = [];
  const waits = new Set<string>();
  const state = startProgress(systemClock.nowMs());
  let onEvent = (_: RunEvent) => {};
  const emit = (event: RunEvent) => {
    events.push(event);
    const nowMs = systemClock.nowMs();
    advanceProgress(state, event, nowMs);
    const wait = /waiting (?:for|until) .*/.exec(
      plainLine(state, event.type === 'pace' && event.untilMs === null ? nowMs + LONG_MS : nowMs),
    );
    if (wait !== null) waits.add(wait[0].replace(/\d\d:\d\d:\d\dZ/, 'TIME'));
    onEvent(event);
  };
  const services = { clock: systemClock, random: seededRandom(1), emit };
  const gateway = { baseUrl: simulator.url, username: 'demo', password: 'demo', pageSize: 10, ...settings };
  const sharing = { lakeDirectory, priority: 'normal', command: 'backfill' } as const;
  return {
    simulator,
    waits,
    events,
    /** Another place at the rate limiter of the lake, as another process has one. */
    join: () => joinLakeLimiter(gateway, sharing, { ...services, emit: () => {} }),
    listen: (listener: (event: RunEvent) => void) => {
      onEvent = listener;
    },
    async backfill() {
      const lake = await openEdrLake(lakeDirectory, { create: true, readOnly: false }, services);
      const connection = await connectSharing(gateway, sharing, services);
      try {
        const ends = { source: connection.source, lake, requestsMade: connection.requestsMade };
        const request = { axis: 'event', ranges: [{ range: RANGE }], scope: NO_FILTER } as const;
        const how = { concurrency: gateway.concurrency ?? 2, batchBytes: 1_000_000, force: false, replace: false };
        const report = await exportRange(ends, request, how, {
          ...services,
          signal: NEVER,
          newRunId: '20261122T000000Z-0001',
        });
        expect(report.events.new).toBe(80);
        // The display is silent again.
        expect(state.waiting).toBeNull();
      } finally {
        await connection.close();
        await lake.close();
      }
    },
  };
}

const RUNNING = 'waiting for a running request to end (--concurrency or gateway limit)';

it('names the concurrency of the run', async () => {
  const { backfill, waits, simulator } = await stage({}, { concurrency: 2 });
  await backfill();
  expect([...waits]).toEqual([RUNNING]);
  expect(simulator.calls.mostRunning).toBe(2);
});

it('names the concurrency that the gateway allows', async () => {
  const { backfill, waits, simulator } = await stage({ concurrencyLimit: 1 }, { concurrency: 3 });
  await backfill();
  expect([...waits]).toEqual([RUNNING]);
  expect(simulator.calls.mostRunning).toBe(1);
});

it('names the rate limit of the subscription, and when it ends', async () => {
  const rateLimit = { requests: 6, windowSeconds: 1 };
  const { backfill, waits, simulator } = await stage({ rateLimit }, { concurrency: 2 });
  await backfill();
  expect(waits).toContain('waiting for the rate limit until TIME');
  expect(simulator.calls.all().filter(({ status }) => status === 429)).toEqual([]);
});

it('names the time that the gateway asked for', async () => {
  const { backfill, waits, simulator } = await stage({}, { concurrency: 1 });
  simulator.faults.push({ kind: 'status', status: 429, retryAfterSeconds: 1, match: { endpoint: 'events' } });
  await backfill();
  expect(waits).toContain('waiting until TIME, as the gateway asked');
});

it('names other processes that share the rate limit', async () => {
  const { backfill, waits, join: joinBeside, listen } = await stage({}, { concurrency: 1 });
  const beside = await joinBeside();
  const permit = await beside.limiter.acquire(NEVER);
  listen(({ type }) => {
    if (type !== 'pace') return;
    permit.unused();
    permit.ended();
    listen(() => {});
  });
  await backfill();
  await beside.leave();
  expect(waits).toContain('waiting for requests of other processes that share the rate limit');
});
