import { durationText } from '@edrlake/core/quantities';

/** `2020-08-17 04:00:05` in UTC. */
export function instant(iso: string | null): string {
  return iso === null ? '–' : iso.slice(0, 19).replace('T', ' ');
}

/** How long ago, in whole seconds, seen from `now`; both ISO. */
export function ago(iso: string | null, now: string): string {
  if (iso === null) return '';
  const ms = Date.parse(now) - Date.parse(iso);
  if (ms < 0) return 'ahead of the clock';
  return `${durationText(ms < 1_000 ? ms : Math.round(ms / 1_000) * 1_000)} ago`;
}

/** `2020-08-17`, or `2020-08-17 to 2020-08-19` for several UTC days. */
export function dayText(day: string, days: number): string {
  if (days === 1) return day;
  const last = new Date(Date.parse(day) + (days - 1) * 86_400_000).toISOString().slice(0, 10);
  return `${day} to ${last}`;
}
