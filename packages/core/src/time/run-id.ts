import type { Clock, Random } from './clock.ts';
import { isoInstant } from './time-range.ts';

/** `20261122T031200Z-4f2a91`: sorts by time, and differs between runs of one second. */
export function newRunId({ clock, random }: { readonly clock: Clock; readonly random: Random }): string {
  const time = isoInstant(clock.nowMs()).replaceAll(/[-:]|\.\d{3}/g, '');
  const tail = Math.floor(random() * 0x1_00_00_00)
    .toString(16)
    .padStart(6, '0');
  return `${time}-${tail}`;
}
