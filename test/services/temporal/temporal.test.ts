import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { dayOf, MS_PER_DAY, seededRandom, startOfDayMs } from '@edrlake/core';
import { customerOf, type Simulator, startSimulator } from '@edrlake/simulator';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectLakeHoldsTruth } from '../../e2e/lake-truth.ts';
import { definePart } from '../part.ts';
import {
  type EdrlakeProcess,
  installTemporal,
  startEdrlake,
  startServer,
  type TemporalKit,
  type TemporalServer,
} from './cluster.ts';

const SUBSCRIPTIONS = ['acme', 'globex', 'initech', 'umbrella'];
const EVENTS = 3_000;
const PAGE_SIZE = 100;
/** So that each night has to wait for requests longer than a task keeps its slot. */
const LIMIT = { requests: 30, windowSeconds: 20 };
const AT_ONCE = 2;

const HOUR_MS = 3_600_000;
const endMs = startOfDayMs(dayOf(Date.now()));
const range = { startMs: endMs - 3 * MS_PER_DAY, endMs };
const NIGHTLY = ['--param', `since=${dayOf(range.startMs)}`, '--param', 'days=3'];

definePart<TemporalKit>('temporal', installTemporal, (kit) => {
  let folder = '';
  let server: TemporalServer;
  const gateways = new Map<string, Simulator>();
  const processes = new Set<EdrlakeProcess>();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'edrlake-temporal-'));
    server = await startServer(kit(), folder);
    for (const [place, name] of SUBSCRIPTIONS.entries()) {
      const simulator = await startSimulator({
        ...{ events: EVENTS, range, seed: place + 1, customerId: customerOf(place + 1), latencyMs: 20 },
        ...{ lateness: [{ share: 1, minMs: 1_000, maxMs: 60_000 }], rateLimit: LIMIT, concurrencyLimit: AT_ONCE },
      });
      gateways.set(name, simulator);
    }
    const subscriptions = SUBSCRIPTIONS.map((name) => ({ name, baseUrl: gateways.get(name)?.url, username: 'demo' }));
    const settings = { engine: 'temporal', address: server.address, pageSize: PAGE_SIZE, memoryLimit: '300MB' };
    await writeFile(join(folder, 'edrlake.config.json'), JSON.stringify({ ...settings, threads: 1, subscriptions }));
  });

  afterAll(async () => {
    for (const each of processes) each.kill('SIGKILL');
    for (const each of gateways.values()) await each.close();
    await server?.stop();
    if (folder !== '') await rm(folder, { recursive: true, force: true });
  });

  const env = Object.fromEntries(
    SUBSCRIPTIONS.map((name) => [`EDRLAKE_SUBSCRIPTION_${name.toUpperCase()}_PASSWORD`, 'demo']),
  );

  function start(...args: readonly string[]): EdrlakeProcess {
    const started = startEdrlake(kit(), args, { cwd: folder, env });
    processes.add(started);
    void started.ended.finally(() => processes.delete(started));
    return started;
  }

  const startWorker = () => start('worker', '--subscription', 'all');

  async function json(...args: readonly string[]): Promise<Record<string, unknown>> {
    const { exitCode, stdout, stderr } = await start(...args, '--json').ended;
    if (exitCode !== 0) throw new Error(`${args.join(' ')} ended with ${exitCode}: ${stdout}${stderr}`);
    return JSON.parse(stdout) as Record<string, unknown>;
  }

  /** Kills workers at random and starts others in their place, until it is stopped. */
  function disturb(workers: EdrlakeProcess[], kills: number, seed: number) {
    const random = seededRandom(seed);
    const over = new AbortController();
    const done = (async () => {
      for (let kill = 0; kill < kills && !over.signal.aborted; kill += 1) {
        await pause(2_000 + random() * 6_000, null, { signal: over.signal }).catch(() => undefined);
        if (over.signal.aborted) return;
        const place = Math.floor(random() * workers.length);
        workers[place]?.kill('SIGKILL');
        workers[place] = startWorker();
      }
    })();
    return async () => {
      over.abort();
      await done;
    };
  }

  test('nights of several subscriptions, with killed workers and a server that restarts, are whole', async () => {
    const workers = [startWorker(), startWorker(), startWorker()];
    await Promise.all(workers.map((worker) => worker.said('ready for 4 subscriptions')));
    for (const night of [1, 2]) {
      const settle = disturb(workers, 2, night);
      const running = json('run', 'nightly', '--subscription', 'all', ...NIGHTLY);
      if (night === 1) {
        await workers[2]?.said(/page|planned/);
        await server.restart();
      }
      expect(await running).toMatchObject({
        exitCode: 0,
        subscriptions: SUBSCRIPTIONS.map((subscription) => ({ subscription, result: { state: 'done' } })),
      });
      await settle();
      for (const [name, simulator] of gateways) {
        await expectLakeHoldsTruth(join(folder, 'lake', name), simulator);
        expect(simulator.calls.mostRunning, name).toBeLessThanOrEqual(AT_ONCE);
        expect(
          simulator.calls.all().filter(({ status }) => status === 429),
          name,
        ).toEqual([]);
        simulator.addEvents({ events: 500, range, processedAtMs: Date.now() - HOUR_MS });
      }
    }
    for (const worker of workers) worker.kill('SIGINT');
    const runs = await json('runs', '--subscription', 'all');
    expect(JSON.stringify(runs)).not.toMatch(/"(?:running|died)"/);
  });
});
