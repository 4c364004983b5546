import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { systemClock, systemProcesses } from '@edrlake/core';
import { describe, expect, test } from 'vitest';
import { examineLake, type LakeOptions, openLake, rebuildLog } from '../src/index.ts';
import { ask, newDirectory, openSmall } from './opened-lakes.ts';
import { DAY_1, deliver, proofOf, SMALL_DATASET, SMALL_OPTIONS, SMALL_TABLES, table } from './small-lake.ts';

const refusal = (directory: string, more: Partial<LakeOptions> = {}) =>
  openLake({ ...SMALL_OPTIONS, directory, ...more }).then(
    async (lake) => {
      await lake.close();
      return 'no error';
    },
    (error) => `${error.code}: ${error.message}`,
  );

describe('opening', () => {
  test('says when there is no lake', async () => {
    const directory = await newDirectory();
    const missing = `LAKE_MISSING: there is no lake at ${directory}`;
    expect(await refusal(directory, { create: false })).toBe(missing);
    expect(await refusal(directory, { readOnly: true })).toBe(missing);
  });

  test('says when the directory cannot be a lake', async () => {
    const file = await newDirectory();
    await writeFile(file, '');
    expect(await refusal(file)).toContain('LAKE_UNWRITABLE');
    expect(await refusal(join(file, 'lake'))).toContain('LAKE_UNWRITABLE');
  });

  test('refuses a newer format and limits DuckDB does not understand', async () => {
    const directory = await newDirectory();
    expect(await refusal(directory, { memoryLimit: 'much' })).toContain('CONFIG_INVALID: DuckDB refuses its limits');
    await writeFile(join(directory, '_lake.json'), '{"format":3}');
    expect(await refusal(directory)).toBe('LAKE_INCOMPATIBLE: _lake.json has format 3, this edrlake knows format 2');
    await writeFile(join(directory, '_lake.json'), '{');
    expect(await refusal(directory)).toContain('LAKE_CORRUPT');
  });

  test('for reading changes nothing', async () => {
    const directory = await newDirectory();
    const writer = await openSmall(directory);
    await deliver(writer, [{ id: 'a', timeMs: DAY_1 }]);
    await writer.close();
    const before = await readdir(directory, { recursive: true });
    await chmod(directory, 0o555);
    const reader = await openSmall(directory, { readOnly: true });
    expect(await ask(reader, 'SELECT event_id FROM events')).toEqual([['a']]);
    await reader.close();
    await chmod(directory, 0o755);
    expect(await readdir(directory, { recursive: true })).toEqual(before);
  });

  test('a lake records its dataset, and another one is refused before anything is changed', async () => {
    const directory = await newDirectory();
    const { unnamedLakes: _, ...small } = SMALL_DATASET;
    const doors = { ...small, name: 'doors' };
    await (await openSmall(directory, { dataset: doors })).close();
    const marker = await readFile(join(directory, '_lake.json'), 'utf8');
    expect(JSON.parse(marker)).toMatchObject({ format: 2, dataset: 'doors' });
    for (const other of [SMALL_DATASET, { ...doors, name: 'windows-and-doors' }]) {
      const opened = openSmall(directory, { dataset: other });
      await expect(opened).rejects.toMatchObject({ code: 'LAKE_OTHER_DATASET', exitCode: 2 });
      await expect(opened).rejects.toThrow(/holds the dataset doors, expected/);
      const rebuilt = rebuildLog({ ...SMALL_OPTIONS, directory, dataset: other }, { force: true, runId: 'r' });
      await expect(rebuilt).rejects.toMatchObject({ code: 'LAKE_OTHER_DATASET' });
      const examined = examineLake({ directory, dataset: other, clock: systemClock });
      await expect(examined).rejects.toMatchObject({ code: 'LAKE_OTHER_DATASET' });
    }
    await (await openSmall(directory, { dataset: doors, create: false, readOnly: true })).close();
  });

  test('a lake without a recorded dataset holds the one from before datasets had names', async () => {
    const directory = await newDirectory();
    await (await openSmall(directory)).close();
    expect(Object.keys(JSON.parse(await readFile(join(directory, '_lake.json'), 'utf8')))).toEqual([
      'format',
      'createdAt',
    ]);
    const { unnamedLakes: _, ...doors } = SMALL_DATASET;
    const opened = openSmall(directory, { dataset: { ...doors, name: 'doors' } });
    await expect(opened).rejects.toThrow(/holds another dataset, expected doors/);
  });

  test('an empty lake shows empty tables with their columns', async () => {
    const lake = await openSmall(await newDirectory());
    expect(await lake.snapshot()).toMatchObject({ version: 0, committedAtMs: null, proofs: [], files: { events: [] } });
    const { columns } = await lake.query('SELECT * FROM events');
    expect(columns.slice(0, 3)).toEqual([
      { name: 'event_date', type: 'DATE' },
      { name: 'event_id', type: 'VARCHAR' },
      { name: 'event_time', type: 'TIMESTAMP WITH TIME ZONE' },
    ]);
    expect(await ask(lake, 'SELECT (SELECT count(*) FROM coverage), (SELECT count(*) FROM windows)')).toEqual([[0, 0]]);
  });
});

