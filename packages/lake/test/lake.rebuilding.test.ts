import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Lake, rebuildLog } from '../src/index.ts';
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
const plain = (directory: string) =>
  askPlain(SQL(plainRows(directory, 'events'), plainRows(directory, 'certificates')));
const entry = (version: number) => `_log/${String(version).padStart(20, '0')}.json`;
const rebuild = (directory: string, force = false) =>
  rebuildLog({ ...SMALL_OPTIONS, directory }, { force, runId: 'rebuild' });

async function stored(): Promise<string> {
  const directory = await newDirectory();
  await copyOfStored(directory);
  return directory;
}

/** Empties the index, so that the next delivery is stored once more. */
async function forgetIds(directory: string): Promise<void> {
  const [name] = (await readdir(join(directory, '_log')))
    .filter((each) => !each.includes('checkpoint'))
    .sort()
    .slice(-1);
  const path = join(directory, '_log', name ?? '');
  const { idsAdded, ...last } = JSON.parse(await readFile(path, 'utf8'));
  const before = await openSmall(directory, { readOnly: true });
  const all = (await before.snapshot()).idFiles.map((file) => file.path);
  await before.close();
  await writeFile(
    path,
    JSON.stringify({ ...last, crc32: undefined, idsAdded: [], idsRemoved: [...last.idsRemoved, ...all] }),
  );
}

describe('removing duplicates', () => {
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
    const log = join(directory, entry(1));
    const first = JSON.parse(await readFile(log, 'utf8'));
    const isGone = ({ table: name, partition }: { table: string; partition: string }) =>
      name === 'events' && partition.endsWith('08-18');
    await writeFile(
      log,
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
  test.each([
    ['is gone', (directory: string) => rm(join(directory, '_log'), { recursive: true })],
    ['has a hole', (directory: string) => rm(join(directory, entry(1)))],
    ['lost its end', (directory: string) => rm(join(directory, entry(2)))],
    ['is garbage', (directory: string) => writeFile(join(directory, entry(2)), 'null')],
    [
      'is gone, with the marker and the index',
      async (directory: string) => {
        for (const path of ['_log', '_ids', '_lake.json', 'lake.duckdb']) {
          await rm(join(directory, path), { recursive: true });
        }
      },
    ],
  ])('keeps every event once when the log %s, and proves nothing', async (_, damage) => {
    const directory = await stored();
    await damage(directory);
    const report = await rebuild(directory);
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
    // As after a crash between a commit and the removal of replaced files, and the log lost as well.
    const trash = join(directory, '_trash', '2'.padStart(20, '0'));
    for (const name of ['events', 'certificates'])
      await cp(join(trash, name), join(directory, name), { recursive: true });
    await writeFile(join(directory, 'events/event_date=2020-08-17/notes.parquet'), 'mine');
    const torn = 'events/event_date=2020-08-18/20200101T000000Z-00000000-0.parquet';
    await writeFile(join(directory, torn), 'PAR1 and no more');
    await rename(join(directory, '_log'), join(directory, 'log-elsewhere'));
    await mkdir(join(directory, '_log'));
    const report = await rebuild(directory);
    expect(report.setAside).toEqual(['events/event_date=2020-08-17/notes.parquet', torn]);
    expect(report.removedRows).toBeGreaterThan(0);
    const lake = await openSmall(directory);
    expect(await rows(lake)).toEqual(ROWS);
    expect(await plain(directory)).toEqual(ROWS);
    expect(await readdir(join(directory, '_trash'), { recursive: true })).toEqual(
      expect.arrayContaining([expect.stringContaining(torn)]),
    );
  });

  test('keeps the old log, and gives a lake that was open the new one', async () => {
    const directory = await stored();
    const reader = await openSmall(directory, { readOnly: true });
    expect((await reader.snapshot()).version).toBe(2);
    const { oldLog } = await rebuild(directory, true);
    expect(await readdir(join(directory, oldLog))).toEqual([entry(1), entry(2)].map((path) => path.slice(5)));
    expect(await rows(reader)).toEqual(ROWS);
  });

  test('refuses what it would make worse', async () => {
    const sound = await stored();
    await expect(rebuild(sound)).rejects.toMatchObject({ code: 'USAGE', hint: expect.stringContaining('--force') });
    await expect(rebuild(join(sound, 'nowhere'))).rejects.toMatchObject({ code: 'LAKE_MISSING' });
    const empty = await newDirectory();
    await mkdir(empty);
    await expect(rebuild(empty, true)).rejects.toMatchObject({ code: 'LAKE_MISSING' });
    const newer = await stored();
    await writeFile(join(newer, entry(2)), '{"format":99}');
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
    await rm(join(wider, '_log'), { recursive: true });
    await expect(
      rebuildLog(
        { ...SMALL_OPTIONS, directory: wider, dataset: { ...SMALL_DATASET, tables: [...known, ...others] } },
        { force: false, runId: 'r' },
      ),
    ).rejects.toMatchObject({ code: 'LAKE_INCOMPATIBLE', message: expect.stringContaining('column extra') });
  });
});
