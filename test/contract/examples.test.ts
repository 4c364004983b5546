import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { customerOf, startSimulator } from '@edrlake/simulator';
import { type EdrEvent, openLake } from 'edrlake';
import { startTestGateway } from 'edrlake/testing';
import { expect, test } from 'vitest';
import { exportEverySubscription } from '../../examples/every-subscription.ts';
import { exportAndQuery } from '../../examples/export-and-query.ts';
import { DOORS, exportDoors } from '../../examples/own-dataset.ts';
import { planRequests } from '../../examples/plan-requests.ts';
import { hostsRunning } from '../../examples/read-events.ts';
import { readLakeLog } from '../../examples/read-lake-log.ts';

test('the examples export a day, count it, and find its files without edrlake', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'edrlake-example-'));
  const startMs = Date.UTC(2020, 7, 17);
  const simulator = await startSimulator({ events: 400, range: { startMs, endMs: startMs + 86_400_000 }, seed: 7 });
  try {
    const account = { baseUrl: simulator.url, username: 'demo', password: 'demo' };
    const [summary, ...byType] = await exportAndQuery(account, '2020-08-17', directory);
    expect(summary).toMatch(/^done: \d+ requests$/);
    expect(byType.reduce((sum, line) => sum + Number(line.split(': ')[1]), 0)).toBe(400);
    const { version, files } = await readLakeLog(directory);
    const rows = [...files.values()].flatMap(({ table, rowCount }) => (table === 'events' ? [rowCount] : []));
    expect({ version, rows }).toEqual({ version: 1, rows: [400] });
  } finally {
    await simulator.close();
    await rm(directory, { recursive: true, force: true });
  }
});

test('the example of all subscriptions exports a day of each, and one without a password keeps none from running', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'edrlake-example-'));
  const day = '2020-08-17';
  await using acme = await startTestGateway({ events: 30, from: day, to: day, customerId: customerOf(1) });
  await using globex = await startTestGateway({ events: 20, from: day, to: day, customerId: customerOf(2), seed: 2 });
  const subscriptions = [
    { name: 'acme', baseUrl: acme.source.baseUrl, username: 'demo' },
    { name: 'initech', baseUrl: acme.source.baseUrl, username: 'demo' },
    { name: 'globex', baseUrl: globex.source.baseUrl, username: 'demo' },
  ];
  const config = join(directory, 'edrlake.config.json');
  await writeFile(config, JSON.stringify({ lake: join(directory, '{subscription}'), subscriptions }));
  const env = { EDRLAKE_SUBSCRIPTION_ACME_PASSWORD: 'demo', EDRLAKE_SUBSCRIPTION_GLOBEX_PASSWORD: 'demo' };
  expect(await exportEverySubscription(config, day, env)).toEqual([
    'acme: done, 30 new events',
    'initech: EDRLAKE_SUBSCRIPTION_INITECH_PASSWORD is not set [CREDENTIALS_MISSING]',
    'globex: done, 20 new events',
  ]);
  await using lake = await openLake(join(directory, 'globex'), { subscription: { name: 'globex' }, readOnly: true });
  expect(await lake.query('select count(*)::int as n from events').toArray()).toEqual([{ n: 20 }]);
  await rm(directory, { recursive: true, force: true });
});

test.each(['README.md', 'packages/edrlake/README.md'])(
  'the program of at most eight lines in %s exports a day and prints an Arrow table',
  async (page) => {
    const text = await readFile(new URL(`../../${page}`, import.meta.url), 'utf8');
    const programs = [...text.matchAll(/^```ts\n(.*?)^```/gms)].map((match) => match[1] ?? '');
    const program = programs.find((each) => each.includes('.toArrow()')) ?? '';
    expect(program.trim().split('\n').length).toBeLessThanOrEqual(8);
    const directory = await mkdtemp(join(tmpdir(), 'edrlake-readme-'));
    const day = '2020-08-17';
    await using gateway = await startTestGateway({ events: 50, from: day, to: day, seed: 7 });
    const body = program
      .replace(/^import (\{.*\}) from 'edrlake';/, 'const $1 = edrlake;')
      .replace("username: 'exporter'", "username: 'demo'")
      .replace("platform: 'US2'", `baseUrl: '${gateway.source.baseUrl}'`)
      .replace("openLake('lake')", `openLake(${JSON.stringify(join(directory, 'lake'))})`);
    const printed: unknown[] = [];
    const run = new Function('edrlake', 'process', 'console', `return (async () => {${body}})()`);
    const environment = { env: { EDRLAKE_PASSWORD: 'demo' } };
    await run(await import('edrlake'), environment, { log: (...values: unknown[]) => printed.push(...values) });
    const [count, rows] = printed;
    expect(count).toBe(50);
    const parsed = JSON.parse(String(rows)) as readonly object[];
    expect(parsed.map((row) => Object.keys(row))).toEqual(
      Array.from({ length: 3 }, () => ['event_time', 'event_type', 'host_name']),
    );
    await rm(directory, { recursive: true, force: true });
  },
);

