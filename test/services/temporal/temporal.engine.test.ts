import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { dayOf, MS_PER_DAY } from '@edrlake/core';
import type { Simulator } from '@edrlake/simulator';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectLakeHoldsTruth } from '../../e2e/lake-truth.ts';
import { definePart, freePort, output, run as runProgram, TOP } from '../part.ts';
import { type EdrlakeProcess, installTemporal, startEdrlake, startTlsProxy, type TemporalKit } from './cluster.ts';
import { startKeyFront } from './key-front.ts';
import { EVENTS, type ListedRun, openStage, RANGE, ready, type Stage } from './stage.ts';

/** Two subscriptions, without limits. */
const [LARGE, OTHER] = ['hooli', 'acme'];
const { endMs } = RANGE;

const HISTORIES = join(TOP, 'test/fixtures/temporal');
/** A number: keeps the histories of this run as those of one more version, which later ones must replay. */
const recordedAs = process.env.EDRLAKE_RECORD_HISTORIES ?? null;

definePart<TemporalKit>('temporal', installTemporal, (kit) => {
  let stage: Stage;
  let workers: EdrlakeProcess[] = [];

  beforeAll(async () => {
    stage = await openStage(kit(), [LARGE, OTHER], null);
    workers = [stage.startWorker(), stage.startWorker()];
    await ready(workers);
  });

  afterAll(() => stage?.close());

  const start: Stage['start'] = (...args) => stage.start(...args);
  const json: Stage['json'] = (...args) => stage.json(...args);
  const temporal: Stage['temporal'] = (...args) => stage.temporal(...args);
  const runsOf: Stage['runsOf'] = (subscription) => stage.runsOf(subscription);

  test('a stopped worker ends within two seconds, and its task goes on at another one', async () => {
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
    workers.push(stage.startWorker());

    // Ctrl-C ends the following; the run goes on until it is cancelled, and then ends at once.
    following.kill('SIGINT');
    const ended = await following.ended;
    expect(ended.exitCode).toBe(130);
    expect(ended.stderr).toContain(`edrlake/${LARGE}/patient goes on without this command`);
    expect(await start('run', 'patient', '--subscription', LARGE).ended).toMatchObject({ exitCode: 0 });
    const [live] = await runsOf(LARGE);
    expect(live).toMatchObject({ pipeline: 'patient', state: 'running' });
    const journalOf = () => readFile(join(stage.folder, 'lake', LARGE, '_runs', `${live?.runId}.jsonl`), 'utf8');
    await temporal('workflow', 'cancel', '--workflow-id', `edrlake/${LARGE}/patient`);
    const cancelledMs = performance.now();
    while (!(await journalOf()).includes('"pipeline-end"')) await pause(50);
    // The task hears of it within a second.
    expect(performance.now() - cancelledMs).toBeLessThan(3_000);
    const journal = await journalOf();
    const [run] = await runsOf(LARGE);
    expect(run).toMatchObject({ runId: live?.runId, state: 'interrupted' });
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

  test('tasks that do not need each other run at once', async () => {
    const { state, tasks } = await json('run', 'beside', '--subscription', LARGE);
    expect(state).toBe('done');
    expect((tasks as readonly Task[]).map(({ name, state: end, output }) => [name, end, output])).toEqual([
      ['one', 'done', { met: 'two' }],
      ['two', 'done', { met: 'one' }],
      ['after', 'done', { one: { met: 'two' }, two: { met: 'one' } }],
      ['never', 'skipped', null],
    ]);
  });

  interface Task {
    readonly name: string;
    readonly output: unknown;
    readonly state: string;
    readonly attempts: number;
    readonly error: unknown;
    readonly parts: readonly { readonly partition: string; readonly state: string; readonly attempts: number }[] | null;
  }

  test('a long backfill goes stretch by stretch, the newest first, in histories of bounded length', async () => {
    const days = ['--from', dayOf(endMs - 150 * MS_PER_DAY), '--to', dayOf(endMs - MS_PER_DAY)];
    // Nothing was before the last three days: a stretch of 92 days, and the rest.
    const ended = await json('backfill', ...days, '--subscription', LARGE);
    expect(ended).toMatchObject({ state: 'done', stretches: 2, ended: 2, rows: EVENTS, bad: [] });
    await expectLakeHoldsTruth(join(stage.folder, 'lake', LARGE), stage.gateways.get(LARGE) as Simulator);
    // Each stretch does nothing, so that the histories of the whole are what takes the time.
    const about = { subscription: LARGE, lake: join(stage.folder, 'lake', LARGE), pipeline: 'idle' };
    const request = { ...about, from: '2016-01-01', to: '2016-01-25', stretchDays: 1, atOnce: 5 };
    const script = join(TOP, 'test/services/temporal/start.mjs');
    const args = [
      script,
      kit().sdk,
      stage.server.address,
      'edrlakeBackfill',
      'days-of-january',
      JSON.stringify(request),
    ];
    const result = JSON.parse(await output('node', args, { cwd: stage.folder }));
    expect(result).toMatchObject({ state: 'done', stretches: 25, ended: 25, rows: 25, bad: [] });
  });

  test('a run that was terminated is over for runs, status and the page, which ask the server', async () => {
    const following = start('run', 'patient', '--param', 'name=terminated', '--subscription', LARGE);
    await following.said('patient');
    const [live] = await runsOf(LARGE);
    expect(live).toMatchObject({ pipeline: 'patient', state: 'running' });
    const id = live?.workflow?.id ?? '';
    const lastRun = async (...args: readonly string[]) =>
      (await json('status', '--subscription', LARGE, ...args)).lastRun;
    expect(await lastRun()).toMatchObject({ runId: live?.runId, state: 'running' });
    await temporal('workflow', 'terminate', '--workflow-id', id, '--reason', 'too late');
    const { exitCode, stderr } = await following.ended;
    expect(exitCode).toBe(130);
    expect(stderr.replaceAll(/\s+/g, ' ')).toContain(`${id} was terminated on the Temporal server: too late`);
    expect((await runsOf(LARGE))[0]).toMatchObject({ runId: live?.runId, state: 'interrupted' });
    expect(await lastRun()).toMatchObject({ runId: live?.runId, state: 'interrupted' });
    expect(await lastRun('--engine', 'local')).toMatchObject({ runId: live?.runId, state: 'unknown' });
    expect(await shownByPage()).toMatchObject({ runId: live?.runId, state: 'interrupted' });
    // A server that cannot be asked says nothing, and neither does a worker that is alive.
    const unasked = await start('runs', live?.runId ?? '', '--subscription', LARGE, '--engine', 'local').ended;
    expect(unasked.exitCode).toBe(0);
    expect(unasked.stdout).toMatch(/State +unknown since \d{4}-/);
    expect(unasked.stderr).toContain('--engine temporal');
    const away = await start('runs', '--subscription', LARGE, '--address', '127.0.0.1:9', '--json').ended;
    const [first] = (JSON.parse(away.stdout) as { readonly runs: readonly ListedRun[] }).runs;
    expect(first).toMatchObject({ runId: live?.runId, state: 'unknown' });
    expect(away.stderr).toContain('HOST_UNREACHABLE');
    expect(away.exitCode).toBe(0);
  });

  test('a run that has timed out on the server has failed', async () => {
    const about = { subscription: LARGE, lake: join(stage.folder, 'lake', LARGE), pipeline: 'patient' };
    const request = JSON.stringify({ ...about, given: ['name=late'], runId: null });
    const script = join(TOP, 'test/services/temporal/start.mjs');
    const args = [script, kit().sdk, stage.server.address, 'edrlakeRun', 'patient-timed-out', request, '6 seconds'];
    const { exitCode, stderr } = await runProgram('node', args, { cwd: stage.folder });
    expect(exitCode).toBe(1);
    expect(stderr).toContain('TimeoutFailure');
    expect((await runsOf(LARGE))[0]).toMatchObject({ workflow: { id: 'patient-timed-out' }, state: 'failed' });
    expect(await shownByPage()).toMatchObject({ state: 'failed' });
  });

  /** The newest run, as the page has it. */
  async function shownByPage(): Promise<unknown> {
    const port = String(await freePort());
    const page = start('serve', '--port', port, '--subscription', LARGE);
    let isThere = true;
    const ended = page.ended.finally(() => {
      isThere = false;
    });
    for (; isThere; await pause(100)) {
      const response = await fetch(`http://127.0.0.1:${port}/api/runs`).catch(() => null);
      if (!response?.ok) continue;
      const { runs } = (await response.json()) as { readonly runs: readonly unknown[] };
      page.kill('SIGINT');
      await ended;
      return runs[0];
    }
    throw new Error(`the page ended: ${(await ended).stderr}`);
  }

  test('schedules are created, brought up to date, and never run beside a run by hand', async () => {
    const create = () => json('schedule', 'nightly', '--subscription', 'all');
    const first = JSON.stringify(await create());
    expect(first.match(/"isNew":true/g)).toHaveLength(2);
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
      `edrlake/${OTHER}/nightly`,
      '--output',
      'json',
    );
    expect(described).toMatch(/"overlapPolicy": ?"SCHEDULE_OVERLAP_POLICY_SKIP"/);
    expect(described).toMatch(/"catchupWindow": ?"86400s"/);

    await temporal('schedule', 'trigger', '--schedule-id', `edrlake/${LARGE}/nightly`);
    const nightlies = async () => (await runsOf(LARGE)).filter(({ pipeline }) => pipeline === 'nightly');
    while ((await nightlies()).every(({ state }) => state !== 'done')) await pause(500);
    expect(await nightlies()).toHaveLength(1);

    // While a run by hand is at work, what the schedule starts leaves it to that.
    await json('schedule', 'patient', '--subscription', LARGE);
    const byHand = start('run', 'patient', '--subscription', LARGE);
    await byHand.said('patient 2');
    const before = await runsOf(LARGE);
    await temporal('schedule', 'trigger', '--schedule-id', `edrlake/${LARGE}/patient`);
    const scheduled = async () => (await executions()).filter(({ id }) => id.includes('/patient/scheduled'));
    while ((await scheduled()).every(({ status }) => status !== 'COMPLETED')) await pause(200);
    expect(await scheduled()).toHaveLength(1);
    expect(await runsOf(LARGE)).toHaveLength(before.length);
    await temporal('workflow', 'cancel', '--workflow-id', `edrlake/${LARGE}/patient`);
    expect((await byHand.ended).exitCode).toBe(130);
  });

  test('an encrypted connection needs --tls, and the certificates that it is given', async () => {
    const [key, certificate] = await selfSigned();
    const proxy = await startTlsProxy(stage.server.address, { key, certificate });
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

  test('a server that wants a key gets it from TEMPORAL_API_KEY, over an encrypted connection only', async () => {
    const [key, certificate] = await selfSigned();
    const front = await startKeyFront(stage.server.address, { key, certificate }, 'the-right-key');
    const started: EdrlakeProcess[] = [];
    try {
      const edrlake = (apiKey: string, ...args: readonly string[]) => {
        const env = { EDRLAKE_SUBSCRIPTION_HOOLI_PASSWORD: 'demo', TEMPORAL_API_KEY: apiKey };
        const place = ['--subscription', LARGE, '--address', front.address, '--task-queue', 'with-key'];
        const child = startEdrlake(kit(), [...args, ...place], { cwd: stage.folder, env });
        started.push(child);
        return child;
      };
      const run = ['run', 'idle', '--param', 'from=2020-08-18', '--param', 'to=2020-08-18'];
      const tls = ['--tls', '--tls-ca', 'tls.crt'];
      for (const args of [run, ['worker']]) {
        const refused = await edrlake('another-key', ...args, ...tls).ended;
        expect(refused.exitCode, refused.stderr).toBe(2);
        expect(refused.stderr).toContain('refuses this client');
        expect(refused.stdout + refused.stderr).not.toContain('another-key');
      }
      expect(front.refused()).toBeGreaterThan(1);
      expect(front.passed()).toBe(0);
      const plain = await edrlake('the-right-key', ...run).ended;
      expect(plain.exitCode).toBe(2);
      expect(plain.stderr).toContain('TEMPORAL_API_KEY is set, and the connection is not encrypted');
      const worker = edrlake('the-right-key', 'worker', ...tls);
      await worker.said('ready for');
      const { exitCode, stderr } = await edrlake('the-right-key', ...run, ...tls).ended;
      expect(exitCode, stderr).toBe(0);
      expect(front.passed()).toBeGreaterThan(5);
      worker.kill('SIGINT');
      await worker.ended;
    } finally {
      for (const each of started) each.kill('SIGKILL');
      await front.close();
    }
  });

  async function selfSigned(): Promise<[string, string]> {
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    const ends = ['-addext', 'basicConstraints=critical,CA:FALSE'];
    const files = ['-keyout', 'tls.key', '-out', 'tls.crt', '-days', '2', '-nodes'];
    await output('openssl', ['req', '-x509', '-newkey', 'rsa:2048', ...files, ...subject, ...ends], {
      cwd: stage.folder,
    });
    return [
      await readFile(join(stage.folder, 'tls.key'), 'utf8'),
      await readFile(join(stage.folder, 'tls.crt'), 'utf8'),
    ];
  }

  test('what the compiler reads instead of the packages of Temporal is as in those', async () => {
    const folder = join(kit().sdk, 'types-check');
    await rm(folder, { recursive: true, force: true });
    await cp(join(TOP, 'packages/temporal/src'), join(folder, 'src'), { recursive: true });
    const own = { composite: false, declaration: false, declarationMap: false, sourceMap: false, noEmit: true };
    const compilerOptions = { ...own, typeRoots: [join(TOP, 'node_modules/@types')] };
    const config = { extends: join(TOP, 'tsconfig.base.json'), compilerOptions, include: ['src'] };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
    await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
    await output(join(TOP, 'node_modules/.bin/tsc'), ['-p', '.'], { cwd: folder });
  });

  test('histories that older versions recorded, and those of these tests, are replayed', async () => {
    const own = join(stage.folder, 'histories');
    await mkdir(own);
    const all = await executions();
    const whole = (prefix: string) => all.find(({ id, status }) => id.startsWith(prefix) && status === 'COMPLETED');
    const part = (prefix: string) =>
      all.find(({ id, status }) => id.startsWith(prefix) && status === 'CONTINUED_AS_NEW');
    const chosen: Readonly<Record<string, Execution | undefined>> = {
      'nightly-begun': part(`edrlake/${LARGE}/nightly`),
      'nightly-ended': all.find(({ id, status }) => id === `edrlake/${LARGE}/nightly` && status === 'COMPLETED'),
      beside: whole(`edrlake/${LARGE}/beside`),
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
      cwd: stage.folder,
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
