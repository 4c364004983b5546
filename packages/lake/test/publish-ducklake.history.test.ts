import { access, cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { describe, expect, test } from 'vitest';
import type { Lake, PublishOptions } from '../src/index.ts';
import { openCommitLog } from '../src/log/commit-log.ts';
import { publishDuckLake } from '../src/open-tables/ducklake/ducklake.ts';
import { tableHome } from '../src/open-tables/publication/table-home.ts';
import { localStore, type Store } from '../src/storage/store.ts';
import { onFailingDisk } from './failing-disk.ts';
import { ask, askPlain, newDirectory, openSmall } from './opened-lakes.ts';
import { event, loggedIn, openFilled, SCORES, TABLES, treeOf } from './published-lakes.ts';
import { deliver } from './small-lake.ts';

const { signal } = new AbortController();
const publish = (lake: Lake, options: PublishOptions = {}) => lake.publish('ducklake', options, { signal });

type Row = Readonly<Record<string, unknown>>;

/** Reads a catalogue as the specification of DuckLake 1.0 says it, with plain SQL. */
async function reading<T>(file: string, read: (rows: (sql: string) => Promise<Row[]>) => Promise<T>): Promise<T> {
  const instance = await DuckDBInstance.create(file, { access_mode: 'READ_ONLY' });
  const connection = await instance.connect();
  try {
    await connection.run("SET TimeZone = 'UTC'");
    return await read(async (sql) => (await connection.runAndReadAll(sql)).getRowObjectsJson());
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** The files of a table at a snapshot, as "Queries: SELECT" of the specification finds them. */
const filesSql = (table: string, snapshot: number) => `
  SELECT m.value || s.path || t.path || f.path AS location, f.path, f.record_count, f.file_size_bytes, f.footer_size
  FROM ducklake_data_file AS f JOIN ducklake_table AS t USING (table_id) JOIN ducklake_schema AS s USING (schema_id),
    ducklake_metadata AS m
  WHERE m.key = 'data_path' AND t.table_name = '${table}' AND ${snapshot} >= f.begin_snapshot
    AND (${snapshot} < f.end_snapshot OR f.end_snapshot IS NULL)
  ORDER BY f.path`;

/** All rows of all tables of a catalogue, in one order. */
function contentOf(file: string): Promise<Record<string, unknown[]>> {
  return reading(file, async (rows) => {
    const content: Record<string, unknown[]> = {};
    for (const { name } of await rows(
      'SELECT table_name AS name FROM duckdb_tables() WHERE database_name = current_database() ORDER BY 1',
    )) {
      content[String(name)] = await rows(`SELECT * FROM ${name} ORDER BY ALL`);
    }
    return content;
  });
}

/** The rows of `events` at a snapshot. */
async function scoresAt(file: string, snapshot: number): Promise<unknown[]> {
  const files = await reading(file, (rows) => rows(filesSql('events', snapshot)));
  const list = files.map(({ location }) => `'${location}'`).join(', ');
  return askPlain(`SELECT event_id, score FROM read_parquet([${list}]) ORDER BY 1`);
}

describe('tables published as DuckLake', () => {
  test('have in snapshot n the files of version n of the lake, with their rows and statistics', async () => {
    const { directory, lake } = await openFilled();
    const report = await publish(lake);
    const file = join(directory, '_tables/lake.ducklake');
    expect(report).toMatchObject({ version: 5, firstVersion: 0, written: 6, catalog: file });
    for (const table of TABLES) {
      const expected = await loggedIn(directory, table);
      for (const version of [0, 1, 2, 3, 4, 5]) {
        const files = await reading(file, (rows) => rows(filesSql(table, version)));
        expect(
          files.map(({ path }) => path),
          `${table} ${version}`,
        ).toEqual(expected.get(version));
        for (const { location, record_count, file_size_bytes, footer_size } of files) {
          const bytes = await readFile(String(location));
          expect(Number(file_size_bytes)).toBe(bytes.length);
          expect(Number(footer_size)).toBe(bytes.readUInt32LE(bytes.length - 8));
          expect(await askPlain(`SELECT count(*)::INTEGER FROM '${location}'`)).toEqual([[Number(record_count)]]);
        }
      }
    }
    for (const version of [1, 2, 3, 4, 5]) expect(await scoresAt(file, version)).toEqual(SCORES[version]);
    expect(await scoresAt(file, 5)).toEqual(await ask(lake, 'SELECT event_id, score FROM events ORDER BY 1'));
  });

  test('say types, comments, the partition, bounds and what a snapshot did', async () => {
    const { directory, lake } = await openFilled();
    await publish(lake);
    await reading(join(directory, '_tables/lake.ducklake'), async (rows) => {
      const columns = await rows(`
        SELECT column_id::INTEGER AS id, column_name AS name, column_type AS type, value AS comment,
          source_name AS source, is_partition AS folder
        FROM ducklake_column JOIN ducklake_column_tag USING (table_id, column_id) JOIN ducklake_table USING (table_id)
          JOIN ducklake_column_mapping USING (table_id) JOIN ducklake_name_mapping USING (mapping_id, column_id)
        WHERE table_name = 'events' AND key = 'comment' AND target_field_id = column_id ORDER BY column_order`);
      expect(columns.map(({ id, name, type, source }) => `${id} ${name} ${type} ${source}`)).toEqual([
        ...['1 event_date date event_date', '2 event_id varchar event_id', '3 event_time timestamptz event_time'],
        ...['4 processed_time timestamptz processed_time', '5 event_type varchar event_type'],
        ...['6 agent_id varchar agent_id', '7 score int32 score', '8 extra varchar extra'],
      ]);
      expect(columns.filter(({ folder }) => folder).map(({ name }) => name)).toEqual(['event_date']);
      expect(columns.at(-1)).toMatchObject({ comment: 'extra (JSON)' });
      expect(await rows("SELECT value FROM ducklake_metadata WHERE key = 'version'")).toEqual([{ value: '1.0' }]);
      expect(await rows('SELECT changes_made AS changes FROM ducklake_snapshot_changes ORDER BY snapshot_id')).toEqual([
        {
          changes:
            'created_schema:"main",created_table:"main"."events",created_table:"main"."certificates",created_table:"main"."rejects"',
        },
        { changes: 'inserted_into_table:1,inserted_into_table:4' },
        { changes: 'inserted_into_table:1,inserted_into_table:4,inserted_into_table:7' },
        {
          changes: 'deleted_from_table:1,inserted_into_table:1,deleted_from_table:4,inserted_into_table:4',
        },
        { changes: 'compacted_table:1,compacted_table:4,compacted_table:7' },
        { changes: 'inserted_into_table:1,inserted_into_table:4' },
      ]);
      const bounds = await rows(`
        SELECT column_name AS name, min_value AS low, max_value AS high, value_count::INTEGER AS present,
          null_count::INTEGER AS nulls, partition_value AS day
        FROM ducklake_file_column_stats JOIN ducklake_column USING (table_id, column_id)
          JOIN ducklake_file_partition_value USING (data_file_id, table_id) JOIN ducklake_data_file USING (data_file_id)
          JOIN ducklake_table USING (table_id)
        WHERE table_name = 'events' AND column_name IN ('event_date', 'event_time', 'score')
          AND data_file_id = (SELECT max(data_file_id) FROM ducklake_file_column_stats WHERE max_value = '7')
        ORDER BY column_order`);
      expect(bounds).toEqual([
        { name: 'event_date', low: '2020-08-17', high: '2020-08-17', present: 3, nulls: 0, day: '2020-08-17' },
        {
          name: 'event_time',
          low: '2020-08-17 01:00:00+00',
          high: '2020-08-17 01:00:00+00',
          present: 3,
          nulls: 0,
          day: '2020-08-17',
        },
        { name: 'score', low: '7', high: '7', present: 1, nulls: 2, day: '2020-08-17' },
      ]);
      const ids = await rows(
        'SELECT row_id_start::INTEGER AS start, record_count::INTEGER AS count FROM ducklake_data_file WHERE table_id = 1 ORDER BY data_file_id',
      );
      let next = 0;
      for (const { start, count } of ids) {
        expect(start).toBe(next);
        next += Number(count);
      }
      const [stats] = await rows(
        'SELECT record_count::INTEGER AS count, next_row_id::INTEGER AS next FROM ducklake_table_stats WHERE table_id = 1',
      );
      expect(stats).toEqual({ count: 5, next });
    });
  });

  test('are the same when published twice, by two at once, or step by step', async () => {
    const { directory, lake } = await openFilled();
    const file = join(directory, '_tables/lake.ducklake');
    await publish(lake);
    const whole = await contentOf(file);
    const tree = await treeOf(join(directory, '_tables'));
    expect(await publish(lake)).toMatchObject({ version: 5, written: 0 });
    expect(await treeOf(join(directory, '_tables'))).toEqual(tree);

    await rm(join(directory, '_tables'), { recursive: true });
    const other = await openSmall(directory);
    const reports = await Promise.all([publish(lake), publish(other), publish(lake)]);
    expect(reports.map(({ version }) => version)).toEqual([5, 5, 5]);
    expect(await contentOf(file)).toEqual(whole);

    const steps = await newDirectory();
    const slow = await openSmall(steps);
    for (const n of [0, 1, 2]) {
      await deliver(slow, [event(`e${n}`, n), event('x', 0, { score: n })]);
      await publish(slow);
    }
    await slow.compact({}, { runId: 'test', signal });
    await publish(slow);
    const grown = await contentOf(join(steps, '_tables/lake.ducklake'));
    await rm(join(steps, '_tables'), { recursive: true });
    expect(await publish(slow)).toMatchObject({ written: 5 });
    expect(await contentOf(join(steps, '_tables/lake.ducklake'))).toEqual(grown);
  });

  test('are as before or as after a death at any step, and completed by the next call', async () => {
    const { directory, lake } = await openFilled();
    const root = join(directory, '_tables');
    const file = join(root, 'lake.ducklake');
    await publish(lake);
    const saved = join(dirname(directory), 'before');
    await cp(root, saved, { recursive: true });
    await deliver(lake, [event('e', 1), event('b', 0, { score: 8 })]);
    await publish(lake);
    const whole = await contentOf(file);
    expect(whole.ducklake_snapshot).toHaveLength(7);
    let met = 0;
    for (const call of ['link', 'rename', 'sync'] as const) {
      for (let nth = 1; ; nth += call === 'rename' ? 1 : 3) {
        await rm(root, { recursive: true });
        await cp(saved, root, { recursive: true });
        const fault = { call, errno: 'EIO', matches: (path: string) => path.includes('/_tables'), nth };
        const { outcome } = await onFailingDisk([fault], () => publish(lake));
        if ('value' in outcome) break;
        met += 1;
        const [newest] = await reading(file, (rows) =>
          rows('SELECT max(snapshot_id)::INTEGER AS id FROM ducklake_snapshot'),
        );
        expect([5, 6]).toContain(newest?.id);
        const files = await reading(file, (rows) => rows(filesSql('events', Number(newest?.id))));
        if (newest?.id === 6) for (const { location } of files) await access(String(location));
        expect(await publish(lake), `after ${call} ${nth}`).toMatchObject({ version: 6 });
        expect(await contentOf(file), `after ${call} ${nth}`).toEqual(whole);
      }
    }
    expect(met).toBeGreaterThan(5);
  });
});

describe('the snapshots of a catalogue', () => {
  test('go with the files that vacuum deletes', async () => {
    const { directory, lake } = await openFilled();
    const file = join(directory, '_tables/lake.ducklake');
    await publish(lake);
    await lake.vacuum({ graceMs: -1 }, { signal });
    expect(await publish(lake)).toMatchObject({ version: 5, firstVersion: 4, written: 0 });
    const kept = await contentOf(file);
    expect(kept.ducklake_snapshot).toHaveLength(2);
    expect(kept.ducklake_snapshot_changes).toHaveLength(2);
    const ids = new Set(kept.ducklake_data_file?.map((row) => (row as Row).data_file_id));
    for (const table of ['ducklake_file_column_stats', 'ducklake_file_partition_value']) {
      expect(kept[table]?.filter((row) => !ids.has((row as Row).data_file_id))).toEqual([]);
    }
    for (const version of [4, 5]) {
      expect(await scoresAt(file, version)).toEqual(SCORES[version]);
      const files = await reading(file, (rows) => rows(filesSql('events', version)));
      expect(files.map(({ path }) => path)).toEqual((await loggedIn(directory, 'events')).get(version));
    }
    expect(await publish(lake)).toMatchObject({ written: 0 });
    // One that comes later begins at the first version of which all files are there.
    await rm(join(directory, '_tables'), { recursive: true });
    expect(await publish(lake)).toMatchObject({ firstVersion: 4, version: 5, written: 2 });
    expect(await scoresAt(file, 5)).toEqual(SCORES[5]);
  });

  test('have the columns of their versions, and find them in files from before', async () => {
    const directory = await newDirectory();
    const lake = await openSmall(directory);
    const file = join(directory, '_tables/lake.ducklake');
    await deliver(lake, [event('a', 0, { extra: '{"signer":"one"}' }), event('b', 1)]);
    await publish(lake);
    await lake.promote({ path: 'signer', type: 'text' }, { runId: 'test', signal });
    await publish(lake);
    await deliver(lake, [event('c', 1, { extra: '{"signer":"two"}' })]);
    await lake.demote({ column: 'signer' }, { runId: 'test', signal });
    expect(await publish(lake)).toMatchObject({ version: 4, firstVersion: 0 });
    const namesAt = (snapshot: number) =>
      reading(file, (rows) =>
        rows(`
          SELECT column_id::INTEGER AS id, column_name AS name FROM ducklake_column JOIN ducklake_table USING (table_id)
          WHERE table_name = 'events' AND ${snapshot} >= ducklake_column.begin_snapshot
            AND (${snapshot} < ducklake_column.end_snapshot OR ducklake_column.end_snapshot IS NULL)
          ORDER BY column_order`),
      );
    const before = await namesAt(1);
    expect(before.map(({ name }) => name)).not.toContain('signer');
    const during = await namesAt(3);
    expect(during.filter(({ name }) => name === 'signer')).toHaveLength(1);
    expect(during.filter(({ name }) => name !== 'signer')).toEqual(before);
    expect(await namesAt(4)).toEqual(before);
    const changes = (await contentOf(file)).ducklake_snapshot_changes as Row[];
    expect(changes.map(({ changes_made }) => /altered_table:1\b/.test(String(changes_made)))).toEqual([
      ...[false, false, true, false, true],
    ]);
    const versions = (await contentOf(file)).ducklake_snapshot as Row[];
    expect(new Set(versions.map(({ schema_version }) => schema_version)).size).toBe(3);
  });

  test('have other addresses after the lake was moved', async () => {
    const { directory, lake } = await openFilled();
    await publish(lake);
    await lake.close();
    const moved = join(dirname(directory), 'moved');
    await cp(directory, moved, { recursive: true });
    await rm(directory, { recursive: true });
    const there = await openSmall(moved);
    expect(await publish(there)).toMatchObject({ version: 5, firstVersion: 0, written: 6 });
    const file = join(moved, '_tables/lake.ducklake');
    for (const version of [1, 3, 5]) expect(await scoresAt(file, version)).toEqual(SCORES[version]);
    expect(await publish(there)).toMatchObject({ written: 0 });
  });

  test('are in another folder where that is wanted', async () => {
    const { directory, lake } = await openFilled();
    const to = join(dirname(directory), 'open');
    expect(await publish(lake, { to })).toMatchObject({ catalog: join(to, 'lake.ducklake') });
    expect(await scoresAt(join(to, 'lake.ducklake'), 3)).toEqual(SCORES[3]);
    await lake.vacuum({ graceMs: -1 }, { signal });
    expect((await publish(lake, { to })).filesReleased).toBeGreaterThan(4);
    expect(await publish(lake, { to })).toMatchObject({ firstVersion: 4 });
    expect(await scoresAt(join(to, 'lake.ducklake'), 5)).toEqual(SCORES[5]);
  });

  test('end at the newest version also where a slower publisher is the last to write', async () => {
    const { directory, lake } = await openFilled();
    const store = localStore(directory);
    let isOvertaken = false;
    const slow: Store = {
      ...store,
      put: async (path, content) => {
        if (path.endsWith('.ducklake') && !isOvertaken) {
          isOvertaken = true;
          await deliver(lake, [event('e', 0)]);
          expect(await publish(lake)).toMatchObject({ version: 6 });
        }
        await store.put(path, content);
      },
    };
    const [log, home, tables] = [await openCommitLog(slow), tableHome(slow, directory, null), await lake.tables()];
    const published = await publishDuckLake({ store: slow, log, home, tables, connect: lake.connect, signal });
    expect(isOvertaken).toBe(true);
    expect(published.version).toBe(6);
    expect((await contentOf(join(directory, '_tables/lake.ducklake'))).ducklake_snapshot).toHaveLength(7);
  });
});

describe('publishing a catalogue is refused', () => {
  test('where the lake is not the one that was published', async () => {
    const { directory, lake } = await openFilled();
    const copy = `${directory}-before`;
    const to = join(dirname(directory), 'open');
    await cp(directory, copy, { recursive: true });
    await deliver(lake, [event('x', 2)]);
    await publish(lake, { to });
    await lake.close();
    const restored = await openSmall(copy);
    await expect(publish(restored, { to })).rejects.toMatchObject({
      ...{ code: 'PUBLISH_REFUSED', message: /version 6.*version 5/ },
    });
    await deliver(restored, [event('y', 2)]);
    await expect(publish(restored, { to })).rejects.toMatchObject({ code: 'PUBLISH_REFUSED', message: /is commit/ });
  });

  test('where another program has written into it, and where it is none', async () => {
    const { directory, lake } = await openFilled();
    const file = join(directory, '_tables/lake.ducklake');
    await publish(lake);
    const instance = await DuckDBInstance.create(file);
    const connection = await instance.connect();
    await connection.run(
      'INSERT INTO ducklake_snapshot SELECT 6, now(), schema_version, next_catalog_id, next_file_id FROM ducklake_snapshot WHERE snapshot_id = 5',
    );
    await connection.run("INSERT INTO ducklake_snapshot_changes VALUES (6, 'inserted_into_table:1', NULL, NULL, NULL)");
    connection.closeSync();
    instance.closeSync();
    await expect(publish(lake)).rejects.toMatchObject({ code: 'PUBLISH_REFUSED', message: /version 6.*version 5/ });
    await deliver(lake, [event('x', 2)]);
    await expect(publish(lake)).rejects.toMatchObject({ code: 'PUBLISH_REFUSED', message: /another program/ });
    await writeFile(`${file}.wal`, '');
    await expect(publish(lake)).rejects.toMatchObject({
      code: 'PUBLISH_REFUSED',
      message: /lake\.ducklake\.wal is there/,
    });
    await rm(`${file}.wal`);
    await writeFile(file, 'no database');
    await expect(publish(lake)).rejects.toMatchObject({
      code: 'PUBLISH_REFUSED',
      message: /not a catalogue of edrlake/,
    });
  });

  test('without DuckDB, and where a file of the newest version is gone', async () => {
    const { directory, lake } = await openFilled();
    const other = await openSmall(directory, { writer: 'parquetjs' });
    await expect(publish(other)).rejects.toMatchObject({ code: 'PUBLISH_REFUSED', message: /DuckDB/ });
    await other.close();
    const [path = ''] = (await loggedIn(directory, 'events')).get(5) ?? [];
    await rm(join(directory, 'events', path));
    await expect(publish(lake)).rejects.toMatchObject({ code: 'LAKE_CORRUPT' });
    expect(await readdir(join(directory, '_tables'))).not.toContain('lake.ducklake');
  });
});
