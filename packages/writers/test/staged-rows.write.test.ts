import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import type { ColumnType, StagedBatch, TableSpec } from '@edrlake/core';
import { writeStagedRows } from '@edrlake/writers';
import { afterAll, beforeAll, expect, test } from 'vitest';

let instance: DuckDBInstance;
let connection: DuckDBConnection;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-writers-'));
  instance = await DuckDBInstance.create(':memory:', { threads: '2', preserve_insertion_order: 'false' });
  connection = await instance.connect();
});
afterAll(async () => {
  connection.closeSync();
  instance.closeSync();
  await rm(directory, { recursive: true });
});

const TABLES: readonly TableSpec[] = [
  tableOf('events', [
    ['event_date', 'date'],
    ['event_id', 'integer'],
    ['event_time', 'timestamp'],
    ['processed_time', 'timestamp'],
  ]),
  tableOf('tags', [
    ['event_date', 'date'],
    ['event_id', 'integer'],
    ['tag', 'text'],
  ]),
];

function tableOf(name: string, columns: readonly (readonly [string, ColumnType])[]): TableSpec {
  const specs = columns.map(([column, type]) => ({ name: column, paths: [], type, meaning: column }));
  return { name, arrays: null, columns: specs, partitionBy: 'event_date', sortBy: ['event_id'] };
}

let batches = 0;

/** Staged events `0` to `count - 1`, each an hour after the one before, in descending order; even ones have a tag. */
async function stageEvents(count: number): Promise<StagedBatch> {
  batches += 1;
  const name = (table: string) => `it's "${batches}" ${table}`;
  const quoted = (table: string) => `"${name(table).replaceAll('"', '""')}"`;
  const time = "TIMESTAMP '2020-08-17' + to_hours(n::INTEGER)";
  await connection.run(`CREATE TEMP TABLE ${quoted('events')} AS
    SELECT (${time})::DATE AS event_date, n::INTEGER AS event_id, ${time} AS event_time,
      CASE WHEN n > 1 THEN ${time} + INTERVAL 1 MINUTE END AS processed_time, hash(n) AS id_hash
    FROM (SELECT ${count - 1} - range AS n FROM range(${count})) ORDER BY n DESC`);
  await connection.run(`CREATE TEMP TABLE ${quoted('tags')} AS
    SELECT event_date, event_id, 'a' AS tag, id_hash FROM ${quoted('events')} WHERE event_id % 2 = 0`);
  const rowTables = { events: name('events'), tags: name('tags') };
  return { identityTable: '', rowTables, windows: [], otherVersions: [], unknownFields: [], rejectReasons: [] };
}

async function write(batch: StagedBatch, folder: string, exceptTable: string | null = null) {
  const fieldIds = Object.fromEntries(
    TABLES.map(({ name, columns }) => [name, Object.fromEntries(columns.map((column, nth) => [column.name, nth + 1]))]),
  );
  const target = { directory: join(directory, folder), fileStem: 's', exceptTable, fieldIds };
  return writeStagedRows(connection, TABLES, batch, target);
}

async function values(sql: string): Promise<unknown[][]> {
  return (await connection.runAndReadAll(sql)).getRowsJson();
}

test('there is one file for each table and day, with the size and the times of its rows', async () => {
  const files = await write(await stageEvents(30), 'whole');
  const hour = (hours: number) => Date.parse('2020-08-17T00:00:00Z') + hours * 3_600_000;
  expect(files.map(({ path, rowCount }) => [path, rowCount])).toEqual([
    ['events/event_date=2020-08-17/s-0.parquet', 24],
    ['events/event_date=2020-08-18/s-0.parquet', 6],
    ['tags/event_date=2020-08-17/s-0.parquet', 12],
    ['tags/event_date=2020-08-18/s-0.parquet', 3],
  ]);
  const [first, second, tags] = files;
  expect(first).toMatchObject({ layout: 'arrival', newestEventMs: hour(23) });
  expect(first?.processedMs).toEqual([hour(2) + 60_000, hour(23) + 60_000]);
  expect(second).toMatchObject({ newestEventMs: hour(29), processedMs: [hour(24) + 60_000, hour(29) + 60_000] });
  expect(tags).not.toHaveProperty('newestEventMs');
  expect(tags).not.toHaveProperty('processedMs');
  for (const { path, fileBytes } of files) expect((await stat(join(directory, 'whole', path))).size).toBe(fileBytes);
});

test('rows keep the order in which they were staged, and the connection its settings', async () => {
  await write(await stageEvents(24), 'order');
  const file = join(directory, 'order', 'events/event_date=2020-08-17/s-0.parquet');
  expect(await values(`SELECT list(event_id) FROM (SELECT event_id FROM '${file}' ORDER BY file_row_number)`)).toEqual([
    [Array.from({ length: 24 }, (_, n) => 23 - n)],
  ]);
  expect(
    await values("SELECT current_setting('preserve_insertion_order'), current_setting('disabled_optimizers')"),
  ).toEqual([[false, '']]);
});

test('events of the except table are left out with their children, and no file is empty', async () => {
  const batch = await stageEvents(30);
  await connection.run(
    'CREATE TEMP TABLE known AS SELECT hash(range) AS id_hash FROM range(30) WHERE range NOT IN (2, 25)',
  );
  const files = await write(batch, 'except', 'known');
  expect(files.map(({ path, rowCount }) => [path, rowCount])).toEqual([
    ['events/event_date=2020-08-17/s-0.parquet', 1],
    ['events/event_date=2020-08-18/s-0.parquet', 1],
    ['tags/event_date=2020-08-17/s-0.parquet', 1],
  ]);
  await connection.run('DROP TABLE known');
});
