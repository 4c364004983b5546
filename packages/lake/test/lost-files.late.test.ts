import { expect, test } from 'vitest';
import { loseFile } from './lake-homes.ts';
import { newDirectory, openSmall } from './opened-lakes.ts';
import { DAY, DAY_1, deliver, HOUR, proofOfDays, type SmallEvent } from './small-lake.ts';

const event = (id: string, hour: number): SmallEvent => ({
  ...{ id, timeMs: DAY_1 + hour * HOUR, processedMs: DAY_1 + hour * HOUR, issuers: [] },
});
const FIRST = [event('a', 0), event('b', 1)];
const LOST = [event('c', 2), event('d', 3)];
const BEFORE = [event('e', -2), event('f', -1)];

test.each([
  { writer: 'duckdb', what: 'new', late: [event('g', 5), event('h', 6)] },
  { writer: 'duckdb', what: 'moved', late: [event('e', 5), event('f', 6)] },
  { writer: 'parquetjs', what: 'new', late: [event('g', 5), event('h', 6)] },
  { writer: 'parquetjs', what: 'moved', late: [event('e', 5), event('f', 6)] },
] as const)(
  'as many other events ($what) do not stand in for lost ones, written by $writer',
  async ({ writer, late }) => {
    const directory = await newDirectory();
    const lake = await openSmall(directory, { writer });
    const verdict = async () => (await lake.coverage()).find(({ day }) => day === '2020-08-17')?.verdict;
    await deliver(lake, BEFORE, { proofs: [proofOfDays(DAY_1 - DAY, 1, BEFORE)] });
    await deliver(lake, FIRST);
    await deliver(lake, LOST, { proofs: [proofOfDays(DAY_1, 1, [...FIRST, ...LOST])] });
    expect(await verdict()).toBe('complete');
    await loseFile(directory, (await lake.snapshot()).files.events?.at(-1)?.path ?? '');
    await lake.forgetLostFiles('forgetting', []);
    expect(await verdict()).toBe('mismatched');
    await deliver(lake, late);
    expect((await lake.snapshot()).files.events?.map(({ rowCount }) => rowCount)).toContain(2);
    expect(await verdict()).toBe('mismatched');
    await deliver(lake, LOST.slice(0, 1));
    expect(await verdict()).toBe('mismatched');
    await deliver(lake, LOST);
    expect(await verdict()).toBe('complete');
  },
);

test('a day that lost rows and got others is complete once all of it is proven again', async () => {
  const directory = await newDirectory();
  const lake = await openSmall(directory);
  const verdicts = async () => (await lake.coverage()).map(({ verdict }) => verdict);
  await deliver(lake, FIRST);
  await deliver(lake, LOST, { proofs: [proofOfDays(DAY_1, 1, [...FIRST, ...LOST])] });
  await loseFile(directory, (await lake.snapshot()).files.events?.at(-1)?.path ?? '');
  await lake.forgetLostFiles('forgetting', []);
  const late = [event('g', 5), event('h', 6), event('i', 7)];
  await deliver(lake, late, { proofs: [proofOfDays(DAY_1, 1, [...FIRST, ...late])] });
  expect(await verdicts()).toEqual(['complete']);
});
