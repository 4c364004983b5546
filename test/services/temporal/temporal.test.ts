import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { dayOf, MS_PER_DAY, MS_PER_HOUR, seededRandom, startOfDayMs } from '@edrlake/core';
import { customerOf, type Simulator, startSimulator } from '@edrlake/simulator';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectLakeHoldsTruth } from '../../e2e/lake-truth.ts';
import { definePart, output, run as runProgram, TOP } from '../part.ts';
import {
  type EdrlakeProcess,
  installTemporal,
  startEdrlake,
  startServer,
  startTlsProxy,
  type TemporalKit,
  type TemporalServer,
} from './cluster.ts';
import { writePipelines } from './pipelines.ts';

/** With the limits of a small subscription, so that each night waits for requests longer than a task keeps its slot. */
const SMALL = ['acme', 'globex', 'initech', 'umbrella'];
/** Without a limit. */
const LARGE = 'hooli';
const LIMIT = { requests: 25, windowSeconds: 30 };
const AT_ONCE = 2;
const EVENTS = 2_400;

const endMs = startOfDayMs(dayOf(Date.now()));
const range = { startMs: endMs - 3 * MS_PER_DAY, endMs };
const NIGHTLY = ['--param', `since=${dayOf(range.startMs)}`, '--param', 'days=3'];
const NIGHTS = SMALL.flatMap((name) => ['--subscription', name]);

const HISTORIES = join(TOP, 'test/fixtures/temporal');
/** A number: keeps the histories of this run as those of one more version, which later ones must replay. */
const recordedAs = process.env.EDRLAKE_RECORD_HISTORIES ?? null;

