import {
  type Day,
  dayOf,
  isAhead,
  MS_PER_DAY,
  MS_PER_HOUR,
  MS_PER_MINUTE,
  NO_FILTER,
  SETTLE_LAG_MS,
  startOfDayMs,
  type TimeRange,
  type WindowProof,
  windowOf,
} from '@edrlake/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Snapshot } from '../src/log/snapshot.ts';
import { countedAtOf } from '../src/proofs/dated-proofs.ts';
import { coverageOf, type DayCoverage, provenRangesOf } from '../src/verify/coverage.ts';
import { ask, newDirectory, openSmall } from './opened-lakes.ts';
import { DAY, DAY_1, deliver, proofOf } from './small-lake.ts';

/** The model divides time into slots, with all events of a slot at its beginning. */
const SLOT_MS = 15 * MS_PER_MINUTE;
const DAYS = 6;
const SLOTS = (DAYS * MS_PER_DAY) / SLOT_MS;
const slotMs = (slot: number) => DAY_1 + slot * SLOT_MS;
const BY_EVENT_TIME = { axis: 'event', scope: NO_FILTER } as const;

interface Story {
  readonly proofs: readonly WindowProof[];
  readonly eventSlots: readonly number[];
  readonly nowMs: number;
}

const slot = fc.integer({ min: 0, max: SLOTS });
const moment = fc.integer({ min: -20, max: SLOTS + 200 }).map(slotMs);

const proofShape = fc.record({
  from: slot,
  length: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: SLOTS })),
  midnights: fc.boolean(),
  verifiedAtMs: moment,
  countedAtMs: fc.option(moment, { nil: undefined }),
  isMismatch: fc.integer({ min: 0, max: 4 }).map((one) => one === 0),
});

/** Any proofs over any events, made at any time, also by wrong clocks. */
const story: fc.Arbitrary<Story> = fc
  .record({
    shapes: fc.array(proofShape, { maxLength: 8 }),
    eventSlots: fc.array(fc.integer({ min: 0, max: SLOTS - 1 }), { maxLength: 30 }),
    nowMs: moment,
  })
  .map(({ shapes, eventSlots, nowMs }) => ({
    eventSlots,
    nowMs,
    proofs: shapes.map(({ from, length, midnights, verifiedAtMs, countedAtMs, isMismatch }) => {
      const whole = (ms: number) => (midnights ? Math.floor(ms / MS_PER_DAY) * MS_PER_DAY : ms);
      const startMs = whole(slotMs(from));
      const endMs = Math.max(startMs + SLOT_MS, whole(slotMs(from + length)));
      const range = { startMs, endMs };
      const untilMs = Math.min(endMs, countedAtMs ?? verifiedAtMs, verifiedAtMs);
      const times = eventSlots.map(slotMs).filter((ms) => startMs <= ms && ms < untilMs);
      const perDay: Record<Day, number> = {};
      for (const ms of times) perDay[dayOf(ms)] = (perDay[dayOf(ms)] ?? 0) + 1;
      return {
        window: windowOf({ axis: 'event', range, cuts: [], scope: NO_FILTER }),
        counted: times.length,
        fetched: times.length,
        distinct: times.length,
        rejected: 0,
        perDay,
        rejectedPerDay: {},
        verdict: isMismatch ? 'mismatch' : 'proven',
        verifiedAtMs,
        ...(countedAtMs !== undefined && { countedAtMs }),
      } satisfies WindowProof;
    }),
  }));

/** The coverage of a lake with the events and the proofs, at the time `nowMs`. */
function coverage({ proofs, eventSlots, nowMs }: Story, range: TimeRange | null = null): Promise<DayCoverage[]> {
  const count = (of: TimeRange) => eventSlots.map(slotMs).filter((ms) => of.startMs <= ms && ms < of.endMs).length;
  return coverageOf(
    snapshotOf(proofs, eventSlots),
    async (questions) => questions.map((question) => ({ events: count(question.range), rejects: 0 })),
    nowMs,
    range,
  );
}

function snapshotOf(proofs: readonly WindowProof[], eventSlots: readonly number[] = []): Snapshot {
  const files = eventSlots.map((one, n) => {
    const partition = `event_date=${dayOf(slotMs(one))}`;
    return { table: 'events', partition, path: `${partition}/${n}`, rowCount: 1, fileBytes: 1, schemaVersion: 1 };
  });
  const nothing = {
    commitId: null,
    committedAtMs: null,
    schemaVersion: 1,
    idFiles: [],
    commits: [],
    losses: [],
    otherVersions: [],
    recounts: [],
    proofVersions: new Map<string, number>(),
  };
  return { version: 1, files: { events: files as never }, proofs, ...nothing };
}

