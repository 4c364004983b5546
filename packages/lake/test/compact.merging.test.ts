import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileLayout } from '@edrlake/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Lake } from '../src/index.ts';
import { halvesOf, planCompaction } from '../src/maintenance/plan-compaction.ts';
import { ask, askPlain, madeOnce, newDirectory, openSmall, plainRows } from './opened-lakes.ts';
import { DAY, DAY_1, deliver, HOUR, SMALL_DATASET, SMALL_TABLES, type SmallEvent, table } from './small-lake.ts';

const event = (id: string, hour: number, more: Partial<SmallEvent> = {}): SmallEvent => ({
  ...{ id, timeMs: DAY_1 + hour * HOUR, issuers: ['x', 'y'], ...more },
});
const context = { runId: 'compaction', signal: new AbortController().signal };
const filesOf = async (lake: Lake, name = 'events') =>
  (await lake.snapshot()).files[name]?.map(({ partition, rowCount }) => [partition.slice(-2), rowCount]);

/** The rows of all tables that a reader can see. */
async function contentOf(lake: Lake): Promise<unknown[]> {
  const tables = ['events', 'certificates', 'rejects'];
  return Promise.all(tables.map((name) => ask(lake, `SELECT * FROM ${name} ORDER BY ALL`)));
}

const copyOfManyCommits = madeOnce(async (lake) => {
  await deliver(lake, [event('a', 0), event('b', 25)], { rejects: ['r1'] });
  await deliver(lake, [event('c', 1), event('d', 26)], { rejects: ['r2'] });
  await deliver(lake, [event('e', 2, { issuers: [] }), event('f', 49)]);
  // No file is small for this size, so each is sorted by itself; then only numbers and sizes decide.
  await lake.compact({ targetFileBytes: 1 }, context);
});

async function manyCommits(directory: string): Promise<Lake> {
  await copyOfManyCommits(directory);
  return openSmall(directory);
}

describe('a plan', () => {
  const [events] = SMALL_TABLES;
  const file = (name: string, rowCount: number, layout: FileLayout = 'sorted') => ({
    ...{ table: 'events', partition: 'event_date=2020-08-17', path: name },
    ...{ rowCount, fileBytes: rowCount, layout, schemaVersion: 1 },
  });

  const plan = (
    files: readonly ReturnType<typeof file>[],
    { minFiles = 2, targetFileBytes = 1_000, maxRows = 1_000 },
  ) => {
    const snapshot = { files: { events: files } } as unknown as Parameters<typeof planCompaction>[0];
    return planCompaction(snapshot, events === undefined ? [] : [events], null, {
      ...{ targetFileBytes, minFiles, maxCells: maxRows * (events?.columns.length ?? 0), migrates: false },
    }).groups;
  };
  const names = (groups: ReturnType<typeof plan>) =>
    groups.map(({ inputs }) => inputs.map(({ path }) => path).join(''));

  test('packs files in commit order by bytes and by what fits into memory, and halves a group down to pairs', () => {
    const files = [file('a', 10), file('b', 10), file('c', 55), file('d', 25), file('e', 10), file('f', 10)];
    const groupsOf = (targetFileBytes: number, maxRows: number) => plan(files, { targetFileBytes, maxRows });
    expect(names(groupsOf(1_000, 1_000))).toEqual(['abcdef']);
    expect(names(groupsOf(1_000, 100))).toEqual(['abdef']);
    expect(names(groupsOf(54, 1_000))).toEqual(['abd', 'ef']);
    expect(names(groupsOf(1_000, 54))).toEqual(['abd', 'ef']);
    const [whole] = groupsOf(1_000, 1_000);
    const halves = whole === undefined ? [] : halvesOf(whole);
    expect(names(halves)).toEqual(['abc', 'def']);
    expect(names(halves.flatMap(halvesOf))).toEqual(['ab', 'de']);
    expect(names(halves.flatMap(halvesOf).flatMap(halvesOf))).toEqual([]);
  });

  test('sorts files in order of arrival, of any size and number, unless they do not fit into memory', () => {
    const large = [file('a', 700), file('B', 700, 'arrival'), file('C', 100, 'arrival'), file('d', 10)];
    expect(names(plan(large, { minFiles: 9 }))).toEqual(['BCd']);
    expect(names(plan(large, { maxRows: 500 }))).toEqual(['Cd']);
    expect(names(plan([file('a', 700), file('d', 10)], {}))).toEqual([]);
  });
});

