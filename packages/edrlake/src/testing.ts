/**
 * For tests of pipelines and of what is built on a lake: a simulated gateway with a source that is connected to it, a
 * clock that a test moves, and seeded chance.
 * @module
 */
export { seededRandom } from '@edrlake/core';

import { setImmediate } from 'node:timers/promises';
import type { Clock } from '@edrlake/core';
import type { PlatformSettings } from '@edrlake/runner';
import { type Simulator, type SimulatorOptions, startSimulator } from '@edrlake/simulator';
import { type RangeOptions, rangeOf } from './input/options.ts';
import { type ConnectOptions, connect, type Source } from './source.ts';

/** A clock that a test moves. */
export interface ManualClock extends Clock {
  /**
   * Moves the time without waiting.
   * @param durationMs by which it goes forward, or back where it is below 0
   */
  advanceBy(durationMs: number): void;
}

/**
 * A clock on which no time passes by itself: waiting moves it forward at once, so that retries and waits for the rate
 * limit take no time. Give the same clock to `openLake` and to `connect`.
 * @param startMs in UTC epoch milliseconds
 * @example
 * const clock = manualClock(Date.UTC(2026, 10, 22));
 * const lake = await openLake(directory, { clock });
 */
export function manualClock(startMs: number): ManualClock {
  let nowMs = startMs;
  return {
    nowMs: () => nowMs,
    async sleep(delayMs, signal) {
      signal.throwIfAborted();
      if (Number.isFinite(delayMs)) nowMs += Math.max(0, delayMs);
      // What others do meanwhile comes first, as it would.
      await setImmediate();
      signal.throwIfAborted();
    },
    advanceBy(durationMs) {
      nowMs += durationMs;
    },
  };
}

/** What a gateway for a test holds; everything else as `startSimulator` of `edrlake/simulator`. */
export interface TestGatewayOptions extends RangeOptions, Omit<SimulatorOptions, 'range' | 'credentials' | 'port'> {
  /** Settings of the source, beyond where the gateway is. Its page size and result window are those of the gateway. */
  readonly settings?: Omit<PlatformSettings, 'baseUrl' | 'platform'>;
}

/** A simulated gateway, and a source that is connected to it. */
export interface TestGateway extends AsyncDisposable {
  readonly source: Source;
  /** Its events, faults and calls. */
  readonly simulator: Simulator;
  /** Closes the source, then the gateway. */
  close(): Promise<void>;
}

/**
 * Starts a simulated gateway on the loopback interface and connects to it, for tests of pipelines and of what is built
 * on a lake. The same seed and options give the same events in every process.
 * @param connectOptions of the source; its clock is also the clock of the gateway unless that has one of its own
 * @throws {EdrlakeError} `CONFIG_INVALID` for options that cannot be
 * @example
 * await using gateway = await startTestGateway({ events: 5_000, from: '2020-08-17', to: '2020-08-18', seed: 1 });
 * gateway.simulator.faults.push({ kind: 'status', status: 503, match: { endpoint: 'events' } });
 * const { outcome } = await backfill(lake, gateway.source, { from: '2020-08-17', to: '2020-08-18' });
 */
export async function startTestGateway(
  { from, to, settings, ...options }: TestGatewayOptions,
  connectOptions: ConnectOptions = {},
): Promise<TestGateway> {
  const { clock } = connectOptions;
  const simulator = await startSimulator({ ...(clock && { clock }), ...options, range: rangeOf({ from, to }) });
  const { pageSizeMax, resultWindow, apiPrefix } = options;
  const account = {
    baseUrl: simulator.url,
    username: 'demo',
    password: 'demo',
    ...(pageSizeMax !== undefined && { pageSize: pageSizeMax }),
    ...(resultWindow !== undefined && { maxResultWindow: resultWindow }),
    ...(apiPrefix !== undefined && { apiPrefix }),
    ...settings,
  };
  const source = await connect(account, connectOptions).catch(async (thrown: unknown) => {
    await simulator.close();
    throw thrown;
  });
  const close = async () => {
    try {
      await source.close();
    } finally {
      await simulator.close();
    }
  };
  return { source, simulator, close, [Symbol.asyncDispose]: close };
}
