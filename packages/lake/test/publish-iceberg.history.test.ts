import { access, cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MS_PER_DAY, systemClock } from '@edrlake/core';
import avro from 'avsc';
import { describe, expect, test } from 'vitest';
import type { Lake, PublishOptions } from '../src/index.ts';
import { onFailingDisk } from './failing-disk.ts';
import { askPlain, newDirectory, openSmall } from './opened-lakes.ts';
import { event, loggedIn, openFilled, SCORES, TABLES, treeOf } from './published-lakes.ts';
import { deliver } from './small-lake.ts';

const { signal } = new AbortController();
const publish = (lake: Lake, options: PublishOptions = {}) => lake.publish('iceberg', options, { signal });

interface Snapshot {
  readonly 'snapshot-id': number;
  readonly 'parent-snapshot-id'?: number;
  readonly 'sequence-number': number;
  readonly 'manifest-list': string;
  readonly summary: Record<string, string>;
}

interface Metadata {
  readonly location: string;
  readonly 'table-uuid': string;
  readonly 'current-snapshot-id': number;
  readonly schemas: { readonly fields: { readonly id: number; readonly name: string; readonly type: string }[] }[];
  readonly 'partition-specs': { readonly fields: unknown[] }[];
  readonly properties: Record<string, string>;
  readonly snapshots: Snapshot[];
}

interface Line {
  readonly manifest_path: string;
  readonly manifest_length: number;
  readonly sequence_number: number;
  readonly added_files_count: number;
  readonly existing_files_count: number;
  readonly deleted_files_count: number;
  readonly added_rows_count: number;
  readonly existing_rows_count: number;
}

interface Entry {
  readonly status: number;
  readonly snapshot_id: number;
  readonly sequence_number: number | null;
  readonly data_file: {
    readonly file_path: string;
    readonly record_count: number;
    readonly file_size_in_bytes: number;
    readonly partition: Record<string, number>;
    readonly lower_bounds: { readonly key: number; readonly value: Buffer }[];
  };
}

/** Records of an Avro file, by a library that knows nothing of this repository. */
function avroRecords<T>(address: string): Promise<T[]> {
  return new Promise((resolve, reject) => {
    const records: T[] = [];
    avro
      .createFileDecoder(address.replace('file://', ''))
      .on('data', (record: T) => records.push(record))
      .on('error', reject)
      .on('end', () => resolve(records));
  });
}

async function metadataOf(root: string, table: string): Promise<Metadata> {
  const folder = join(root, table, 'metadata');
  const number = await readFile(join(folder, 'version-hint.text'), 'utf8');
  return JSON.parse(await readFile(join(folder, `v${number}.metadata.json`), 'utf8')) as Metadata;
}

/** Live files of a snapshot by path in the table, as the specification says to find them. */
async function filesOf({ location }: Metadata, snapshot: Snapshot): Promise<Map<string, Entry>> {
  const files = new Map<string, Entry>();
  for (const line of await avroRecords<Line>(snapshot['manifest-list'])) {
    const entries = await avroRecords<Entry>(line.manifest_path);
    const count = (status: number) => entries.filter((entry) => entry.status === status).length;
    expect([count(0), count(1), count(2)]).toEqual([
      line.existing_files_count,
      line.added_files_count,
      line.deleted_files_count,
    ]);
    for (const entry of entries.filter(({ status }) => status !== 2)) {
      expect(entry.sequence_number ?? line.sequence_number).toBeLessThanOrEqual(snapshot['sequence-number']);
      files.set(entry.data_file.file_path.slice(location.length + 1), entry);
    }
  }
  return files;
}

