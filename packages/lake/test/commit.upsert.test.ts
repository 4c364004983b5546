import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ask, askPlain, newDirectory, openSmall, plainRows } from './opened-lakes.ts';
import { DAY, DAY_1, deliver, HOUR, proofOf, proofOfDays } from './small-lake.ts';

const EVENT = { id: 'F_1', timeMs: DAY_1 + HOUR, score: 1, issuers: ['x', 'y'] };
const OTHER = { id: 'F_2', timeMs: DAY_1 + 2 * HOUR, score: 2, issuers: ['z'] };

describe('a commit', () => {
  test('puts new events and their child rows into the partitions of their days', async () => {
    const lake = await openSmall(await newDirectory());
    const result = await deliver(lake, [EVENT, { ...OTHER, timeMs: DAY_1 + DAY }], { rejects: ['bad'] });
    expect(result).toEqual({
      ...{ version: 1, newEvents: 2, changedEvents: 0, unchangedEvents: 0, deletedEvents: 0 },
      otherVersions: 0,
      ...{ filesAdded: 5, filesRemoved: 0 },
    });
    expect(await ask(lake, 'SELECT event_date, event_id, score FROM events ORDER BY ALL')).toEqual([
      ['2020-08-17', 'F_1', 1],
      ['2020-08-18', 'F_2', 2],
    ]);
    expect(await ask(lake, 'SELECT event_date, event_id, position, issuer FROM certificates ORDER BY ALL')).toEqual([
      ['2020-08-17', 'F_1', 0, 'x'],
      ['2020-08-17', 'F_1', 1, 'y'],
      ['2020-08-18', 'F_2', 0, 'z'],
    ]);
    expect(await ask(lake, 'SELECT record FROM rejects')).toEqual([['"bad"']]);
  });

  test('of the same events again changes nothing', async () => {
    const directory = await newDirectory();
    const lake = await openSmall(directory);
    const proofs = [proofOfDays(DAY_1, 1, [EVENT, OTHER])];
    await deliver(lake, [EVENT, OTHER], { proofs, rejects: ['bad'] });
    const before = await readdir(directory, { recursive: true });
    const again = await deliver(lake, [OTHER, EVENT], { proofs, rejects: ['bad'] });
    expect(again).toMatchObject({ version: 1, newEvents: 0, unchangedEvents: 2, filesAdded: 0 });
    expect(await readdir(directory, { recursive: true })).toEqual(before);
  });

  test('treats a record with other formatting as the same', async () => {
    const lake = await openSmall(await newDirectory());
    await deliver(lake, [EVENT, OTHER]);
    const again = await deliver(lake, [{ ...EVENT, noise: 'another order of keys' }]);
    expect(again).toMatchObject({ version: 1, changedEvents: 0, unchangedEvents: 1 });
  });

  test('replaces an event whose content changed, with its child rows, and leaves its neighbours alone', async () => {
    const directory = await newDirectory();
    const lake = await openSmall(directory);
    await deliver(lake, [EVENT, OTHER]);
    const result = await deliver(lake, [{ ...EVENT, score: 9, issuers: ['x'] }]);
    expect(result).toMatchObject({ version: 2, newEvents: 0, changedEvents: 1, filesAdded: 4, filesRemoved: 2 });
    expect(await ask(lake, 'SELECT event_id, score FROM events ORDER BY ALL')).toEqual([
      ['F_1', 9],
      ['F_2', 2],
    ]);
    expect(await ask(lake, 'SELECT event_id, issuer FROM certificates ORDER BY ALL')).toEqual([
      ['F_1', 'x'],
      ['F_2', 'z'],
    ]);
    expect(await askPlain(`SELECT event_id FROM ${plainRows(directory, 'events')} ORDER BY 1`)).toEqual([
      ['F_1'],
      ['F_2'],
    ]);
    const trashed = await readdir(join(directory, '_trash'), { recursive: true });
    expect(trashed.filter((name) => name.endsWith('.parquet'))).toHaveLength(2);
  });

  test('notices a change in a child row alone', async () => {
    const lake = await openSmall(await newDirectory());
    await deliver(lake, [EVENT]);
    expect(await deliver(lake, [{ ...EVENT, issuers: ['y', 'x'] }])).toMatchObject({ changedEvents: 1 });
  });

  test('moves an event whose day changed', async () => {
    const directory = await newDirectory();
    const lake = await openSmall(directory);
    await deliver(lake, [EVENT]);
    await deliver(lake, [{ ...EVENT, timeMs: DAY_1 + 3 * DAY }]);
    const rows = [['2020-08-20', 'F_1']];
    expect(await ask(lake, 'SELECT event_date, event_id FROM events')).toEqual(rows);
    expect(await askPlain(`SELECT DISTINCT event_date, event_id FROM ${plainRows(directory, 'certificates')}`)).toEqual(
      rows,
    );
  });

  test('keeps what was processed later', async () => {
    const lake = await openSmall(await newDirectory());
    await deliver(lake, [{ ...EVENT, processedMs: DAY_1 + 5 * HOUR, score: 5 }]);
    const result = await deliver(lake, [{ ...EVENT, processedMs: DAY_1 + 4 * HOUR, score: 4 }]);
    expect(result).toMatchObject({ version: 1, changedEvents: 0, unchangedEvents: 1 });
    expect(await ask(lake, 'SELECT score FROM events')).toEqual([[5]]);
  });

  test.each([
    ['processed at the same time', DAY_1 + 5 * HOUR],
    ['without a processing time', undefined],
  ])('keeps the one that happened later of two versions %s, in any order of arrival', async (_, processedMs) => {
    const known = { ...EVENT, ...(processedMs !== undefined && { processedMs }) };
    const [first, second] = [known, { ...known, timeMs: DAY_1 + DAY }];
    for (const order of [
      [first, second, first],
      [second, first, second],
    ]) {
      const lake = await openSmall(await newDirectory());
      for (const version of order) await deliver(lake, [version]);
      expect(await ask(lake, 'SELECT event_date, event_id FROM events')).toEqual([['2020-08-18', 'F_1']]);
    }
  });

  test('of a version that is not stored leaves it out of its day, until the day is counted again', async () => {
    const directory = await newDirectory();
    const lake = await openSmall(directory);
    const later = { ...EVENT, timeMs: DAY_1 + DAY, processedMs: DAY_1 + DAY };
    const earlier = { ...EVENT, processedMs: DAY_1 + DAY };
    const firstDay = { startMs: DAY_1, endMs: DAY_1 + DAY };
    const dayOne = (events: Parameters<typeof proofOfDays>[2]) => ({ proofs: [proofOfDays(DAY_1, 1, events)] });
    await deliver(lake, [later]);
    expect(await deliver(lake, [earlier, OTHER], dayOne([earlier, OTHER]))).toMatchObject({ otherVersions: 1 });
    expect(await lake.coverage(firstDay)).toMatchObject([{ counted: 1, inLake: 1, verdict: 'complete' }]);
    expect(await lake.countedTwice([firstDay], 'event')).toEqual([1]);
    expect(await lake.countedTwice([{ startMs: DAY_1, endMs: DAY_1 + 2 * DAY }], 'event', 'NETWORK')).toEqual([0]);
    const reopened = await openSmall(directory);
    expect(await reopened.listedTwice()).toBe(1);
    // Delivered once more it is nothing new.
    const { version } = await lake.snapshot();
    expect(await deliver(lake, [earlier, OTHER], dayOne([earlier, OTHER]))).toMatchObject({ version });

    await deliver(lake, [OTHER], dayOne([OTHER]));
    expect(await lake.coverage(firstDay)).toMatchObject([{ counted: 1, inLake: 1, verdict: 'complete' }]);
    expect([await lake.countedTwice([firstDay], 'event'), await lake.listedTwice()]).toEqual([[0], 1]);
  });

  test('that moves an event to another day says so of the day where its proof has counted it', async () => {
    const lake = await openSmall(await newDirectory());
    const firstDay = { startMs: DAY_1, endMs: DAY_1 + DAY };
    await deliver(lake, [EVENT, OTHER], { proofs: [proofOfDays(DAY_1, 1, [EVENT, OTHER])] });
    await deliver(lake, [{ ...EVENT, timeMs: DAY_1 + DAY }]);
    expect(await lake.coverage(firstDay)).toMatchObject([{ counted: 1, inLake: 1, verdict: 'complete' }]);
    // Whether the API still lists it there is not known.
    expect([await lake.countedTwice([firstDay], 'event'), await lake.listedTwice()]).toEqual([[0], 0]);
    // Stored there again, it is an event as any other.
    await deliver(lake, [{ ...EVENT, timeMs: DAY_1 + 3 * HOUR, processedMs: DAY_1 + 3 * DAY }]);
    expect(await lake.coverage(firstDay)).toMatchObject([{ counted: 2, inLake: 2, verdict: 'complete' }]);
  });

  test('brings back an earlier content when that is what was processed last', async () => {
    const lake = await openSmall(await newDirectory());
    await deliver(lake, [EVENT]);
    await deliver(lake, [{ ...EVENT, score: 2 }]);
    await deliver(lake, [EVENT]);
    expect(await ask(lake, 'SELECT score FROM events')).toEqual([[1]]);
  });

  test('records proofs alone, once', async () => {
    const lake = await openSmall(await newDirectory());
    const commitProofs = (proofs: Parameters<typeof lake.commit>[0]['proofs']) =>
      lake.commit({ batch: null, proofs, runId: 'test' });
    const proven = proofOf([DAY_1, DAY_1 + DAY], {});
    expect(await commitProofs([proven])).toMatchObject({ version: 1, filesAdded: 0 });
    expect(await commitProofs([{ ...proven, verifiedAtMs: proven.verifiedAtMs + 9 }])).toMatchObject({ version: 1 });
    expect(await commitProofs([proofOf([DAY_1, DAY_1 + HOUR], {}, { missing: 1 })])).toMatchObject({ version: 2 });
    // The same numbers again, after a newer proof contradicted them for a part.
    expect(await commitProofs([proven])).toMatchObject({ version: 3 });
  });
});

