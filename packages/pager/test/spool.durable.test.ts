import fs, { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openSpool, removeWindow } from '../src/fetch/spool.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-spool-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function* body(...chunks: readonly string[]) {
  for (const chunk of chunks) yield Buffer.from(chunk);
}

const RECORDS = { idFields: ['id'], shape: null };
const KEY = { windowId: 'e1-abc', pageNumber: 3, attempt: 0 };

test('a page is one file of one record a line, with its size, count and checksum', async () => {
  const spool = await openSpool(directory, RECORDS);
  const { page, ids } = await spool.writePage(KEY, body('[{"id":"a"},\n', '{"id":null}]'));
  const text = '{"id":"a"}\n{"id":null}\n';
  expect(page).toEqual({
    windowId: 'e1-abc',
    pageNumber: 3,
    path: join(directory, 'e1-abc', '3.ndjson'),
    bodyBytes: text.length,
    recordCount: 2,
    crc32: crc32(text).toString(16).padStart(8, '0'),
    format: expect.any(String),
  });
  expect(ids).toEqual(['a', null]);
  expect(await readFile(page.path, 'utf8')).toBe(text);
  expect(await readdir(join(directory, 'e1-abc'))).toEqual(['3.ndjson']);
});

test('verifying returns the ids again, and null for any other file', async () => {
  const spool = await openSpool(directory, RECORDS);
  const written = await spool.writePage(KEY, body('[{"id":"a","n":[1,2]},{"id":"b"}]'));
  const { page } = written;
  expect(await spool.verifyPage(page)).toEqual(written);
  const text = await readFile(page.path, 'utf8');
  for (const other of [
    text.slice(0, -1),
    `${text}\n`,
    text.replace('1', '2'),
    text.replace('\n', ','),
    '',
    'x'.repeat(text.length),
  ]) {
    await writeFile(page.path, other);
    expect(await spool.verifyPage(page)).toBeNull();
  }
  await rm(page.path);
  expect(await spool.verifyPage(page)).toBeNull();
});

test('a page whose bytes the disk does not keep has no name', async () => {
  const spool = await openSpool(directory, RECORDS);
  const { page } = await spool.writePage(KEY, body('[{"id":"a"}]'));
  const { open } = fs;
  fs.open = async (path, ...how) => {
    const file = await open(path, ...how);
    if (!String(path).endsWith('.part')) return file;
    file.sync = () => Promise.reject(Object.assign(new Error('EIO: injected'), { code: 'EIO' }));
    return file;
  };
  syncBuiltinESMExports();
  try {
    const next = spool.writePage({ ...KEY, pageNumber: 4 }, body('[{"id":"b"}]'));
    await expect(next).rejects.toMatchObject({ code: 'LAKE_UNWRITABLE', context: { errno: 'EIO' } });
  } finally {
    fs.open = open;
    syncBuiltinESMExports();
  }
  expect(await readdir(join(directory, KEY.windowId))).toEqual(['3.ndjson']);
  expect(await spool.verifyPage(page)).not.toBeNull();
});

const SHAPED = {
  idFields: ['id', 'other'],
  shape: {
    members: [
      { name: 'id', kind: 'text', column: 'id' },
      { name: 'title', kind: 'text', column: 'title' },
    ],
    required: [],
  },
} as const;

test('lines of irregular records verify with the ids they had, and null for any change in them', async () => {
  const spool = await openSpool(directory, SHAPED);
  const written = await spool.writePage(
    KEY,
    body('[{"id":"a\\\\b","title":{"x":"\\"\\u00e9"}},{"id":["c"]},{"#odd":"d"},5]'),
  );
  const { page, ids } = written;
  expect(ids).toEqual(['a\\b', null, null, null]);
  expect(await spool.verifyPage(page)).toEqual(written);
  const bytes = await readFile(page.path);
  for (let place = 0; place < bytes.length; place++) {
    for (const byte of ['"', '\\', '\n', '\u0001', '7']) {
      const other = Buffer.from(bytes);
      other[place] = byte.charCodeAt(0);
      if (other.equals(bytes)) continue;
      await writeFile(page.path, other);
      expect(await spool.verifyPage(page), `${byte} at ${place}`).toBeNull();
    }
  }
});

