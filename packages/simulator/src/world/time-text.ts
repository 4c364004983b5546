/** The simulator reads and writes times with its own code, not the client's, so that errors of one are visible. */

/** Milliseconds of a second. */
export const SECOND_MS = 1_000;
/** Milliseconds of a minute. */
export const MINUTE_MS = 60_000;
/** Milliseconds of an hour. */
export const HOUR_MS = 3_600_000;
/** Milliseconds of a UTC day, which has no leap seconds. */
export const DAY_MS = 86_400_000;

const TWO_DIGITS = Array.from({ length: 100 }, (_, n) => String(n).padStart(2, '0'));
const THREE_DIGITS = Array.from({ length: 1000 }, (_, n) => String(n).padStart(3, '0'));

/** Day number since the epoch → `2020-08-17`. Emptied when full, so that its size stays bounded. */
const dayTexts = new Map<number, string>();
const DAY_TEXTS_LIMIT = 4096;

/** The number of the UTC day since the epoch. */
export function dayNumber(epochMs: number): number {
  return Math.floor(epochMs / DAY_MS);
}

/** `2020-08-17` of the UTC day with this number. */
export function dayText(day: number): string {
  let text = dayTexts.get(day);
  if (text === undefined) {
    if (dayTexts.size >= DAY_TEXTS_LIMIT) dayTexts.clear();
    text = new Date(day * DAY_MS).toISOString().slice(0, 10);
    dayTexts.set(day, text);
  }
  return text;
}

/** `17-8-2020`: the day, month and year of a day in UTC without leading zeros, as time-series ids end. */
export function shortDate(epochMs: number): string {
  const iso = dayText(dayNumber(epochMs));
  return `${Number(iso.slice(8))}-${Number(iso.slice(5, 7))}-${iso.slice(0, 4)}`;
}

/** `2020-08-17T04:15:06.000+0000`: the API's form, in UTC, no colon in the offset. */
export function apiTimestamp(epochMs: number): string {
  const day = Math.floor(epochMs / DAY_MS);
  const inDayMs = epochMs - day * DAY_MS;
  const seconds = Math.floor(inDayMs / SECOND_MS);
  const clock = `${TWO_DIGITS[Math.floor(seconds / 3600)]}:${TWO_DIGITS[Math.floor(seconds / 60) % 60]}:${TWO_DIGITS[seconds % 60]}`;
  return `${dayText(day)}T${clock}.${THREE_DIGITS[inDayMs % SECOND_MS]}+0000`;
}

/** `2020-08-17T04:15:06.000Z`. */
export function isoText(epochMs: number): string {
  return new Date(epochMs).toISOString();
}

const INSTANT = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?(Z|[+-]\d\d:?\d\d)?)?$/;

/** An instant in a query. `dayOnly`: without a time of day. */
export interface QueryInstant {
  readonly epochMs: number;
  readonly dayOnly: boolean;
}

/**
 * Reads `2017-01-31`, `2017-01-31T05:33:34`, with or without milliseconds, `Z` or an offset (UTC without one); null
 * otherwise.
 */
export function parseInstant(text: string): QueryInstant | null {
  const match = INSTANT.exec(text.trim());
  if (match === null) return null;
  const [, year, month, day, hour, minute, second, fraction, zone] = match;
  const dayStartMs = Date.UTC(Number(year), Number(month) - 1, Number(day));
  if (!isoText(dayStartMs).startsWith(`${year}-${month}-${day}`)) return null;
  if (Number(hour ?? 0) > 23 || Number(minute ?? 0) > 59 || Number(second ?? 0) > 59) return null;
  const clockMs = Number(hour ?? 0) * HOUR_MS + Number(minute ?? 0) * MINUTE_MS + Number(second ?? 0) * SECOND_MS;
  const fractionMs = Number((fraction ?? '0').padEnd(3, '0'));
  return { epochMs: dayStartMs + clockMs + fractionMs - offsetMs(zone), dayOnly: hour === undefined };
}

function offsetMs(zone: string | undefined): number {
  if (zone === undefined || zone === 'Z') return 0;
  const digits = zone.slice(1).replace(':', '');
  const sizeMs = Number(digits.slice(0, 2)) * HOUR_MS + Number(digits.slice(2)) * MINUTE_MS;
  return zone.startsWith('-') ? -sizeMs : sizeMs;
}
