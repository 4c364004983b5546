import type { WindowFilter } from '@edrlake/core';
import { describe, expect, test } from 'vitest';
import { ask, newDirectory, openSmall } from './opened-lakes.ts';
import { DAY, DAY_1, deliver, HOUR, proofOf, proofOfDays, type SmallEvent, VERIFIED_MS } from './small-lake.ts';

const hourly = (first: number, count: number): SmallEvent[] =>
  Array.from({ length: count }, (_, n) => ({
    id: `F_${first + n}`,
    timeMs: DAY_1 + (first + n) * HOUR,
    type: n % 2 === 0 ? 'FILE' : 'MUTEX',
  }));
const D1 = '2020-08-17';
const D2 = '2020-08-18';
const hours = (from: number, to: number) => [DAY_1 + from * HOUR, DAY_1 + to * HOUR] as const;

async function lakeWith(events: readonly SmallEvent[], ...commits: Parameters<typeof deliver>[2][]) {
  const lake = await openSmall(await newDirectory());
  await deliver(lake, events);
  for (const more of commits) await deliver(lake, [], more);
  return lake;
}

const line = (day: string, counted: number | null, inLake: number, verdict: string, more: object = {}) => ({
  ...{ day, lastDay: day, scope: 'all', counted, inLake, rejected: 0, undated: 0, verdict },
  lastVerifiedAtMs: counted === null ? null : VERIFIED_MS,
  lastVerifiedIn: counted === null ? null : expect.any(Number),
  oldestProof: verdict === 'complete' ? { atMs: VERIFIED_MS, version: expect.any(Number) } : null,
  ...more,
});