test('a page that was written by other rules, or for another shape, is not used again', async () => {
  const spool = await openSpool(directory, SHAPED);
  const { page } = await spool.writePage(KEY, body('[{"id":"a"}]'));
  const { format, ...ofOlderEdrlake } = page;
  expect(await spool.verifyPage(page)).not.toBeNull();
  expect(await spool.verifyPage(ofOlderEdrlake)).toBeNull();
  expect(await spool.verifyPage({ ...page, format: `${format}0` })).toBeNull();
  const [id] = SHAPED.shape.members;
  const grown = {
    ...SHAPED,
    shape: { ...SHAPED.shape, members: [id, { name: 'title', kind: 'path', column: 'title' }] },
  } as const;
  for (const other of [grown, RECORDS]) {
    expect(await (await openSpool(directory, other)).verifyPage(page)).toBeNull();
  }
});

test('without a shape a record is the line, with any names', async () => {
  const spool = await openSpool(directory, RECORDS);
  const written = await spool.writePage(KEY, body('[{"#odd":"x","id":"a"},{"#odd":5}]'));
  expect(written.ids).toEqual(['a', null]);
  expect(await spool.verifyPage(written.page)).toEqual(written);
});

test('a page without records is an empty file that verifies', async () => {
  const spool = await openSpool(directory, RECORDS);
  const written = await spool.writePage(KEY, body());
  expect(written.page).toMatchObject({ bodyBytes: 0, recordCount: 0 });
  expect(await spool.verifyPage(written.page)).toEqual(written);
});

test('a page of several megabytes verifies across read boundaries', async () => {
  const spool = await openSpool(directory, RECORDS);
  const records = Array.from({ length: 3_000 }, (_, i) => `{"id":"${i}","p":"${'é'.repeat(i % 700)}"}`);
  const written = await spool.writePage(KEY, body(`[${records.join(',')}]`));
  expect(await spool.verifyPage(written.page)).toEqual(written);
});

test('a body that breaks off leaves no file, and the page can be written after it', async () => {
  const spool = await openSpool(directory, RECORDS);
  await expect(spool.writePage(KEY, body('[{"id":1},{"id"'))).rejects.toMatchObject({ code: 'BODY_BROKEN' });
  expect(await readdir(join(directory, 'e1-abc'))).toEqual([]);
  expect((await spool.writePage(KEY, body('[{"id":1}]'))).page.recordCount).toBe(1);
});

test('opening removes half-written files of a killed process and keeps every page', async () => {
  const first = await openSpool(directory, RECORDS);
  const { page } = await first.writePage(KEY, body('[{"id":1}]'));
  await mkdir(join(directory, 'e2-def'));
  await writeFile(join(directory, 'e2-def', '0.ndjson.part'), '{"id"');
  await writeFile(`${page.path}.part`, '{"id"');
  const second = await openSpool(directory, RECORDS);
  expect(await readdir(join(directory, 'e2-def'))).toEqual([]);
  expect(await readdir(join(directory, 'e1-abc'))).toEqual(['3.ndjson']);
  expect(await second.verifyPage(page)).not.toBeNull();
});

test('a later attempt is stored next to the first, and pages and windows can be removed twice', async () => {
  const spool = await openSpool(directory, RECORDS);
  const { page } = await spool.writePage(KEY, body('[]'));
  const retried = await spool.writePage({ ...KEY, attempt: 2 }, body('[]'));
  expect(retried.page.path).toBe(join(directory, 'e1-abc', '3-retry2.ndjson'));
  await spool.syncWindow(KEY.windowId);
  for (let time = 0; time < 2; time++) await spool.removePage(page);
  expect(await readdir(join(directory, 'e1-abc'))).toEqual(['3-retry2.ndjson']);
  for (let time = 0; time < 2; time++) await removeWindow(directory, KEY.windowId);
  expect(await readdir(directory)).toEqual([]);
  await spool.removeWindow(KEY.windowId);
  expect((await spool.writePage(KEY, body('[]'))).page.recordCount).toBe(0);
});
