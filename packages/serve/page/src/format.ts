/** `1,204`: in any language the same, as the command prints it. */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** `1 window`, `1,204 windows`. */
export function noun(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** `2020-08-17 04:00:05` in UTC. */
export function instant(iso: string | null): string {
  return iso === null ? '–' : iso.slice(0, 19).replace('T', ' ');
}

/** `640 B`, `1.5 MiB`: powers of 1024. */
export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let [left, unit] = [value, 0];
  for (; left >= 1024 && unit < units.length - 1; unit += 1) left /= 1024;
  return `${unit === 0 || left >= 100 ? Math.round(left) : left.toFixed(1)} ${units[unit]}`;
}

/** `850 ms`, `4 min 12 s`, `3 d 4 h`: the two largest units. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const steps: [number, string][] = [
    [86_400, 'd'],
    [3_600, 'h'],
    [60, 'min'],
    [1, 's'],
  ];
  const seconds = Math.round(ms / 1_000);
  const first = steps.findIndex(([size]) => seconds >= size);
  const [size, unit] = steps[first] ?? [1, 's'];
  const [next, nextUnit] = steps[first + 1] ?? [0, ''];
  const rest = next === 0 ? 0 : Math.floor((seconds % size) / next);
  // Of months and years, hours say nothing.
  const isLong = seconds > 30 * 86_400;
  return `${count(Math.floor(seconds / size))} ${unit}${rest > 0 && !isLong ? ` ${rest} ${nextUnit}` : ''}`;
}

/** How long ago, seen from `now`; both ISO. */
export function ago(iso: string | null, now: string): string {
  if (iso === null) return '';
  const ms = Date.parse(now) - Date.parse(iso);
  return ms < 0 ? 'ahead of the clock' : `${duration(ms)} ago`;
}

/** `2020-08-17`, or `2020-08-17 to 2020-08-19` for several UTC days. */
export function dayText(day: string, days: number): string {
  if (days === 1) return day;
  const last = new Date(Date.parse(day) + (days - 1) * 86_400_000).toISOString().slice(0, 10);
  return `${day} to ${last}`;
}