describe('tables published as Iceberg', () => {
  test('have in snapshot n the files of version n of the lake, with their rows', async () => {
    const { directory, lake } = await openFilled();
    expect(await publish(lake)).toMatchObject({ version: 5, firstVersion: 1 });
    const root = join(directory, '_tables');
    for (const table of TABLES) {
      const expected = await loggedIn(directory, table);
      const metadata = await metadataOf(root, table);
      expect(metadata.snapshots.map((snapshot) => snapshot['snapshot-id'])).toEqual([1, 2, 3, 4, 5]);
      expect(metadata).toMatchObject({ location: `file://${join(root, table)}`, 'current-snapshot-id': 5 });
      // Without it Spark refuses files in order of arrival.
      expect(metadata.properties['read.parquet.vectorization.enabled']).toBe('false');
      for (const snapshot of metadata.snapshots) {
        const files = await filesOf(metadata, snapshot);
        const id = snapshot['snapshot-id'];
        expect([...files.keys()].sort(), `${table} ${id}`).toEqual(expected.get(id));
        const rows = [...files.values()].reduce((sum, { data_file }) => sum + Number(data_file.record_count), 0);
        expect(snapshot.summary).toMatchObject({ 'total-records': String(rows), 'total-data-files': `${files.size}` });
        if (table !== 'events') continue;
        const list = [...files.keys()].map((path) => `'${join(root, table, path)}'`).join(', ');
        const found = await askPlain(`SELECT event_id, score FROM read_parquet([${list}]) ORDER BY 1`);
        expect(found, `version ${id}`).toEqual(SCORES[id]);
      }
    }
  });

  test('say types, field ids, the partition, bounds and what a snapshot did', async () => {
    const { directory, lake } = await openFilled();
    await publish(lake);
    const metadata = await metadataOf(join(directory, '_tables'), 'events');
    expect(metadata.schemas.at(-1)?.fields.map(({ id, name, type }) => `${id} ${name} ${type}`)).toEqual([
      ...['1 event_date date', '2 event_id string', '3 event_time timestamptz', '4 processed_time timestamptz'],
      ...['5 event_type string', '6 agent_id string', '7 score int', '8 extra string'],
    ]);
    expect(metadata['partition-specs'][0]?.fields).toEqual([
      { name: 'event_date', transform: 'identity', 'source-id': 1, 'field-id': 1000 },
    ]);
    expect(metadata.snapshots.map(({ summary }) => summary.operation)).toEqual([
      'append',
      'append',
      'overwrite',
      'replace',
      'append',
    ]);
    const [newest] = metadata.snapshots.slice(-1);
    const files = await filesOf(metadata, newest as Snapshot);
    const added = [...files.values()].find(
      (entry) => Number(entry.data_file.partition.event_date) === 18_492,
    )?.data_file;
    expect({ ...added?.partition }).toEqual({ event_date: Date.parse('2020-08-18') / MS_PER_DAY });
    const lower = added?.lower_bounds.find(({ key }) => key === 3)?.value;
    expect(lower?.readBigInt64LE()).toBe(BigInt(Date.parse('2020-08-18T01:00:00Z')) * 1000n);
  });

  test('are the same when published twice, or by two at once', async () => {
    const { directory, lake } = await openFilled();
    const root = join(directory, '_tables');
    await publish(lake);
    const whole = await treeOf(root);
    expect(await publish(lake)).toMatchObject({ version: 5, written: 0 });
    expect(await treeOf(root)).toEqual(whole);
    await rm(root, { recursive: true });
    await Promise.all([publish(lake), publish(await openSmall(directory)), publish(await openSmall(directory))]);
    expect(await treeOf(root)).toEqual(whole);
    await lake.publish('delta', {}, { signal });
    await deliver(lake, [event('e', 0)]);
    await publish(lake);
    expect((await metadataOf(root, 'events')).snapshots).toHaveLength(6);
  });

  test('are completed by the next call after a death at any step', { timeout: 60_000 }, async () => {
    const { directory, lake } = await openFilled();
    const root = join(directory, '_tables');
    await publish(lake);
    const whole = await treeOf(root);
    for (const call of ['link', 'rename'] as const) {
      for (let nth = 1; ; nth += call === 'link' ? 7 : 2) {
        await rm(root, { recursive: true });
        const fault = { call, errno: 'EIO', matches: (path: string) => path.includes('/_tables/'), nth };
        const { outcome } = await onFailingDisk([fault], () => publish(lake));
        if ('value' in outcome) break;
        for (const table of TABLES) {
          const metadata = await metadataOf(root, table).catch(() => null);
          for (const snapshot of metadata?.snapshots ?? [])
            for (const path of (await filesOf(metadata as Metadata, snapshot)).keys())
              await access(join(root, table, path));
        }
        expect(await publish(lake), `after ${call} ${nth}`).toMatchObject({ version: 5 });
        expect(await treeOf(root), `after ${call} ${nth}`).toEqual(whole);
      }
    }
  });

  test('grow by what is new, and keep their number of manifests small', async () => {
    const directory = await newDirectory();
    const lake = await openSmall(directory);
    const root = join(directory, '_tables');
    for (let n = 1; n <= 51; n += 1) {
      await deliver(lake, [event(`e${n}`, n % 3)]);
      if (n % 17 === 0) await publish(lake);
    }
    const metadata = await metadataOf(root, 'events');
    expect(metadata.snapshots).toHaveLength(51);
    const [newest] = metadata.snapshots.slice(-1);
    expect(await avroRecords((newest as Snapshot)['manifest-list'])).toHaveLength(4);
    const expected = await loggedIn(directory, 'events');
    for (const id of [17, 48, 49, 51]) {
      const files = await filesOf(metadata, metadata.snapshots[id - 1] as Snapshot);
      expect([...files.keys()].sort(), `version ${id}`).toEqual(expected.get(id));
    }
    expect((await readdir(join(root, 'events/metadata'))).filter((name) => name.endsWith('.json'))).toHaveLength(3);
  });
});