/** The days that a line covers. */
function daysOfLine({ day, lastDay }: DayCoverage): Day[] {
  const days: Day[] = [];
  for (let ms = startOfDayMs(day); ms <= startOfDayMs(lastDay); ms += MS_PER_DAY) days.push(dayOf(ms));
  return days;
}

/** When a proof was made, where other proofs and the current time make that credible. */
function momentOf({ proofs, nowMs }: Story, position: number): number {
  const isBelieved = (at: number) => {
    const countedMs = countedAtOf(proofs[at] as WindowProof);
    const later = proofs.slice(at + 1).map(({ verifiedAtMs }) => verifiedAtMs);
    return !isAhead(countedMs, nowMs) && later.every((laterMs) => countedMs <= laterMs + MS_PER_HOUR);
  };
  const proof = proofs[position] as WindowProof;
  if (proof.verdict === 'mismatch' || isBelieved(position)) return Math.min(countedAtOf(proof), nowMs);
  const before = proofs.slice(0, position).flatMap((one, at) => (isBelieved(at) ? [countedAtOf(one)] : []));
  return Math.max(...before, Number.NEGATIVE_INFINITY);
}

/** The effective proof of an instant, and when it was made. */
function effectiveProof(given: Story, ms: number): { readonly proof: WindowProof; readonly momentMs: number } | null {
  for (let position = given.proofs.length - 1; position >= 0; position -= 1) {
    const proof = given.proofs[position] as WindowProof;
    const momentMs = momentOf(given, position);
    const { startMs, endMs } = proof.window.range;
    if (startMs <= ms && ms < Math.min(endMs, momentMs)) return { proof, momentMs };
  }
  return null;
}

describe('coverage by intervals', () => {
  test('equals a model that checks every quarter of an hour', async () => {
    await fc.assert(
      fc.asyncProperty(story, async (given) => {
        const lines = await coverage(given);
        const found = new Map(lines.flatMap((line) => daysOfLine(line).map((day) => [day, line] as const)));
        expect(lines.flatMap(daysOfLine).length).toBe(found.size);
        for (let dayMs = DAY_1; dayMs < DAY_1 + (DAYS + 3) * MS_PER_DAY; dayMs += MS_PER_DAY) {
          const slots = Array.from({ length: MS_PER_DAY / SLOT_MS }, (_, n) => dayMs + n * SLOT_MS);
          const effective = slots.map((ms) => ({ ms, last: effectiveProof(given, ms) }));
          const inLake = given.eventSlots.filter((one) => dayOf(slotMs(one)) === dayOf(dayMs)).length;
          const known = effective.filter(({ last }) => last !== null);
          const line = found.get(dayOf(dayMs));
          if (known.length === 0) {
            expect(line?.counted ?? null).toBeNull();
            expect(line?.inLake ?? 0).toBe(inLake);
            continue;
          }
          const settled = ({ ms, last }: (typeof effective)[number]) =>
            last?.proof.verdict === 'proven' && ms + SLOT_MS + SETTLE_LAG_MS <= last.momentMs;
          const isOver = dayMs + MS_PER_DAY + SETTLE_LAG_MS <= given.nowMs;
          const verdict = known.some(({ last }) => last?.proof.verdict === 'mismatch')
            ? 'mismatched'
            : effective.every(settled)
              ? 'complete'
              : isOver
                ? 'partial'
                : 'open';
          const counted = known.reduce(
            (sum, { ms }) => sum + given.eventSlots.filter((one) => slotMs(one) === ms).length,
            0,
          );
          expect(line).toMatchObject({ verdict, inLake });
          // Proofs by a wrong clock have counted more than the model believes them.
          const isRight = given.proofs.every((proof, n) => countedAtOf(proof) === momentOf(given, n));
          if (isRight) expect(line?.counted).toBe(counted);
        }
      }),
      { numRuns: 400 },
    );
  });

  test('calls nothing complete or proven that had not happened, and settled, when it was counted', async () => {
    await fc.assert(
      fc.asyncProperty(story, async (given) => {
        const { nowMs, proofs } = given;
        const proven = provenRangesOf(snapshotOf(proofs), BY_EVENT_TIME, nowMs, 0);
        for (const { endMs } of proven) {
          expect(endMs).toBeLessThanOrEqual(nowMs);
          expect(Math.max(...proofs.map(countedAtOf))).toBeGreaterThanOrEqual(endMs);
        }
        const settled = provenRangesOf(snapshotOf(proofs), BY_EVENT_TIME, nowMs, SETTLE_LAG_MS);
        for (const line of await coverage(given)) {
          if (line.verdict !== 'complete') continue;
          const endMs = startOfDayMs(line.lastDay) + MS_PER_DAY;
          expect(endMs + SETTLE_LAG_MS).toBeLessThanOrEqual(nowMs);
          expect(settled.some((range) => range.startMs <= startOfDayMs(line.day) && endMs <= range.endMs)).toBe(true);
        }
      }),
      { numRuns: 400 },
    );
  });

  test('of a range is the whole, cut to its days', async () => {
    await fc.assert(
      fc.asyncProperty(story, slot, fc.integer({ min: 1, max: SLOTS }), async (given, from, length) => {
        const range = { startMs: slotMs(from), endMs: slotMs(from + length) };
        const perDay = async (lines: Promise<DayCoverage[]>) =>
          (await lines).flatMap((line) => daysOfLine(line).map((day) => ({ ...line, day, lastDay: day })));
        const whole = await perDay(coverage(given));
        const isTouched = ({ day }: DayCoverage) =>
          startOfDayMs(day) < range.endMs && startOfDayMs(day) + MS_PER_DAY > range.startMs;
        expect(await perDay(coverage(given, range))).toEqual(whole.filter(isTouched));
      }),
      { numRuns: 200 },
    );
  });
});

