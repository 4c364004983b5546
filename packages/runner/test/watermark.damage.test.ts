import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NO_FILTER } from '@edrlake/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readWatermark, writeWatermark } from '../src/sync/watermark.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-follow-'));
  await mkdir(join(directory, '_runs'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test('what was never written is null, and what was written is read', async () => {
  expect(await readWatermark({ directory }, 'processed', NO_FILTER)).toBe(null);
  await writeWatermark({ directory }, 'processed', NO_FILTER, 1_000, 'a');
  expect(await readWatermark({ directory }, 'processed', NO_FILTER)).toBe(1_000);
});

test('a file cut short by a power cut is an error with a way out, for reading and for writing', async () => {
  await writeFile(join(directory, '_runs/follow.json'), '{"[');
  const damaged = { code: 'LAKE_CORRUPT', hint: expect.stringContaining('--since') };
  await expect(readWatermark({ directory }, 'processed', NO_FILTER)).rejects.toMatchObject(damaged);
  await expect(writeWatermark({ directory }, 'processed', NO_FILTER, 1_000, 'a')).rejects.toMatchObject(damaged);
});

test('a file that cannot be read is not taken for a missing one', async () => {
  await mkdir(join(directory, '_runs/follow.json'));
  await expect(readWatermark({ directory }, 'processed', NO_FILTER)).rejects.toMatchObject({
    code: 'LAKE_CORRUPT',
    message: expect.stringContaining('EISDIR'),
  });
});
