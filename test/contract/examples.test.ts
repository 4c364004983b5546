import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSimulator } from '@edrlake/simulator';
import { expect, test } from 'vitest';
import { exportAndQuery } from '../../examples/export-and-query.ts';
import { planRequests } from '../../examples/plan-requests.ts';
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

test('the example of planning finds windows that paging can reach', async () => {
  const lines = await planRequests();
  const counts = lines.flatMap((line) => Number(/: (\d+) events$/.exec(line)?.[1] ?? 0) || []);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(33_000);
  expect(Math.max(...counts)).toBeLessThanOrEqual(10_000);
  expect(lines.at(-1)).toMatch(/^33000 events, \d+ counts, \d+ pages$/);
});
