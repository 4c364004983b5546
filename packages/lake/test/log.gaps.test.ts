import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { onFailingDisk } from './failing-disk.ts';
import { ask, madeOnce, newDirectory, openSmall } from './opened-lakes.ts';
import { DAY_1, deliver, proofOf } from './small-lake.ts';

const event = (id: string, score = 1) => ({ id, timeMs: DAY_1, score, issuers: ['x'] });
const entry = (version: number) => `_log/${String(version).padStart(20, '0')}.json`;
const copyOfThree = madeOnce(async (lake) => {
  for (const id of ['a', 'b', 'c']) await deliver(lake, [event(id)]);
});

async function threeCommits(): Promise<string> {
  const directory = await newDirectory();
  await copyOfThree(directory);
  return directory;
}

/** Readers and writers refuse the lake, name the problem and a way out, and change nothing. */
async function expectRefused(directory: string, message: RegExp): Promise<void> {
  const before = (await readdir(directory, { recursive: true })).sort();
  for (const readOnly of [true, false]) {
    await expect(openSmall(directory, { readOnly, create: !readOnly })).rejects.toMatchObject({
      code: 'LAKE_CORRUPT',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(/restore the _log folder/i),
    });
  }
  expect((await readdir(directory, { recursive: true })).sort()).toEqual(before);
}

describe('only "not found" means empty', () => {
  test.each(['EACCES', 'EIO', 'EMFILE'])('%s while the log is listed is an error', async (errno) => {
    const directory = await threeCommits();
    for (const readOnly of [true, false]) {
      const matches = (path: string) => path === join(directory, '_log');
      const { outcome } = await onFailingDisk([{ call: 'readdir', errno, matches, nth: null }], () =>
        openSmall(directory, { readOnly }),
      );
      expect(outcome).toMatchObject({ thrown: { code: 'LAKE_CORRUPT', message: `_log cannot be listed: ${errno}` } });
    }
  });

  test('a file of the index or a folder of a table that cannot be looked at is not gone', async () => {
    const directory = await threeCommits();
    const lake = await openSmall(directory);
    const { signal } = new AbortController();
    for (const [folder, call, work] of [
      ['_ids', 'lstat', () => deliver(lake, [event('d')])],
      ['events', 'readdir', () => lake.vacuum({ graceMs: -1 }, { signal })],
    ] as const) {
      const matches = (path: string) => path.startsWith(join(directory, folder));
      const { outcome } = await onFailingDisk(
        [{ call, errno: 'EACCES', matches, nth: null }],
        async () => await work(),
      );
      expect(outcome).toMatchObject({
        thrown: { code: 'LAKE_CORRUPT', message: expect.stringMatching(/cannot be (listed|looked at): EACCES/) },
      });
    }
    expect(await ask(lake, 'SELECT count(*) FROM events')).toEqual([[3]]);
  });
});

