import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NO_FILTER } from '@edrlake/core';
import { describe, expect, test } from 'vitest';
import type { Lake } from '../src/index.ts';
import { ask, askPlain, madeOnce, newDirectory, openSmall, plainRows } from './opened-lakes.ts';
import { DAY, DAY_1, deliver, HOUR, proofOf, proofOfDays, type SmallEvent } from './small-lake.ts';

const [D1, D2] = ['2020-08-17', '2020-08-18'];
const TWO_DAYS = { startMs: DAY_1, endMs: DAY_1 + 2 * DAY };
const event = (id: string, hour: number, more: Partial<SmallEvent> = {}): SmallEvent => ({
  ...{ id, timeMs: DAY_1 + hour * HOUR, issuers: ['x', 'y'], ...more },
});
const FIRST = [event('a', 0), event('b', 1, { type: 'MUTEX', issuers: [] }), event('n', 25)];
const SECOND = [event('c', 2), event('d', 3, { issuers: [] })];
const ALL = [...FIRST, ...SECOND];
const PROOFS = [proofOfDays(DAY_1, 1, [...FIRST.slice(0, 2), ...SECOND]), proofOfDays(DAY_1 + DAY, 1, FIRST.slice(2))];

const copyOfTwoBatches = madeOnce(async (lake) => {
  await deliver(lake, FIRST, { rejects: [{ record: { type: 'FILE' }, timeMs: DAY_1 }, 'no time'] });
  await deliver(lake, SECOND, { proofs: PROOFS });
});

async function twoBatches(directory: string): Promise<Lake> {
  await copyOfTwoBatches(directory);
  return openSmall(directory);
}

/** The file of a table and day that the commit of this number wrote. */
async function fileOf(lake: Lake, table: string, day: string, nth = 0): Promise<string> {
  const files = (await lake.snapshot()).files[table]?.filter(({ partition }) => partition.endsWith(day));
  return files?.[nth]?.path ?? 'none';
}

const line = (day: string, rowCount: number, more: object = {}) => ({
  ...{ day, eventType: null, rowCount, rejectedCount: 0, distinctIds: rowCount, lostFiles: [], ...more },
});

describe('inspecting days', () => {
  test('counts rows, ids and rejects in the files, by day and by type', async () => {
    const lake = await twoBatches(await newDirectory());
    expect(await lake.inspectDays({ startMs: DAY_1 - 9 * DAY, endMs: DAY_1 + 9 * DAY }, 'day')).toEqual([
      line(D1, 4, { rejectedCount: 1 }),
      line(D2, 1),
    ]);
    expect(await lake.inspectDays({ startMs: DAY_1 + 5, endMs: DAY_1 + 6 }, 'type')).toEqual([
      line(D1, 3, { eventType: 'FILE', rejectedCount: 1 }),
      line(D1, 1, { eventType: 'MUTEX' }),
    ]);
    expect(await lake.inspectDays({ startMs: 0, endMs: 1 }, 'day')).toEqual([]);
  });

  test('names files that are gone, torn or exchanged, and counts nothing in them', async () => {
    const directory = await newDirectory();
    const lake = await twoBatches(directory);
    const [gone, torn, other] = [
      await fileOf(lake, 'events', D1, 0),
      await fileOf(lake, 'certificates', D1, 1),
      await fileOf(lake, 'events', D2),
    ];
    await rm(join(directory, gone));
    await writeFile(join(directory, torn), (await readFile(join(directory, torn))).subarray(0, 100));
    await writeFile(join(directory, other), await readFile(join(directory, await fileOf(lake, 'events', D1, 1))));
    expect(await lake.inspectDays(TWO_DAYS, 'day')).toEqual([
      line(D1, 2, { rejectedCount: 1, lostFiles: [gone, torn] }),
      line(D2, 0, { lostFiles: [other] }),
    ]);
    expect(await lake.inspectDays(TWO_DAYS, 'type')).toEqual([
      line(D1, 2, { eventType: 'FILE', rejectedCount: 1, lostFiles: [gone, torn] }),
      line(D2, 0, { lostFiles: [other] }),
    ]);
  });

  test('notices an event that is stored twice, without using the log', async () => {
    const directory = await newDirectory();
    const writer = await openSmall(directory);
    await deliver(writer, [event('a', 0), event('b', 1)]);
    await deliver(writer, [event('c', 2), event('d', 3)]);
    const [first, second] = [await fileOf(writer, 'events', D1, 0), await fileOf(writer, 'events', D1, 1)];
    await writer.close();
    await writeFile(join(directory, second), await readFile(join(directory, first)));
    // As in a lake of an older edrlake, which had no checksums.
    const entry = join(directory, `_log/${'2'.padStart(20, '0')}.json`);
    await writeFile(entry, (await readFile(entry, 'utf8')).replaceAll(/,"crc32":(?:\d+|"\w+")/g, ''));
    const lake = await openSmall(directory);
    expect(await lake.inspectDays(TWO_DAYS, 'day')).toEqual([line(D1, 4, { distinctIds: 2 })]);
    expect(await lake.inspectDays(TWO_DAYS, 'type')).toEqual([line(D1, 4, { eventType: 'FILE', distinctIds: 2 })]);
  });

  test('names a lost file of rejects by the day it was fetched on, or else with the last day', async () => {
    const directory = await newDirectory();
    const lake = await twoBatches(directory);
    const path = await fileOf(lake, 'rejects', '2026-11-22');
    await rm(join(directory, path));
    expect(await lake.inspectDays(TWO_DAYS, 'day')).toEqual([line(D1, 4), line(D2, 1, { lostFiles: [path] })]);
    const ingested = Date.parse('2026-11-22');
    expect(await lake.inspectDays({ startMs: ingested, endMs: ingested + DAY }, 'day')).toEqual([
      line('2026-11-22', 0, { lostFiles: [path] }),
    ]);
  });
});