describe('compaction', () => {
  test('sorts a single file in order of arrival, once', async () => {
    const directory = await newDirectory();
    const lake = await openSmall(directory);
    await deliver(lake, [event('b', 1), event('a', 0)]);
    const before = await contentOf(lake);
    const storedIds = async () => {
      const [stored] = (await lake.snapshot()).files.events ?? [];
      return (await askPlain(`SELECT event_id FROM '${directory}/${stored?.path}'`)).flat();
    };
    expect(await storedIds()).toEqual(['b', 'a']);
    expect(await lake.compact({}, context)).toMatchObject({ commits: 1, filesBefore: 2, filesAfter: 2 });
    expect(await storedIds()).toEqual(['a', 'b']);
    expect(await contentOf(lake)).toEqual(before);
    expect(await lake.compact({}, context)).toMatchObject({ commits: 0 });
  });

  test('merges the files of each day and table, in order, in one commit, and then has nothing to do', async () => {
    const directory = await newDirectory();
    const lake = await manyCommits(directory);
    const before = await contentOf(lake);
    const report = await lake.compact({}, context);
    expect(report).toMatchObject({
      compactedDays: ['2020-08-17', '2020-08-18', '2026-11-22'],
      ...{ skippedDays: 1, commits: 1, filesBefore: 11, filesAfter: 5 },
    });
    expect(report.bytesBefore).toBeGreaterThan(report.bytesAfter);
    expect(await filesOf(lake)).toEqual([
      ['19', 1],
      ['17', 3],
      ['18', 2],
    ]);
    expect(await contentOf(lake)).toEqual(before);
    expect(await askPlain(`SELECT event_id FROM ${plainRows(directory, 'events')} ORDER BY 1`)).toHaveLength(6);
    const [merged] = (await lake.snapshot()).files.events?.filter(({ rowCount }) => rowCount === 3) ?? [];
    expect(await askPlain(`SELECT event_id FROM '${directory}/${merged?.path}'`)).toEqual([['a'], ['c'], ['e']]);
    expect((await lake.snapshot()).commits.at(-1)).toMatchObject({
      runId: 'compaction',
      newEvents: 0,
      filesRemoved: 11,
    });

    expect(await lake.compact({}, context)).toMatchObject({ compactedDays: [], skippedDays: 4, commits: 0 });
    // The id index knows the merged rows.
    expect(await deliver(lake, [event('a', 0), event('c', 1, { score: 5 })])).toMatchObject({
      ...{ newEvents: 0, changedEvents: 1, unchangedEvents: 1 },
    });
  });

  test('leaves days outside the range, large files, and few files alone', async () => {
    const lake = await manyCommits(await newDirectory());
    const range = { startMs: DAY_1 + DAY, endMs: DAY_1 + 2 * DAY };
    expect(await lake.compact({ range, minFiles: 3 }, context)).toMatchObject({ commits: 0, skippedDays: 1 });
    expect(await lake.compact({ targetFileBytes: 100 }, context)).toMatchObject({ commits: 0, skippedDays: 4 });
    const [file] = (await lake.snapshot()).files.events ?? [];
    const twoFiles = { targetFileBytes: 2.5 * (file?.fileBytes ?? 0) };
    expect(await lake.compact({ ...twoFiles, minFiles: 3 }, context)).toMatchObject({ filesBefore: 2, filesAfter: 1 });
    expect(await lake.compact({ range }, context)).toMatchObject({ compactedDays: ['2020-08-18'], skippedDays: 0 });
    expect(await filesOf(lake)).toEqual([
      ['17', 1],
      ['19', 1],
      ['17', 2],
      ['18', 2],
    ]);
  });

  test('brings files of an older schema version to the newest', async () => {
    const directory = await newDirectory();
    const wider = SMALL_TABLES.map((spec) =>
      spec.name === 'events'
        ? { ...spec, columns: [...spec.columns, ...table('t', 'event_date', [['colour', 'text']]).columns] }
        : spec,
    );
    await (await manyCommits(directory)).close();
    const lake = await openSmall(directory, { dataset: { ...SMALL_DATASET, tables: wider } });
    await deliver(lake, [event('z', 3)], { tables: wider });
    const rows = 'SELECT event_id, colour FROM events ORDER BY ALL';
    const before = await ask(lake, rows);
    await lake.compact({}, context);
    expect(await ask(lake, rows)).toEqual(before);
    expect((await lake.snapshot()).files.events?.map(({ schemaVersion }) => schemaVersion)).toEqual([1, 2, 2]);
  });

  test('keeps what another writer commits meanwhile, and drops only merges of what it replaced', async () => {
    const directory = await newDirectory();
    const other = await manyCommits(directory);
    let interventions = 0;
    const lake = await openSmall(directory, {
      onStep: (step) => {
        if (step === 'manifest-written') interventions += 1;
      },
    });
    const rival = deliver(other, [event('a', 0, { score: 9 }), event('g', 50)]);
    const [report] = await Promise.all([lake.compact({}, context), rival]);
    expect(interventions).toBeGreaterThan(0);
    expect(report.commits).toBe(1);
    const rows = 'SELECT event_id, score FROM events ORDER BY 1';
    expect(await ask(lake, rows)).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((id) => [id, id === 'a' ? 9 : null]));
    expect(await askPlain(`SELECT count(*)::INTEGER FROM ${plainRows(directory, 'certificates')}`)).toEqual([[12]]);
  });

  test('skips what was replaced before it could be committed', async () => {
    const directory = await newDirectory();
    const other = await manyCommits(directory);
    let isOvertaken = false;
    let overtake = Promise.resolve();
    const lake = await openSmall(directory, {
      onStep: (step) => {
        if (step !== 'staged' || isOvertaken) return;
        isOvertaken = true;
        overtake = other.compact({ range: { startMs: DAY_1, endMs: DAY_1 + DAY } }, context).then(() => undefined);
      },
    });
    const before = await contentOf(other);
    await lake.compact({}, context);
    await overtake;
    await lake.compact({}, context);
    expect(await contentOf(lake)).toEqual(before);
    expect(await filesOf(lake, 'certificates')).toHaveLength(3);
    expect(await askPlain(`SELECT event_id FROM ${plainRows(directory, 'events')}`)).toHaveLength(6);
  });

  test('ends between files when it is aborted, without a change', async () => {
    const directory = await newDirectory();
    const stop = new AbortController();
    const lake = await manyCommits(directory);
    stop.abort();
    await expect(lake.compact({}, { runId: 'c', signal: stop.signal })).rejects.toMatchObject({ name: 'AbortError' });
    expect((await lake.snapshot()).version).toBe(4);
    expect(await readdir(join(directory, '_spool'))).toEqual(['tmp']);
  });

  test('of a day with a lost file fails without a change', async () => {
    const directory = await newDirectory();
    const lake = await manyCommits(directory);
    const [file] = (await lake.snapshot()).files.events ?? [];
    await rm(join(directory, file?.path ?? ''));
    await expect(lake.compact({}, context)).rejects.toMatchObject({
      ...{ code: 'LAKE_CORRUPT', hint: expect.stringContaining('reconcile --repair') },
    });
    expect((await lake.snapshot()).version).toBe(4);
  });

  test('never changes the content, for any delivery and any packing of the files', async () => {
    const delivered = fc.record({
      id: fc.constantFrom('a', 'b', 'c', 'd', "it's", 'ü'),
      timeMs: fc.integer({ min: 0, max: 1 }).map((day) => DAY_1 + day * DAY),
      score: fc.constantFrom(null, 1, 2),
      type: fc.constantFrom('FILE', 'MUTEX', ''),
      issuers: fc.constantFrom([], ['x'], ['x', 'x', '']),
    });
    const batches = fc.array(fc.uniqueArray(delivered, { selector: ({ id }) => id, maxLength: 4 }), {
      ...{ minLength: 2, maxLength: 6 },
    });
    const options = fc.record({
      targetFileBytes: fc.integer({ min: 1000, max: 12_000 }),
      minFiles: fc.constantFrom(1, 2, 3),
    });
    await fc.assert(
      fc.asyncProperty(batches, options, async (all, sizes) => {
        const lake = await openSmall(await newDirectory());
        for (const [number, batch] of all.entries()) await deliver(lake, batch, { rejects: [`r${number % 2}`] });
        const before = await contentOf(lake);
        await lake.compact(sizes, context);
        await lake.compact({}, context);
        expect(await contentOf(lake)).toEqual(before);
        for (const files of Object.values((await lake.snapshot()).files)) {
          expect(files).toHaveLength(new Set(files.map(({ partition }) => partition)).size);
        }
        await lake.close();
      }),
      { numRuns: 5, seed: 20200817 },
    );
  });
});
