import { cp, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Lake, rebuildLog } from '../src/index.ts';
import {
  chosenOf,
  damageFile,
  editNewestEntry,
  filesOf,
  homeOf,
  IN_OBJECTS,
  IS_SAMPLE,
  loseFile,
  namesIn,
  textOf,
} from './lake-homes.ts';
import { ask, askPlain, madeOnce, newDirectory, openSmall, plainRows } from './opened-lakes.ts';
import {
  DAY,
  DAY_1,
  deliver,
  HOUR,
  proofOfDays,
  SMALL_DATASET,
  SMALL_OPTIONS,
  SMALL_TABLES,
  type SmallEvent,
  table,
} from './small-lake.ts';

const event = (id: string, hour: number, more: Partial<SmallEvent> = {}): SmallEvent => ({
  ...{ id, timeMs: DAY_1 + hour * HOUR, score: 1, issuers: ['x', 'y'] },
  ...more,
});
const EVENTS = [event('a', 0), event('b', 1), event('c', 30)];
const CHANGED = event('a', 0, { score: 2, issuers: ['z'], processedMs: DAY_1 + DAY });
const PROOFS = [proofOfDays(DAY_1, 2, EVENTS)];
const signal = new AbortController().signal;
const copyOfStored = madeOnce(async (lake) => {
  await deliver(lake, EVENTS, { proofs: PROOFS, rejects: ['no id'] });
  await deliver(lake, [CHANGED]);
});
const ROWS = [
  ['a', 2, 1],
  ['b', 1, 2],
  ['c', 1, 2],
];
const SQL = (events: string, children: string) =>
  `SELECT event_id, score, (SELECT count(*)::INTEGER FROM ${children} c WHERE c.event_id = e.event_id) FROM ${events} e ORDER BY ALL`;
const rows = (lake: Lake) => ask(lake, SQL('events', 'certificates'));
const plain = async (directory: string) => {
  const files = await filesOf(directory);
  return askPlain(SQL(plainRows(files, 'events'), plainRows(files, 'certificates')));
};
const entry = (version: number) => `_log/${String(version).padStart(20, '0')}.json`;
const rebuild = async (directory: string, force = false) =>
  rebuildLog({ ...SMALL_OPTIONS, directory, ...(await homeOf(directory)) }, { force, runId: 'rebuild' });

async function stored(): Promise<string> {
  const directory = await newDirectory();
  await copyOfStored(directory);
  return directory;
}

/** Empties the index, so that the next delivery is stored once more. */
async function forgetIds(directory: string): Promise<void> {
  const before = await openSmall(directory, { readOnly: true });
  const all = (await before.snapshot()).idFiles.map((file) => file.path);
  await before.close();
  await editNewestEntry(directory, ({ idsRemoved, ...last }) => ({
    ...last,
    ...{ crc32: undefined, idsAdded: [], idsRemoved: [...(idsRemoved as string[]), ...all] },
  }));
}

