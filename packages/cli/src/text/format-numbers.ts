import { instantText, isoInstant, MS_PER_SECOND, type TimeRange } from '@edrlake/core';

/** `2020-08-17T03:12:00Z`, without parts of a second. */
export function atSecond(epochMs: number): string {
  return instantText(Math.floor(epochMs / MS_PER_SECOND) * MS_PER_SECOND);
}

/** `03:12:00Z`, with the date in front where it is not that of `nowMs`. Rounded up to whole seconds. */
export function clockTimeText(epochMs: number, nowMs: number): string {
  const text = isoInstant(Math.ceil(epochMs / MS_PER_SECOND) * MS_PER_SECOND).replace('.000Z', 'Z');
  return text.slice(0, 10) === isoInstant(nowMs).slice(0, 10) ? text.slice(11) : text;
}

/** `62 %`; 100 only when all is done. */
export function percentText(part: number, whole: number): string {
  if (whole <= 0 || part >= whole) return '100 %';
  return `${Math.min(99, Math.floor((part / whole) * 100))} %`;
}

/** From the start of the first range to the end of the last one. */
export function spanOf({ ranges }: { readonly ranges: readonly TimeRange[] }): TimeRange {
  return { startMs: ranges[0]?.startMs ?? 0, endMs: ranges.at(-1)?.endMs ?? 0 };
}
