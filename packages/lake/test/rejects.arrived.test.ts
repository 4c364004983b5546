import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Lake } from '../src/index.ts';
import { newDirectory, openSmall } from './opened-lakes.ts';
import { DAY, DAY_1, deliver, HOUR, proofOf, type SmallEvent, type SmallReject } from './small-lake.ts';

const D1 = { startMs: DAY_1, endMs: DAY_1 + DAY };
const D2 = { startMs: DAY_1 + DAY, endMs: DAY_1 + 2 * DAY };
const BOTH = { startMs: D1.startMs, endMs: D2.endMs };
const event = (id: string, hour: number): SmallEvent => ({ id, timeMs: DAY_1 + hour * HOUR });
const reject = (id: string | undefined, hour: number, damage = 'cut'): SmallReject => ({
  record: { damage, id: id ?? null },
  timeMs: DAY_1 + hour * HOUR,
  ...(id === undefined ? {} : { id }),
});
const inspected = async (lake: Lake) =>
  (await lake.inspectDays(BOTH, 'day')).map(({ rowCount, rejectedCount }) => [rowCount, rejectedCount]);

describe('a reject', () => {
  test('no longer counts when its event came in readable form, on any day and axis', async () => {
    const lake = await openSmall(await newDirectory());
    await deliver(lake, [event('a', 1)], { rejects: [reject('b', 2), reject('c', 3), reject('open', 4)] });
    expect(await lake.countStored([D1, D2], 'event')).toEqual([4, 0]);
    await deliver(lake, [event('b', 2), { ...event('c', 30), processedMs: DAY_1 + 31 * HOUR }]);
    expect(await lake.countStored([D1, D2, BOTH], 'event')).toEqual([3, 1, 4]);
    expect(await lake.countStored([D1, D2, BOTH], 'processed')).toEqual([3, 1, 4]);
    expect(await inspected(lake)).toEqual([
      [2, 1],
      [1, 0],
    ]);
    expect((await lake.inspectDays(D1, 'type')).map(({ rejectedCount }) => rejectedCount)).toEqual([1, 0]);
  });

  test('counts once, even if it came several times with different damage', async () => {
    const lake = await openSmall(await newDirectory());
    await deliver(lake, [event('a', 1)], { rejects: [reject('b', 2, 'cut'), reject('b', 2, 'bytes')] });
    await deliver(lake, [], { rejects: [reject('b', 2, 'depth')] });
    expect(await lake.countStored([D1], 'event')).toEqual([2]);
    expect(await inspected(lake)).toEqual([[1, 1]]);
  });

  test('without an id counts each time', async () => {
    const lake = await openSmall(await newDirectory());
    await deliver(lake, [event('a', 1)], { rejects: [reject(undefined, 2, 'cut'), reject(undefined, 2, 'bytes')] });
    expect(await lake.countStored([D1], 'event')).toEqual([3]);
    expect(await inspected(lake)).toEqual([[1, 2]]);
  });

  test.each(['_ids', 'events'])('is counted where files of %s are gone', async (folder) => {
    const directory = await newDirectory();
    const lake = await openSmall(directory);
    await deliver(lake, [event('a', 1)], { rejects: [reject('b', 2)] });
    await deliver(lake, [event('b', 30)]);
    await rm(join(directory, folder), { recursive: true });
    // Lost files are not counted, and an event that cannot be found does not remove a reject.
    expect(await lake.countStored([D1, D2], 'event')).toEqual(folder === '_ids' ? [1, 1] : [1, 0]);
  });
});

describe('coverage', () => {
  const lineOf = async (lake: Lake) =>
    (await lake.coverage(D1)).map(({ counted, inLake, rejected, verdict }) => [counted, inLake, rejected, verdict]);

  test('counts an event and its former reject once', async () => {
    const lake = await openSmall(await newDirectory());
    const proof = proofOf(
      [D1.startMs, D1.endMs],
      { '2020-08-17': 2 },
      { rejected: 1, rejectedPerDay: { '2020-08-17': 1 } },
    );
    await deliver(lake, [event('a', 1), event('lost', 2)], { rejects: [reject('b', 3)], proofs: [proof] });
    expect(await lineOf(lake)).toEqual([[3, 2, 1, 'complete']]);
    await deliver(lake, [event('b', 3)]);
    expect(await lineOf(lake)).toEqual([[3, 3, 0, 'complete']]);
    const later = { ...proof, counted: 4, verifiedAtMs: proof.verifiedAtMs + 1 };
    await deliver(lake, [], { proofs: [later] });
    expect(await lineOf(lake)).toEqual([[4, 3, 0, 'mismatched']]);
  });

  test('keeps a reject that is open while another one of the day has arrived', async () => {
    const lake = await openSmall(await newDirectory());
    const days = { '2020-08-17': 1 };
    await deliver(lake, [event('a', 1)], { rejects: [reject('b', 3)] });
    const proof = proofOf([D1.startMs, D1.endMs], { '2020-08-17': 2 }, { rejected: 1, rejectedPerDay: days });
    await deliver(lake, [event('b', 3)], { rejects: [reject('c', 4)], proofs: [proof] });
    expect(await lineOf(lake)).toEqual([[3, 2, 1, 'complete']]);
  });
});
