import { countText, isoInstant, MS_PER_HOUR, MS_PER_MINUTE, MS_PER_SECOND, type TimeRange } from '@edrlake/core';

/** `1 window`, `1,204 windows`. */
export function nounText(value: number, singular: string, plural = `${singular}s`): string {
  return `${countText(value)} ${value === 1 ? singular : plural}`;
}

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** `640 B`, `1.5 MiB`: powers of 1024. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${BYTE_UNITS[unit]}`;
}

/** `850 ms`, `12.3 s`, `4 min 12 s`, `2 h 5 min`, `3 d 4 h`. */
export function durationText(durationMs: number): string {
  if (durationMs < MS_PER_SECOND) return `${Math.round(durationMs)} ms`;
  if (durationMs < MS_PER_MINUTE - 50) return `${(durationMs / MS_PER_SECOND).toFixed(1).replace('.0', '')} s`;
  const seconds = Math.round(durationMs / MS_PER_SECOND);
  if (seconds < 3_600) return twoUnits(Math.floor(seconds / 60), 'min', seconds % 60, 's');
  const minutes = Math.round(durationMs / MS_PER_MINUTE);
  if (minutes < 1_440) return twoUnits(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
  const hours = Math.round(durationMs / MS_PER_HOUR);
  return twoUnits(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

function twoUnits(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${countText(large)} ${largeUnit}` : `${countText(large)} ${largeUnit} ${small} ${smallUnit}`;
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
