import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backfill, openLake } from 'edrlake';
import { startTestGateway, type TestGateway } from 'edrlake/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { S3_KEY } from '../../packages/lake/test/object-address.ts';
import { type S3Server, startS3Server } from '../../packages/lake/test/s3-server.ts';

const DAY = { from: '2020-08-17', to: '2020-08-17' };
const COUNT = 'select count(*) as events from events';

let directory: string;
let gateway: TestGateway;
let server: S3Server;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-places-'));
  gateway = await startTestGateway({ ...DAY, events: 500, seed: 5, nullIdShare: 0 });
  server = await startS3Server();
});

afterEach(async () => {
  await gateway.close();
  await server.close();
  await rm(directory, { recursive: true, force: true });
});

describe('a lake in an object store', () => {
  test('takes an export, and is read by another machine', async () => {
    const s3 = { endpoint: server.url, region: 'us-east-1', credentials: S3_KEY };
    const lake = await openLake('s3://lake/edr', { s3, workDirectory: join(directory, 'one') });
    expect((await backfill(lake, gateway.source, DAY)).outcome).toBe('done');
    const { files } = await lake.version();
    await lake.close();
    expect(lake.address).toBe('s3://lake/edr');
    expect(files[0]?.path).toMatch(/^s3:\/\/lake\/edr\/events\/event_date=2020-08-17\/.+\.parquet$/);

    const reader = await openLake('s3://lake/edr', { s3, workDirectory: join(directory, 'other'), readOnly: true });
    expect(await reader.query(COUNT).toArray()).toEqual([{ events: 500 }]);
    expect(await reader.gate(DAY)).toMatchObject({ passes: true });
    await reader.close();
  });

  test('takes no settings of the other kind', async () => {
    await expect(openLake(directory, { workDirectory: directory })).rejects.toMatchObject({ code: 'USAGE' });
    await expect(openLake('gs://lake/edr')).rejects.toMatchObject({ code: 'USAGE' });
  });
});

test('a lake publishes its tables, once and after each commit', async () => {
  const folder = join(directory, 'lake');
  const lake = await openLake(folder, { publishes: ['iceberg'] });
  await backfill(lake, gateway.source, DAY);
  const first = await lake.publish('delta');
  expect(first).toMatchObject({ format: 'delta', version: (await lake.version()).version });
  expect(await lake.publish('delta')).toMatchObject({ written: 0 });
  await lake.close();
  expect(await readdir(join(first.tables.events ?? '', '_delta_log'))).toContain(`${'1'.padStart(20, '0')}.json`);
  expect(await readdir(join(folder, '_tables'))).toEqual(expect.arrayContaining(['delta.json', 'iceberg.json']));
});