describe('the log', () => {
  const commitProofs = async (directory: string, count: number) => {
    const lake = await openSmall(directory);
    for (let n = 0; n < count; n += 1) {
      await lake.commit({ batch: null, proofs: [proofOf([n, n + 1], {})], runId: 'test' });
    }
    return lake;
  };

  test('is read from the newest checkpoint', async () => {
    const directory = await newDirectory();
    const lake = await commitProofs(directory, 40);
    const log = join(directory, '_log');
    const checkpoints = (await readdir(log)).filter((name) => name.includes('checkpoint'));
    expect(checkpoints.length).toBeGreaterThan(0);
    // Entries that a checkpoint includes may be gone.
    for (let n = 1; n < 10; n += 1) await rm(join(log, `${String(n).padStart(20, '0')}.json`));
    const reader = await openSmall(directory, { readOnly: true });
    expect(await reader.snapshot()).toEqual(await lake.snapshot());
    expect((await reader.snapshot()).proofs).toHaveLength(40);
  });

  test('that lost its beginning, or holds a torn entry, is refused', async () => {
    const directory = await newDirectory();
    await commitProofs(directory, 2);
    const entry = (version: number) => join(directory, `_log/0000000000000000000${version}.json`);
    const text = await readFile(entry(2), 'utf8');
    await writeFile(entry(2), text.slice(0, 50));
    expect(await refusal(directory, { readOnly: true })).toContain(
      'LAKE_CORRUPT: _log/00000000000000000002.json is not whole',
    );
    await rm(entry(1));
    expect(await refusal(directory, { readOnly: true })).toContain(
      'LAKE_CORRUPT: _log/00000000000000000001.json is missing',
    );
  });
});

describe('a new column', () => {
  const wider = SMALL_TABLES.map((spec) =>
    spec.name === 'events'
      ? { ...spec, columns: [...spec.columns, ...table('t', 'event_date', [['colour', 'text']]).columns] }
      : spec,
  );

  test('is NULL in older files, and a program without it may read but not write', async () => {
    const directory = await newDirectory();
    const before = await openSmall(directory);
    await deliver(before, [
      { id: 'a', timeMs: DAY_1 },
      { id: 'b', timeMs: DAY_1 },
    ]);
    await before.close();
    const lake = await openSmall(directory, { dataset: { ...SMALL_DATASET, tables: wider } });
    expect((await lake.snapshot()).schemaVersion).toBe(1);
    await deliver(lake, [{ id: 'c', timeMs: DAY_1 }], { tables: wider });
    expect((await lake.snapshot()).schemaVersion).toBe(2);
    const rows = 'SELECT event_id, colour FROM events ORDER BY 1';
    expect(await ask(lake, rows)).toEqual([
      ['a', null],
      ['b', null],
      ['c', 'added'],
    ]);
    // A rewrite gives an old file the new columns.
    await deliver(lake, [{ id: 'a', timeMs: DAY_1, score: 2 }], { tables: wider });
    expect(await ask(lake, rows)).toEqual([
      ['a', 'added'],
      ['b', null],
      ['c', 'added'],
    ]);
    await lake.close();
    expect(await refusal(directory)).toContain('LAKE_INCOMPATIBLE: the lake has a column events.colour (text)');
    const reader = await openSmall(directory, { readOnly: true });
    expect(await ask(reader, 'SELECT count(*) FROM events')).toEqual([[3]]);
  });
});

