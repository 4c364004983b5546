import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import { quoteText, sum } from '@edrlake/core';
import { expect, test } from 'vitest';
import { recognise } from '../src/indicators.ts';
import { newDirectory, openSmall } from './opened-lakes.ts';
import { DAY, DAY_1, deliver } from './small-lake.ts';

const run = { runId: 'r', signal: new AbortController().signal };

interface Segment {
  readonly path: string;
  readonly rowCount: number;
}

/** Entries that are added to each file of the index: keys of values that no event has. */
const ADDED = 2_000_000;

/** The index of a lake of millions of events, from that of a small one. */
async function enlarge(directory: string): Promise<void> {
  const manifest = join(directory, '_values/index.json');
  const [line = ''] = (await readFile(manifest, 'utf8')).split('\n');
  const index = JSON.parse(line) as { segments: Segment[] };
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const segments: unknown[] = [];
  for (const [place, { path, rowCount, ...rest }] of index.segments.entries()) {
    const file = quoteText(join(directory, path));
    const rows = `SELECT key, file FROM read_parquet(${file})`;
    const added = `SELECT hash(n + ${place * ADDED}) AS key, 0 AS file FROM range(${ADDED}) AS t(n)`;
    await connection.run(`CREATE OR REPLACE TABLE entries AS (${rows}) UNION ALL BY NAME (${added})`);
    await connection.run(`COPY (FROM entries ORDER BY ALL) TO ${file} (FORMAT parquet, PARQUET_VERSION v2)`);
    const bytes = await readFile(join(directory, path));
    const { parts: _, ...kept } = rest as { parts?: unknown };
    segments.push({ ...kept, path, rowCount: rowCount + ADDED, fileBytes: bytes.length, crc32: crc32(bytes) });
  }
  connection.closeSync();
  instance.closeSync();
  const changed = JSON.stringify({ ...index, segments });
  await writeFile(manifest, `${changed}\n${crc32(changed)}\n`);
}

// 14 million entries: in the least memory that may be given DuckDB sorts ten.
test('files of the index are merged in little memory, up to a size that fits into it', async () => {
  const directory = await newDirectory();
  const lake = await openSmall(directory, { memoryLimit: '300MB' });
  const commitOn = (day: number) =>
    deliver(lake, [{ id: `F_${day}`, timeMs: DAY_1 + day * DAY, type: `host${day}.example` }]);
  await lake.indexValues({}, run);
  for (let day = 0; day < 7; day += 1) {
    await commitOn(day);
    await lake.indexValues({}, run);
  }
  await enlarge(directory);
  await commitOn(7);
  await lake.indexValues({}, run);
  const [line = ''] = (await readFile(join(directory, '_values/index.json'), 'utf8')).split('\n');
  const { segments } = JSON.parse(line) as { segments: Segment[] };
  expect(sum(segments, ({ rowCount }) => rowCount)).toBeGreaterThan(7 * ADDED);
  expect(segments).toHaveLength(2);
  for (const { rowCount } of segments) expect(rowCount).toBeLessThanOrEqual(10_000_000);
  for (let day = 0; day < 8; day += 1) {
    const indicator = recognise(`host${day}.example`);
    const { matches, filesRead } = await lake.hunt(indicator === null ? [] : [indicator]);
    expect({ matches, filesRead }).toEqual({ matches: 1, filesRead: 1 });
  }
  await lake.close();
});
