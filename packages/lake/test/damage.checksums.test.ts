import { mkdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { Lake } from '../src/index.ts';
import { ask, madeOnce, newDirectory, openSmall } from './opened-lakes.ts';
import { DAY, DAY_1, deliver, HOUR, proofOfDays, type SmallEvent } from './small-lake.ts';

const event = (id: string, hour: number, score = 1): SmallEvent => ({
  ...{ id, timeMs: DAY_1 + hour * HOUR, score, issuers: ['x', 'y'] },
});
const EVENTS = [event('a', 0), event('b', 1), event('c', 30)];
const PROOFS = [proofOfDays(DAY_1, 1, EVENTS.slice(0, 2)), proofOfDays(DAY_1 + DAY, 1, EVENTS.slice(2))];
const TWO_DAYS = { startMs: DAY_1, endMs: DAY_1 + 2 * DAY };
const REJECTS = ['no id'];
const signal = new AbortController().signal;
const copyOfStored = madeOnce((lake) => deliver(lake, EVENTS, { proofs: PROOFS, rejects: REJECTS }));

async function stored(): Promise<{ readonly directory: string; readonly lake: Lake }> {
  const directory = await newDirectory();
  await copyOfStored(directory);
  return { directory, lake: await openSmall(directory) };
}

const pathOf = async (lake: Lake, table: string, day = '2020-08-17') =>
  (await lake.snapshot()).files[table]?.find(({ partition }) => partition.endsWith(day))?.path ?? '';
const rows = (lake: Lake) =>
  ask(
    lake,
    'SELECT event_id, score, (SELECT count(*)::INTEGER FROM certificates c WHERE c.event_id = e.event_id) FROM events e ORDER BY 1',
  );
const ROWS = ['a', 'b', 'c'].map((id) => [id, 1, 2]);

/** Flips one bit of a byte, and keeps the size and time of the file. */
async function flip(directory: string, path: string, at: (bytes: number) => number): Promise<void> {
  const content = await readFile(join(directory, path));
  const position = at(content.length);
  content.writeUInt8(content.readUInt8(position) ^ 4, position);
  await writeFile(join(directory, path), content);
}

describe('checksums in the log', () => {
  test('are those of the files, and of the index files', async () => {
    const { directory, lake } = await stored();
    const { files, idFiles } = await lake.snapshot();
    for (const file of [...Object.values(files).flat(), ...idFiles]) {
      const content = await readFile(join(directory, file.path));
      expect({ path: file.path, bytes: file.fileBytes, sum: file.crc32 }).toEqual({
        ...{ path: file.path, bytes: content.length, sum: crc32(content) },
      });
    }
  });

  test.each(['events', 'certificates'])(
    'find a flipped bit in a file of %s, and the repair brings it',
    async (table) => {
      const { directory, lake } = await stored();
      const path = await pathOf(lake, table);
      await flip(directory, path, (bytes) => Math.floor(bytes / 3));
      const [day] = await lake.inspectDays(TWO_DAYS, 'day');
      expect(day?.lostFiles).toEqual([path]);
      expect(await lake.forgetLostFiles('run', day?.lostFiles)).toEqual([path]);
      expect(await deliver(lake, EVENTS)).toMatchObject({ newEvents: 2, unchangedEvents: 1 });
      expect(await rows(lake)).toEqual(ROWS);
    },
  );

  test('find a folder in the place of a file, and the repair brings the rows', async () => {
    const { directory, lake } = await stored();
    const path = await pathOf(lake, 'events');
    await rm(join(directory, path));
    await mkdir(join(directory, path));
    const [day] = await lake.inspectDays(TWO_DAYS, 'day');
    expect(day?.lostFiles).toEqual([path]);
    expect(await lake.forgetLostFiles('run', day?.lostFiles)).toEqual([path]);
    expect(await deliver(lake, EVENTS)).toMatchObject({ newEvents: 2, unchangedEvents: 1 });
    expect(await rows(lake)).toEqual(ROWS);
  });

  test('keep compaction and an upsert from copying damage', async () => {
    const { directory, lake } = await stored();
    await deliver(lake, [event('d', 2)]);
    const path = await pathOf(lake, 'events');
    await flip(directory, path, (bytes) => Math.floor(bytes / 4));
    const refusal = { code: 'LAKE_CORRUPT', message: expect.stringContaining(path), hint: /reconcile --repair/ };
    const { version } = await lake.snapshot();
    await expect(lake.compact({}, { runId: 'c', signal })).rejects.toMatchObject(refusal);
    await expect(deliver(lake, [event('a', 0, 2)])).rejects.toMatchObject(refusal);
    expect((await lake.snapshot()).version).toBe(version);
  });

  test('keep a damaged index file from being used: the index is rebuilt from the data', async () => {
    const { directory, lake } = await stored();
    const [file] = (await lake.snapshot()).idFiles;
    await lake.close();
    const bytes = (await stat(join(directory, file?.path ?? ''))).size;
    for (let position = 4; position < bytes - 8; position += Math.ceil(bytes / 6)) {
      const copy = await newDirectory();
      await copyOfStored(copy);
      await flip(copy, file?.path ?? '', () => position);
      const opened = await openSmall(copy);
      expect(await deliver(opened, EVENTS, { rejects: REJECTS })).toMatchObject({ newEvents: 0, unchangedEvents: 3 });
      expect(await rows(opened)).toEqual(ROWS);
      expect(await ask(opened, 'SELECT count(*) FROM rejects')).toEqual([[1]]);
      await opened.close();
    }
  });

  test('are missing in older lakes, where only sizes and footers are checked', async () => {
    const { directory, lake } = await stored();
    await lake.close();
    const entry = join(directory, `_log/${'1'.padStart(20, '0')}.json`);
    const text = await readFile(entry, 'utf8');
    await writeFile(entry, text.replaceAll(/,"crc32":(?:\d+|"\w+")/g, '').replaceAll(/,"fileBytes":\d+(?=})/g, ''));
    const older = await openSmall(directory);
    expect((await older.snapshot()).idFiles).toEqual([expect.not.objectContaining({ crc32: expect.anything() })]);
    expect((await older.inspectDays(TWO_DAYS, 'day')).flatMap(({ lostFiles }) => lostFiles)).toEqual([]);
    expect(await deliver(older, EVENTS)).toMatchObject({ unchangedEvents: 3 });
    await older.compact({}, { runId: 'c', signal });
    expect(await rows(older)).toEqual(ROWS);
  });
});