describe('coverage', () => {
  test('is complete where windows tile a day, partial elsewhere', async () => {
    const lake = await lakeWith(hourly(0, 30), {
      proofs: [proofOf(hours(0, 12), { [D1]: 12 }), proofOf(hours(12, 26), { [D1]: 12, [D2]: 2 })],
    });
    expect(await lake.coverage()).toEqual([line(D1, 24, 24, 'complete'), line(D2, 2, 6, 'partial')]);
    expect(await lake.coverage({ startMs: DAY_1 + DAY, endMs: DAY_1 + 2 * DAY })).toEqual([line(D2, 2, 6, 'partial')]);
    expect(
      await ask(
        lake,
        'SELECT event_date, scope, counted, in_lake, rejected, verdict, last_verified FROM coverage ORDER BY 1',
      ),
    ).toEqual([
      [D1, 'all', 24, 24, 0, 'complete', new Date(VERIFIED_MS).toISOString()],
      [D2, 'all', 2, 6, 0, 'partial', new Date(VERIFIED_MS).toISOString()],
    ]);
  });

  test('is partial for rows that no window on the event axis proves', async () => {
    const lake = await lakeWith(hourly(0, 3), { proofs: [proofOf(hours(0, 24), { [D1]: 3 }, { axis: 'processed' })] });
    expect(await lake.coverage()).toEqual([line(D1, null, 3, 'partial')]);
    expect(await lake.provenRanges('event', { filter: null, state: null })).toEqual([]);
    expect(await lake.provenRanges('processed', { filter: null, state: null })).toEqual([
      { startMs: DAY_1, endMs: DAY_1 + DAY },
    ]);
  });

  test('is unverified where only an unconfirmed zero applies, which does not replace an older proof', async () => {
    const unverified = (from: number, to: number) => ({
      ...proofOf(hours(from, to), {}),
      verdict: 'unverified' as const,
    });
    const lake = await lakeWith(hourly(0, 12), {
      proofs: [proofOf(hours(0, 12), { [D1]: 12 }), unverified(12, 24)],
    });
    expect(await lake.coverage()).toEqual([line(D1, 12, 12, 'unverified')]);
    expect(await lake.provenRanges('event', { filter: null, state: null })).toEqual([
      { startMs: DAY_1, endMs: DAY_1 + 12 * HOUR },
    ]);
    await deliver(lake, [], { proofs: [proofOf(hours(12, 24), {})] });
    await deliver(lake, [], { proofs: [unverified(0, 12), unverified(6, 24), unverified(12, 24)] });
    expect(await lake.coverage()).toEqual([line(D1, 12, 12, 'complete')]);
  });

  test('is mismatched where the newest proof of a part is a mismatch, until a newer one is proven', async () => {
    const whole = proofOfDays(DAY_1, 1, hourly(0, 24));
    const lake = await lakeWith(
      hourly(0, 24),
      { proofs: [whole] },
      { proofs: [proofOf(hours(3, 4), { [D1]: 1 }, { missing: 2 })] },
    );
    expect(await lake.coverage()).toEqual([line(D1, 26, 24, 'mismatched')]);
    expect(await lake.provenRanges('event', whole.window.scope)).toEqual([
      { startMs: DAY_1, endMs: DAY_1 + 3 * HOUR },
      { startMs: DAY_1 + 4 * HOUR, endMs: DAY_1 + DAY },
    ]);
    await deliver(lake, [], { proofs: [proofOf(hours(3, 4), { [D1]: 1 }, { atMs: VERIFIED_MS + 1 })] });
    expect(await lake.coverage()).toEqual([line(D1, 24, 24, 'complete', { lastVerifiedAtMs: VERIFIED_MS + 1 })]);
  });

  test('is mismatched where the lake holds less than was proven', async () => {
    const lake = await lakeWith(hourly(0, 20), { proofs: [proofOfDays(DAY_1, 1, hourly(0, 24))] });
    expect(await lake.coverage()).toEqual([line(D1, 24, 20, 'mismatched')]);
  });

  test('counts nothing twice where newer windows overlap older ones', async () => {
    const older = [proofOf(hours(0, 10), { [D1]: 10 }), proofOf(hours(10, 24), { [D1]: 14 })];
    const lake = await lakeWith(hourly(0, 24), { proofs: older }, { proofs: [proofOf(hours(5, 15), { [D1]: 10 })] });
    expect(await lake.coverage()).toEqual([line(D1, 24, 24, 'complete')]);
  });

  test('combines windows with filters by one field', async () => {
    const files = { field: 'type', op: 'in', values: ['FILE'] } as const;
    const others = { field: 'type', op: 'not-in', values: ['FILE'] } as const;
    const someAgents = { field: 'agent', op: 'in', values: ['a1'] } as const;
    const otherAgents = { field: 'agent', op: 'not-in', values: ['a1'] } as const;
    const part = (n: number, ...cuts: WindowFilter[]) => proofOf(hours(0, 24), { [D1]: n }, { cuts });
    const lake = await lakeWith(hourly(0, 24), { proofs: [part(12, files), part(12, others, someAgents)] });
    expect(await lake.coverage()).toEqual([line(D1, 24, 24, 'partial')]);
    await deliver(lake, [], { proofs: [part(0, others, otherAgents)] });
    expect(await lake.coverage()).toEqual([line(D1, 24, 24, 'complete')]);
    // A newer window replaces a part of each: the rest of them is counted in the lake, filter by filter.
    await deliver(lake, [], { proofs: [proofOf(hours(0, 7), { [D1]: 7 })] });
    expect(await lake.coverage()).toEqual([line(D1, 24, 24, 'complete')]);
  });

  test('counts rejects on the first day of their window', async () => {
    const lake = await lakeWith(hourly(0, 24), { proofs: [proofOf(hours(0, 24), { [D1]: 24 }, { rejected: 2 })] });
    expect(await lake.coverage()).toEqual([line(D1, 26, 24, 'complete', { rejected: 2, undated: 2 })]);
  });

  test('counts no reject whose event was delivered in readable form since, even if the reject has no time', async () => {
    const lake = await lakeWith(hourly(0, 20), {
      rejects: [{ record: 'undated', id: 'F_20', timeMs: null }],
      proofs: [proofOf(hours(0, 48), { [D1]: 20 }, { rejected: 2 })],
    });
    expect(await lake.coverage()).toEqual([
      line(D1, 22, 20, 'complete', { rejected: 2, undated: 2 }),
      line(D2, 0, 0, 'complete'),
    ]);
    await deliver(lake, hourly(20, 1));
    expect((await lake.coverage())[0]).toEqual(line(D1, 22, 21, 'complete', { rejected: 1, undated: 1 }));
    // Events that came late are no reason to count a reject; the day is not called short for that.
    await deliver(lake, hourly(21, 3));
    expect((await lake.coverage())[0]).toEqual(line(D1, 22, 24, 'complete'));
  });

  test('counts rejects on their own day where it is known, else on the first day of their window', async () => {
    const proof = proofOf(hours(0, 48), { [D1]: 24, [D2]: 6 }, { rejected: 5, rejectedPerDay: { [D2]: 3 } });
    const rejects = [25, 26, 27].map((hour) => ({ record: hour, timeMs: DAY_1 + hour * HOUR }));
    const lake = await lakeWith(hourly(0, 30), { rejects, proofs: [proof] });
    expect(await lake.coverage()).toEqual([
      line(D1, 26, 24, 'complete', { rejected: 2, undated: 2 }),
      line(D2, 9, 6, 'complete', { rejected: 3 }),
    ]);
  });

  test('counts rejects by their time where a newer window replaced a part, filter by filter', async () => {
    const rejects = [3, 9, 9, 20].map((hour, n) => ({
      record: { n, type: n === 1 ? 'FILE' : 'MUTEX' },
      timeMs: DAY_1 + hour * HOUR,
    }));
    const lake = await openSmall(await newDirectory());
    const whole = proofOf(hours(0, 24), { [D1]: 24 }, { rejected: 4, rejectedPerDay: { [D1]: 4 } });
    await deliver(lake, hourly(0, 24), { rejects, proofs: [whole] });
    const complete = line(D1, 28, 24, 'complete', { rejected: 4 });
    expect(await lake.coverage()).toEqual([complete]);
    await deliver(lake, [], {
      proofs: [proofOf(hours(0, 6), { [D1]: 6 }, { rejected: 1, rejectedPerDay: { [D1]: 1 } })],
    });
    expect(await lake.coverage()).toEqual([complete]);
    const files = [{ field: 'type', op: 'in', values: ['FILE'] }] as const;
    const ofFiles = proofOf(hours(6, 12), { [D1]: 3 }, { cuts: files, rejected: 1, rejectedPerDay: { [D1]: 1 } });
    await deliver(lake, [], { proofs: [ofFiles] });
    expect(await lake.coverage()).toEqual([complete]);
  });

  test('reports a scope with a filter separately', async () => {
    const lake = await lakeWith(hourly(0, 24), {
      proofs: [proofOf(hours(0, 24), { [D1]: 12 }, { filter: 'type: FILE' })],
    });
    expect(await lake.coverage()).toEqual([line(D1, 12, 24, 'complete', { scope: 'type: FILE' })]);
    expect(await lake.provenRanges('event', { filter: null, state: null })).toEqual([]);
  });
});