describe.skipIf(IS_SAMPLE)('removing duplicates', () => {
  test('leaves the newest copy of each event with its own child rows, in one commit', async () => {
    const directory = await stored();
    await forgetIds(directory);
    const lake = await openSmall(directory);
    // An equal copy, an older one with more child rows, a newer one with fewer, and one that moved to another day.
    await deliver(lake, [
      event('a', 0, { issuers: ['x', 'y', 'z'] }),
      event('b', 1, { score: 3, issuers: [], processedMs: DAY_1 + 9 * DAY }),
      event('c', 1, { processedMs: DAY_1 }),
      event('d', 3),
    ]);
    expect(await ask(lake, 'SELECT count(*) FROM events')).toEqual([[7]]);
    const { version } = await lake.snapshot();
    const report = await lake.deduplicate('run');
    expect(report).toEqual({
      ...{ version: version + 1, events: 3, removedRows: 3 + 7, days: ['2020-08-17', '2020-08-18'] },
      isIndexRebuilt: true,
    });
    const expected = [
      ['a', 2, 1],
      ['b', 3, 0],
      ['c', 1, 2],
      ['d', 1, 2],
    ];
    expect(await rows(lake)).toEqual(expected);
    expect(await plain(directory)).toEqual(expected);
    expect(await ask(lake, "SELECT event_date::VARCHAR FROM events WHERE event_id = 'c'")).toEqual([['2020-08-18']]);
    expect(await lake.deduplicate('run')).toMatchObject({ version: null, events: 0, removedRows: 0 });
    expect(await deliver(lake, [CHANGED, event('c', 30), event('d', 3)])).toMatchObject({ unchangedEvents: 3 });
    expect(await rows(lake)).toEqual(expected);
  });

  test('also where both copies were merged into one file, and only of the days that are given', async () => {
    const directory = await stored();
    await forgetIds(directory);
    const lake = await openSmall(directory);
    await deliver(lake, EVENTS);
    await lake.compact({}, { runId: 'c', signal });
    expect(await lake.deduplicate('run', { startMs: DAY_1 - DAY, endMs: DAY_1 })).toMatchObject({ events: 0 });
    expect(await lake.deduplicate('run', { startMs: DAY_1 + DAY, endMs: DAY_1 + DAY + 1 })).toMatchObject({
      ...{ events: 1, days: ['2020-08-18'] },
    });
    expect(await lake.deduplicate('run')).toMatchObject({ events: 2, days: ['2020-08-17'] });
    expect((await rows(lake)).map(([id, score]) => [id, score])).toEqual([
      ['a', 2],
      ['b', 1],
      ['c', 1],
    ]);
    expect(await ask(lake, 'SELECT count(*) - count(DISTINCT (event_id, position)) FROM certificates')).toEqual([[0]]);
  });

  test('does nothing to a lake without any, and takes away child rows without their event', async () => {
    const directory = await stored();
    const lake = await openSmall(directory);
    expect(await lake.deduplicate('run')).toEqual({
      ...{ version: null, events: 0, removedRows: 0, days: [], isIndexRebuilt: false },
    });
    await lake.close();
    const first = JSON.parse(await textOf(directory, entry(1)));
    const isGone = ({ table: name, partition }: { table: string; partition: string }) =>
      name === 'events' && partition.endsWith('08-18');
    await damageFile(
      directory,
      entry(1),
      JSON.stringify({ ...first, crc32: undefined, added: first.added.filter((file: never) => !isGone(file)) }),
    );
    const cut = await openSmall(directory);
    expect(await cut.deduplicate('run')).toMatchObject({ events: 1, removedRows: 2 });
    expect(await rows(cut)).toEqual(ROWS.slice(0, 2));
    expect(await ask(cut, 'SELECT count(*) FROM certificates')).toEqual([[3]]);
    expect(await deliver(cut, EVENTS.slice(2))).toMatchObject({ newEvents: 1 });
  });
});

