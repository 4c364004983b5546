import { cp, mkdir, rename, rm, symlink } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { describe, expect, test } from 'vitest';
import { ask, newDirectory, openSmall } from './opened-lakes.ts';
import { DAY_1, deliver } from './small-lake.ts';

const DAY_2 = DAY_1 + 86_400_000;
const ALL = 'SELECT event_id FROM events ORDER BY 1';

/** A lake with an event on each of two days. */
async function newLake(ids: readonly [string, string] = ['a', 'b']): Promise<string> {
  const directory = await newDirectory();
  const lake = await openSmall(directory);
  await deliver(lake, [
    { id: ids[0], timeMs: DAY_1, issuers: ['x'] },
    { id: ids[1], timeMs: DAY_2, issuers: ['y'] },
  ]);
  await lake.refreshViews();
  await lake.close();
  return directory;
}

/** The values of the last statement in one column, in a DuckDB started with a file; or the error. */
async function inDuckDb(file: string, ...statements: readonly string[]): Promise<unknown> {
  const instance = await DuckDBInstance.create(file, file === ':memory:' ? {} : { access_mode: 'READ_ONLY' });
  const connection = await instance.connect();
  try {
    let values: unknown[] = [];
    for (const sql of statements) values = (await connection.runAndReadAll(sql)).getRowsJson().map(([value]) => value);
    return values;
  } catch (thrown) {
    return String(thrown);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

const attach = (directory: string, name: string) => `ATTACH '${join(directory, 'lake.duckdb')}' AS ${name} (READ_ONLY)`;
const viewFile = (directory: string) => join(directory, 'lake.duckdb');

describe('lake.duckdb, opened', () => {
  test('finds the files of a lake that was moved, also by a relative path and through a link', async () => {
    const old = await newLake();
    const moved = await newDirectory();
    await rename(old, moved);
    expect(await inDuckDb(viewFile(moved), ALL)).toEqual(['a', 'b']);
    expect(await inDuckDb(relative(process.cwd(), viewFile(moved)), ALL)).toEqual(['a', 'b']);
    expect(await inDuckDb(viewFile(moved), 'SELECT issuer FROM certificates ORDER BY 1')).toEqual(['x', 'y']);
    const link = await newDirectory();
    await symlink(moved, link);
    expect(await inDuckDb(viewFile(link), ALL)).toEqual(['a', 'b']);
  });

  test('shows a copy, never the original', async () => {
    const original = await newLake();
    const copy = await newDirectory();
    await cp(original, copy, { recursive: true });
    await rm(join(copy, 'events'), { recursive: true });
    expect(await inDuckDb(viewFile(copy), ALL)).toContain(`No files found that match the pattern "${copy}/events`);
    await cp(original, copy, { recursive: true });
    await rm(original, { recursive: true });
    expect(await inDuckDb(viewFile(copy), ALL)).toEqual(['a', 'b']);
  });

  test('prunes days by the partition column', async () => {
    const directory = await newLake();
    const sql = `EXPLAIN SELECT * FROM events WHERE event_date = DATE '${new Date(DAY_1).toISOString().slice(0, 10)}'`;
    const instance = await DuckDBInstance.create(viewFile(directory), { access_mode: 'READ_ONLY' });
    const connection = await instance.connect();
    const [[, text] = []] = (await connection.runAndReadAll(sql)).getRowsJson();
    expect(String(text)).toMatch(/Scanning Files:[\s│]+1\/2/);
    connection.closeSync();
    instance.closeSync();
  });

  test('works where the temporary directory was set, and reports it where the lake was moved as well', async () => {
    const old = await newLake();
    const set = `SET temp_directory = '/tmp/elsewhere'`;
    expect(await inDuckDb(viewFile(old), set, ALL)).toEqual(['a', 'b']);
    const moved = await newDirectory();
    await cp(old, moved, { recursive: true });
    expect(await inDuckDb(viewFile(moved), set, ALL)).toContain(
      `lake.duckdb was written for ${old} and is attached as ${viewFile(moved)}.`,
    );
    const given = `SET VARIABLE edrlake_lake = '${moved}'`;
    expect(await inDuckDb(viewFile(moved), set, given, ALL)).toEqual(['a', 'b']);
  });
});

describe('lake.duckdb, attached', () => {
  test('works at its place, with another lake beside it', async () => {
    const [one, two] = [await newLake(), await newLake(['c', 'd'])];
    const both = 'SELECT event_id FROM one.events UNION ALL SELECT event_id FROM two.events ORDER BY 1';
    const attached = [attach(one, 'one'), attach(two, 'two')];
    expect(await inDuckDb(':memory:', ...attached, both)).toEqual(['a', 'b', 'c', 'd']);
    expect(await inDuckDb(':memory:', attach(one, 'one'), 'USE one', ALL)).toEqual(['a', 'b']);
  });

  test('refuses to show the original as a copy, with either of them attached', async () => {
    const original = await newLake();
    const copy = await newDirectory();
    await cp(original, copy, { recursive: true });
    const refused = `lake.duckdb was written for ${original}`;
    const [o, c] = [attach(original, 'o'), attach(copy, 'c')];
    const copied = 'SELECT event_id FROM c.events';
    expect(await inDuckDb(':memory:', c, copied)).toContain(refused);
    expect(await inDuckDb(':memory:', o, c, copied)).toContain(refused);
    expect(await inDuckDb(viewFile(original), c, copied)).toContain(refused);
    const given = `SET VARIABLE edrlake_lake = '${copy}/'`;
    expect(await inDuckDb(':memory:', c, given, copied)).toEqual(['a', 'b']);
    expect(await inDuckDb(':memory:', o, c, given, copied)).toContain(refused);
    expect(await inDuckDb(':memory:', o, given, 'SELECT event_id FROM o.events')).toContain(refused);

    // The original has changed, so it has another lake.duckdb by now.
    const lake = await openSmall(original);
    await deliver(lake, [{ id: 'e', timeMs: DAY_2 }]);
    await lake.refreshViews();
    await lake.close();
    expect(await inDuckDb(viewFile(original), c, copied)).toContain(refused);
    expect(await inDuckDb(viewFile(original), c, ALL)).toEqual(['a', 'b', 'e']);
    expect(await inDuckDb(':memory:', o, c, copied)).toContain(refused);
  });
});

test('a query of edrlake shows the lake where it is, before and after the next writer', async () => {
  const old = await newLake();
  const moved = await newDirectory();
  await mkdir(moved, { recursive: true });
  await cp(old, moved, { recursive: true });
  await rm(old, { recursive: true });
  const reader = await openSmall(moved, { readOnly: true });
  expect(await ask(reader, ALL)).toEqual([['a'], ['b']]);
  await reader.close();
  const writer = await openSmall(moved);
  await writer.refreshViews();
  expect(await ask(writer, ALL)).toEqual([['a'], ['b']]);
  await writer.close();
  expect(await inDuckDb(':memory:', attach(moved, 'l'), 'SELECT event_id FROM l.events ORDER BY 1')).toEqual([
    'a',
    'b',
  ]);
});