test('the example of reading events counts the hosts on which a program ran', async () => {
  const day = '2020-08-17';
  await using gateway = await startTestGateway({ events: 2_000, from: day, to: day, seed: 7 });
  const { truth } = gateway.simulator;
  const names = [...truth.indexes()].map((index) => {
    const { type, process } = truth.event(index) as EdrEvent;
    return type === 'PROCESS' ? process?.processName?.toLowerCase() : undefined;
  });
  const program = names.find((name) => name !== undefined) ?? '';
  const hosts = await hostsRunning(gateway.source, day, program);
  const total = [...hosts.values()].reduce((sum, count) => sum + count, 0);
  expect(total).toBe(names.filter((name) => name === program).length);
  expect(total).toBeGreaterThan(0);
});

test('the example of planning finds windows that paging can reach', async () => {
  const lines = await planRequests();
  const counts = lines.flatMap((line) => Number(/: (\d+) events$/.exec(line)?.[1] ?? 0) || []);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(33_000);
  expect(Math.max(...counts)).toBeLessThanOrEqual(10_000);
  expect(lines.at(-1)).toMatch(/^33000 events, \d+ counts, \d+ pages$/);
});

test('the example of a dataset of your own exports an API that counts and pages, each event once', async () => {
  const startMs = Date.UTC(2026, 7, 17);
  const instant = (ms: number) => new Date(ms).toISOString().replace('Z', '+0000');
  const events = Array.from({ length: 2_500 }, (_, n) => ({
    uuid: `door-${n}`,
    opened: instant(startMs + n * 30_000),
    received: instant(startMs + n * 30_000 + 900),
    kind: n % 50 === 0 ? 'FORCED' : 'OPENED',
    door: { name: `Door ${n % 7}`, floor: n % 3, weight: n },
    badges: n % 2 === 0 ? [{ number: `B${n}` }, { number: `C${n}`, lost: true }] : [],
  }));
  let pages = 0;
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://doors');
    const number = (name: string) => Number(searchParams.get(name));
    const isIn = ({ opened }: { readonly opened: string }) =>
      Date.parse(opened) >= number('from') && Date.parse(opened) < number('to');
    const found = events.filter(isIn);
    const [size, from] = [number('size'), number('page') * number('size')];
    if (pathname === '/events') pages += 1;
    response.end(JSON.stringify(pathname === '/events' ? found.slice(from, from + size) : { count: found.length }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const directory = await mkdtemp(join(tmpdir(), 'edrlake-doors-'));
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const first = await exportDoors(url, directory, '2026-08-17');
    expect(first).toMatchObject({ outcome: 'done', events: { new: 2_500 } });
    expect(pages).toBeLessThan(50);
    const again = await exportDoors(url, directory, '2026-08-17');
    expect(again).toMatchObject({ outcome: 'done', events: { new: 0 } });
    const lake = await openLake(directory, { dataset: DOORS, readOnly: true });
    const [counts] = await lake
      .query(
        `select count(*) as n, count(distinct event_id) as ids, (select count(*) from badges) as badges,
           count(*) filter (event_type = 'FORCED') as forced,
           count(*) filter (json_extract(extra, '$.door.weight') is not null) as weights from events`,
      )
      .toArray();
    expect(counts).toEqual({ n: 2_500, ids: 2_500, badges: 2_500, forced: 50, weights: 2_500 });
    await lake.close();
  } finally {
    server.close();
    await rm(directory, { recursive: true, force: true });
  }
  const example = await readFile(new URL('../../examples/own-dataset.ts', import.meta.url), 'utf8');
  const page = await readFile(new URL('../../docs/datasets.md', import.meta.url), 'utf8');
  expect(page).toContain(example);
});
