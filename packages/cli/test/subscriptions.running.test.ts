import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseRange, seededRandom, systemClock } from '@edrlake/core';
import { customerOf, type Simulator, startSimulator } from '@edrlake/simulator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram } from '../src/program.ts';
import { fakeSurroundings, type TextBuffer } from './fake-surroundings.ts';

const DAY = ['--from', '2020-08-17', '--to', '2020-08-17'];
const EVENTS = { acme: 300, globex: 200 };

let directory: string;
const gateways: Record<string, Simulator> = {};

const gateway = (name: string) => gateways[name] as Simulator;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-subscriptions-'));
  for (const [place, name] of (['acme', 'globex'] as const).entries()) {
    gateways[name] = await startSimulator({
      events: EVENTS[name],
      range: parseRange('2020-08-17', '2020-08-17'),
      seed: place + 1,
      customerId: customerOf(place + 1),
      credentials: { username: name, password: `${name}-secret` },
    });
  }
  await writeConfig('edrlake.config.json', { acme: gateway('acme').url, globex: gateway('globex').url });
  await writeFile(join(directory, 'globex.password'), 'globex-secret\n');
});

afterAll(async () => {
  for (const each of Object.values(gateways)) await each.close();
  await rm(directory, { recursive: true, force: true });
});

async function writeConfig(file: string, urls: Readonly<Record<string, string>>, more: object = {}): Promise<void> {
  const accounts = { acme: {}, globex: { username: 'globex', passwordFile: 'globex.password' } };
  const subscriptions = Object.entries(urls).map(([name, baseUrl]) => {
    return { name, baseUrl, ...accounts[name as keyof typeof accounts], ...more };
  });
  await writeFile(join(directory, file), JSON.stringify({ memoryLimit: '300MB', threads: 1, subscriptions }));
}

const ACME = { EDRLAKE_SUBSCRIPTION_ACME_USERNAME: 'acme', EDRLAKE_SUBSCRIPTION_ACME_PASSWORD: 'acme-secret' };

let runs = 0;

async function run(args: readonly string[], env: Readonly<Record<string, string>> = ACME) {
  runs += 1;
  const surroundings = fakeSurroundings({
    env: { PATH: '', ...env },
    workingDirectory: directory,
    clock: systemClock,
    // The ids of two runs in one second differ by it.
    random: seededRandom(runs),
  });
  const exitCode = await runProgram(args, surroundings);
  const text = (sink: TextBuffer) => sink.text;
  return { exitCode, stdout: text(surroundings.stdout), stderr: text(surroundings.stderr) };
}

