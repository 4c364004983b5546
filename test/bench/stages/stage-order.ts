import { seededRandom, systemClock, type TimeRange } from '@edrlake/core';
import { type Connection, connect, type Services } from '@edrlake/runner';

/** The options of the programs of the stage benches, as the only argument. */
export interface StageOrder {
  readonly url: string;
  readonly concurrency: number;
  readonly pageSize: number;
  readonly range: TimeRange;
  readonly histogram: 'auto' | 'off';
  /** An empty folder to work in. */
  readonly folder: string;
}

/** The options with which this process was started. */
export function readOrder<T extends StageOrder>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T;
}

/** Services without a listener. */
export const SERVICES: Services = {
  clock: systemClock,
  random: seededRandom(1),
  emit: () => {},
  signal: new AbortController().signal,
};

/** A connection as the command has it, without a limit on requests. */
export function connectTo({ url, concurrency, pageSize, histogram }: StageOrder): Connection {
  return connect(
    {
      baseUrl: url,
      username: 'demo',
      password: 'demo',
      rateLimit: { requests: 1_000_000_000, windowSeconds: 1 },
      concurrency,
      pageSize,
      histogram,
    },
    SERVICES,
  );
}