describe('rebuilding the log', () => {
  const cases: readonly (readonly [string, (directory: string) => Promise<unknown>])[] = [
    ['is gone', (directory: string) => loseFile(directory, '_log')],
    ['has a hole', (directory: string) => loseFile(directory, entry(1))],
    ['lost its end', (directory: string) => loseFile(directory, entry(2))],
    ['is garbage', (directory: string) => damageFile(directory, entry(2), 'null')],
    [
      'is gone, with the marker and the index',
      async (directory: string) => {
        for (const path of ['_log', '_ids', '_lake.json', ...(IN_OBJECTS ? [] : ['lake.duckdb'])]) {
          await loseFile(directory, path);
        }
      },
    ],
  ];
  test.each(chosenOf(cases))('keeps every event once when the log %s, and proves nothing', async (what, damage) => {
    const directory = await stored();
    await damage(directory);
    // In an object store, a commit whose entry is lost looks like one that never came about.
    const report = await rebuild(directory, IN_OBJECTS && what === 'lost its end');
    expect(report).toMatchObject({ events: 3, setAside: [] });
    const lake = await openSmall(directory);
    expect(await rows(lake)).toEqual(ROWS);
    expect(await plain(directory)).toEqual(ROWS);
    expect(await ask(lake, 'SELECT count(*) FROM rejects')).toEqual([[1]]);
    expect((await lake.snapshot()).proofs).toEqual([]);
    expect((await lake.coverage()).every(({ verdict }) => verdict === 'partial')).toBe(true);
    expect(await deliver(lake, [CHANGED, ...EVENTS.slice(1)], { proofs: PROOFS, rejects: ['no id'] })).toMatchObject({
      ...{ newEvents: 0, changedEvents: 0, unchangedEvents: 3, version: report.version + 1 },
    });
    expect(await rows(lake)).toEqual(ROWS);
    await lake.compact({}, { runId: 'c', signal });
    expect(await plain(directory)).toEqual(ROWS);
    await lake.close();
    const reopened = await openSmall(directory, { readOnly: true });
    expect(await rows(reopened)).toEqual(ROWS);
  });

  test('takes each event once where replaced files are next to the new ones, and sets aside files of other programs', async () => {
    const directory = await stored();
    // As after a crash between a commit and the removal of replaced files, and the log lost as well. In an object store
    // they are there until a vacuum.
    const trash = join(directory, '_trash', '2'.padStart(20, '0'));
    for (const name of IN_OBJECTS ? [] : ['events', 'certificates'])
      await cp(join(trash, name), join(directory, name), { recursive: true });
    await damageFile(directory, 'events/event_date=2020-08-17/notes.parquet', 'mine');
    const torn = 'events/event_date=2020-08-18/20200101T000000Z-00000000-0.parquet';
    await damageFile(directory, torn, 'PAR1 and no more');
    await loseFile(directory, '_log');
    const report = await rebuild(directory);
    expect(report.setAside).toEqual(['events/event_date=2020-08-17/notes.parquet', torn]);
    expect(report.removedRows).toBeGreaterThan(0);
    const lake = await openSmall(directory);
    expect(await rows(lake)).toEqual(ROWS);
    expect(await plain(directory)).toEqual(ROWS);
    if (IN_OBJECTS) return expect(await textOf(directory, torn)).toBe('PAR1 and no more');
    expect(await readdir(join(directory, '_trash'), { recursive: true })).toEqual(
      expect.arrayContaining([expect.stringContaining(torn)]),
    );
  });

  test('leaves out files that readable entries removed, and takes them where what replaced them is gone', async () => {
    const directory = await stored();
    await loseFile(directory, entry(1));
    // Nothing is removed as a copy: the replaced files were never taken.
    expect(await rebuild(directory)).toMatchObject({ events: 3, removedRows: 0 });
    if (!IN_OBJECTS) return;
    const torn = await stored();
    const { added, removed } = JSON.parse(await textOf(torn, entry(2)));
    for (const { path, table: name } of added) if (name === 'events') await loseFile(torn, path);
    expect(removed.length).toBeGreaterThan(0);
    await loseFile(torn, entry(1));
    await rebuild(torn);
    expect((await rows(await openSmall(torn))).map(([id]) => id)).toEqual(['a', 'b', 'c']);
  });

  test('keeps the old log, and gives a lake that was open the new one', async () => {
    const directory = await stored();
    const reader = await openSmall(directory, { readOnly: true });
    expect((await reader.snapshot()).version).toBe(2);
    const { oldLog } = await rebuild(directory, true);
    expect(await namesIn(directory, oldLog)).toEqual([entry(1), entry(2)].map((path) => path.slice(5)));
    expect(await rows(reader)).toEqual(ROWS);
  });

  test('refuses what it would make worse', async () => {
    const sound = await stored();
    await expect(rebuild(sound)).rejects.toMatchObject({ code: 'USAGE', hint: expect.stringContaining('--force') });
    await expect(rebuild(join(sound, 'nowhere'))).rejects.toMatchObject({ code: 'LAKE_MISSING' });
    const empty = await newDirectory();
    if (!IN_OBJECTS) await mkdir(empty);
    await expect(rebuild(empty, true)).rejects.toMatchObject({ code: 'LAKE_MISSING' });
    const newer = await stored();
    await damageFile(newer, entry(2), '{"format":99}');
    await expect(rebuild(newer, true)).rejects.toMatchObject({ code: 'LAKE_INCOMPATIBLE' });
    const wider = await stored();
    const [events, ...others] = SMALL_TABLES;
    const known = [
      table(
        'events',
        'event_date',
        (events?.columns ?? []).slice(0, -1).map(({ name, type }) => [name, type]),
      ),
    ];
    await loseFile(wider, '_log');
    await expect(
      rebuildLog(
        {
          ...SMALL_OPTIONS,
          ...(await homeOf(wider)),
          directory: wider,
          dataset: { ...SMALL_DATASET, tables: [...known, ...others] },
        },
        { force: false, runId: 'r' },
      ),
    ).rejects.toMatchObject({ code: 'LAKE_INCOMPATIBLE', message: expect.stringContaining('column extra') });
  });
});
