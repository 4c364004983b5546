import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Clock,
  type Dataset,
  NO_FILTER,
  type RunEvent,
  seededRandom,
  systemClock,
  type TimeRange,
} from '@edrlake/core';
import { DEFAULT_DATASET } from '@edrlake/datasets';
import { type ExportOptions, type ExportReport, exportRange, type RunServices } from '@edrlake/runner';
import { type Simulator, type SimulatorOptions, startSimulator } from '@edrlake/simulator';
import { homeOf } from '../../lake/test/lake-homes.ts';
import { type Connection, type ConnectionSettings, connect } from '../src/connect/connect.ts';
import { openEdrLake } from '../src/connect/open-lake.ts';

/** A simulated gateway, an open lake and a connection between the two. */
export interface Stage {
  readonly simulator: Simulator;
  readonly lake: Awaited<ReturnType<typeof openEdrLake>>;
  readonly connection: Connection;
  readonly ends: Parameters<typeof exportRange>[0];
  readonly events: RunEvent[];
  services(overrides?: Partial<RunServices>): RunServices;
  /** Exports a range of event time. */
  backfill(range: TimeRange, options?: Partial<ExportOptions>, services?: Partial<RunServices>): Promise<ExportReport>;
  /** Page requests that were answered with 200. */
  pagesServed(): number;
}

/**
 * A clock whose waits are over at once, so that back-offs do not slow a test down; its time is the machine's unless a
 * test sets it.
 */
export function impatientClock(nowMs: () => number = systemClock.nowMs): Clock {
  return {
    nowMs,
    sleep: async (_, signal) => {
      signal.throwIfAborted();
    },
  };
}

export const OPTIONS: ExportOptions = { concurrency: 2, batchBytes: 16 * 1024 * 1024, force: false, replace: false };

/** Builds the stage, runs the work on it, and removes it again. */
export async function onStage<T>(
  options: SimulatorOptions & {
    readonly settings?: Partial<ConnectionSettings>;
    readonly clock?: Clock;
    /** Of the gateway; that of the EDR API unless given. */
    readonly dataset?: Dataset;
    /** The gateway's own clock; the machine's unless given. */
    readonly gatewayClock?: Clock;
  },
  work: (stage: Stage) => Promise<T>,
): Promise<T> {
  const { settings, dataset = DEFAULT_DATASET, clock: givenClock, gatewayClock, ...simulated } = options;
  const clock = givenClock ?? impatientClock();
  const directory = await mkdtemp(join(tmpdir(), 'edrlake-flow-'));
  const simulator = await startSimulator({ ...simulated, ...(gatewayClock && { clock: gatewayClock }) });
  const events: RunEvent[] = [];
  let runs = 0;
  const services = (overrides: Partial<RunServices> = {}): RunServices => {
    runs += 1;
    return {
      clock,
      random: seededRandom(1),
      emit: (event) => events.push(event),
      signal: new AbortController().signal,
      newRunId: `20261122T000000Z-${String(runs).padStart(4, '0')}`,
      ...overrides,
    };
  };
  const connection = connect(
    { baseUrl: simulator.url, username: 'demo', password: 'demo', dataset, ...settings },
    services(),
  );
  const open = { ...(await homeOf(join(directory, 'lake'))), dataset, create: true, readOnly: false };
  const lake = await openEdrLake(join(directory, 'lake'), open, services());
  const ends = { source: connection.source, lake, requestsMade: connection.requestsMade };
  try {
    return await work({
      simulator,
      lake,
      connection,
      ends,
      events,
      services,
      backfill: (range, overrides, own) =>
        exportRange(
          ends,
          { axis: 'event', ranges: [{ range }], scope: NO_FILTER },
          { ...OPTIONS, ...overrides },
          services(own),
        ),
      pagesServed: () => simulator.calls.of('events').filter(({ status }) => status === 200).length,
    });
  } finally {
    await connection.close();
    await lake.close();
    await simulator.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Rows of a query over the lake, values as text. */
export async function rowsOf(lake: Stage['lake'], sql: string): Promise<(string | null)[][]> {
  const rows: (string | null)[][] = [];
  for await (const chunk of (await lake.query(sql)).rows) {
    for (const row of chunk) rows.push(row.map((value) => (value === null ? null : String(value))));
  }
  return rows;
}
