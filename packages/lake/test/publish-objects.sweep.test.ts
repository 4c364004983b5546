import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TABLE_FORMATS, type TableFormat } from '@edrlake/core';
import { describe, expect, test } from 'vitest';
import { newS3Server, openRemote } from './object-lakes.ts';
import { askPlain } from './opened-lakes.ts';
import { event, TABLES } from './published-lakes.ts';
import type { S3Fault, S3Server } from './s3-server.ts';
import { deliver } from './small-lake.ts';

const { signal } = new AbortController();

type Objects = ReadonlyMap<string, { readonly body: Buffer; readonly changedAtMs: number }>;

/** What an object says, without the key of the lake. */
const textOf = (objects: Objects, path: string) => objects.get(`edr/${path}`)?.body.toString('utf8') ?? '';

/** For each format, the version that a reader finds in each table; throws where something that it names is missing. */
const VERSIONS: Readonly<Record<TableFormat, (objects: Objects) => Promise<number[]>>> = {
  delta: async (objects) =>
    TABLES.map((table) => {
      const folder = `${table}/_delta_log/`;
      const names = [...objects.keys()].flatMap((key) => key.split(`edr/${folder}`)[1] ?? []);
      const entries = names.filter((name) => /^\d{20}\.json$/.test(name)).sort();
      for (const line of entries.flatMap((name) => textOf(objects, `${folder}${name}`).trim().split('\n'))) {
        const { add } = JSON.parse(line) as { add?: { path: string } };
        if (add !== undefined) expect([...objects.keys()]).toContain(`edr/${table}/${add.path}`);
      }
      return Number(entries.at(-1)?.slice(0, 20));
    }),
  iceberg: async (objects) =>
    TABLES.map((table) => {
      const hint = textOf(objects, `${table}/metadata/version-hint.text`);
      const metadata = JSON.parse(textOf(objects, `${table}/metadata/v${hint}.metadata.json`)) as {
        'current-snapshot-id': number;
        snapshots: { 'manifest-list': string }[];
      };
      for (const snapshot of metadata.snapshots) {
        expect([...objects.keys()]).toContain(snapshot['manifest-list'].replace('s3://lake/', ''));
      }
      return metadata['current-snapshot-id'];
    }),
  ducklake: async (objects) => {
    const folder = await mkdtemp(join(tmpdir(), 'sweep-'));
    const file = join(folder, 'lake.ducklake');
    await writeFile(file, objects.get('edr/_tables/lake.ducklake')?.body ?? '');
    try {
      const rows = await askPlain(`
        ATTACH '${file}' AS c (READ_ONLY);
        SELECT (SELECT max(snapshot_id)::INTEGER FROM c.ducklake_snapshot), m.value || t.path || f.path
        FROM c.ducklake_data_file AS f JOIN c.ducklake_table AS t USING (table_id), c.ducklake_metadata AS m
        WHERE m.key = 'data_path'`);
      for (const [, address] of rows) expect([...objects.keys()]).toContain(String(address).replace('s3://lake/', ''));
      return [Number(rows[0]?.[0])];
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

/** A lake that is published at version 1 and has committed version 2, and what it looks like when that is published. */
async function committed(format: TableFormat) {
  const server = await newS3Server();
  const lake = await openRemote(server);
  await deliver(lake, [event('a', 0), event('b', 1)]);
  await lake.publish(format, {}, { signal });
  await deliver(lake, [event('b', 1, { score: 7 }), event('c', 0)]);
  const before = new Map(server.objects);
  const start = server.requests.length;
  await lake.publish(format, {}, { signal });
  const requests = server.requests.slice(start);
  return { server, lake, before, requests, after: await stateOf(format, server) };
}

function restore({ objects }: S3Server, to: Objects): void {
  objects.clear();
  for (const [key, object] of to) objects.set(key, object);
}

/** Versions and, where they follow from the log alone, the bytes of all published objects. */
async function stateOf(format: TableFormat, { objects }: S3Server): Promise<unknown> {
  const published = [...objects].filter(([key]) => /_delta_log|\/metadata\/|_tables\/.*json$/.test(key)).sort();
  return [await VERSIONS[format](objects), published.map(([key, { body }]) => [key, body.toString('latin1')])];
}

describe.each(TABLE_FORMATS)('a lake in an object store that is published as %s', (format) => {
  test('shows the version from before or the one after where any request is the last one', async () => {
    const { server, lake, before, requests, after } = await committed(format);
    let seen = new Set<number>();
    for (let nth = 1; nth <= requests.length; nth += 1) {
      for (const last of ['lost', 'unanswered'] as const) {
        restore(server, before);
        const start = server.requests.length;
        server.fault = (_, number) => (number < start + nth ? null : number === start + nth ? last : 'lost');
        await expect(lake.publish(format, {}, { signal }), `request ${nth}`).rejects.toMatchObject({
          code: expect.stringMatching(/^STORE_/),
        });
        server.fault = () => null;
        const versions = await VERSIONS[format](server.objects);
        for (const version of versions) expect([1, 2], `request ${nth}, ${last}`).toContain(version);
        seen = new Set([...seen, ...versions]);
        expect(await lake.publish(format, {}, { signal })).toMatchObject({ version: 2 });
        expect(await stateOf(format, server), `request ${nth}, ${last}`).toEqual(after);
      }
    }
    expect([...seen].sort()).toEqual([1, 2]);
  }, 300_000);

  test('is whole where any one request fails, or fails after it was done', async () => {
    const { server, lake, before, requests, after } = await committed(format);
    const faults: readonly S3Fault[] = ['unanswered', 503];
    for (const fault of faults) {
      for (let nth = 1; nth <= requests.length; nth += 1) {
        restore(server, before);
        const failing = server.requests.length + nth;
        server.fault = (_, number) => (number === failing ? fault : null);
        expect(await lake.publish(format, {}, { signal }), `${fault} at ${nth}`).toMatchObject({ version: 2 });
        expect(await stateOf(format, server), `${fault} at ${nth}`).toEqual(after);
      }
    }
  }, 300_000);
});