definePart<TemporalKit>('temporal', installTemporal, (kit) => {
  let folder = '';
  let server: TemporalServer;
  const gateways = new Map<string, Simulator>();
  const processes = new Set<EdrlakeProcess>();
  let workers: EdrlakeProcess[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'edrlake-temporal-'));
    server = await startServer(kit(), folder);
    for (const [place, name] of [...SMALL, LARGE].entries()) {
      const limits = name === LARGE ? {} : { rateLimit: LIMIT, concurrencyLimit: AT_ONCE };
      const simulator = await startSimulator({
        ...{ events: EVENTS, range, seed: place + 1, customerId: customerOf(place + 1), latencyMs: 20 },
        ...{ lateness: [{ share: 1, minMs: 1_000, maxMs: 60_000 }], ...limits },
      });
      gateways.set(name, simulator);
    }
    const subscriptions = [...gateways].map(([name, { url }]) => ({ name, baseUrl: url, username: 'demo' }));
    const settings = { engine: 'temporal', address: server.address, pageSize: 100, memoryLimit: '300MB' };
    await writeFile(join(folder, 'edrlake.config.json'), JSON.stringify({ ...settings, threads: 1, subscriptions }));
    await writePipelines(join(folder, 'pipelines'));
  });

  afterAll(async () => {
    for (const each of processes) each.kill('SIGKILL');
    for (const each of gateways.values()) await each.close();
    await server?.stop();
    if (folder !== '') await rm(folder, { recursive: true, force: true });
  });

  const env = Object.fromEntries(
    [...SMALL, LARGE].map((name) => [`EDRLAKE_SUBSCRIPTION_${name.toUpperCase()}_PASSWORD`, 'demo']),
  );

  function start(...args: readonly string[]): EdrlakeProcess {
    const started = startEdrlake(kit(), args, { cwd: folder, env });
    processes.add(started);
    void started.ended.finally(() => processes.delete(started));
    return started;
  }

  /** All there were, for what they have said. */
  const everyWorker: EdrlakeProcess[] = [];
  const startWorker = () => {
    const worker = start('worker', '--subscription', 'all');
    everyWorker.push(worker);
    return worker;
  };
  const ready = (all: readonly EdrlakeProcess[]) => Promise.all(all.map((each) => each.said('ready for')));

  async function json(...args: readonly string[]): Promise<Record<string, unknown>> {
    const { exitCode, stdout, stderr } = await start(...args, '--json').ended;
    if (exitCode !== 0) throw new Error(`${args.join(' ')} ended with ${exitCode}: ${stdout}${stderr}`);
    return JSON.parse(stdout) as Record<string, unknown>;
  }

  const temporal = (...args: readonly string[]) =>
    output(kit().server, [...args, '--address', server.address], { cwd: folder });

  /** Kills workers at random and starts others in their place. */
  async function disturb(kills: number, seed: number, signal: AbortSignal): Promise<void> {
    const random = seededRandom(seed);
    for (let kill = 0; kill < kills; kill += 1) {
      await pause(2_000 + random() * 6_000, null, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      const place = Math.floor(random() * workers.length);
      workers[place]?.kill('SIGKILL');
      workers[place] = startWorker();
    }
  }

  test('nights of several subscriptions, with killed workers and a server that restarts, are whole', async () => {
    workers = [startWorker(), startWorker(), startWorker()];
    await ready(workers);
    for (const night of [1, 2]) {
      const over = new AbortController();
      const running = json('run', 'nightly', ...NIGHTS, ...NIGHTLY);
      const disturbed = disturb(2, night, over.signal);
      if (night === 1) {
        await pause(4_000);
        await server.restart();
      }
      const ended = await running;
      over.abort();
      await disturbed;
      expect(ended).toMatchObject({
        exitCode: 0,
        subscriptions: SMALL.map((subscription) => ({ subscription, result: { state: 'done' } })),
      });
      for (const name of SMALL) {
        const simulator = gateways.get(name) as Simulator;
        await expectLakeHoldsTruth(join(folder, 'lake', name), simulator);
        expect(simulator.calls.mostRunning, name).toBeLessThanOrEqual(AT_ONCE);
        expect(
          simulator.calls.all().filter(({ status }) => status === 429),
          name,
        ).toEqual([]);
        simulator.addEvents({ events: 400, range, processedAtMs: Date.now() - MS_PER_HOUR });
      }
    }
    const logs = everyWorker.map((worker) => worker.stderr()).join('');
    expect(logs).toMatch(/given back for \d+ s: no request may be sent before/);
    for (const { pipeline, state } of await runsOf('acme')) {
      if (pipeline === 'nightly') expect(state).toBe('done');
    }
  });

  interface ListedRun {
    readonly runId: string;
    readonly pipeline: string | null;
    readonly state: string;
  }

  async function runsOf(subscription: string): Promise<readonly ListedRun[]> {
    return (await json('runs', '--subscription', subscription)).runs as readonly ListedRun[];
  }

  test('a stopped worker ends within two seconds, and its task goes on at another one', async () => {
    await ready(workers);
    const following = start('run', 'patient', '--subscription', LARGE);
    await following.said('patient');
    const isAtWork = (worker: EdrlakeProcess) => worker.said(/patient, wait: started/).then(() => worker);
    const busy = await Promise.any(workers.map(isAtWork));
    const startedMs = performance.now();
    busy.kill('SIGINT');
    const { exitCode } = await busy.ended;
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    expect(exitCode).toBe(0);
    workers = workers.filter((worker) => worker !== busy);
    await Promise.any(workers.map(isAtWork));
    workers.push(startWorker());

    // Ctrl-C ends the following; the run goes on until it is cancelled, and then ends at once.
    following.kill('SIGINT');
    const ended = await following.ended;
    expect(ended.exitCode).toBe(130);
    expect(ended.stderr).toContain(`edrlake/${LARGE}/patient goes on without this command`);
    expect(await start('run', 'patient', '--subscription', LARGE).ended).toMatchObject({ exitCode: 0 });
    const [live] = await runsOf(LARGE);
    expect(live).toMatchObject({ pipeline: 'patient', state: 'running' });
    const cancelledMs = performance.now();
    await temporal('workflow', 'cancel', '--workflow-id', `edrlake/${LARGE}/patient`);
    while ((await runsOf(LARGE))[0]?.state === 'running') await pause(100);
    expect(performance.now() - cancelledMs).toBeLessThan(6_000);
    const [run] = await runsOf(LARGE);
    expect(run?.state).toBe('interrupted');
    const journal = await readFile(join(folder, 'lake', LARGE, '_runs', `${run?.runId}.jsonl`), 'utf8');
    expect(journal.match(/"task-start"/g)).toHaveLength(2);
    expect(journal.match(/"pipeline-join"/g)?.length).toBeGreaterThan(0);
    const resumed = await start('run', '--resume', run?.runId ?? '', '--engine', 'local', '--subscription', LARGE)
      .ended;
    expect(resumed.stderr.replaceAll(/\s+/g, ' ')).toContain('which goes on with it by itself');
  });

  test('partitions, retries and conditions are those of the local engine', async () => {
    const shown: Record<string, unknown>[] = [];
    for (const engine of ['temporal', 'local']) {
      const { exitCode, stdout } = await start('run', 'many', '--subscription', LARGE, '--engine', engine, '--json')
        .ended;
      expect(exitCode).toBe(3);
      const { state, rows, tasks } = JSON.parse(stdout) as { state: string; rows: number; tasks: Task[] };
      const plain = tasks.map(({ name, state: end, attempts, parts, error }) => {
        return { name, end, attempts, error, parts: parts?.map((part) => [part.partition, part.state, part.attempts]) };
      });
      shown.push({ state, rows, plain });
    }
    expect(shown[0]).toEqual(shown[1]);
    expect(shown[0]).toMatchObject({ state: 'partly', rows: 29 });
  });

  interface Task {
    readonly name: string;
    readonly state: string;
    readonly attempts: number;
    readonly error: unknown;
    readonly parts: readonly { readonly partition: string; readonly state: string; readonly attempts: number }[] | null;
  }

  test('a long backfill goes stretch by stretch, the newest first, in histories of bounded length', async () => {
    const days = ['--from', dayOf(endMs - 10 * MS_PER_DAY), '--to', dayOf(endMs - MS_PER_DAY)];
    const ended = await json('backfill', ...days, '--subscription', LARGE);
    expect(ended).toMatchObject({ state: 'done', stretches: 2, ended: 2, rows: EVENTS, bad: [] });
    await expectLakeHoldsTruth(join(folder, 'lake', LARGE), gateways.get(LARGE) as Simulator);
    // Each stretch does nothing, so that the histories of the whole are what takes the time.
    const about = { subscription: LARGE, lake: join(folder, 'lake', LARGE), pipeline: 'idle' };
    const request = { ...about, from: '2016-01-01', to: '2016-01-25', stretchDays: 1, atOnce: 5 };
    const script = join(TOP, 'test/services/temporal/start.mjs');
    const args = [script, kit().sdk, server.address, 'edrlakeBackfill', 'days-of-january', JSON.stringify(request)];
    const result = JSON.parse(await output('node', args, { cwd: folder }));
    expect(result).toMatchObject({ state: 'done', stretches: 25, ended: 25, rows: 25, bad: [] });
  });

  test('schedules are created, brought up to date, and never run beside a run by hand', async () => {
    const create = () => json('schedule', 'nightly', '--subscription', 'all');
    const first = JSON.stringify(await create());
    expect(first.match(/"isNew":true/g)).toHaveLength(SMALL.length + 1);
    const next = /"next":"(\d{4}-\d\d-\d\dT02:15:00Z)"/.exec(first)?.[1];
    expect(Date.parse(next ?? '')).toBeGreaterThan(Date.now());
    await temporal('schedule', 'toggle', '--schedule-id', `edrlake/${LARGE}/nightly`, '--pause', '--reason', 'test');
    const second = JSON.stringify(await create());
    expect(second).not.toContain('"isNew":true');
    expect(second.match(/"isPaused":true/g)).toHaveLength(1);
    const described = await temporal(
      'schedule',
      'describe',
      '--schedule-id',
      'edrlake/acme/nightly',
      '--output',
      'json',
    );
    expect(described).toMatch(/"overlapPolicy": ?"SCHEDULE_OVERLAP_POLICY_SKIP"/);
    expect(described).toMatch(/"catchupWindow": ?"86400s"/);

    await temporal('schedule', 'trigger', '--schedule-id', `edrlake/${LARGE}/nightly`);
    const nightlies = async () => (await runsOf(LARGE)).filter(({ pipeline }) => pipeline === 'nightly');
    while ((await nightlies()).every(({ state }) => state !== 'done')) await pause(500);
    expect(await nightlies()).toHaveLength(1);
  });

  test('an encrypted connection needs --tls, and the certificates that it is given', async () => {
    const [key, certificate] = await selfSigned();
    const proxy = await startTlsProxy(server.address, { key, certificate });
    try {
      const run = ['run', 'idle', '--param', 'from=2020-08-17', '--param', 'to=2020-08-17', '--subscription', LARGE];
      const files = ['--tls', '--tls-ca', 'tls.crt', '--tls-cert', 'tls.crt', '--tls-key', 'tls.key'];
      const plain = await start(...run, '--address', proxy.address).ended;
      expect(plain.stderr).toContain('HOST_UNREACHABLE');
      const worker = start('worker', '--subscription', LARGE, '--address', proxy.address, ...files);
      await worker.said('ready for');
      expect(await json(...run, '--address', proxy.address, ...files)).toMatchObject({ state: 'done' });
      worker.kill('SIGINT');
      await worker.ended;
    } finally {
      proxy.close();
    }
  });

  async function selfSigned(): Promise<[string, string]> {
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    const ends = ['-addext', 'basicConstraints=critical,CA:FALSE'];
    const files = ['-keyout', 'tls.key', '-out', 'tls.crt', '-days', '2', '-nodes'];
    await output('openssl', ['req', '-x509', '-newkey', 'rsa:2048', ...files, ...subject, ...ends], { cwd: folder });
    return [await readFile(join(folder, 'tls.key'), 'utf8'), await readFile(join(folder, 'tls.crt'), 'utf8')];
  }

  test('histories that older versions recorded, and those of these tests, are replayed', async () => {
    const own = join(folder, 'histories');
    await mkdir(own);
    const all = await executions();
    const whole = (prefix: string) => all.find(({ id, status }) => id.startsWith(prefix) && status === 'COMPLETED');
    const part = (prefix: string) =>
      all.find(({ id, status }) => id.startsWith(prefix) && status === 'CONTINUED_AS_NEW');
    const chosen: Readonly<Record<string, Execution | undefined>> = {
      'nightly-begun': part('edrlake/acme/nightly/'),
      'nightly-ended': whole('edrlake/acme/nightly/'),
      'partitions-begun': part(`edrlake/${LARGE}/many`),
      'partitions-ended': whole(`edrlake/${LARGE}/many`),
      cancelled: all.find(({ id }) => id === `edrlake/${LARGE}/patient`),
      'backfill-begun': part('days-of-january'),
      'backfill-ended': all.find(({ id, status }) => id === 'days-of-january' && status === 'COMPLETED'),
      stretch: whole('days-of-january/2016-01-01'),
      scheduled: whole(`edrlake/${LARGE}/nightly/scheduled`),
    };
    for (const [name, execution] of Object.entries(chosen)) {
      expect(execution, name).toBeDefined();
      const { id = '', run = '' } = execution ?? {};
      const history = await temporal('workflow', 'show', '--workflow-id', id, '--run-id', run, '--output', 'json');
      await writeFile(join(own, `${name}.json`), history);
      if (recordedAs === null) continue;
      const text = JSON.stringify(JSON.parse(history)).replaceAll(TOP, '/edrlake/').replaceAll(hostname(), 'machine');
      await writeFile(join(HISTORIES, `${name}-${recordedAs}.json`), `${text}\n`);
    }
    const recorded = (await readdir(HISTORIES)).filter((name) => name.endsWith('.json'));
    expect(recorded.length).toBeGreaterThanOrEqual(Object.keys(chosen).length);
    const files = [...Object.keys(chosen).map((name) => join(own, `${name}.json`))];
    files.push(...recorded.map((name) => join(HISTORIES, name)));
    const script = join(TOP, 'test/services/temporal/replay.mjs');
    const workflows = join(kit().edrlake, '../../bundle/workflows.js');
    const { exitCode, stdout, stderr } = await runProgram('node', [script, kit().sdk, workflows, ...files], {
      cwd: folder,
    });
    expect(exitCode, stdout + stderr).toBe(0);
    expect(stdout.match(/: replayed\n/g)).toHaveLength(files.length);
  });

  interface Execution {
    readonly id: string;
    readonly run: string;
    readonly status: string;
  }

  /** The newest first. */
  async function executions(): Promise<Execution[]> {
    const listed = JSON.parse(await temporal('workflow', 'list', '--limit', '500', '--output', 'json')) as {
      readonly execution: { readonly workflowId: string; readonly runId: string };
      readonly status: string;
    }[];
    return listed.map(({ execution, status }) => {
      return {
        id: execution.workflowId,
        run: execution.runId,
        status: status.replace('WORKFLOW_EXECUTION_STATUS_', ''),
      };
    });
  }
});