describe('a range of a million days', () => {
  const YEAR_1_MS = Date.parse('0001-01-01T00:00:00Z');
  const YEAR_9999_MS = Date.parse('9999-12-31T00:00:00Z') + DAY;

  test('is a few lines, for every verdict and date of its proof', async () => {
    const lake = await openSmall(await newDirectory());
    const events = [0, 1, 5].map((n) => ({ id: `F_${n}`, timeMs: DAY_1 + n * DAY }));
    const perDay = { '2020-08-17': 1, '2020-08-18': 1, '2020-08-22': 1 };
    await deliver(lake, events, { proofs: [proofOf([YEAR_1_MS, YEAR_9999_MS], perDay)] });
    const lines = await lake.coverage();
    // Before, the two days, between, the last day, after, and the day of the count.
    expect(lines.map(({ day, lastDay, verdict }) => [day, lastDay, verdict])).toEqual([
      ['0001-01-01', '0001-01-01', 'complete'],
      ['0001-01-02', '2020-08-16', 'complete'],
      ['2020-08-17', '2020-08-17', 'complete'],
      ['2020-08-18', '2020-08-18', 'complete'],
      ['2020-08-19', '2020-08-21', 'complete'],
      ['2020-08-22', '2020-08-22', 'complete'],
      ['2020-08-23', '2020-09-14', 'complete'],
      ['2020-09-15', '2020-09-15', 'partial'],
    ]);
    const { endMs = 0 } = (await lake.provenRanges('event', NO_FILTER))[0] ?? {};
    expect(endMs).toBe(DAY_1 + 30 * DAY);
    expect(await ask(lake, 'select count(*)::int from coverage_spans')).toEqual([[lines.length]]);
    const days = (startOfDayMs('2020-09-15') - YEAR_1_MS) / DAY + 1;
    expect(await ask(lake, 'select count(*)::int, count(distinct event_date)::int from coverage')).toEqual([
      [days, days],
    ]);
  });

  test('grows with the number of windows, not with their length', async () => {
    const proofs = Array.from({ length: 40 }, (_, n) => {
      const startMs = YEAR_1_MS + n * 25_000 * DAY;
      return proofOf([startMs, startMs + 25_000 * DAY + 1], {}, { atMs: YEAR_9999_MS - DAY });
    });
    const lines = await coverage({ proofs, eventSlots: [], nowMs: YEAR_9999_MS });
    expect(lines.length).toBeLessThanOrEqual(3 * proofs.length);
    expect(new Set(lines.map(({ verdict }) => verdict))).toEqual(new Set(['complete', 'partial']));
  });
});
