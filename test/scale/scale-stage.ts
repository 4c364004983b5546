import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { type RateLimit, sum, type TimeRange } from '@edrlake/core';
import { customerOf, type Simulator, startSimulator } from '@edrlake/simulator';
import { TOP, withLock } from '../services/install.ts';
import {
  type EdrlakeProcess,
  installTemporal,
  startEdrlake,
  startServer,
  type TemporalKit,
  type TemporalServer,
} from '../services/temporal/cluster.ts';

/** What is measured, or shown. */
export interface ScaleSettings {
  readonly subscriptions: readonly string[];
  /** Of each subscription. */
  readonly events: number;
  readonly range: TimeRange;
  readonly limit: RateLimit | null;
  readonly requestsAtOnce: number;
  readonly pageSize: number;
  /** Tasks of a worker at once. */
  readonly slots: number;
  /** How long a gateway takes to answer. */
  readonly answerMs: number;
}

/** A Temporal server, a gateway for each subscription, and a folder with their configuration. */
export interface ScaleStage {
  readonly folder: string;
  readonly server: TemporalServer;
  readonly gateways: ReadonlyMap<string, Simulator>;
  start(...args: readonly string[]): EdrlakeProcess;
  /** Resolves when it takes work. */
  startWorker(): Promise<EdrlakeProcess>;
  /** What the lake of a subscription holds, and what its gateway saw. */
  compare(subscription: string): Promise<Comparison>;
  close(): Promise<void>;
}

export interface Comparison {
  readonly subscription: string;
  readonly events: number;
  readonly rows: number;
  readonly distinct: number;
  readonly requests: number;
  readonly refused: number;
  readonly mostAtOnce: number;
  /** Requests being answered when another one came, itself included; the mean. */
  readonly meanAtOnce: number;
}

/** Where server and SDK are installed; the service tests use the same place. */
export async function scaleKit(): Promise<TemporalKit> {
  const folder = join(TOP, '.services/temporal');
  await mkdir(folder, { recursive: true });
  return withLock(`${folder}.lock`, () => installTemporal(folder));
}

export async function openScaleStage(kit: TemporalKit, settings: ScaleSettings): Promise<ScaleStage> {
  const folder = await mkdtemp(join(tmpdir(), 'edrlake-scale-'));
  const server = await startServer(kit, folder);
  const gateways = new Map<string, Simulator>();
  const { subscriptions, events, range, limit, requestsAtOnce, pageSize, slots, answerMs } = settings;
  for (const [place, name] of subscriptions.entries()) {
    const simulator = await startSimulator({
      ...{ events, range, seed: place + 1, customerId: customerOf(place + 1), latencyMs: answerMs },
      ...{ lateness: [{ share: 1, minMs: 1_000, maxMs: 60_000 }], rateLimit: limit, concurrencyLimit: requestsAtOnce },
      ...{ pageSizeMax: pageSize, pageCacheBytes: 256 * 1024 * 1024 },
    });
    gateways.set(name, simulator);
  }
  const config = {
    ...{ engine: 'temporal', address: server.address, slots, pageSize, concurrency: requestsAtOnce, threads: 1 },
    ...{ memoryLimit: '300MB', rateLimit: limit === null ? 'none' : `${limit.requests}/${limit.windowSeconds}` },
    subscriptions: [...gateways].map(([name, { url }]) => ({ name, baseUrl: url, username: 'demo' })),
  };
  await writeFile(join(folder, 'edrlake.config.json'), JSON.stringify(config, null, 2));
  const variable = (name: string) => `EDRLAKE_SUBSCRIPTION_${name.replaceAll('-', '_').toUpperCase()}_PASSWORD`;
  const env = Object.fromEntries(subscriptions.map((name) => [variable(name), 'demo']));
  const processes = new Set<EdrlakeProcess>();
  const start = (...args: readonly string[]): EdrlakeProcess => {
    const started = startEdrlake(kit, args, { cwd: folder, env });
    processes.add(started);
    void started.ended.finally(() => processes.delete(started));
    return started;
  };
  return {
    ...{ folder, server, gateways, start },
    startWorker: async () => {
      const worker = start('worker', '--subscription', 'all');
      await worker.said('ready for');
      return worker;
    },
    compare: async (subscription) => {
      const simulator = gateways.get(subscription);
      const rows = await countRows(join(folder, 'lake', subscription));
      const { calls } = simulator ?? {};
      return {
        ...{ subscription, ...rows, events: simulator?.truth.count() ?? 0, requests: calls?.total ?? 0 },
        refused: calls?.all().filter(({ status }) => status === 429).length ?? 0,
        mostAtOnce: calls?.mostRunning ?? 0,
        meanAtOnce: sum(calls?.all() ?? [], ({ running }) => running) / Math.max(1, calls?.all().length ?? 0),
      };
    },
    close: async () => {
      for (const each of processes) each.kill('SIGKILL');
      for (const each of gateways.values()) await each.close();
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** As any reader of Parquet counts them. */
async function countRows(lake: string): Promise<{ readonly rows: number; readonly distinct: number }> {
  if (!existsSync(join(lake, 'events'))) return { rows: 0, distinct: 0 };
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  const files = `read_parquet('${lake}/events/*/*.parquet', hive_partitioning = true)`;
  const reader = await connection.runAndReadAll(`select count(*), count(distinct event_id) from ${files}`);
  const [row = []] = reader.getRowsJson();
  connection.closeSync();
  instance.closeSync();
  return { rows: Number(row[0]), distinct: Number(row[1]) };
}
