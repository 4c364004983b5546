import { isoInstant } from '@edrlake/core';

/** `2020-08-17T00:00:00.000Z`, or null. */
export function isoOrNull(epochMs: number | null): string | null {
  return epochMs === null || !Number.isFinite(epochMs) ? null : isoInstant(epochMs);
}
