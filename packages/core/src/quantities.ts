// How numbers, bytes and lengths of time are written, in the command and on the page. Nothing else is loaded from here:
// it runs in a browser too.

/** `18,048,196`, `0.0625`: in any language the same, with all digits. */
export function countText(value: number | bigint): string {
  // Not toLocaleString: its first call loads the rules of languages, which takes longer than reading a lake's log.
  return String(value).replace(/(?<!\.\d*)\B(?=(\d{3})+(?!\d))/g, ',');
}

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

/** `850 ms`, `12.3 s`, `4 min 12 s`, `2 h 5 min`, `3 d 4 h`, `45 d`. */
export function durationText(durationMs: number): string {
  if (durationMs < 1_000) return `${Math.round(durationMs)} ms`;
  if (durationMs < 59_950) return `${(durationMs / 1_000).toFixed(1).replace('.0', '')} s`;
  const seconds = Math.round(durationMs / 1_000);
  if (seconds < 3_600) return twoUnits(Math.floor(seconds / 60), 'min', seconds % 60, 's');
  const minutes = Math.round(durationMs / 60_000);
  if (minutes < 1_440) return twoUnits(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
  const hours = Math.round(durationMs / 3_600_000);
  // Of months, hours say nothing.
  return twoUnits(Math.floor(hours / 24), 'd', hours > 30 * 24 ? 0 : hours % 24, 'h');
}

function twoUnits(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${countText(large)} ${largeUnit}` : `${countText(large)} ${largeUnit} ${small} ${smallUnit}`;
}
