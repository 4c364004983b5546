import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSimulator } from '@edrlake/simulator';
import type { EdrEvent } from 'edrlake';
import { startTestGateway } from 'edrlake/testing';
import { expect, test } from 'vitest';
import { exportAndQuery } from '../../examples/export-and-query.ts';
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
