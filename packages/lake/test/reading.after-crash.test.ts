import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { type RunEvent, systemProcesses } from '@edrlake/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CommitStep } from '../src/index.ts';
import { buildChild, type ChildScript } from './child-build.ts';
import { ask, askPlain, newDirectory, openSmall, plainRows } from './opened-lakes.ts';
import { DAY_1, SMALL_DATASET, SMALL_TABLES, type SmallEvent, table } from './small-lake.ts';

let child: ChildScript;
beforeAll(async () => {
  child = await buildChild(new URL('./commit-child.ts', import.meta.url));
});
afterAll(() => child.remove());

const event = (id: string, score: number): SmallEvent => ({ id, timeMs: DAY_1, score, issuers: ['x'] });
/** The second batch replaces a file. */
const BATCHES = [[event('a', 1), event('b', 1)], [event('a', 2)]];

async function killedAt(step: CommitStep): Promise<string> {
  const directory = await newDirectory();
  const killAt = { step, occurrence: step === 'file-trashed' ? 1 : 2 };
  expect(await child.run({ directory, batches: BATCHES, killAt })).toMatchObject({ signal: 'SIGKILL', errors: '' });
  return directory;
}

const scoresIn = (from: string) => `SELECT event_id, score::VARCHAR FROM ${from} ORDER BY ALL`;
const BEFORE = [
  ['a', '1'],
  ['b', '1'],
];
const AFTER = [
  ['a', '2'],
  ['b', '1'],
];

describe('a lake that is opened for reading after a crash', () => {
  const steps: readonly (readonly [CommitStep, unknown[][]])[] = [
    ['files-moved', BEFORE],
    ['committed', AFTER],
    ['file-trashed', AFTER],
    ['settled', AFTER],
  ];

  test.each(steps)('at %s is complete for patterns and for lake.duckdb', async (step, expected) => {
    const directory = await killedAt(step);
    const reader = await openSmall(directory, { readOnly: true, create: false });
    expect(await ask(reader, scoresIn('events'))).toEqual(expected);
    await reader.close();
    expect(await askPlain(scoresIn(plainRows(directory, 'events')))).toEqual(expected);
    const instance = await DuckDBInstance.create(join(directory, 'lake.duckdb'), { access_mode: 'READ_ONLY' });
    const connection = await instance.connect();
    expect((await connection.runAndReadAll(scoresIn('events'))).getRowsJson()).toEqual(expected);
    connection.closeSync();
    instance.closeSync();
    for (const folder of ['_leases', '_spool/tmp']) expect(await readdir(join(directory, folder))).toEqual([]);
  });

  test('reports unfinished commits where it may not write', async () => {
    const directory = await killedAt('files-moved');
    const narrower = [
      table('events', 'event_date', [
        ['event_date', 'date'],
        ['event_id', 'text'],
      ]),
      ...SMALL_TABLES.slice(1),
    ];
    const events: RunEvent[] = [];
    const reader = await openSmall(directory, {
      readOnly: true,
      create: false,
      dataset: { ...SMALL_DATASET, tables: narrower },
      emit: (event) => events.push(event),
    });
    expect(events).toEqual([{ type: 'unfinished', commits: 1 }]);
    await reader.close();
  });

  test('leaves alone what a live process is publishing', async () => {
    const directory = await killedAt('files-moved');
    const [name = ''] = (await readdir(join(directory, '_spool'))).filter((each) => each.startsWith('publish-'));
    const path = join(directory, '_spool', name);
    const manifest = { ...JSON.parse(await readFile(path, 'utf8')), owner: systemProcesses.current() };
    await writeFile(path, JSON.stringify(manifest));
    const reader = await openSmall(directory, { readOnly: true, create: false });
    expect(await ask(reader, scoresIn('events'))).toEqual(BEFORE);
    await reader.close();
    expect(await readdir(join(directory, '_spool'))).toContain(name);
  });
});
