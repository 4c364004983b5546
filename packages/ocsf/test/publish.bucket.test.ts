import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rowsOf, systemClock } from '@edrlake/core';
import { QUALYS_EDR } from '@edrlake/datasets';
import { type Lake, openLake } from '@edrlake/lake';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { writeObjects } from '../../lake/test/lake-homes.ts';
import { S3_KEY } from '../../lake/test/object-address.ts';
import { type S3Server, startS3Server } from '../../lake/test/s3-server.ts';
import { publishOcsf } from '../src/index.ts';
import { ocsfPlace } from '../src/names.ts';
import { commitRows, drawing, randomRows } from './random-lake.ts';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const [FIRST, SECOND] = ['2020-08-17', '2020-08-18'];

let directory: string;
let lake: Lake;
let server: S3Server;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-ocsf-'));
  server = await startS3Server();
  const options = { dataset: QUALYS_EDR, clock: systemClock, emit: () => {}, create: true, readOnly: false };
  lake = await openLake({ ...options, directory: join(directory, 'lake') });
  await commitRows(lake, events(30, FIRST, 0), directory);
  await commitRows(lake, events(20, SECOND, 1_000), directory);
});
afterAll(async () => {
  await lake.close();
  await server.close();
  await rm(directory, { recursive: true });
});

const events = (count: number, day: string, first: number) =>
  randomRows(QUALYS_EDR, count, drawing(count), { day, first });

/** Publishes as a machine with a home folder of its own. */
function publish(machine: string, more: { readonly dryRun?: boolean; readonly onStep?: () => void } = {}) {
  const retries = { pause: async () => {}, random: () => 0 };
  const s3 = { endpoint: server.url, region: 'eu-central-1', credentials: S3_KEY, retries };
  const place = ocsfPlace('s3://lake/ocsf/', {
    ...{ workingDirectory: directory, env: {}, home: join(directory, machine), s3 },
  });
  return publishOcsf(lake, {
    ...place,
    ...{ version: '1.8.0', layout: 'security-lake', region: 'eu-central-1', accountId: null, range: null },
    ...{ dryRun: false, signal: new AbortController().signal, ...more },
  });
}

/** How often a reader of all objects sees each event, findings apart. */
async function timesSeen(): Promise<Map<string, number>> {
  const copy = await mkdtemp(join(directory, 'seen-'));
  await writeObjects(server.objects, 'ocsf/ext', copy);
  const seen = new Map<string, number>();
  const connection = await lake.connect();
  const names = (await readdir(copy, { recursive: true })).filter((name) => name.endsWith('.parquet'));
  for (const name of names.filter((path) => !path.includes('finding'))) {
    const file = `'${join(copy, name)}'`;
    const rows = await rowsOf(
      connection,
      `SELECT metadata.uid AS uid FROM read_parquet(${file}, hive_partitioning = false)`,
    );
    for (const { uid } of rows) seen.set(String(uid), (seen.get(String(uid)) ?? 0) + 1);
  }
  return seen;
}

async function onceEach(): Promise<Map<string, number>> {
  const result = await lake.query('SELECT event_id FROM events');
  const ids: string[] = [];
  for await (const chunk of result.rows) ids.push(...chunk.map(([id]) => String(id)));
  return new Map(ids.map((id) => [id, 1]));
}

const sorted = (seen: ReadonlyMap<string, number>) => [...seen].sort(([a], [b]) => (a < b ? -1 : 1));

test('a lake is published into a bucket once, then what is new, also by another machine after a crash', async () => {
  expect(await publish('one', { dryRun: true })).toMatchObject({ directory: 's3://lake/ocsf', days: { published: 2 } });
  expect(server.objects.size).toBe(0);
  expect(await publish('one')).toMatchObject({ directory: 's3://lake/ocsf', days: { published: 2, unchanged: 0 } });
  expect(sorted(await timesSeen())).toEqual(sorted(await onceEach()));
  const keys = [...server.objects.keys()];
  expect(keys.filter((key) => !/^ocsf\/(_edrlake\/|ext\/\S+\/eventDay=\d{8}\/0000-2400\.parquet$)/.test(key))).toEqual(
    [],
  );

  const before = server.requests.length;
  expect(await publish('one')).toMatchObject({ days: { published: 0, unchanged: 2 } });
  const puts = server.requests.slice(before).filter(({ method }) => method === 'PUT');
  expect(puts.map(({ key }) => key)).toEqual(['ocsf/_edrlake/owner.1.json', 'ocsf/_edrlake/publication.json']);

  // A late event reopens the first day; the process dies after the first file of it.
  await commitRows(lake, events(1, FIRST, 500), directory);
  let uploads = 0;
  const onStep = (step?: string) => {
    if (step === 'uploaded') uploads += 1;
    if (uploads > 0) throw new Error('killed');
  };
  await expect(publish('one', { onStep })).rejects.toThrow('killed');
  expect([...(await timesSeen()).values()].filter((times) => times !== 1)).toEqual([]);
  expect(await publish('two')).toMatchObject({ days: { published: 1, unchanged: 1 } });
  expect(sorted(await timesSeen())).toEqual(sorted(await onceEach()));
  // Other files with the same rows are nothing new.
  await lake.compact({}, { runId: 'compact', signal: new AbortController().signal });
  expect(await publish('two')).toMatchObject({ days: { published: 0, unchanged: 2 } });
});