describe('a log that cannot be followed', () => {
  test('because one digit of an entry or of a checkpoint has changed, which JSON does not show', async () => {
    const directory = await threeCommits();
    const path = join(directory, entry(2));
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replace(/"newEvents":1/, '"newEvents":7'));
    await expectRefused(directory, /0002\.json is not whole: its checksum does not match/);

    // An entry of an older edrlake has no checksum and is still read.
    await writeFile(path, text.replace(/,"crc32":"[0-9a-f]{8}"}$/, '}'));
    expect(await ask(await openSmall(directory), 'SELECT count(*) FROM events')).toEqual([[3]]);
  });

  test('because an entry is missing in the middle, at the beginning, or altogether', async () => {
    const middle = await threeCommits();
    await rm(join(middle, entry(2)));
    await expectRefused(middle, /0002\.json is missing, though the log goes on to version 3/);
    const beginning = await threeCommits();
    await rm(join(beginning, entry(1)));
    await expectRefused(beginning, /0001\.json is missing/);
    const lost = await threeCommits();
    await rm(join(lost, '_log'), { recursive: true });
    await mkdir(join(lost, '_log'));
    await mkdir(join(lost, 'rejects'));
    await expectRefused(lost, /the commit log is empty, though the lake has data/);
    await rm(join(lost, '_ids'), { recursive: true });
    await mkdir(join(lost, '_ids'));
    await expectRefused(lost, /the commit log is empty, though the lake has data, such as (events|certificates)/);
  });

  test('because its end is missing, or an older log was restored', async () => {
    const directory = await threeCommits();
    await rm(join(directory, entry(3)));
    await expectRefused(directory, /ends at version 2, though _ids\/.*-v3\.parquet belongs to version 3/);
  });

  test('because entries of two histories are mixed', async () => {
    const [directory, other] = [await threeCommits(), await newDirectory()];
    await cp(directory, other, { recursive: true });
    for (const each of [directory, other]) {
      const lake = await openSmall(each);
      for (const id of ['d', 'e']) await deliver(lake, [event(id)]);
      await lake.close();
    }
    await cp(join(other, entry(4)), join(directory, entry(4)));
    await expectRefused(directory, /expected log entry 5, found an entry 5 that follows another commit/);
  });

  test.each([
    ['is empty', '', /it is empty/],
    ['is torn', '{"format":1,"ver', /is not whole/],
    ['is null', 'null', /not a JSON object/],
    ['is a list', '[]', /not a JSON object/],
    ['lacks fields', '{"format":1,"version":2}', /fields of a log entry are missing/],
    ['names no format', '{"version":2}', /names no format/],
  ])('because an entry %s', async (_, text, message) => {
    const directory = await threeCommits();
    await writeFile(join(directory, entry(2)), text);
    await expectRefused(directory, message);
  });

  test('because an entry says that it is another one', async () => {
    const directory = await threeCommits();
    await cp(join(directory, entry(1)), join(directory, entry(2)));
    await expectRefused(directory, /0002\.json is not whole: it says that it is version 1/);
  });

  test('also while it is open: a writer does not fill the hole', async () => {
    const directory = await threeCommits();
    const [lake, other] = [await openSmall(directory), await openSmall(directory)];
    await deliver(other, [event('d')]);
    await deliver(other, [event('e')]);
    await other.close();
    await rm(join(directory, entry(4)));
    await expect(deliver(lake, [event('f')])).rejects.toMatchObject({ code: 'LAKE_CORRUPT' });
    expect(await readdir(join(directory, '_log'))).not.toContain(entry(4).slice('_log/'.length));
    await lake.close();
  });
});

describe('what is no gap', () => {
  test('an older lake whose entries do not name the ones before them', async () => {
    const directory = await threeCommits();
    for (const version of [1, 2, 3]) {
      const {
        previousCommitId: _,
        crc32: _sum,
        ...older
      } = JSON.parse(await readFile(join(directory, entry(version)), 'utf8'));
      await writeFile(join(directory, entry(version)), JSON.stringify(older));
    }
    const lake = await openSmall(directory);
    expect(await deliver(lake, [event('d')])).toMatchObject({ version: 4, newEvents: 1 });
    const written = JSON.parse(await readFile(join(directory, entry(4)), 'utf8'));
    expect(written.previousCommitId).toMatch(/^\d{8}T\d{6}Z-/);
  });

  test('a new lake whose first commit died before its log entry', async () => {
    const directory = await newDirectory();
    const lake = await openSmall(directory);
    const matches = (path: string) => path.endsWith(entry(1));
    const { outcome } = await onFailingDisk(
      [
        { call: 'link', errno: 'EIO', matches, nth: null },
        {
          call: 'rename',
          errno: 'EIO',
          matches: (path) => path.includes('/_spool/tmp/') && path.endsWith('.parquet'),
          nth: null,
        },
      ],
      () => deliver(lake, [event('a')]),
    );
    expect(outcome).toHaveProperty('thrown');
    expect((await readdir(join(directory, 'events'), { recursive: true })).join()).toContain('.parquet');
    await lake.close();
    const again = await openSmall(directory);
    expect(await deliver(again, [event('a')])).toMatchObject({ version: 1, newEvents: 1 });
    expect(await ask(again, 'SELECT event_id FROM events')).toEqual([['a']]);
  });

  test('entries that were vacuumed, and others that are committed while the log is opened', async () => {
    const directory = await newDirectory();
    const lake = await openSmall(directory);
    await deliver(lake, [event('a')]);
    for (let n = 0; n < 40; n += 1) await lake.commit({ batch: null, proofs: [proofOf([n, n + 1], {})], runId: 't' });
    await lake.vacuum({ graceMs: -1 }, { signal: new AbortController().signal });
    expect(await readdir(join(directory, '_log'))).not.toContain(entry(1).slice('_log/'.length));
    const opening = openSmall(directory, { readOnly: true });
    for (const id of ['b', 'c', 'd']) await deliver(lake, [event(id)]);
    const reader = await opening;
    expect((await reader.snapshot()).version).toBeGreaterThanOrEqual(41);
  });
});