describe('while a file is lost', () => {
  test('counting, coverage and opening go on, and queries name the file and the way out', async () => {
    const directory = await newDirectory();
    const lake = await twoBatches(directory);
    const [gone, torn] = [await fileOf(lake, 'events', D1, 1), await fileOf(lake, 'events', D2)];
    await rm(join(directory, gone));
    const ranges = [TWO_DAYS, { startMs: DAY_1 + HOUR, endMs: DAY_1 + 4 * HOUR }];
    expect(await lake.countStored(ranges, 'event')).toEqual([4, 1]);
    await writeFile(join(directory, torn), 'torn');
    expect(await lake.countStored(ranges, 'event')).toEqual([3, 1]);
    expect(await lake.countStored(ranges, 'processed')).toEqual([3, 1]);
    expect(await lake.coverage()).toHaveLength(2);
    const failure = {
      code: 'LAKE_CORRUPT',
      message: expect.stringContaining(gone),
      hint: expect.stringContaining('edrlake reconcile --repair'),
    };
    await expect(ask(lake, 'SELECT count(*) FROM events')).rejects.toMatchObject(failure);
    await expect(lake.queryToParquet('FROM events', join(directory, '../out'))).rejects.toMatchObject(failure);
    await lake.close();
    await rm(join(directory, 'lake.duckdb'));
    const reopened = await openSmall(directory);
    await expect(ask(reopened, 'SELECT count(*) FROM events')).rejects.toMatchObject(failure);
    expect(await deliver(reopened, [event('z', 50)])).toMatchObject({ newEvents: 1 });
    expect(await deliver(reopened, [event('c', 2, { score: 9 })])).toMatchObject({ newEvents: 1 });
  });
});

