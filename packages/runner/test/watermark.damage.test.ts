import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EVERYTHING } from '@edrlake/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readFollowStart, writeFollowStart } from '../src/sync/watermark.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-follow-'));
  await mkdir(join(directory, '_runs'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test('what was never written is null, and what was written is read', async () => {
  expect(await readFollowStart({ directory }, 'processed', EVERYTHING)).toBe(null);
  await writeFollowStart({ directory }, 'processed', EVERYTHING, 1_000, 'a');
  expect(await readFollowStart({ directory }, 'processed', EVERYTHING)).toBe(1_000);
});

test('a file cut short by a power cut is an error with a way out, for reading and for writing', async () => {
  await writeFile(join(directory, '_runs/follow.json'), '{"[');
  const damaged = { code: 'LAKE_CORRUPT', hint: expect.stringContaining('--since') };
  await expect(readFollowStart({ directory }, 'processed', EVERYTHING)).rejects.toMatchObject(damaged);
  await expect(writeFollowStart({ directory }, 'processed', EVERYTHING, 1_000, 'a')).rejects.toMatchObject(damaged);
});

test('a file that cannot be read is not taken for one that is not there', async () => {
  await mkdir(join(directory, '_runs/follow.json'));
  await expect(readFollowStart({ directory }, 'processed', EVERYTHING)).rejects.toMatchObject({
    code: 'LAKE_CORRUPT',
    message: expect.stringContaining('EISDIR'),
  });
});
