import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, afterEach } from 'vitest';
import { type Lake, type LakeOptions, openLake } from '../src/index.ts';
import { copyLake, homeOf } from './lake-homes.ts';
import { SMALL_OPTIONS } from './small-lake.ts';

const opened: { directories: string[]; lakes: Lake[] } = { directories: [], lakes: [] };

afterEach(async () => {
  for (const lake of opened.lakes.splice(0)) await lake.close();
  for (const directory of opened.directories.splice(0)) await rm(directory, { recursive: true, force: true });
});

/** A path in a new temporary directory that is removed after the test. */
export async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'lake-test-'));
  opened.directories.push(directory);
  return join(directory, 'lake');
}

/** Opens a lake that is closed after the test. */
export async function openSmall(directory: string, more: Partial<LakeOptions> = {}): Promise<Lake> {
  const lake = await openLake({ ...SMALL_OPTIONS, directory, ...(await homeOf(directory)), ...more });
  opened.lakes.push(lake);
  return { ...lake, close: async () => closeOnce(lake) };
}

async function closeOnce(lake: Lake): Promise<void> {
  const position = opened.lakes.indexOf(lake);
  if (position === -1) return;
  opened.lakes.splice(position, 1);
  await lake.close();
}

/**
 * Lakes that many tests of a file begin with: each is made once, and every test gets its copy. Call it outside of
 * tests.
 */
export function madeOnce(fill: (lake: Lake) => Promise<unknown>): (directory: string) => Promise<void> {
  let made: Promise<string> | null = null;
  const make = async () => {
    const directory = await mkdtemp(join(tmpdir(), 'lake-made-'));
    const lake = await openLake({ ...SMALL_OPTIONS, directory, ...(await homeOf(directory)) });
    await fill(lake);
    await lake.close();
    return directory;
  };
  afterAll(async () => {
    if (made !== null) await rm(await made, { recursive: true, force: true });
  });
  return async (directory) => {
    made ??= make();
    await copyLake(await made, directory);
  };
}

/** Rows of a query over the views of the newest version. */
export async function ask(lake: Lake, sql: string): Promise<unknown[][]> {
  const { rows } = await lake.query(sql);
  const all: unknown[][] = [];
  for await (const chunk of rows) for (const row of chunk) all.push([...row]);
  return all;
}

/** What plain DuckDB finds in the table folders, without the log. */
export async function askPlain(sql: string): Promise<unknown[][]> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    await connection.run("SET TimeZone = 'UTC'");
    return (await connection.runAndReadAll(sql)).getRowsJson();
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** The pattern an analyst would use. */
export function plainRows(directory: string, tableName: string): string {
  return `read_parquet('${directory}/${tableName}/*/*.parquet', hive_partitioning = true)`;
}
