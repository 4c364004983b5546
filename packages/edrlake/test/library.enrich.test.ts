import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { backfill, connect, defineDataset, enrich, field, type Lake, openLake, type RunEvent } from '../src/index.ts';
import { startTestGateway } from '../src/testing.ts';

const DAYS = { from: '2020-08-17', to: '2020-08-18' };
const MARKED = "json_exists(extra, '$.edrlake.detailsAt')";

async function temporary(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'edrlake-library-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Events that a condition selects, and those of them with details. */
async function counted(lake: Lake, where: string): Promise<readonly [events: number, detailed: number]> {
  const sql = `select count(*) as events, count(*) filter (${MARKED}) as detailed from events where ${where}`;
  const [row] = await lake.query<{ events: number; detailed: number }>(sql).toArray();
  return [Number(row?.events), Number(row?.detailed)];
}

test('a program adds details within its requests, reports how it goes, and goes on where it stopped', async () => {
  const where = 'score >= 5';
  await using gateway = await startTestGateway({ ...DAYS, events: 1_500, seed: 3 });
  const { source, simulator } = gateway;
  await using lake = await openLake(join(await temporary(), 'lake'));
  await backfill(lake, source, DAYS);
  const [wanted] = await counted(lake, where);
  expect(wanted).toBeGreaterThan(4);

  const progress: RunEvent['type'][] = [];
  const onProgress = ({ type }: RunEvent) => progress.push(type);
  const first = await enrich(lake, source, { where, maxRequests: 3, onProgress });
  expect(first).toEqual({
    ...{ outcome: 'partly', enriched: 3, left: wanted - 3, requests: 3, commits: 1 },
    ...{ skipped: 0, absent: 0, unusable: 0, failed: 0 },
  });
  expect(progress).toContain('commit');
  expect(await counted(lake, where)).toEqual([wanted, 3]);
  expect(await enrich(lake, source, { where, limit: 1, concurrency: 1 })).toMatchObject({ enriched: 1, requests: 1 });

  const rest = await enrich(lake, source, { where });
  expect(rest).toMatchObject({ outcome: 'done', enriched: wanted - 4, left: 0 });
  expect(simulator.calls.of('detail')).toHaveLength(wanted);
  expect(await counted(lake, where)).toEqual([wanted, wanted]);
  expect(await counted(lake, `not (coalesce(${where}, false))`)).toEqual([1_500 - wanted, 0]);
  expect(await enrich(lake, source, { where })).toMatchObject({ outcome: 'done', enriched: 0, requests: 0 });
  expect((await lake.verify()).findings).toEqual([]);
});

test('an aborted call keeps what it has committed, and a lake that is only read is left alone', async () => {
  await using gateway = await startTestGateway({ ...DAYS, events: 300, seed: 3 });
  const { source } = gateway;
  const directory = join(await temporary(), 'lake');
  {
    await using lake = await openLake(directory);
    await backfill(lake, source, DAYS);
    const controller = new AbortController();
    const { signal } = controller;
    // One hundred events are a commit.
    const onProgress = ({ type }: RunEvent) => type === 'commit' && controller.abort();
    const interrupted = enrich(lake, source, { where: 'true', signal, onProgress });
    await expect(interrupted).rejects.toMatchObject({ code: 'INTERRUPTED' });
    const [, detailed] = await counted(lake, 'true');
    expect(detailed).toBeGreaterThanOrEqual(100);
    expect(detailed).toBeLessThan(300);
  }
  await using readOnly = await openLake(directory, { readOnly: true });
  await expect(enrich(readOnly, source, { where: 'true' })).rejects.toMatchObject({ code: 'USAGE' });
});

test('a condition that is none says what DuckDB says of it, and asks for nothing', async () => {
  await using gateway = await startTestGateway({ ...DAYS, events: 10, seed: 3 });
  await using lake = await openLake(join(await temporary(), 'lake'));
  await backfill(lake, gateway.source, DAYS);
  for (const [where, message] of [
    ['scoer >= 5', /"scoer" not found/],
    ['score >= 5; drop table events', /at or near ";"/],
    ['score >=', /syntax error/],
  ] as const) {
    const refused = { code: 'QUERY_FAILED', message: expect.stringMatching(message) };
    await expect(enrich(lake, gateway.source, { where })).rejects.toMatchObject(refused);
  }
  expect(gateway.simulator.calls.of('detail')).toEqual([]);
});

test('an API without details is refused', async () => {
  const doors = defineDataset({
    name: 'doors',
    identity: 'uuid',
    times: { event: 'opened', processed: 'received' },
    tables: { events: { columns: [field('door', 'text', 'door', 'its name')] } },
    source: () => ({
      ...{ name: 'doors', pageSize: 100, maxResultWindow: 10_000 },
      count: async () => 0,
      page: async (_query, _page, read) => read(Readable.from([Buffer.from('[]')])),
    }),
  });
  await using source = await connect({ dataset: doors, access: null });
  await using lake = await openLake(join(await temporary(), 'lake'), { dataset: doors });
  await expect(enrich(lake, source, { where: 'true' })).rejects.toMatchObject({
    code: 'USAGE',
    message: 'the API of doors has no details of single events',
  });
});
