import { rm } from 'node:fs/promises';
import { NO_FILTER } from '@edrlake/core';
import { describe, expect, test } from 'vitest';
import { provenDaysOf } from '../src/index.ts';
import { ask, newDirectory, openSmall } from './opened-lakes.ts';
import { DAY, DAY_1, deliver, HOUR, proofOf, type SmallEvent, VERIFIED_MS } from './small-lake.ts';

const D1 = '2020-08-17';
const hours = (from: number, to: number) => [DAY_1 + from * HOUR, DAY_1 + to * HOUR] as const;
const days = (from: number, to: number) => ({ startMs: DAY_1 + from * DAY, endMs: DAY_1 + to * DAY });
/** One event an hour for the first days, each with one certificate. */
const hourly = (count: number): SmallEvent[] =>
  Array.from({ length: count * 24 }, (_, n) => ({ id: `F_${n}`, timeMs: DAY_1 + n * HOUR, issuers: ['CN=a'] }));
const perDay = (from: number, to: number, rows = 24) =>
  Object.fromEntries(
    Array.from({ length: to - from }, (_, n) => [new Date(DAY_1 + (from + n) * DAY).toISOString().slice(0, 10), rows]),
  );

async function lakeWith(events: readonly SmallEvent[], more: Parameters<typeof deliver>[2]) {
  const lake = await openSmall(await newDirectory());
  await deliver(lake, events, more);
  return lake;
}

const shownDays = async (lake: Awaited<ReturnType<typeof openSmall>>, table = 'events_proven') =>
  (await ask(lake, `SELECT event_date, count(*) FROM ${table} GROUP BY 1 ORDER BY 1`)).map(([day, rows]) => [
    String(day),
    Number(rows),
  ]);

describe('the views of proven days', () => {
  test('show whole proven days, and nothing of a day that is proven in part', async () => {
    const lake = await lakeWith(hourly(3), {
      proofs: [proofOf(hours(0, 24), perDay(0, 1)), proofOf(hours(24, 40), { '2020-08-18': 16 })],
    });
    expect(await shownDays(lake)).toEqual([[D1, 24]]);
    expect(await shownDays(lake, 'certificates_proven')).toEqual([[D1, 24]]);
    await deliver(lake, [], { proofs: [proofOf(hours(40, 48), { '2020-08-18': 8 })] });
    expect(await shownDays(lake)).toEqual([
      [D1, 24],
      ['2020-08-18', 24],
    ]);
  });

  test('show nothing of a day that a newer proof contradicts', async () => {
    const lake = await lakeWith(hourly(2), { proofs: [proofOf(hours(0, 48), perDay(0, 2))] });
    await deliver(lake, [], { proofs: [proofOf(hours(3, 4), { [D1]: 1 }, { missing: 1 })] });
    expect(await shownDays(lake)).toEqual([['2020-08-18', 24]]);
    const rejected = { ...proofOf(hours(30, 31), { '2020-08-18': 1 }), verdict: 'rejected' as const };
    await deliver(lake, [], { proofs: [rejected] });
    expect(await shownDays(lake)).toEqual([]);
  });

  test('show days that were followed by processing time, up to where it had settled', async () => {
    const followed = proofOf(hours(12, 96), perDay(0, 3), { axis: 'processed', atMs: DAY_1 + 4 * DAY });
    const lake = await lakeWith(hourly(4), { proofs: [followed] });
    // The first day was followed from noon on, and the end of the last was counted the moment it ended.
    expect(await shownDays(lake)).toEqual([
      ['2020-08-18', 24],
      ['2020-08-19', 24],
    ]);
    await deliver(lake, [], { proofs: [proofOf(hours(24, 25), {}, { missing: 2 })] });
    expect(await shownDays(lake)).toEqual([['2020-08-19', 24]]);
  });

  test('show nothing of a range that was fetched under a filter', async () => {
    const lake = await lakeWith(hourly(1), { proofs: [proofOf(hours(0, 24), perDay(0, 1), { filter: 'type:FILE' })] });
    expect(await shownDays(lake)).toEqual([]);
    const lines = (await lake.coverage()).filter(({ scope }) => scope === 'type:FILE');
    const followed = await lake.provenRanges('processed', NO_FILTER);
    expect(provenDaysOf(lines, followed, VERIFIED_MS)).toEqual([days(0, 1)]);
  });

  test('show nothing of a day whose file is gone', async () => {
    const directory = await newDirectory();
    const lake = await openSmall(directory);
    await deliver(lake, hourly(2), { proofs: [proofOf(hours(0, 48), perDay(0, 2))] });
    const { files } = await lake.snapshot();
    const gone = files.certificates?.find(({ partition }) => partition.endsWith(D1))?.path ?? '';
    await rm(`${directory}/${gone}`);
    await lake.forgetLostFiles('test');
    expect(await shownDays(lake)).toEqual([['2020-08-18', 24]]);
  });
});

describe('proven days', () => {
  test('are over and settled by the clock of the reader', () => {
    const followed = [days(0, 3)];
    expect(provenDaysOf([], followed, DAY_1 + 2 * DAY)).toEqual([days(0, 1)]);
    expect(provenDaysOf([], followed, DAY_1 + 2 * DAY + HOUR)).toEqual([days(0, 2)]);
    expect(provenDaysOf([], followed, DAY_1 + HOUR)).toEqual([]);
  });

  test('are joined across years that hold nothing', async () => {
    const lake = await openSmall(await newDirectory());
    await deliver(lake, [], { proofs: [proofOf([DAY_1 - 3000 * DAY, DAY_1], {})] });
    expect(provenDaysOf(await lake.coverage(), [days(0, 2)], VERIFIED_MS)).toEqual([
      { startMs: DAY_1 - 3000 * DAY, endMs: DAY_1 + 2 * DAY },
    ]);
  });
});
