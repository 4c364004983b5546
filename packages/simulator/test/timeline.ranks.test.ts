import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { latenessOf } from '../src/world/lateness.ts';
import { populationOf } from '../src/world/population.ts';
import type { EventSequence } from '../src/world/sequence.ts';
import { buildTimeline, type TimelineProfile } from '../src/world/timeline.ts';

const START_MS = Date.UTC(2020, 7, 17, 3, 4, 5, 678);
const HOUR_MS = 3_600_000;

const someTimeline = fc
  .record({
    seed: fc.integer(),
    durationMs: fc.integer({ min: 1, max: 30 * HOUR_MS }),
    events: fc.integer({ min: 0, max: 3000 }),
    burstAt: fc.double({ min: 0, max: 0.99, noNaN: true }),
    burstMs: fc.constantFrom(1, 7, 1000, 90_000),
    burstShare: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ seed, durationMs, events, burstAt, burstMs, burstShare }) => {
    const startMs = START_MS + Math.floor(burstAt * durationMs);
    const burst = {
      startMs,
      durationMs: Math.min(burstMs, START_MS + durationMs - startMs),
      events: Math.floor(events * burstShare),
    };
    const range = { startMs: START_MS, endMs: START_MS + durationMs };
    return buildTimeline(seed, range, events, { bursts: [burst] });
  });

describe('ranks and times', () => {
  it('has exactly the requested events, in order and inside the range', () => {
    fc.assert(
      fc.property(someTimeline, (timeline) => {
        let lastMs = timeline.range.startMs;
        for (let rank = 0; rank < timeline.length; rank += 1) {
          const atMs = timeline.timeAt(rank);
          if (atMs < lastMs || atMs >= timeline.range.endMs || !Number.isInteger(atMs)) return false;
          lastMs = atMs;
        }
        return true;
      }),
      { numRuns: 60 },
    );
  });

  it('ranks any instant as counting one by one does', () => {
    fc.assert(
      fc.property(someTimeline, fc.double({ min: -0.01, max: 1.01, noNaN: true }), (timeline, along) => {
        const { startMs, endMs } = timeline.range;
        const atMs = Math.floor(startMs + along * (endMs - startMs));
        let counted = 0;
        while (counted < timeline.length && timeline.timeAt(counted) < atMs) counted += 1;
        return timeline.rankAt(atMs) === counted;
      }),
      { numRuns: 200 },
    );
  });

  it('counts a..c as a..b plus b..c', () => {
    fc.assert(
      fc.property(
        someTimeline,
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 }),
        (timeline, cuts) => {
          const { startMs, endMs } = timeline.range;
          const points = [startMs, ...cuts.map((cut) => Math.floor(startMs + cut * (endMs - startMs))), endMs];
          points.sort((a, b) => a - b);
          let sum = 0;
          for (let at = 1; at < points.length; at += 1) {
            sum += timeline.rankAt(points[at] as number) - timeline.rankAt(points[at - 1] as number);
          }
          return sum === timeline.length;
        },
      ),
    );
  });

  it('answers 18,048,196 events without storing them', () => {
    const range = { startMs: START_MS, endMs: START_MS + 30 * 24 * HOUR_MS };
    const timeline = buildTimeline(1, range, 18_048_196, {});
    expect(timeline.length).toBe(18_048_196);
    for (const rank of [0, 1, 9_000_000, 18_048_195]) {
      const atMs = timeline.timeAt(rank);
      expect(timeline.rankAt(atMs)).toBeLessThanOrEqual(rank);
      expect(timeline.rankAt(atMs + 1)).toBeGreaterThan(rank);
    }
  });

  it('places busy minutes, a busy second and a busy millisecond by the seed', () => {
    const profile: TimelineProfile = {
      busyMinutes: 2,
      busyMinuteEvents: 11_000,
      busySecondEvents: 10_500,
      busyMillisecondEvents: 10_001,
    };
    const timeline = buildTimeline(3, { startMs: START_MS, endMs: START_MS + 48 * HOUR_MS }, 60_000, profile);
    expect(timeline.bursts.map((burst) => burst.durationMs)).toEqual([60_000, 60_000, 1000, 1]);
    for (const { startMs, durationMs, events } of timeline.bursts) {
      expect(timeline.rankAt(startMs + durationMs) - timeline.rankAt(startMs)).toBeGreaterThanOrEqual(events);
    }
    expect(timeline.length).toBe(60_000);
  });

  it('refuses bursts that hold more than all events', () => {
    const burst = { startMs: START_MS, durationMs: 1, events: 11 };
    const range = { startMs: START_MS, endMs: START_MS + HOUR_MS };
    expect(() => buildTimeline(1, range, 10, { bursts: [burst] })).toThrow(/11 events/);
  });
});

