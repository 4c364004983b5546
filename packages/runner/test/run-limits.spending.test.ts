import { NO_FILTER, parseRange, sum } from '@edrlake/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planExport } from '../src/export/plan-export.ts';
import { plannedDays } from '../src/investigate/planned-days.ts';
import { impatientClock, onStage, rowsOf } from './flow-stage.ts';

const DAYS = parseRange('2020-08-17', '2020-08-19');
const SIMULATED = { events: 3_000, range: DAYS, settings: { pageSize: 100, maxResultWindow: 500 } } as const;

describe('a run that may send a number of requests', () => {
  it('sends no more, has the newest events, and later runs bring the rest exactly once', () =>
    onStage(SIMULATED, async ({ lake, connection, backfill }) => {
      const budget = 15;
      const outcomes: string[] = [];
      let oldest = '9999';
      for (let run = 1; run <= 10 && outcomes.at(-1) !== 'done'; run += 1) {
        const before = connection.requestsMade();
        const report = await backfill(DAYS, { maxRequests: budget });
        expect(connection.requestsMade() - before).toBeLessThanOrEqual(budget);
        expect(report.windows.failed.every(({ code }) => code === 'LIMIT_REACHED')).toBe(true);
        const left = report.windows.failed.map(({ range }) => range.endMs);
        const [[first] = []] = await rowsOf(lake, 'SELECT min(event_time) FROM events');
        if (left.length > 0) expect(Math.max(...left)).toBeLessThanOrEqual(Date.parse(first ?? ''));
        expect(String(first) < oldest).toBe(true);
        oldest = String(first);
        outcomes.push(report.outcome);
      }
      expect(outcomes.slice(0, 2)).toEqual(['partly', 'partly']);
      expect(outcomes.at(-1)).toBe('done');
      expect(await rowsOf(lake, 'SELECT count(*), count(DISTINCT event_id) FROM events')).toEqual([['3000', '3000']]);
    }));

  it('begins nothing where the plan took all of them', () =>
    onStage(SIMULATED, async ({ lake, backfill }) => {
      const report = await backfill(DAYS, { maxRequests: 1 });
      expect([report.outcome, report.windows.committed, report.events.new]).toEqual(['partly', 0, 0]);
      expect(report.windows.failed).toHaveLength(report.windows.planned);
      expect(await rowsOf(lake, 'SELECT count(*) FROM events')).toEqual([['0']]);
    }));
});

it('a run with a deadline begins no window after it', () => {
  let nowMs = Date.parse('2026-11-22T00:00:00Z');
  return onStage({ ...SIMULATED, clock: impatientClock(() => nowMs) }, async ({ lake, backfill, services, events }) => {
    const emit = (event: (typeof events)[number]) => {
      if (event.type === 'batch') nowMs += 60_000;
    };
    const report = await backfill(DAYS, { deadlineMs: nowMs + 90_000 }, { ...services(), emit });
    expect([report.outcome, report.windows.failed.length > 0, report.windows.committed > 0]).toEqual([
      'partly',
      true,
      true,
    ]);
    const stored = await lake.provenRanges('event', { filter: null, state: null });
    expect(stored.at(-1)?.endMs).toBe(DAYS.endMs);
    const late = await backfill(DAYS, { deadlineMs: nowMs - 1 });
    expect([late.outcome, late.windows.committed]).toEqual(['partly', 0]);
    expect((await backfill(DAYS)).outcome).toBe('done');
  });
});

it('any budget is kept, for any size of pages and windows', () =>
  fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom(50, 100, 250),
      fc.integer({ min: 1, max: 4 }),
      (maxRequests, pageSize, concurrency) =>
        onStage({ ...SIMULATED, events: 1_000, settings: { pageSize, maxResultWindow: 500 } }, async (stage) => {
          const before = stage.connection.requestsMade();
          const report = await stage.backfill(DAYS, { maxRequests, concurrency });
          const made = stage.connection.requestsMade() - before;
          // A plan is made whole: without it, what is left is unknown.
          expect(made).toBeLessThanOrEqual(Math.max(maxRequests, report.requests.planning + report.requests.logins));
        }),
    ),
    { numRuns: 4 },
  ));

it('what a dry run lists is what runs, with a limit and after a part is in the lake', () =>
  onStage(SIMULATED, async ({ lake, connection, backfill, services }) => {
    const { source } = connection;
    const request = { axis: 'event', ranges: [{ range: DAYS }], scope: NO_FILTER } as const;
    const { pageSize } = source;
    for (const maxRequests of [15, 1_000]) {
      const before = connection.requestsMade();
      const plan = await planExport(source, request, services());
      const planning = connection.requestsMade() - before;
      const preview = { pageSize, force: false, limit: maxRequests - planning, maxRequests, nowMs: Date.now() };
      const days = await plannedDays(plan, request, lake, preview);
      const began = connection.requestsMade();
      const report = await backfill(DAYS, { maxRequests });
      const left = sum(days, (day) => day.left);
      expect(report.windows.failed).toHaveLength(left);
      expect(report.windows.committed).toBe(sum(days, ({ windows }) => windows) - left);
      expect(sum(days, ({ events }) => events)).toBeGreaterThanOrEqual(report.events.new);
      if (left > 0) continue;
      // The later run goes on with the plan of the first one, and counts whether it still holds.
      expect(connection.requestsMade() - began).toBeLessThanOrEqual(
        planning + sum(days, ({ requests }) => requests) + 1,
      );
      expect(report.events.new).toBe(sum(days, ({ events }) => events));
    }
  }));
