import { MS_PER_HOUR, MS_PER_MINUTE, NO_FILTER, parseRange, systemClock } from '@edrlake/core';
import { readGate, readLakeStatus } from '@edrlake/runner/history';
import { expect, it } from 'vitest';
import { writeWatermark } from '../src/sync/watermark.ts';
import { onStage } from './flow-stage.ts';

const WEEK = parseRange('2020-08-17', '2020-08-23');

it('where a sync began is no instant up to which anything is proven', async () => {
  await onStage({ events: 70, range: WEEK }, async ({ lake, backfill }) => {
    const nowMs = systemClock.nowMs();
    await backfill(WEEK);
    // As it is when all windows of the first sync fail, and after the log was rebuilt.
    await writeWatermark(lake, 'processed', NO_FILTER, nowMs - 5 * MS_PER_MINUTE, 'first');
    const question = { range: WEEK, scope: NO_FILTER, require: 'proven', nowMs } as const;
    const gate = await readGate(lake, { ...question, maxAgeMs: MS_PER_HOUR });
    expect(gate).toMatchObject({ refused: [], freshUntilMs: WEEK.endMs, isStale: true });
    const { watermarkMs, freshUntilMs } = await readLakeStatus(lake, { userLimit: null, nowMs });
    expect(watermarkMs).toBe(nowMs - 5 * MS_PER_MINUTE);
    expect(freshUntilMs).toBe(WEEK.endMs);
  });
});
