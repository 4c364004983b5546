import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Lake } from '../src/index.ts';
import { newDirectory, openSmall } from './opened-lakes.ts';
import { DAY, DAY_1, deliver, HOUR, proofOf } from './small-lake.ts';

const D1 = '2020-08-17';
const TWO_DAYS = { startMs: DAY_1, endMs: DAY_1 + 2 * DAY };
const EVENTS = [0, 1, 2].map((hour) => ({ id: `e${hour}`, timeMs: DAY_1 + hour * HOUR, issuers: [] }));

/** A lake with a proven day of three events. */
async function oneDay(directory: string): Promise<Lake> {
  const lake = await openSmall(directory);
  await deliver(lake, EVENTS, { proofs: [proofOf([DAY_1, DAY_1 + DAY], { [D1]: 3 })] });
  return lake;
}

test('what a recount found stays known after a checkpoint, until all of the day is proven again', async () => {
  const directory = await newDirectory();
  const lake = await oneDay(directory);
  expect((await lake.coverage(TWO_DAYS))[0]).toMatchObject({ verdict: 'complete' });
  const recount = { day: D1, counted: 4, held: 3, countedAtMs: DAY_1 + 5 * DAY };
  const { version } = await lake.snapshot();
  await lake.recordRecounts('run', [recount], version);
  for (let n = 0; n < 40; n += 1) await deliver(lake, [], { proofs: [proofOf([n, n + 1], {})] });
  expect((await readdir(join(directory, '_log'))).some((name) => name.includes('checkpoint'))).toBe(true);
  await lake.close();
  const reopened = await openSmall(directory);
  expect((await reopened.coverage(TWO_DAYS))[0]).toMatchObject({ verdict: 'mismatched', recount });
  // The same numbers as before are news now, but a half of the day is not the day.
  await deliver(reopened, [], { proofs: [proofOf([DAY_1, DAY_1 + DAY / 2], { [D1]: 3 })] });
  expect((await reopened.coverage(TWO_DAYS))[0]).toMatchObject({ verdict: 'mismatched' });
  await deliver(reopened, [], { proofs: [proofOf([DAY_1, DAY_1 + DAY], { [D1]: 3 })] });
  expect((await reopened.coverage(TWO_DAYS))[0]).toMatchObject({ verdict: 'complete' });
});

test('a difference is not recorded on a version that may hold what was missing', async () => {
  const lake = await oneDay(await newDirectory());
  const { version } = await lake.snapshot();
  const recount = { day: D1, counted: 4, held: 3, countedAtMs: DAY_1 + 5 * DAY };
  expect(await lake.recordRecounts('run', [recount], version - 1)).toEqual([]);
  expect((await lake.snapshot()).recounts).toEqual([]);
  await lake.recordRecounts('run', [{ ...recount, counted: 3 }], version - 1);
  expect((await lake.snapshot()).recounts).toMatchObject([{ day: D1, counted: 3 }]);
});