test('countedTwice uses the days and types in the proof of a window over several days', async () => {
  const twice = { duplicates: 3, duplicatesPerDay: { [D1]: { FILE: 1, '': 1 }, [D2]: { MUTEX: 1 } } };
  const proof = { ...proofOf(hours(0, 36), { [D1]: 24, [D2]: 6 }), counted: 33, fetched: 33, ...twice };
  const lake = await lakeWith(hourly(0, 30), { proofs: [proof] });
  const ranges = [hours(0, 24), hours(24, 48), hours(0, 48), hours(0, 12), hours(24, 30), hours(48, 72)].map(
    ([startMs, endMs]) => ({ startMs, endMs }),
  );
  expect(await lake.countedTwice(ranges, 'event')).toEqual([2, 1, 3, 0, 0, 0]);
  expect(await lake.countedTwice(ranges, 'event', 'FILE')).toEqual([1, 0, 1, 0, 0, 0]);
  expect(await lake.countedTwice(ranges, 'event', '')).toEqual([1, 0, 1, 0, 0, 0]);
  // The API counts some of them once, and it is unknown which.
  await deliver(lake, [], { proofs: [{ ...proof, counted: 32 }] });
  expect(await lake.countedTwice(ranges, 'event')).toEqual([0, 0, 2, 0, 0, 0]);
});

test('countStored counts rows by exact range on either axis, overlaps included', async () => {
  const events = hourly(0, 30).map((event) => ({ ...event, processedMs: event.timeMs + DAY }));
  const lake = await lakeWith(events);
  const ranges = [hours(0, 24), hours(1, 3), hours(2, 30), hours(-5, 0), hours(29, 90)].map(([startMs, endMs]) => ({
    startMs,
    endMs,
  }));
  expect(await lake.countStored(ranges, 'event')).toEqual([24, 2, 28, 0, 1]);
  expect(await lake.countStored(ranges, 'processed')).toEqual([0, 0, 6, 0, 25]);
  expect(await lake.countStored([], 'event')).toEqual([]);
});
