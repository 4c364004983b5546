import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import avro from 'avsc';
import { expect, test } from 'vitest';
import { newS3Server, openRemote } from './object-lakes.ts';
import { askPlain } from './opened-lakes.ts';
import { event, TABLES } from './published-lakes.ts';
import { deliver } from './small-lake.ts';

const { signal } = new AbortController();

async function withFile<T>(bytes: Uint8Array, read: (path: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'catalog-'));
  try {
    await writeFile(join(folder, 'lake.ducklake'), bytes);
    return await read(join(folder, 'lake.ducklake'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test('a lake in an object store is published beside its data, and keeps replaced files for the history', async () => {
  const server = await newS3Server();
  const lake = await openRemote(server);
  await deliver(lake, [event('a', 0), event('b', 0)]);
  await deliver(lake, [event('b', 0, { score: 7 })]);
  await lake.compact({}, { runId: 'test', signal });
  const delta = await lake.publish('delta', {}, { signal });
  const iceberg = await lake.publish('iceberg', {}, { signal });
  const { version } = await lake.snapshot();
  expect(delta).toMatchObject({ version, firstVersion: 0 });
  expect(iceberg).toMatchObject({ version, firstVersion: 1 });
  expect(delta.tables.events).toBe('s3://lake/edr/events');
  const keys = [...server.objects.keys()];
  const text = (key: string) => server.objects.get(key)?.body.toString('utf8') ?? '';
  const key = (path: string) => keys.find((each) => each.endsWith(path)) ?? `no ${path}`;
  const prefix = key('events/_delta_log/00000000000000000000.json').replace(/events\/_delta_log.*$/, '');
  for (const table of TABLES) {
    const files = new Set<string>();
    for (let n = 0; n <= version; n += 1) {
      for (const line of text(`${prefix}${table}/_delta_log/${String(n).padStart(20, '0')}.json`)
        .trim()
        .split('\n')) {
        const { add, remove } = JSON.parse(line) as { add?: { path: string }; remove?: { path: string } };
        if (remove !== undefined) files.delete(remove.path);
        if (add !== undefined) files.add(add.path);
      }
      for (const path of files) expect(keys, `${table} ${n}`).toContain(`${prefix}${table}/${path}`);
    }
    expect([...files].sort()).toEqual(
      ((await lake.snapshot()).files[table] ?? []).map(({ path }) => path.slice(table.length + 1)).sort(),
    );
  }
  const metadata = JSON.parse(text(`${prefix}events/metadata/v1.metadata.json`)) as {
    location: string;
    snapshots: { 'manifest-list': string }[];
  };
  expect(metadata.location).toBe('s3://lake/edr/events');
  expect(metadata.snapshots).toHaveLength(version);
  const recordsOf = async (address: string) => {
    const body = server.objects.get(key(address.replace('s3://lake/', '')))?.body ?? Buffer.alloc(0);
    const decoder = new avro.streams.BlockDecoder();
    const records: Record<string, unknown>[] = [];
    const ended = new Promise((resolve, reject) => decoder.on('end', resolve).on('error', reject));
    decoder.on('data', (record: Record<string, unknown>) => records.push(record));
    decoder.end(body);
    await ended;
    return records;
  };
  for (const snapshot of metadata.snapshots) {
    for (const line of await recordsOf(snapshot['manifest-list'])) {
      for (const entry of await recordsOf(String(line.manifest_path))) {
        const { file_path } = entry.data_file as { file_path: string };
        expect(keys).toContain(key(file_path.replace('s3://lake/', '')));
      }
    }
  }
  const ducklake = await lake.publish('ducklake', {}, { signal });
  const catalogKey = `${prefix}_tables/lake.ducklake`;
  expect(ducklake).toMatchObject({ version, firstVersion: 0, catalog: 's3://lake/edr/_tables/lake.ducklake' });
  const named = await withFile(server.objects.get(catalogKey)?.body ?? Buffer.alloc(0), (file) =>
    askPlain(`
      ATTACH '${file}' AS catalog (READ_ONLY);
      SELECT m.value || s.path || t.path || f.path FROM catalog.ducklake_data_file AS f
        JOIN catalog.ducklake_table AS t USING (table_id) JOIN catalog.ducklake_schema AS s USING (schema_id),
        catalog.ducklake_metadata AS m WHERE m.key = 'data_path'`),
  );
  expect(named.length).toBeGreaterThan(4);
  for (const [address] of named) expect(keys).toContain(key(String(address).replace('s3://lake/', '')));
  expect(await lake.publish('ducklake', {}, { signal })).toMatchObject({ written: 0 });
  expect(await lake.publish('delta', {}, { signal })).toMatchObject({ written: 0 });
  expect(await lake.publish('iceberg', {}, { signal })).toMatchObject({ written: 0 });
  const removed = (await lake.vacuum({ graceMs: -1 }, { signal })).removed.map(({ path }) => path);
  expect(removed.filter((path) => /_delta_log|metadata\//.test(path))).toEqual([]);
  await expect(lake.publish('delta', { to: '/tmp/x' }, { signal })).rejects.toMatchObject({ code: 'USAGE' });
});
