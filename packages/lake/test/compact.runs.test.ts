import { readdir } from 'node:fs/promises';
import { DuckDBInstance } from '@duckdb/node-api';
import { memoryReturner, quoteText } from '@edrlake/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runCuts } from '../src/maintenance/sorted-runs.ts';
import { ask, newDirectory, openSmall } from './opened-lakes.ts';
import { DAY_1, deliver, type SmallEvent, table } from './small-lake.ts';

const KEYED = table('events', 'event_date', [
  ['name', 'text'],
  ['score', 'integer'],
  ['event_time', 'timestamp'],
]);

test('each row is in one range of the sort key, ranges follow each other, and missing values are last', async () => {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const text = fc.constantFrom(null, '', 'a', 'A', 'a\u0000b', "it's", 'ü', '\u{1f600}');
  const row = fc.record({
    name: text,
    score: fc.option(fc.integer({ min: -3, max: 3 })),
    micros: fc.option(fc.integer({ min: 0, max: 5 })),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(row, { minLength: 20, maxLength: 200 }),
      fc.integer({ min: 2, max: 16 }),
      async (rows, count) => {
        const json = quoteText(JSON.stringify(rows).replaceAll('\\u0000', '\\u0001'));
        const shape = `'[{"name":"VARCHAR","score":"INTEGER","micros":"BIGINT"}]'`;
        await connection.run(
          `CREATE OR REPLACE TABLE keyed AS SELECT r.name, r.score, make_timestamptz(r.micros) AS event_time
           FROM (SELECT unnest(from_json(${json}::JSON, ${shape})) AS r)`,
        );
        const cuts = await runCuts(connection, KEYED, 'SELECT * FROM keyed', count);
        expect(cuts.ranges).toHaveLength(count);
        const order = 'ORDER BY name, score, event_time';
        const inRanges: unknown[] = [];
        for (const range of cuts.ranges) {
          const found = await connection.runAndReadAll(`SELECT * FROM keyed WHERE ${range} ${order}`);
          inRanges.push(...found.getRowsJson());
        }
        await cuts.drop();
        const sorted = await connection.runAndReadAll(`SELECT * FROM keyed ${order}`);
        expect(inRanges).toEqual(sorted.getRowsJson());
      },
    ),
    { numRuns: 60 },
  );
  connection.closeSync();
  instance.closeSync();
});

/** More events than are sorted at once in the memory of the test. */
const [COMMITS, EVENTS] = [4, 12_000];

test('a file that is too large to be sorted at once is written range by range', async () => {
  const directory = await newDirectory();
  const lake = await openSmall(directory, { memoryLimit: '24MB' });
  for (let commit = 0; commit < COMMITS; commit += 1) {
    const events = Array.from({ length: EVENTS }, (_, n): SmallEvent => {
      // Neighbours in the sort key come in different commits.
      const number = (n * COMMITS + commit) * 7_919;
      return { id: `E_${number % 1_000_003}`, timeMs: DAY_1 + n, score: n % 3 === 0 ? null : n };
    });
    await deliver(lake, events);
  }
  const rowsOf = () => ask(lake, 'SELECT * FROM events ORDER BY ALL');
  const before = await rowsOf();
  const { filesBefore, filesAfter } = await lake.compact({}, { runId: 'c', signal: new AbortController().signal });
  expect({ filesBefore, filesAfter }).toEqual({ filesBefore: COMMITS, filesAfter: 1 });
  expect(await rowsOf()).toEqual(before);
  const { files, version } = await lake.snapshot();
  const [file] = files.events ?? [];
  expect(file).toMatchObject({ layout: 'sorted', rowCount: COMMITS * EVENTS });
  const inFile = await ask(
    lake,
    `SELECT count(*)::INTEGER AS wrong FROM (SELECT event_id, lag(event_id) OVER (ORDER BY file_row_number) AS before
     FROM read_parquet(${quoteText(`${directory}/${file?.path}`)}, file_row_number = true)) WHERE event_id < before`,
  );
  expect(inFile).toEqual([[0]]);
  expect(version).toBe(COMMITS + 1);
  await lake.close();
  const left = await readdir(directory, { recursive: true });
  expect(left.filter((name) => /-run\d+\.parquet$/.test(name))).toEqual([]);
});

test('returning freed memory leaves the limit of memory as it is, however often', async () => {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const limitOf = async () => {
    const reader = await connection.runAndReadAll("SELECT current_setting('memory_limit')");
    return reader.getRowsJson();
  };
  await connection.run("SET memory_limit = '512MB'");
  const returnMemory = await memoryReturner(connection);
  await returnMemory();
  const once = await limitOf();
  for (let time = 0; time < 20; time += 1) await returnMemory();
  expect(await limitOf()).toEqual(once);
  expect(once).toEqual([['488.1 MiB']]);
  connection.closeSync();
  instance.closeSync();
});