describe('lake.duckdb', () => {
  const openViews = async (directory: string) => {
    const instance = await DuckDBInstance.create(join(directory, 'lake.duckdb'), { access_mode: 'READ_ONLY' });
    const connection = await instance.connect();
    return {
      ids: async () => (await connection.runAndReadAll('SELECT event_id FROM events ORDER BY 1')).getRowsJson().flat(),
      close: () => {
        connection.closeSync();
        instance.closeSync();
      },
    };
  };

  test('may stay open while commits go on', async () => {
    const directory = await newDirectory();
    const lake = await openSmall(directory);
    await deliver(lake, [{ id: 'a', timeMs: DAY_1 }]);
    const early = await openViews(directory);
    expect(await early.ids()).toEqual(['a']);
    await deliver(lake, [{ id: 'b', timeMs: DAY_1 }]);
    await lake.refreshViews();
    expect(await early.ids()).toEqual(['a']);
    early.close();
    const late = await openViews(directory);
    expect(await late.ids()).toEqual(['a', 'b']);
    late.close();
  });

  test('names no file that is gone, and follows a lake that was moved or lost it', async () => {
    const directory = await newDirectory();
    const lake = await openSmall(directory);
    await deliver(lake, [{ id: 'a', timeMs: DAY_1 }]);
    await deliver(lake, [{ id: 'a', timeMs: DAY_1, score: 5 }]);
    const views = await openViews(directory);
    expect(await views.ids()).toEqual(['a']);
    views.close();
    await rm(join(directory, 'lake.duckdb'));
    await lake.close();
    const again = await openViews(directory);
    expect(await again.ids()).toEqual(['a']);
    again.close();
  });
});

test('a process is known by more than its pid', () => {
  const owner = systemProcesses.current();
  expect(systemProcesses.stateOf(owner)).toBe('alive');
  expect(systemProcesses.stateOf({ ...owner, startIdentity: 'another boot:1' })).toBe('dead');
  expect(systemProcesses.stateOf({ ...owner, pid: 2 ** 22 + 1 })).toBe('dead');
  expect(systemProcesses.stateOf({ ...owner, host: 'elsewhere' })).toBe('alive');
  expect(systemProcesses.stateOf({ ...owner, namespace: 'another' })).toBe('elsewhere');
  const { namespace: _, ...older } = owner;
  expect(systemProcesses.stateOf(older)).toBe('alive');
  expect(systemProcesses.stateOf({ ...older, host: 'another' })).toBe('elsewhere');
});

test('what a live process publishes is left alone', async () => {
  const directory = await newDirectory();
  await openSmall(directory).then((lake) => lake.close());
  const manifest = {
    format: 1,
    commitId: 'c',
    version: 1,
    writtenAt: new Date(0).toISOString(),
    files: ['events/x/y.parquet'],
  };
  await mkdir(join(directory, 'events/x'), { recursive: true });
  await writeFile(join(directory, 'events/x/y.parquet'), '');
  const path = join(directory, '_spool/publish-c.json');
  await writeFile(
    path,
    JSON.stringify({ ...manifest, owner: { ...systemProcesses.current(), pid: process.ppid, startIdentity: '' } }),
  );
  await openSmall(directory).then((lake) => lake.close());
  expect(await readdir(join(directory, 'events/x'))).toEqual(['y.parquet']);
  await writeFile(
    path,
    JSON.stringify({ ...manifest, owner: { ...systemProcesses.current(), startIdentity: 'another' } }),
  );
  await openSmall(directory).then((lake) => lake.close());
  expect(await readdir(join(directory, 'events/x'))).toEqual([]);
  expect(await readdir(join(directory, '_trash/orphans-c/events/x'))).toEqual(['y.parquet']);
});
