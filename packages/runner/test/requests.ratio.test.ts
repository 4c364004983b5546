import { EVERYTHING, MS_PER_DAY, MS_PER_HOUR, parseRange } from '@edrlake/core';
import { planExport } from '@edrlake/runner';
import { describe, expect, it } from 'vitest';
import { onStage } from './flow-stage.ts';

const WEEK = parseRange('2020-08-17', '2020-08-23');
const REQUEST = { axis: 'event', ranges: [WEEK], scope: EVERYTHING } as const;

/** 60 % of every day inside five minutes of it. */
const BURSTS = Array.from({ length: 7 }, (_, day) => ({
  startMs: WEEK.startMs + day * MS_PER_DAY + 9 * MS_PER_HOUR,
  durationMs: 300_000,
  events: 85_714,
}));

describe('requests that an export of 1,000,000 events takes, over the lower bound', () => {
  it.each([
    { load: 'a daily profile, with histograms', profile: {}, shape: 'epoch', target: 1.05 },
    {
      load: '60 % of a day in five minutes, with histograms',
      profile: { bursts: BURSTS },
      shape: 'epoch',
      target: 1.1,
    },
    { load: 'a daily profile, with counts only', profile: {}, shape: 'unsupported', target: 1.25 },
  ] as const)('$load: at most $target', async ({ profile, shape, target }) => {
    const setup = { events: 1_000_000, range: WEEK, seed: 6, profile, histogramShape: shape, timeBuckets: false };
    await onStage(setup, async ({ simulator, ends, services }) => {
      const { windowPlan, requests } = await planExport(ends.source, REQUEST, services());
      expect(windowPlan.events).toBe(1_000_000);
      expect(requests.lowerBound).toBe(1_000);
      expect(requests.planned / requests.lowerBound).toBeLessThanOrEqual(target);
      // What planning says it has spent is what the gateway has seen.
      expect(simulator.calls.of('count').length).toBe(requests.planning);
    });
  });
});
