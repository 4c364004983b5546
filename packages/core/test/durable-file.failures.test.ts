import { mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  appendDurable,
  createExclusive,
  createExclusiveUnsynced,
  writeAtomic,
  writeAtomicStream,
} from '../src/process/durable-file.ts';

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-durable-'));
  path = join(directory, 'file');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const refusal = (at: string, thrown: unknown) => new Error(`${at}: ${(thrown as NodeJS.ErrnoException).code}`);

test.each(['name', 'bytes', 'nothing'] as const)('an atomic write that syncs %s replaces the file', async (syncs) => {
  await writeFile(path, 'old');
  await writeAtomic(path, 'new', { temporary: `${path}.part`, syncs });
  expect(await readFile(path, 'utf8')).toBe('new');
  expect(await readdir(directory)).toEqual(['file']);
});

test('content that ends with an error leaves the old file and no temporary file', async () => {
  await writeFile(path, 'old');
  const broken = writeAtomicStream(
    path,
    async (write) => {
      await write(Buffer.from('half'));
      throw new Error('body broken');
    },
    { temporary: `${path}.part`, syncs: 'bytes', refusal },
  );
  await expect(broken).rejects.toThrow('body broken');
  expect(await readFile(path, 'utf8')).toBe('old');
  expect(await readdir(directory)).toEqual(['file']);
});

test('of racing exclusive writers one wins, with whole content', async () => {
  const won = await Promise.all(
    [1, 2, 3, 4].map((writer) => createExclusive(path, `text ${writer}`, { temporary: `${path}.${writer}` })),
  );
  expect(won.filter(Boolean)).toHaveLength(1);
  expect(await readFile(path, 'utf8')).toBe(`text ${won.indexOf(true) + 1}`);
  expect(createExclusiveUnsynced(path, 'other', `${path}.5`)).toBe(false);
  expect(createExclusiveUnsynced(`${path}-2`, 'second', `${path}.5`)).toBe(true);
  expect((await readdir(directory)).sort()).toEqual(['file', 'file-2']);
});

test('what the file system refuses is thrown as the caller wants it, with the path of the step', async () => {
  const temporary = join(directory, 'missing', 'file.part');
  await expect(createExclusive(path, 'text', { temporary, refusal })).rejects.toThrow(`${temporary}: ENOENT`);
  await expect(writeAtomic(directory, 'text', { temporary: `${path}.part`, syncs: 'name', refusal })).rejects.toThrow(
    `${directory}: `,
  );
  expect(await readdir(directory)).toEqual([]);
});

test('an append adds to the end', async () => {
  await writeFile(path, 'a\n');
  const file = await open(path, 'a');
  try {
    await appendDurable(file, 'b\n');
  } finally {
    await file.close();
  }
  expect(await readFile(path, 'utf8')).toBe('a\nb\n');
});