const DELAYS = [
  { share: 0.7, minMs: 0, maxMs: 60_000 },
  { share: 0.3, minMs: 60_000, maxMs: 20 * HOUR_MS },
];

/** Changes of the data, in any order. */
const someChange = fc.oneof(
  fc.record({ do: fc.constant('add' as const), events: fc.integer({ min: 1, max: 30 }), early: fc.boolean() }),
  fc.record({ do: fc.constant('remove' as const), along: fc.double({ min: 0, max: 0.999, noNaN: true }) }),
  fc.record({ do: fc.constant('revise' as const), along: fc.double({ min: 0, max: 0.999, noNaN: true }) }),
  fc.record({ do: fc.constant('now' as const), along: fc.option(fc.double({ min: -0.1, max: 2, noNaN: true })) }),
);

describe('the visible events', () => {
  it('is in order on both axes, the same events on both, and found again by its rank, after any additions, revisions and removals', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: 0, max: 400 }),
        fc.array(someChange, { maxLength: 6 }),
        (seed, events, changes) => {
          const range = { startMs: START_MS, endMs: START_MS + 5 * HOUR_MS };
          const timeline = buildTimeline(seed, range, events, {});
          const population = populationOf(seed, timeline, latenessOf(seed, DELAYS), null);
          for (const change of changes) {
            if (change.do === 'add') {
              const processed = change.early ? { processedAtMs: START_MS + HOUR_MS } : {};
              population.add({ events: change.events, range, ...processed });
            } else if (change.do === 'now') {
              population.setNow(change.along === null ? null : Math.floor(START_MS + change.along * 5 * HOUR_MS));
            } else {
              const chosen = population.visible('event');
              if (chosen.length === 0) continue;
              const index = chosen.indexAt(Math.floor(change.along * chosen.length));
              if (change.do === 'remove') population.remove([index]);
              else population.revise([index], START_MS + 2 * HOUR_MS);
            }
          }
          const expected: number[] = [];
          for (let index = 0; index < population.size; index += 1)
            if (population.isVisible(index)) expected.push(index);
          const byTime = listed(population.visible('event'), population.timeOf);
          expect([...byTime].sort((a, b) => a - b)).toEqual(expected);
          const seen = population.visible('processed');
          expect(listed(seen, population.processedOf).sort((a, b) => a - b)).toEqual(expected);
        },
      ),
      { numRuns: 150 },
    );
  });
});

/** Every element by rank; checks order and that each is found at its rank. */
function listed(sequence: EventSequence, timeOf: (index: number) => number): number[] {
  const indexes = Array.from({ length: sequence.length }, (_, rank) => sequence.indexAt(rank));
  for (const [rank, index] of indexes.entries()) {
    expect(sequence.rankBefore(timeOf(index), index)).toBe(rank);
    const previous = indexes[rank - 1];
    if (previous === undefined) continue;
    const ordered = timeOf(previous) < timeOf(index) || (timeOf(previous) === timeOf(index) && previous < index);
    expect(ordered).toBe(true);
  }
  return indexes;
}