describe('replace', () => {
  const events = [EVENT, OTHER, { id: 'F_3', timeMs: DAY_1 + 3 * HOUR, type: 'NETWORK', agent: 'a2' }];

  test('deletes what a proven window no longer holds, in every table, and nothing else', async () => {
    const directory = await newDirectory();
    const lake = await openSmall(directory);
    await deliver(lake, events);
    const proofs = [proofOf([DAY_1, DAY_1 + 150 * 60_000], { '2020-08-17': 1 })];
    const result = await deliver(lake, [OTHER], { proofs, replace: true });
    expect(result).toMatchObject({ deletedEvents: 1, unchangedEvents: 1 });
    expect(await ask(lake, 'SELECT event_id FROM events ORDER BY 1')).toEqual([['F_2'], ['F_3']]);
    expect(await askPlain(`SELECT DISTINCT event_id FROM ${plainRows(directory, 'certificates')}`)).toEqual([['F_2']]);
  });

  test('takes a deleted event back when it comes again', async () => {
    const lake = await openSmall(await newDirectory());
    await deliver(lake, events);
    await lake.commit({ batch: null, proofs: [proofOf([DAY_1, DAY_1 + DAY], {})], runId: 'test', replace: true });
    expect(await ask(lake, 'SELECT count(*) FROM events')).toEqual([[0]]);
    expect(await deliver(lake, events)).toMatchObject({ newEvents: 3 });
    expect(await ask(lake, 'SELECT count(*) FROM certificates')).toEqual([[3]]);
  });

  test('respects the filters of a window', async () => {
    const lake = await openSmall(await newDirectory());
    await deliver(lake, events);
    const notNetwork = { field: 'type', op: 'not-in', values: ['NETWORK'] } as const;
    const proofs = [proofOf([DAY_1, DAY_1 + DAY], {}, { cuts: [notNetwork] })];
    expect(await lake.commit({ batch: null, proofs, runId: 'test', replace: true })).toMatchObject({
      deletedEvents: 2,
    });
    expect(await ask(lake, 'SELECT event_id FROM events')).toEqual([['F_3']]);
  });

  test.each([
    ['a mismatch', { missing: 1 }],
    ['a filter', { filter: 'type: FILE' }],
    ['the processed axis', { axis: 'processed' }],
  ] as const)('deletes nothing on the word of %s', async (_what, more) => {
    const lake = await openSmall(await newDirectory());
    await deliver(lake, events);
    await lake.commit({ batch: null, proofs: [proofOf([DAY_1, DAY_1 + DAY], {}, more)], runId: 'test', replace: true });
    expect(await ask(lake, 'SELECT count(*) FROM events')).toEqual([[3]]);
  });
});