describe('forgetting lost files', () => {
  /** Checks what must be true of any lake. */
  const expectWhole = async (lake: Lake, directory: string) => {
    const orphans = 'SELECT count(*) FROM certificates WHERE event_id NOT IN (SELECT event_id FROM events)';
    const halves =
      'SELECT count(*) FROM (SELECT event_id FROM certificates GROUP BY 1 HAVING max(position) + 1 <> count(*))';
    expect(
      await ask(lake, `SELECT (${orphans}), (${halves}), count(*) - count(DISTINCT event_id) FROM events`),
    ).toEqual([[0, 0, 0]]);
    const plain = await askPlain(`SELECT event_id FROM ${plainRows(directory, 'events')} ORDER BY 1`);
    expect(plain).toEqual(await ask(lake, 'SELECT event_id FROM events ORDER BY 1'));
  };
  const ids = async (lake: Lake) => (await ask(lake, 'SELECT event_id FROM events ORDER BY 1')).flat().join('');
  const verdicts = async (lake: Lake) => (await lake.coverage()).map(({ verdict }) => verdict);
  const provenDays = async (lake: Lake) =>
    (await lake.provenRanges('event', NO_FILTER)).reduce((ms, { startMs, endMs }) => ms + endMs - startMs, 0) / DAY;

  test('does nothing where none is lost', async () => {
    const lake = await twoBatches(await newDirectory());
    expect(await lake.forgetLostFiles('run')).toEqual([]);
    expect((await lake.snapshot()).version).toBe(2);
  });

  test.each([
    ['events', 'abn', 'rows and their child rows'],
    ['certificates', 'abn', 'child rows, and so their events'],
  ])('of %s gives up what belongs together, and takes it back when it comes again', async (table, left) => {
    const directory = await newDirectory();
    const lake = await twoBatches(directory);
    expect(await verdicts(lake)).toEqual(['complete', 'complete']);
    const lost = await fileOf(lake, table, D1, 1);
    await rm(join(directory, lost));
    expect(await lake.forgetLostFiles('run')).toEqual([lost]);
    await expectWhole(lake, directory);
    expect(await ids(lake)).toBe(left);
    expect(await verdicts(lake)).toEqual(['mismatched', 'complete']);
    expect(await provenDays(lake)).toBe(1);
    expect(await lake.inspectDays(TWO_DAYS, 'day')).toEqual([line(D1, 2, { rejectedCount: 1 }), line(D2, 1)]);
    expect((await lake.snapshot()).commits.at(-1)).toMatchObject({ deletedEvents: 2, newEvents: 0 });
    const trashed = await readdir(join(directory, `_trash/${'3'.padStart(20, '0')}`), { recursive: true });
    expect(trashed.filter((path) => path.endsWith('.parquet'))).toHaveLength(1);

    expect(await deliver(lake, ALL)).toMatchObject({ newEvents: 2, unchangedEvents: 3 });
    await expectWhole(lake, directory);
    expect(await ids(lake)).toBe('abcdn');
    expect(await verdicts(lake)).toEqual(['complete', 'complete']);
    expect(await provenDays(lake)).toBe(2);
    expect(await deliver(lake, ALL)).toMatchObject({ newEvents: 0, changedEvents: 0, unchangedEvents: 5 });
  });

  test('keeps the events whose child rows are in other files', async () => {
    const directory = await newDirectory();
    const lake = await twoBatches(directory);
    await rm(join(directory, await fileOf(lake, 'certificates', D2)));
    await lake.forgetLostFiles('run');
    expect(await ids(lake)).toBe('abcd');
    // A day without rows and without proofs on this axis is still remembered.
    expect(await lake.coverage()).toMatchObject([
      { verdict: 'complete' },
      { day: D2, inLake: 0, verdict: 'mismatched' },
    ]);
  });

  test('gives up the day where the files of one commit can no longer be identified', async () => {
    const directory = await newDirectory();
    const lake = await twoBatches(directory);
    await deliver(lake, [event('a', 0, { score: 7 })]);
    const rewritten = (await lake.snapshot()).files.events?.find(({ path }) => path.includes('-r'));
    expect(rewritten?.rowCount).toBe(1);
    await rm(join(directory, await fileOf(lake, 'certificates', D1, 0)));
    await lake.forgetLostFiles('run');
    await expectWhole(lake, directory);
    expect(await deliver(lake, [...ALL, event('a', 0, { score: 7 })].slice(1))).toMatchObject({ changedEvents: 0 });
    await expectWhole(lake, directory);
    expect(await ids(lake)).toBe('abcdn');
  });

  test('brings child rows of other commits along where an event file was rewritten', async () => {
    const directory = await newDirectory();
    const lake = await openSmall(directory);
    await deliver(lake, [event('a', 0), event('b', 1)]);
    await deliver(lake, [event('a', 0, { score: 7 })]);
    const files = (await lake.snapshot()).files.events ?? [];
    expect(files.map(({ rowCount }) => rowCount)).toEqual([1, 1]);
    for (const { path } of files) await rm(join(directory, path));
    expect(await lake.forgetLostFiles('run')).toHaveLength(2);
    expect(await ask(lake, 'SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM certificates)')).toEqual([
      [0, 0],
    ]);
    expect(await deliver(lake, [event('a', 0, { score: 7 }), event('b', 1)])).toMatchObject({ newEvents: 2 });
    await expectWhole(lake, directory);
  });

  test('of rejects writes the same records again', async () => {
    const directory = await newDirectory();
    const lake = await twoBatches(directory);
    const rejects = [{ record: { type: 'FILE' }, timeMs: DAY_1 }, 'no time'];
    await rm(join(directory, await fileOf(lake, 'rejects', '2026-11-22')));
    expect(await lake.forgetLostFiles('run')).toHaveLength(1);
    expect(await lake.countStored([TWO_DAYS], 'event')).toEqual([5]);
    await deliver(lake, [], { rejects });
    await deliver(lake, [], { rejects });
    expect(await ask(lake, 'SELECT count(*) FROM rejects')).toEqual([[2]]);
    expect(await lake.countStored([TWO_DAYS], 'event')).toEqual([6]);
  });

  test('stays known when everything of the day was fetched again and less came, and after a checkpoint', async () => {
    const directory = await newDirectory();
    const lake = await twoBatches(directory);
    await rm(join(directory, await fileOf(lake, 'events', D1, 1)));
    await lake.forgetLostFiles('run');
    for (let n = 0; n < 40; n += 1) await deliver(lake, [], { proofs: [proofOf([n, n + 1], {})] });
    expect((await readdir(join(directory, '_log'))).some((name) => name.includes('checkpoint'))).toBe(true);
    await lake.close();
    const reopened = await openSmall(directory);
    expect((await reopened.coverage(TWO_DAYS))[0]).toMatchObject({ verdict: 'mismatched', inLake: 2 });
    const half = [DAY_1, DAY_1 + 12 * HOUR] as const;
    await deliver(reopened, [], { proofs: [proofOf(half, { [D1]: 2 })] });
    expect((await reopened.coverage(TWO_DAYS))[0]).toMatchObject({ verdict: 'mismatched' });
    await deliver(reopened, [], { proofs: [proofOf([DAY_1 + 12 * HOUR, DAY_1 + DAY], {})] });
    expect((await reopened.coverage(TWO_DAYS))[0]).toMatchObject({ verdict: 'complete', counted: 2 });
  });

  test('takes a lost index and lost data together', async () => {
    const directory = await newDirectory();
    const lake = await twoBatches(directory);
    await rm(join(directory, '_ids'), { recursive: true });
    await rm(join(directory, await fileOf(lake, 'events', D1, 0)));
    await lake.forgetLostFiles('run');
    expect(await deliver(lake, ALL)).toMatchObject({ newEvents: 2, unchangedEvents: 3 });
    await expectWhole(lake, directory);
  });

  test('works where the id index is lost as well, which a commit says without quoting its statement', async () => {
    const directory = await newDirectory();
    const lake = await twoBatches(directory);
    const lost = await fileOf(lake, 'events', D1, 0);
    await rm(join(directory, lost));
    await rm(join(directory, '_ids'), { recursive: true });
    const refused = await deliver(lake, [event('e', 3)]).catch((thrown: Error) => thrown);
    expect(refused).toMatchObject({
      code: 'LAKE_CORRUPT',
      message: `a data file cannot be read: ${join(directory, lost)} is missing`,
    });
    expect(await lake.forgetLostFiles('run')).toEqual([lost]);
    expect(await deliver(lake, ALL)).toMatchObject({ newEvents: 2, unchangedEvents: 3 });
    await expectWhole(lake, directory);
  });

  test('moves a torn file out of the way', async () => {
    const directory = await newDirectory();
    const lake = await twoBatches(directory);
    const torn = await fileOf(lake, 'events', D2);
    await writeFile(join(directory, torn), '');
    expect(await lake.forgetLostFiles('run')).toEqual([torn]);
    await expectWhole(lake, directory);
    expect((await stat(join(directory, `_trash/${'3'.padStart(20, '0')}`, torn))).size).toBe(0);
  });
});

test('countStored counts rejects with a readable time, on either axis', async () => {
  const lake = await openSmall(await newDirectory());
  const rejects = [
    { record: 1, timeMs: DAY_1, processedMs: DAY_1 + DAY },
    { record: 2, timeMs: DAY_1 + HOUR },
    { record: 3, processedMs: DAY_1 },
    { record: 4 },
  ];
  await deliver(lake, [event('a', 0)], { rejects });
  const ranges = [DAY_1, DAY_1 + HOUR, DAY_1 + DAY].map((startMs) => ({ startMs, endMs: startMs + HOUR }));
  expect(await lake.countStored(ranges, 'event')).toEqual([2, 1, 0]);
  expect(await lake.countStored(ranges, 'processed')).toEqual([2, 1, 1]);
});
