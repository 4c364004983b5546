import { MS_PER_DAY, startOfDayMs } from '@edrlake/core';
import { describe, expect, it } from 'vitest';
import { divideDays } from '../src/days/divide-days.ts';
import { onStage } from './flow-stage.ts';
import { NEVER } from './task-stage.ts';

/** A number of events on the last days up to 30 September 2026. */
function daysUpTo(days: number, events: number) {
  const endMs = startOfDayMs('2026-10-01');
  return { events, range: { startMs: endMs - days * MS_PER_DAY, endMs }, seed: 3 };
}

const divided = (options: Parameters<typeof onStage>[0], from: string, to: string) =>
  onStage(options, async ({ simulator, connection }) => {
    const parts = await divideDays(connection.source, { from, to }, NEVER);
    for (const part of parts) expect(await divideDays(connection.source, part, NEVER), 'divided again').toEqual([part]);
    return { parts, first: simulator.calls.of('count')[0], requests: simulator.calls.dataTotal - parts.length };
  });

describe('a long range is divided into whole days, the newest first, that cover it', () => {
  it('by its events: as few days as make planning cheap', async () => {
    // 500 events a day are 25 pages of 20: ten days are a part.
    const settings = { pageSize: 20, maxResultWindow: 200 };
    const { parts } = await divided({ ...daysUpTo(30, 15_000), settings }, '2026-09-01', '2026-09-30');
    expect(parts.length).toBe(3);
    expect(parts[0]?.to).toBe('2026-09-30');
    expect(parts.at(-1)?.from).toBe('2026-09-01');
    for (const [n, part] of parts.entries()) {
      const older = parts[n + 1];
      if (older !== undefined) expect(startOfDayMs(part.from)).toBe(startOfDayMs(older.to) + MS_PER_DAY);
    }
  });

  it('a day with many events is a part of its own, and asks nothing to be one', async () => {
    const settings = { pageSize: 10, maxResultWindow: 100 };
    const options = { ...daysUpTo(2, 12_000), settings };
    const { parts } = await divided(options, '2026-09-29', '2026-09-30');
    expect(parts).toEqual([
      { from: '2026-09-30', to: '2026-09-30' },
      { from: '2026-09-29', to: '2026-09-29' },
    ]);
    await onStage(options, async ({ simulator, connection }) => {
      await divideDays(connection.source, { from: '2026-09-30', to: '2026-09-30' }, NEVER);
      expect(simulator.calls.total).toBe(0);
    });
  });

  it('quiet years in parts of bounded length, and a small rest with the part before it', async () => {
    const { parts } = await divided(daysUpTo(200, 300), '2026-03-15', '2026-09-30');
    expect(parts).toEqual([
      { from: '2026-07-01', to: '2026-09-30' },
      { from: '2026-03-15', to: '2026-06-30' },
    ]);
  });

  it('evenly by one count where the platform has no histograms', async () => {
    const settings = { pageSize: 20, maxResultWindow: 200 };
    const options = { ...daysUpTo(30, 15_000), settings, histogramShape: 'unsupported', timeBuckets: false } as const;
    const { parts } = await divided(options, '2026-09-01', '2026-09-30');
    expect(parts.map(({ from }) => from)).toEqual(['2026-09-21', '2026-09-11', '2026-09-01']);
  });
});
