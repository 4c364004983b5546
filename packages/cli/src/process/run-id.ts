import { isoInstant } from '@edrlake/core';
import type { ProcessContext } from './process-context.ts';

/** `20261122T031200Z-4f2a91`: sorts by time, and differs between runs of one second. */
export function newRunId(context: Pick<ProcessContext, 'clock' | 'random'>): string {
  const time = isoInstant(context.clock.nowMs()).replaceAll(/[-:]|\.\d{3}/g, '');
  const tail = Math.floor(context.random() * 0x1_00_00_00)
    .toString(16)
    .padStart(6, '0');
  return `${time}-${tail}`;
}