describe('the snapshots of published tables', () => {
  test('go with the files that vacuum deletes, and their metadata with them', async () => {
    const { directory, lake } = await openFilled();
    const root = join(directory, '_tables');
    await publish(lake);
    const before = await readdir(join(root, 'events/metadata'));
    await lake.vacuum({ graceMs: -1 }, { signal });
    await deliver(lake, [event('e', 1)]);
    expect(await publish(lake)).toMatchObject({ version: 6, firstVersion: 4 });
    for (const table of ['events', 'certificates']) {
      const metadata = await metadataOf(root, table);
      expect(metadata.snapshots.map((snapshot) => snapshot['snapshot-id'])).toEqual([4, 5, 6]);
      for (const snapshot of metadata.snapshots)
        for (const path of (await filesOf(metadata, snapshot)).keys()) await access(join(root, table, path));
    }
    const gone = before.filter((name) => /^snap-[123]-/.test(name));
    const after = await readdir(join(root, 'events/metadata'));
    expect(gone).toHaveLength(3);
    expect(after.filter((name) => gone.includes(name))).toEqual([]);
  });

  test('have other addresses after the lake was moved', async () => {
    const { directory, lake } = await openFilled();
    await publish(lake);
    const before = await metadataOf(join(directory, '_tables'), 'events');
    await lake.close();
    const moved = join(dirname(directory), 'moved');
    await cp(directory, moved, { recursive: true });
    await rm(directory, { recursive: true });
    const there = await openSmall(moved);
    expect(await publish(there)).toMatchObject({ version: 5, firstVersion: 1 });
    const after = await metadataOf(join(moved, '_tables'), 'events');
    expect(after.location).toBe(`file://${join(moved, '_tables/events')}`);
    expect(after['table-uuid']).toBe(before['table-uuid']);
    for (const snapshot of after.snapshots) {
      const files = await filesOf(after, snapshot);
      expect(files.size).toBeGreaterThan(0);
      for (const path of files.keys()) await access(join(moved, '_tables/events', path));
    }
    expect(await publish(there)).toMatchObject({ written: 0 });
  });

  test('of a lake that was restored are refused', async () => {
    const { directory, lake } = await openFilled({ clock: systemClock });
    const copy = `${directory}-before`;
    await cp(directory, copy, { recursive: true });
    await deliver(lake, [event('x', 2)]);
    await publish(lake, { to: join(dirname(directory), 'open') });
    await lake.close();
    const restored = await openSmall(copy);
    const to = join(dirname(directory), 'open');
    await expect(publish(restored, { to })).rejects.toMatchObject({ code: 'PUBLISH_REFUSED', message: /version 6/ });
  });
});

test('a lake that is opened to be published is so after each commit, and says at its end where it could not', async () => {
  const directory = await newDirectory();
  const lake = await openSmall(directory, { publishes: ['delta', 'iceberg'] });
  expect(await lake.publications()).toEqual([]);
  await deliver(lake, [event('a', 0)]);
  const at = (version: number) => [
    { format: 'delta', version, isOfLostHistory: false },
    { format: 'iceberg', version, isOfLostHistory: false },
  ];
  expect(await lake.publications()).toEqual(at(1));
  await deliver(lake, [event('b', 0)]);
  await lake.compact({}, { runId: 'test', signal });
  const { version } = await lake.snapshot();
  expect(version).toBe(3);
  expect(await lake.publications()).toEqual(at(3));
  const path = join(directory, '_tables/delta.json');
  const before = await readFile(path, 'utf8');
  await writeFile(path, '{}');
  expect(await deliver(lake, [event('c', 0)])).toMatchObject({ version: 4 });
  await expect(lake.close()).rejects.toMatchObject({ code: 'PUBLISH_REFUSED' });
  await writeFile(path, before);
  const again = await openSmall(directory, { publishes: ['delta', 'iceberg'] });
  await deliver(again, [event('d', 0)]);
  expect(await again.publications()).toEqual(at(5));
  await again.close();
});
