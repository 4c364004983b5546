import { MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, NO_FILTER, parseRange } from '@edrlake/core';
import { expect, it } from 'vitest';
import { syncNewEvents } from '../src/sync/sync.ts';
import { impatientClock, OPTIONS, onStage, rowsOf } from './flow-stage.ts';

const MONTH = parseRange('2020-08-01', '2020-08-30');
const PAGE_SIZE = 25;
const REQUEST = {
  axis: 'processed',
  scope: NO_FILTER,
  sinceMs: null,
  lookBackMs: 6 * MS_PER_HOUR,
  settleLagMs: 15 * MS_PER_MINUTE,
} as const;

it('a month of nightly syncs, with events up to five days late, ends complete with almost no wasted request', async () => {
  let nowMs = MONTH.startMs;
  const clock = impatientClock(() => nowMs);
  const setup = { events: 33_000, range: MONTH, seed: 30, nowMs, clock, settings: { pageSize: PAGE_SIZE } };
  await onStage(setup, async ({ simulator, ends, services, lake }) => {
    let storedBefore = 0;
    // Five more nights, until the last late event has been processed, and one for the events that settled last.
    for (let night = 1; night <= 36; night += 1) {
      nowMs = MONTH.startMs + night * MS_PER_DAY;
      simulator.setNow(nowMs);
      const callsBefore = simulator.calls.total;
      const sinceMs = night === 1 ? MONTH.startMs : null;
      const { exported } = await syncNewEvents(ends, { ...REQUEST, sinceMs }, OPTIONS, services());
      expect(exported?.outcome).toBe('done');
      const [[stored] = []] = await rowsOf(lake, 'select count(*) from events');
      const newEvents = Number(stored) - storedBefore;
      storedBefore += newEvents;
      // A night with few events still needs its login and two counts, so its ratio means nothing.
      const allowed = Math.max(1.1 * Math.ceil(newEvents / PAGE_SIZE) + 1, Math.ceil(newEvents / PAGE_SIZE) + 4);
      expect(simulator.calls.total - callsBefore, `night ${night}`).toBeLessThanOrEqual(allowed);
    }
    const ids = (await rowsOf(lake, 'select event_id from events')).map(([id]) => id).sort();
    expect(ids).toEqual([...simulator.truth.ids()].sort());

    // A second sync right after finds nothing to do.
    nowMs += MS_PER_MINUTE;
    simulator.setNow(nowMs);
    const [callsBefore, { files }] = [simulator.calls.total, await lake.snapshot()];
    const again = await syncNewEvents(ends, REQUEST, OPTIONS, services());
    expect(again).toMatchObject({ reopened: [], watermarkAfterMs: nowMs - REQUEST.settleLagMs });
    expect(again.exported?.events).toMatchObject({ fetched: 0, new: 0 });
    expect((await lake.snapshot()).files).toEqual(files);
    // Two counts and the empty page that confirms them. One more is the login of a separate command.
    expect(simulator.calls.total - callsBefore).toBeLessThanOrEqual(3);
  });
}, 240_000);
