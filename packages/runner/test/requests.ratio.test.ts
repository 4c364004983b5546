import { MS_PER_DAY, MS_PER_HOUR, NO_FILTER, parseRange } from '@edrlake/core';
import { planExport } from '@edrlake/runner';
import { describe, expect, it } from 'vitest';
import { onStage } from './flow-stage.ts';

const WEEK = parseRange('2020-08-17', '2020-08-23');
const REQUEST = { axis: 'event', ranges: [{ range: WEEK }], scope: NO_FILTER } as const;

/** Bursts: 60 % of the events of each day within five minutes. */
function burstsOf(events: number, days: number) {
  return Array.from({ length: days }, (_, day) => ({
    startMs: WEEK.startMs + day * MS_PER_DAY + 9 * MS_PER_HOUR,
    durationMs: 300_000,
    events: Math.floor((events * 0.6) / days),
  }));
}

/** The shape of the data, and the share of requests over the lower bound that it may take. */
const LOADS = [
  { load: 'a daily profile, with histograms', profile: () => ({}), shape: 'epoch', target: 1.05 },
  {
    load: '60 % of a day in five minutes, with histograms',
    profile: (events: number, days: number) => ({ bursts: burstsOf(events, days) }),
    shape: 'epoch',
    target: 1.1,
  },
  { load: 'a daily profile, with counts only', profile: () => ({}), shape: 'unsupported', target: 1.25 },
] as const;

describe('requests that an export of 1,000,000 events takes, over the lower bound', () => {
  it.each(LOADS)('$load: at most $target', async ({ profile, shape, target }) => {
    const setup = setupOf(1_000_000, { profile, shape });
    await onStage(setup, async ({ simulator, ends, services }) => {
      const { windowPlan, requests } = await planExport(ends.source, REQUEST, services());
      expect(windowPlan.events).toBe(1_000_000);
      expect(requests.lowerBound).toBe(1_000);
      expect(requests.planned / requests.lowerBound).toBeLessThanOrEqual(target);
      // The requests that planning reports are those that the gateway received.
      expect(simulator.calls.of('count').length).toBe(requests.planning);
    });
  });
});

describe('the planned requests of an export are those that the gateway receives', () => {
  it.each(LOADS)('$load', async ({ profile, shape }) => {
    // As many pages in a window as with a million events, but smaller ones, so that all of them can be fetched.
    const setup = { ...setupOf(6_000, { profile, shape }, 2), settings: { pageSize: 50, maxResultWindow: 500 } };
    await onStage(setup, async ({ simulator, backfill }) => {
      const { outcome, requests, requestsMade } = await backfill(setup.range);
      expect(outcome).toBe('done');
      // A plan counts a histogram as one request; where the first kind is refused, the second is tried once.
      const probes = simulator.calls.of('time-buckets').length;
      expect(probes).toBe(shape === 'unsupported' ? 1 : 0);
      expect(simulator.calls.total).toBe(requests.planned + probes);
      expect(simulator.calls.total).toBe(requestsMade);
    });
  });
});

/** A week, unless fewer days are given. */
function setupOf(events: number, { profile, shape }: Pick<(typeof LOADS)[number], 'profile' | 'shape'>, days = 7) {
  const range = { startMs: WEEK.startMs, endMs: WEEK.startMs + days * MS_PER_DAY };
  return { events, range, seed: 6, profile: profile(events, days), histogramShape: shape, timeBuckets: false };
}
