import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { onFailingDisk } from './failing-disk.ts';
import { newDirectory, openSmall } from './opened-lakes.ts';

/** Opens a new lake while the sync of a folder fails. */
async function openWhile(errno: string, isFailing: (path: string, lake: string) => boolean) {
  const directory = join(await newDirectory(), 'above', 'new');
  const fault = { call: 'open', errno, matches: (path: string) => isFailing(path, directory), nth: null } as const;
  const { outcome } = await onFailingDisk([fault], () => openSmall(directory));
  return 'thrown' in outcome ? outcome.thrown : 'opened';
}

test('a new lake whose folder cannot be synced is refused: a power cut could take all of it', async () => {
  expect(await openWhile('EACCES', (path, lake) => path === lake)).toMatchObject({ code: 'LAKE_UNWRITABLE' });
});

test('a disk that fails above a new lake is no reason to go on', async () => {
  expect(await openWhile('EIO', (path, lake) => path === dirname(lake))).toMatchObject({ code: 'LAKE_UNWRITABLE' });
});

test('a folder above that this user may not open is left out', async () => {
  expect(await openWhile('EACCES', (path, lake) => path === dirname(lake))).toBe('opened');
});
