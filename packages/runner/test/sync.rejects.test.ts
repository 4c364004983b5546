import { MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, NO_FILTER, parseRange } from '@edrlake/core';
import { expect, it } from 'vitest';
import { syncNewEvents } from '../src/sync/sync.ts';
import { impatientClock, OPTIONS, onStage } from './flow-stage.ts';

const RANGE = parseRange('2020-08-17', '2020-08-18');
const REQUEST = {
  axis: 'processed',
  scope: NO_FILTER,
  sinceMs: null,
  lookBackMs: 6 * MS_PER_HOUR,
  settleLagMs: 15 * MS_PER_MINUTE,
} as const;
/** A night after the events, at which all of them have been processed. */
const FIRST_NIGHT_MS = RANGE.endMs + MS_PER_HOUR;
const SETUP = {
  events: 400,
  range: RANGE,
  seed: 3,
  nullIdShare: 0.1,
  lateness: [{ share: 1, minMs: MS_PER_MINUTE, maxMs: 2 * MS_PER_MINUTE }],
};

/** Nights of a sync, with what each of them cost. */
async function nights(
  work: (
    night: (
      day: number,
      options?: { readonly maxRejectShare?: number; readonly edrlakeVersion?: string },
    ) => Promise<{
      readonly report: Awaited<ReturnType<typeof syncNewEvents>>;
      readonly requests: number;
      readonly pages: number;
    }>,
  ) => Promise<void>,
) {
  let nowMs = FIRST_NIGHT_MS;
  const clock = impatientClock(() => nowMs);
  await onStage({ ...SETUP, nowMs, clock, gatewayClock: clock }, async (stage) => {
    const { simulator, ends, services, connection, pagesServed } = stage;
    await work(async (day, options = {}) => {
      nowMs = FIRST_NIGHT_MS + day * MS_PER_DAY;
      simulator.setNow(nowMs);
      const before = [connection.requestsMade(), pagesServed()] as const;
      const request = { ...REQUEST, sinceMs: day === 0 ? RANGE.startMs : null };
      const report = await syncNewEvents(ends, request, { ...OPTIONS, ...options }, services());
      return { report, requests: connection.requestsMade() - before[0], pages: pagesServed() - before[1] };
    });
  });
}

it('fetches a rejected range at growing intervals, says so each night, and goes on behind it', () =>
  nights(async (night) => {
    const first = await night(0);
    expect(first.report.exported?.outcome).toBe('rejected');
    const watermarkMs = first.report.watermarkAfterMs;
    const fetchedOn: number[] = [];
    for (let day = 1; day <= 16; day += 1) {
      const { report, requests, pages } = await night(day);
      expect(report.watermarkAfterMs).toBe(watermarkMs);
      expect(report.rejected.length, `night ${day}`).toBeGreaterThan(0);
      if (report.exported?.outcome === 'rejected') fetchedOn.push(day);
      else expect([requests <= 4, pages <= 1], `night ${day}: ${requests} requests`).toEqual([true, true]);
    }
    expect(fetchedOn).toEqual([1, 3, 7, 15]);
  }));

it.each([
  ['more rejects are allowed', { maxRejectShare: 1 }, 'done'],
  ['another edrlake reads them', { edrlakeVersion: '9.9.9' }, 'rejected'],
] as const)('fetches a rejected range at once where %s', (_, changed, outcome) =>
  nights(async (night) => {
    await night(0, { edrlakeVersion: '0.1.0' });
    await night(1, { edrlakeVersion: '0.1.0' });
    const { report, pages } = await night(1.1, { edrlakeVersion: '0.1.0', ...changed });
    expect(report.exported?.outcome).toBe(outcome);
    expect(pages).toBeGreaterThan(0);
    expect(report.rejected.length > 0).toBe(outcome === 'rejected');
    const isPast = (report.watermarkAfterMs ?? 0) > RANGE.endMs;
    expect(isPast).toBe(outcome === 'done');
  }),
);
