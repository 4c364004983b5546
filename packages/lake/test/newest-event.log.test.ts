import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { newDirectory, openSmall } from './opened-lakes.ts';
import { DAY, DAY_1, deliver, HOUR } from './small-lake.ts';

const NEWEST = DAY_1 + DAY + 5 * HOUR + 1;

/** Two days in three commits; the newest event is in the second. */
async function threeCommits(directory: string) {
  const lake = await openSmall(directory);
  await deliver(lake, [{ id: 'a', timeMs: DAY_1 + HOUR }]);
  await deliver(lake, [{ id: 'b', timeMs: NEWEST, issuers: ['x'] }]);
  await deliver(lake, [{ id: 'c', timeMs: DAY_1 + DAY }]);
  return lake;
}

async function withoutNewestInLog(directory: string): Promise<void> {
  for (const name of await readdir(join(directory, '_log'))) {
    const path = join(directory, '_log', name);
    await writeFile(path, (await readFile(path, 'utf8')).replaceAll(/,"newestEventMs":\d+|,"crc32":"\w+"/g, ''));
  }
}

describe('the newest event', () => {
  test('is read from the log, without DuckDB', async () => {
    const directory = await newDirectory();
    await (await threeCommits(directory)).close();
    await rm(join(directory, 'events'), { recursive: true });
    const reader = await openSmall(directory, { readOnly: true });
    expect(await reader.newestEventMs()).toBe(NEWEST);
  });

  test('is looked up in the files that an older edrlake wrote, and unknown where they are gone', async () => {
    const directory = await newDirectory();
    await (await threeCommits(directory)).close();
    await withoutNewestInLog(directory);
    const reader = await openSmall(directory, { readOnly: true });
    expect(await reader.newestEventMs()).toBe(NEWEST);
    await rm(join(directory, 'events'), { recursive: true });
    expect(await reader.newestEventMs()).toBeNull();
  });

  test('stays known when files are merged, and follows an event that changes its time', async () => {
    const directory = await newDirectory();
    const lake = await threeCommits(directory);
    await lake.compact({ minFiles: 2 }, { runId: 'test', signal: new AbortController().signal });
    await rm(join(directory, 'lake.duckdb'));
    expect(await lake.newestEventMs()).toBe(NEWEST);
    await deliver(lake, [{ id: 'b', timeMs: NEWEST - HOUR, processedMs: NEWEST + HOUR }]);
    expect(await lake.newestEventMs()).toBe(NEWEST - HOUR);
    const { files } = await lake.snapshot();
    expect(files.events?.every((file) => file.newestEventMs !== undefined)).toBe(true);
    expect(files.certificates?.some((file) => file.newestEventMs !== undefined)).toBe(false);
  });

  test('is null in an empty lake', async () => {
    expect(await (await openSmall(await newDirectory())).newestEventMs()).toBeNull();
  });
});
