import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { backfill, connect, openLake } from '../src/index.ts';
import { startSimulator } from '../src/simulator.ts';

test('a program hunts lists from then on, and makes the index', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'edrlake-library-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const lists = join(directory, 'hunts');
  await mkdir(lists);
  await writeFile(join(lists, 'all.txt'), '0.0.0.0/0\n');
  const range = { startMs: Date.parse('2020-08-17'), endMs: Date.parse('2020-08-19') };
  const simulator = await startSimulator({ events: 200, range });
  onTestFinished(() => simulator.close());
  await using lake = await openLake(join(directory, 'lake'));
  await using source = await connect({ baseUrl: simulator.url, username: 'demo', password: 'demo' });
  await backfill(lake, source, { from: '2020-08-17', to: '2020-08-17' });
  const first = await lake.huntStanding(lists, { maxMatches: 2 });
  expect(first).toMatchObject({ pending: 0, faults: [], lists: [{ name: 'all.txt', indicators: 1 }] });
  expect([first.fresh.count, first.fresh.matches.length]).toEqual([first.matches, 2]);
  const { known, files } = await lake.index();
  expect(known).toBe(files);
  await backfill(lake, source, { from: '2020-08-18', to: '2020-08-18' });
  const [row] = await lake
    .query<{ days: number }>('select count(distinct event_date) as days from hunt_matches')
    .toArray();
  expect(Number(row?.days)).toBe(2);
  const second = await lake.huntStanding(lists);
  expect(second.fresh.count).toBe(second.matches - first.matches);
  await expect(lake.huntStanding(join(directory, 'nowhere'))).rejects.toMatchObject({ code: 'USAGE' });
});