describe('a command for several subscriptions', () => {
  it('starts nothing where the account of one is missing', async () => {
    const ended = await run(['backfill', ...DAY, '--subscription', 'all'], {
      EDRLAKE_USERNAME: 'demo',
      EDRLAKE_PASSWORD: 'x',
    });
    expect(ended.exitCode).toBe(2);
    expect(ended.stderr).toContain('subscription acme: EDRLAKE_SUBSCRIPTION_ACME_USERNAME is not set');
    expect([...gateway('acme').calls.of('auth'), ...gateway('globex').calls.of('auth')]).toEqual([]);
  });

  it('runs for one after another, each with its account and lake, and shows the worst', async () => {
    const ended = await run(['backfill', ...DAY, '--subscription', 'all']);
    expect(ended.exitCode, ended.stderr).toBe(0);
    expect(ended.stdout).toMatch(/== acme ==\n.*300 new.*== globex ==\n.*200 new.*== all ==\n.*acme +0 +done/s);
    expect(ended.stderr).toMatch(/^acme: .*planned 300 events/m);
    const owner = JSON.parse(
      await readFile(join(directory, 'lake/globex/_log/00000000000000000001.json'), 'utf8'),
    ).owner;
    expect(owner).toEqual({ subscription: 'globex', customerId: customerOf(2), tenant: customerOf(2) });
  });

  it('goes on after one that fails, and its exit code is that of the worst', async () => {
    await writeConfig('down.json', { acme: 'http://127.0.0.1:9', globex: gateway('globex').url });
    const ended = await run(['backfill', ...DAY, '--subscription', 'all', '--json', '--config', 'down.json']);
    const document = JSON.parse(ended.stdout);
    expect(document).toMatchObject({
      exitCode: ended.exitCode,
      subscriptions: [
        { subscription: 'acme', exitCode: 1, error: { code: 'HOST_UNREACHABLE' } },
        { subscription: 'globex', exitCode: 0, result: { outcome: 'done' } },
      ],
    });
    expect(ended.exitCode).toBe(1);
  });

  it('refuses accounts that were mixed up before any event is asked for, and stores nothing', async () => {
    await writeConfig('swapped.json', { acme: gateway('globex').url, globex: gateway('acme').url });
    await writeFile(join(directory, 'acme.password'), 'acme-secret');
    const env = {
      EDRLAKE_SUBSCRIPTION_ACME_USERNAME: 'globex',
      EDRLAKE_SUBSCRIPTION_ACME_PASSWORD: 'globex-secret',
      EDRLAKE_SUBSCRIPTION_GLOBEX_USERNAME: 'acme',
      EDRLAKE_SUBSCRIPTION_GLOBEX_PASSWORD_FILE: 'acme.password',
    };
    const before = gateway('acme').calls.of('events').length;
    const ended = await run(['backfill', ...DAY, '--force', '--subscription', 'all', '--config', 'swapped.json'], env);
    expect(ended.exitCode, ended.stderr).toBe(4);
    expect(ended.stderr.match(/CUSTOMER_FOREIGN/g)).toHaveLength(2);
    expect(gateway('acme').calls.of('events')).toHaveLength(before);
    const nightly = await run(['run', 'nightly', '--subscription', 'acme', '--config', 'swapped.json'], env);
    expect(nightly.exitCode, nightly.stderr).toBe(4);
    const doctor = await run(['doctor', '--subscription', 'acme', '--config', 'swapped.json'], env);
    expect(doctor).toMatchObject({ exitCode: 1, stdout: expect.stringMatching(/✘ login .*another|CUSTOMER_FOREIGN/s) });
    const [lake] = await Promise.all([readFile(join(directory, 'lake/acme/_log/00000000000000000001.json'), 'utf8')]);
    expect(lake).toContain(customerOf(1));
    expect(ended.stderr + ended.stdout).not.toContain('secret');
  });

  it('rejects an event of another customer, keeps only its ids, and ends with 4', async () => {
    gateway('acme').faults.push({ kind: 'foreign-rows', every: 100, match: { endpoint: 'events' }, times: 9 });
    const ended = await run(['backfill', ...DAY, '--force', '--subscription', 'acme']);
    gateway('acme').faults.clear();
    expect(ended.exitCode, ended.stderr).toBe(4);
    expect(ended.stdout).toContain('3 events of another customer were among them');
    const rejects = await run([
      'query',
      '--subscription',
      'acme',
      '--format',
      'csv',
      'select reason, record from rejects',
    ]);
    expect(rejects.stdout.trim().split('\n')).toHaveLength(4);
    expect(rejects.stdout).toMatch(/another customer/);
    expect(rejects.stdout).not.toMatch(/hostName/);
    // The other writer does the same.
    gateway('globex').faults.push({ kind: 'foreign-rows', every: 100, match: { endpoint: 'events' }, times: 9 });
    const portable = await run(['backfill', ...DAY, '--force', '--subscription', 'globex', '--writer', 'parquetjs']);
    gateway('globex').faults.clear();
    expect(portable).toMatchObject({ exitCode: 4, stdout: expect.stringContaining('2 events of another customer') });
    // Once it is well again, the days are proven.
    expect(await run(['backfill', ...DAY, '--force', '--subscription', 'globex'])).toMatchObject({ exitCode: 0 });
  });

  it('status is one line each, the worst first', async () => {
    await writeConfig('three.json', {
      acme: gateway('acme').url,
      globex: gateway('globex').url,
      initech: 'http://127.0.0.1:9',
    });
    const ended = await run(['status', '--subscription', 'all', '--config', 'three.json']);
    const lines = ended.stdout.trim().split('\n').slice(2);
    expect(lines.map((line) => line.split(/ {2,}/).slice(0, 2))).toEqual([
      ['initech', 'no lake'],
      ['acme', '1 day mismatched'],
      // Its last run is one of two in the same second.
      ['globex', expect.stringMatching(/^(well|last run failed)$/)],
    ]);
    expect(ended.exitCode).toBe(2);
  });

  it('query asks all lakes as one, and names a subscription without a lake', async () => {
    const of = (sql: string, config = 'edrlake.config.json') =>
      run(['query', '--subscription', 'all', '--config', config, '--format', 'csv', sql]);
    const each = await of('select subscription, count(*) as events from events group by all order by all');
    expect(each.stdout.trim().split(/\r?\n/)).toEqual(['subscription,events', 'acme,300', 'globex,200']);
    expect(each.exitCode).toBe(0);
    // Views over views, and tables that are made from the log.
    const views = await of(
      'select subscription, (select count(*) from events_proven p where p.subscription = c.subscription) as proven, in_lake from coverage c order by all',
    );
    expect(views.stdout.trim().split(/\r?\n/).slice(1)).toEqual(['acme,0,300', 'globex,200,200']);
    const edges = await of('select count(distinct subscription) as n from process_edges');
    expect(edges.stdout.trim().split(/\r?\n/)).toEqual(['n', '2']);
    const partly = await of('select count(*) as events from events', 'three.json');
    expect(partly).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('initech') });
    expect(partly.stdout.trim().split(/\r?\n/)).toEqual(['events', '500']);
    // It reads, as the query of one lake does.
    expect(await of("copy events to '/tmp/x.parquet'")).toMatchObject({ exitCode: 2 });
    expect(await of("from read_csv('/etc/passwd')")).toMatchObject({ exitCode: 2 });
  });

  it('that stays is refused, and so is one file for two', async () => {
    expect(await run(['serve', '--subscription', 'all'])).toMatchObject({ exitCode: 2 });
    const ended = await run(['export', 'events', '--subscription', 'all', '--output', 'events.parquet']);
    expect(ended).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('{subscription}') });
  });
});
