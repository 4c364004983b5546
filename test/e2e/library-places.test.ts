import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backfill, openLake, type QueryReads } from 'edrlake';
import { startTestGateway, type TestGateway } from 'edrlake/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { S3_KEY } from '../../packages/lake/test/object-address.ts';
import { type S3Server, startS3Server } from '../../packages/lake/test/s3-server.ts';
import { runCommand } from './command.ts';

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

  test('is read from copies where httpfs cannot be loaded, and program and command say so', async () => {
    const s3 = { endpoint: server.url, region: 'us-east-1', credentials: S3_KEY };
    const place = { s3, workDirectory: join(directory, 'one') };
    const lake = await openLake('s3://lake/edr', place);
    await backfill(lake, gateway.source, DAY);
    await lake.close();
    // There is no such file, on a machine with DuckDB's extension either.
    const httpfsFile = join(directory, 'httpfs.duckdb_extension');
    const statement = 'select count(distinct event_id)::INTEGER as events from events';
    const reader = await openLake('s3://lake/edr', { ...place, httpfsFile, readOnly: true });
    const heard: QueryReads[] = [];
    const onReads = (reads: QueryReads) => heard.push(reads);
    expect(await reader.query(statement, { onReads }).toArray()).toEqual([{ events: 500 }]);
    expect(heard).toMatchObject([{ by: 'copies', files: 1, copies: 1 }]);
    await reader.close();

    const env = {
      ...{ AWS_ENDPOINT_URL: server.url, AWS_REGION: 'us-east-1', COLUMNS: '80' },
      ...{ AWS_ACCESS_KEY_ID: S3_KEY.accessKeyId, AWS_SECRET_ACCESS_KEY: S3_KEY.secretAccessKey },
    };
    const query = (...words: readonly string[]) =>
      runCommand(['query', statement, '--lake', 's3://lake/edr', '--httpfs', httpfsFile, ...words], { env });
    const file = join(directory, 'answer.parquet');
    const shown = await query('--work', join(directory, 'two'), '--log-level', 'debug', '--output', file, '--json');
    expect(shown.stderr).toMatch(/^edrlake: reads 1 file as copies on this machine: DuckDB v[\d.]+ does not load /m);
    expect(JSON.parse(shown.stdout)).toMatchObject({ output: file, reads: { by: 'copies', files: 1 } });
    const demanded = await query('--work', join(directory, 'three'), '--reads', 'httpfs');
    expect(demanded).toMatchObject({ exitCode: 2, stdout: '', stderr: expect.stringContaining('INSTALL httpfs') });
    const wrong = await query('--reads', 'sometimes');
    expect(wrong).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('auto, copies or httpfs') });
  }, 120_000);

  test('takes no settings of the other kind', async () => {
    await expect(openLake(directory, { workDirectory: directory })).rejects.toMatchObject({ code: 'USAGE' });
    await expect(openLake(directory, { reads: 'copies' })).rejects.toMatchObject({ code: 'USAGE' });
    await expect(openLake('s3://lake/edr', { reads: 'never' as 'auto' })).rejects.toMatchObject({ code: 'USAGE' });
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
