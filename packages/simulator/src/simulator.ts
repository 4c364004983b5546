import { tokenBook } from './server/auth.ts';
import { type CallLog, callLog } from './server/call-log.ts';
import { dataEndpoints } from './server/endpoints.ts';
import { type FaultQueue, faultQueue } from './server/faults.ts';
import { limitBook } from './server/limits.ts';
import { resolveOptions, type SimulatorOptions } from './server/options.ts';
import { pageCache } from './server/page-cache.ts';
import { listen } from './server/server.ts';
import { type Truth, truthOf } from './truth.ts';
import { attributesOf } from './world/attributes.ts';
import { identitiesOf } from './world/identity.ts';
import { latenessOf } from './world/lateness.ts';
import { type Addition, populationOf } from './world/population.ts';
import { type Burst, buildTimeline } from './world/timeline.ts';

/** A gateway on loopback, with everything that a test may know about it and a client may not. */
export interface Simulator {
  /** `http://127.0.0.1:PORT`, without a slash at the end. */
  readonly url: string;
  readonly calls: CallLog;
  readonly faults: FaultQueue;
  readonly truth: Truth;
  /** All bursts, including those that the seed chose. */
  readonly bursts: readonly Burst[];
  /** Adds events to the data. @returns their indexes, by which `truth` identifies them */
  addEvents(addition: Addition): readonly number[];
  /** Changes the content of visible events (same id) and has them processed again at the given instant. */
  reviseEvents(indexes: readonly number[], processedAtMs: number): void;
  /** Removes events, as retention does. */
  removeEvents(indexes: readonly number[]): void;
  /** Sets the data's clock: events processed later are not visible. null: all are. */
  setNow(nowMs: number | null): void;
  /** Ends every token: the next data request gets a 401. */
  expireTokens(): void;
  /** Ends every connection and frees the port. */
  close(): Promise<void>;
}

/**
 * Starts a simulated gateway. The same seed and options give the same events and the same answers in every process.
 * @throws {EdrlakeError} `CONFIG_INVALID` for options that are not possible, or a port that is taken
 * @example
 * const range = { startMs: Date.UTC(2020, 7, 17), endMs: Date.UTC(2020, 7, 18) };
 * const gateway = await startSimulator({ events: 1_000, range, seed: 7 });
 * const source = await connect({ baseUrl: gateway.url, username: 'demo', password: 'demo' });
 * await backfill(lake, source, { from: '2020-08-17', to: '2020-08-17' });
 * console.log(gateway.truth.count(), gateway.calls.total);
 * await source.close();
 * await gateway.close();
 */
export async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  const resolved = resolveOptions(options);
  const { seed, range, events, profile, nowMs } = resolved;
  const timeline = buildTimeline(seed, range, events, profile);
  const population = populationOf(seed, timeline, latenessOf(seed, resolved.lateness), nowMs);
  const attributes = attributesOf(seed, resolved);
  const world = { attributes, population, identities: identitiesOf(attributes, population) };
  const calls = callLog(resolved.callLogLimit);
  const faults = faultQueue();
  const tokens = tokenBook(resolved);
  const server = await listen({
    options: resolved,
    population,
    answerData: dataEndpoints({ options: resolved, world }),
    tokens,
    limits: limitBook(resolved),
    cache: pageCache(resolved.pageCacheBytes),
    calls,
    faults,
  });
  return {
    url: server.url,
    calls,
    faults,
    truth: truthOf(world),
    bursts: timeline.bursts,
    addEvents: population.add,
    reviseEvents: population.revise,
    removeEvents: population.remove,
    setNow: population.setNow,
    expireTokens: tokens.expireAll,
    close: server.close,
  };
}
