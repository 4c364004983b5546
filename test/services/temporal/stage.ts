import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dayOf, MS_PER_DAY, type RateLimit, startOfDayMs } from '@edrlake/core';
import { customerOf, type Simulator, startSimulator } from '@edrlake/simulator';
import { output } from '../install.ts';
import { type EdrlakeProcess, startEdrlake, startServer, type TemporalKit, type TemporalServer } from './cluster.ts';
import { writePipelines } from './pipelines.ts';

const endMs = startOfDayMs(dayOf(Date.now()));

/** Three days that are over. */
export const RANGE = { startMs: endMs - 3 * MS_PER_DAY, endMs };
/** Params of `nightly` for them. */
export const NIGHTLY = ['--param', `since=${dayOf(RANGE.startMs)}`, '--param', 'days=3'];
/** The same, for `backfill`. */
export const DAYS = ['--from', dayOf(RANGE.startMs), '--to', dayOf(endMs - MS_PER_DAY)];
export const EVENTS = 2_400;
export const AT_ONCE = 2;

/** A server, gateways, and a folder with their configuration, of one test file. */
export interface Stage {
  readonly folder: string;
  readonly server: TemporalServer;
  readonly gateways: ReadonlyMap<string, Simulator>;
  start(...args: readonly string[]): EdrlakeProcess;
  startWorker(...args: readonly string[]): EdrlakeProcess;
  /** Of all workers there were. */
  saidByWorkers(): string;
  /** The document of a command that succeeds. */
  json(...args: readonly string[]): Promise<Record<string, unknown>>;
  /** The program of Temporal itself. */
  temporal(...args: readonly string[]): Promise<string>;
  runsOf(subscription: string): Promise<readonly ListedRun[]>;
  close(): Promise<void>;
}

export interface ListedRun {
  readonly runId: string;
  readonly pipeline: string | null;
  readonly state: string;
  readonly workflow: { readonly id: string } | null;
}

/** @param settings of the configuration file, besides those of the server and the subscriptions */
export async function openStage(
  kit: TemporalKit,
  subscriptions: readonly string[],
  limit: RateLimit | null,
  settings: Readonly<Record<string, unknown>> = {},
  variables: Readonly<Record<string, string>> = {},
): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), 'edrlake-temporal-'));
  const server = await startServer(kit, folder);
  const gateways = new Map<string, Simulator>();
  for (const [place, name] of subscriptions.entries()) {
    const limits = limit === null ? {} : { rateLimit: limit, concurrencyLimit: AT_ONCE };
    const simulator = await startSimulator({
      ...{ events: EVENTS, range: RANGE, seed: place + 1, customerId: customerOf(place + 1), latencyMs: 20 },
      ...{ lateness: [{ share: 1, minMs: 1_000, maxMs: 60_000 }], ...limits },
    });
    gateways.set(name, simulator);
  }
  const config = {
    ...{ engine: 'temporal', address: server.address, pageSize: 100, memoryLimit: '300MB', threads: 1, ...settings },
    subscriptions: [...gateways].map(([name, { url }]) => ({ name, baseUrl: url, username: 'demo' })),
  };
  await writeFile(join(folder, 'edrlake.config.json'), JSON.stringify(config));
  await writePipelines(join(folder, 'pipelines'));
  const passwords = subscriptions.map((name) => [`EDRLAKE_SUBSCRIPTION_${name.toUpperCase()}_PASSWORD`, 'demo']);
  const env = { ...Object.fromEntries(passwords), ...variables };
  const processes = new Set<EdrlakeProcess>();
  const workers: EdrlakeProcess[] = [];

  function start(...args: readonly string[]): EdrlakeProcess {
    const started = startEdrlake(kit, args, { cwd: folder, env });
    processes.add(started);
    void started.ended.finally(() => processes.delete(started));
    return started;
  }

  async function json(...args: readonly string[]): Promise<Record<string, unknown>> {
    const { exitCode, stdout, stderr } = await start(...args, '--json').ended;
    if (exitCode !== 0) throw new Error(`${args.join(' ')} ended with ${exitCode}: ${stdout}${stderr}`);
    return JSON.parse(stdout) as Record<string, unknown>;
  }

  return {
    ...{ folder, server, gateways, start, json },
    startWorker: (...args) => {
      const worker = start('worker', '--subscription', 'all', ...args);
      workers.push(worker);
      return worker;
    },
    saidByWorkers: () => workers.map((worker) => worker.stderr()).join(''),
    temporal: (...args) => output(kit.server, [...args, '--address', server.address], { cwd: folder }),
    runsOf: async (subscription) => {
      return (await json('runs', '--subscription', subscription)).runs as readonly ListedRun[];
    },
    close: async () => {
      for (const each of processes) each.kill('SIGKILL');
      for (const each of gateways.values()) await each.close();
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Resolves when all of them take work. */
export async function ready(workers: readonly EdrlakeProcess[]): Promise<void> {
  await Promise.all(workers.map((each) => each.said('ready for')));
}
