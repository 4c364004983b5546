import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { systemClock } from '@edrlake/core';
import { expect, test } from 'vitest';
import { examineLake, type LakeDamage } from '../src/index.ts';
import { newDirectory, openSmall } from './opened-lakes.ts';
import { DAY_1, deliver, proofOfDays, SMALL_DATASET, type SmallEvent } from './small-lake.ts';

const EVENTS: SmallEvent[] = [{ id: 'a', timeMs: DAY_1 }];
const LATER: SmallEvent[] = [{ id: 'b', timeMs: DAY_1 }];

const examine = (directory: string) => examineLake({ directory, dataset: SMALL_DATASET, clock: systemClock });
const both = (found: Partial<LakeDamage>) => ['views', 'proofs'].map((part) => ({ part, ...found }));

async function commit(directory: string, events: readonly SmallEvent[]): Promise<void> {
  const lake = await openSmall(directory);
  await deliver(lake, events, { proofs: [proofOfDays(DAY_1, 1, [...EVENTS, ...events])] });
  await lake.close();
}

/** Makes views and proof documents what they were before they named the commit that they show. */
async function makeOlder(directory: string, version: number): Promise<void> {
  const path = join(directory, '_proof/index.json');
  const { commitId: _, ...index } = JSON.parse(await readFile(path, 'utf8'));
  await writeFile(path, JSON.stringify({ ...index, version }));
  const instance = await DuckDBInstance.create(join(directory, 'lake.duckdb'));
  const connection = await instance.connect();
  await connection.run('CREATE OR REPLACE TABLE lake_info AS SELECT * EXCLUDE (commit_id) FROM lake_info');
  await connection.run(`UPDATE lake_info SET view_format = 8, version = ${version}`);
  connection.closeSync();
  instance.closeSync();
}

test('what an older edrlake made for the newest version is no damage, and what it made for others is', async () => {
  const directory = await newDirectory();
  await commit(directory, EVENTS);
  await makeOlder(directory, 1);
  expect(await examine(directory)).toMatchObject(both({ isOlder: true, command: 'edrlake vacuum' }));

  await commit(directory, LATER);
  expect(await examine(directory)).toEqual([]);
  await makeOlder(directory, 1);
  const stale = await examine(directory);
  expect(stale).toMatchObject(both({ command: 'edrlake vacuum' }));
  expect(stale.some(({ isOlder }) => isOlder)).toBe(false);
});
