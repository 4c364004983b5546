import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataFile, StagedBatch } from '@edrlake/core';
import { QUALYS_EDR } from '@edrlake/datasets';
import { stageRows } from '@edrlake/flattener';
import { writeStagedRows } from '@edrlake/writers';
import { writeRowFile } from '@edrlake/writers/parquetjs';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  asSet,
  type Bench,
  drop,
  INGEST_DAY,
  openBench,
  type PlainRow,
  plainRow,
  plainRows,
  spool,
  stage,
  stagedRows,
} from '../../packages/flattener/test/staging.ts';
import { goldenCases } from '../fixtures/golden.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

const IRREGULAR = [
  '{"id":"big","dateTime":"2020-08-17T23:59:59.999+0000","actor":{"processId":9007199254740993,"elevated":"true"},"file":{"size":-9223372036854775808,"createdDate":"1969-07-20T20:17:40.000Z","certificates":[{"subject":"é😀"}]},"network":{"a":"b"}}',
  '{"id":"late","dateTime":"1969-12-31T23:59:59.999Z","type":"Z"}',
  '{"id":"next","dateTime":"2020-08-18T00:00:00.000+0000","new":["\\u0000\\""]}',
  '{"id":null}',
];
const RECORDS = [...goldenCases().flatMap(({ records }) => records), ...IRREGULAR];

const FIELD_IDS = Object.fromEntries(
  QUALYS_EDR.tables.map(({ name, columns }) => [name, Object.fromEntries(columns.map((one, nth) => [one.name, nth]))]),
);

/** Writes all staged rows. */
function write(batch: StagedBatch, directory: string, fileStem: string): Promise<readonly DataFile[]> {
  return writeStagedRows(bench.connection, QUALYS_EDR.tables, batch, {
    directory,
    fileStem,
    exceptTable: null,
    fieldIds: FIELD_IDS,
  });
}

/** The rows of all files of a table, read by DuckDB through the hive folders. */
async function readBack(folder: string, files: readonly { table: string }[]): Promise<Record<string, PlainRow[]>> {
  const rows: Record<string, PlainRow[]> = {};
  for (const table of QUALYS_EDR.tables) {
    const has = files.some((file) => file.table === table.name);
    const relation = `read_parquet('${join(folder, table.name)}/*/*.parquet', hive_partitioning = true)`;
    rows[table.name] = has ? await plainRows(bench.connection, table, relation) : [];
  }
  return rows;
}

describe('files written by DuckDB', () => {
  test('are one for each table and day, have the size that is reported, and hold the staged rows', async () => {
    const batch = await stage(bench, [await spool(bench.directory, RECORDS)]);
    const folder = join(bench.directory, 'bulk');
    const files = await write(batch, folder, 'c7');
    const staged = await stagedRows(bench, batch);
    expect(files.filter(({ table }) => table === 'events').map(({ path, rowCount }) => [path, rowCount])).toEqual([
      ['events/event_date=1969-12-31/c7-0.parquet', 1],
      ['events/event_date=2019-06-10/c7-0.parquet', 4],
      ['events/event_date=2020-08-17/c7-0.parquet', 2],
      ['events/event_date=2020-08-18/c7-0.parquet', 1],
    ]);
    expect(files.some(({ table }) => table === 'asset_tags')).toBe(false);
    for (const file of files) {
      expect((await readFile(join(folder, file.path))).length).toBe(file.fileBytes);
      expect(file.path.startsWith(`${file.table}/${file.partition}/`)).toBe(true);
    }
    expect(await readBack(folder, files)).toEqual(staged);
    await drop(bench, batch);
  });

  test('say the same to another reader', async () => {
    const batch = await stage(bench, [await spool(bench.directory, RECORDS)]);
    const folder = join(bench.directory, 'other-reader');
    const files = await write(batch, folder, 's');
    const staged = await stagedRows(bench, batch);
    for (const table of QUALYS_EDR.tables) {
      const rows: PlainRow[] = [];
      for (const file of files.filter((candidate) => candidate.table === table.name)) {
        const [partition = '', day] = file.partition.split('=');
        const buffer = await asyncBufferFromFile(join(folder, file.path));
        const objects = await parquetReadObjects({ file: buffer, compressors });
        rows.push(
          ...objects.map((row) => {
            expect(row).not.toHaveProperty(partition);
            return plainRow(table, (name) => (name === partition ? day : row[name]));
          }),
        );
      }
      expect(asSet(rows), table.name).toEqual(asSet(staged[table.name] ?? []));
    }
    await drop(bench, batch);
  });

  test('are the same bytes for the same records', async () => {
    const digests = async (folder: string) => {
      const batch = await stage(bench, [
        await spool(
          bench.directory,
          RECORDS.filter((record) => record !== '{"id":null}'),
        ),
      ]);
      const files = await write(batch, join(bench.directory, folder), 's');
      await drop(bench, batch);
      return Promise.all(
        files.map(async ({ path }) => [
          path,
          createHash('sha256')
            .update(await readFile(join(bench.directory, folder, path)))
            .digest('hex'),
        ]),
      );
    };
    expect(await digests('twice-b')).toEqual(await digests('twice-a'));
  });
});

test('files written without native code hold the rows, columns and types that DuckDB writes', async () => {
  const window = await spool(bench.directory, RECORDS);
  const batch = await stage(bench, [window]);
  const bulkFolder = join(bench.directory, 'bulk-again');
  const bulk = await write(batch, bulkFolder, 'c');
  const { signal } = new AbortController();
  const { rows } = await stageRows([window], { dataset: QUALYS_EDR, ingestDay: INGEST_DAY, signal });
  const expected = await readBack(bulkFolder, bulk);
  for (const table of QUALYS_EDR.tables) {
    const file = join(bench.directory, 'pure', `${table.name}.parquet`);
    const fieldIds = FIELD_IDS[table.name] ?? {};
    const ofTable = rows[table.name]?.map(({ row }) => row) ?? [];
    const written = await writeRowFile(table, ofTable, file, { layout: 'arrival', fieldIds });
    expect(written).toMatchObject({ rowCount: ofTable.length, fileBytes: (await readFile(file)).length });
    // The rows of all days are in this one file, so it says no day.
    const ofFile = { ...table, columns: table.columns.filter(({ name }) => name !== table.partitionBy) };
    const found = await plainRows(bench.connection, ofFile, `read_parquet('${file}', hive_partitioning = false)`);
    const withoutDay = ({ [table.partitionBy]: _day, ...row }: PlainRow) => row;
    const same = bulk.filter((one) => one.table === table.name);
    expect(asSet(found).length, table.name).toBe(expected[table.name]?.length ?? 0);
    expect(asSet(found), table.name).toEqual(asSet((expected[table.name] ?? []).map(withoutDay)));
    for (const other of same.slice(0, 1)) {
      const described = await Promise.all(
        [file, join(bulkFolder, other.path)].map(async (path) => {
          const sql = `SELECT name, type, converted_type, logical_type, field_id FROM parquet_schema('${path}') WHERE type IS NOT NULL`;
          return (await bench.connection.runAndReadAll(sql)).getRowsJS();
        }),
      );
      expect(described[0], table.name).toEqual(described[1]);
    }
    const spans = same.flatMap(({ newestEventMs }) => newestEventMs ?? []);
    expect(written.newestEventMs).toBe(spans.length === 0 ? undefined : Math.max(...spans));
    const processed = same.flatMap(({ processedMs }) => processedMs ?? []);
    expect(written.processedMs).toEqual(
      processed.length === 0 ? undefined : [Math.min(...processed), Math.max(...processed)],
    );
  }
  await drop(bench, batch);
});