describe('events whose files are gone are not unchanged', () => {
  test.each([
    ['events', '2020-08-17', 'gone'],
    ['events', '2020-08-18', 'cut'],
    ['certificates', '2020-08-17', 'gone'],
    ['certificates', '2020-08-18', 'cut'],
  ])('a file of %s of %s is %s', async (table, day, what) => {
    const { directory, lake } = await stored();
    expect((await lake.coverage()).map(({ verdict }) => verdict)).toEqual(['complete', 'complete']);
    const path = await pathOf(lake, table, day);
    if (what === 'gone') await rm(join(directory, path));
    else await truncate(join(directory, path), 40);
    expect(await lake.lostFiles()).toEqual([path]);
    expect(await lake.lostFiles({ startMs: DAY_1 - DAY, endMs: DAY_1 })).toEqual([]);
    expect((await lake.coverage()).map(({ verdict }) => verdict === 'mismatched')).toEqual([
      day === '2020-08-17',
      day === '2020-08-18',
    ]);
    const events = day === '2020-08-17' ? 2 : 1;
    expect(await deliver(lake, EVENTS, { proofs: PROOFS })).toMatchObject({
      newEvents: events,
      unchangedEvents: 3 - events,
    });
    expect(await rows(lake)).toEqual(ROWS);
    expect(await lake.lostFiles()).toEqual([]);
    expect((await lake.coverage()).map(({ verdict }) => verdict)).toEqual(['complete', 'complete']);
    expect(await deliver(lake, EVENTS)).toMatchObject({ newEvents: 0, unchangedEvents: 3 });
  });

  test('nor are rejects', async () => {
    const { directory, lake } = await stored();
    await rm(join(directory, await pathOf(lake, 'rejects', '2026-11-22')));
    await deliver(lake, [], { rejects: REJECTS });
    expect(await ask(lake, 'SELECT count(*) FROM rejects')).toEqual([[1]]);
  });

  test('also where only some files of a table are gone, and others were delivered with them', async () => {
    const { directory, lake } = await stored();
    await deliver(lake, [event('d', 2)]);
    await rm(join(directory, await pathOf(lake, 'events')));
    expect(await deliver(lake, [event('d', 2)])).toMatchObject({ newEvents: 0, unchangedEvents: 1 });
    expect(await deliver(lake, EVENTS)).toMatchObject({ newEvents: 2, unchangedEvents: 1 });
    expect((await rows(lake)).map(([id]) => id)).toEqual(['a', 'b', 'c', 'd']);
  });
});
