import {
  EdrlakeError,
  type HistogramBucket,
  isoInstant,
  MS_PER_DAY,
  saysPartial,
  type TimeRange,
  type ValueCount,
} from '@edrlake/core';

/** The shapes of a grouped count: a flat map, or a list of objects. */
export type GroupShape = 'map' | 'key-count' | 'key-doc-count' | 'empty';

/** Counts by value, in the order delivered, values as text. */
export interface GroupedCount {
  readonly shape: GroupShape;
  readonly values: readonly ValueCount[];
}

/** How the keys of a histogram's buckets name their time. */
export type BucketKeyForm = 'iso' | 'epoch-ms' | 'from_to';

/** A grouped count by time, as buckets. */
export interface Histogram {
  /** null when there are no buckets. */
  readonly keyForm: BucketKeyForm | null;
  /** Oldest first, each once, none empty. */
  readonly buckets: readonly HistogramBucket[];
}

/** `{"count": 55279}`. null when the answer has another shape, or says that it is only that of a part. */
export function readCount(answer: unknown): number | null {
  if (!isObject(answer) || Object.entries(answer).some(([name, value]) => saysPartial(name, value))) return null;
  return wholeNumber(answer.count);
}

/**
 * A grouped answer: `{"<value>": n}`, `[{"key": …, "count": n}]` or `[{"key": …, "doc_count": n}]`. null when it has
 * another shape; so has the plain `{"count": n}` of a platform that ignores `groupBy`.
 */
export function readGroups(answer: unknown): GroupedCount | null {
  if (Array.isArray(answer)) return readList(answer);
  if (!isObject(answer)) return null;
  const entries = Object.entries(answer);
  if (entries.length === 1 && entries[0]?.[0] === 'count') return null;
  const values: ValueCount[] = [];
  for (const [value, found] of entries) {
    const count = wholeNumber(found);
    if (count === null) return null;
    values.push({ value, count });
  }
  return { shape: values.length === 0 ? 'empty' : 'map', values };
}

function readList(answer: readonly unknown[]): GroupedCount | null {
  let shape: GroupShape = 'empty';
  const values: ValueCount[] = [];
  for (const item of answer) {
    if (!isObject(item)) return null;
    const itemShape = Object.hasOwn(item, 'count') ? 'key-count' : 'key-doc-count';
    if (shape !== 'empty' && shape !== itemShape) return null;
    shape = itemShape;
    const count = wholeNumber(itemShape === 'key-count' ? item.count : item.doc_count);
    const value = keyText(item.key);
    if (count === null || value === null) return null;
    values.push({ value, count });
  }
  return { shape, values };
}

/** A number beyond 2^53 has already lost digits here, and would name another value. */
function keyText(key: unknown): string | null {
  if (typeof key === 'string') return key;
  return typeof key === 'boolean' || Number.isSafeInteger(key) ? String(key) : null;
}

/** Counts are numbers, or numbers in a string. */
function wholeNumber(found: unknown): number | null {
  const value = typeof found === 'string' && /^\d{1,15}$/.test(found) ? Number(found) : found;
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The documented interval of a bucket length: the largest of `d h m s` that divides it. Weeks, months, quarters and
 * years are never used, because they start by the calendar and not at multiples of their length.
 * @throws {EdrlakeError} `RANGE_INVALID` for a length that is not a whole number of seconds
 */
export function intervalOf(bucketMs: number): Interval {
  const units = [
    ['d', MS_PER_DAY],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1_000],
  ] as const;
  for (const [unit, unitMs] of units) {
    if (bucketMs >= unitMs && bucketMs % unitMs === 0) return `${bucketMs / unitMs}${unit}`;
  }
  throw new EdrlakeError('RANGE_INVALID', `a histogram needs buckets of whole seconds, found ${bucketMs} ms`);
}

/** A number and a unit: year, quarter, month, week, day, hour, minute, second. */
export type Interval = `${number}${'y' | 'q' | 'M' | 'w' | 'd' | 'h' | 'm' | 's'}`;

/**
 * The buckets of a grouped count with an interval. Keys may be ISO times (UTC when they name no zone), epoch
 * milliseconds or `from_to` of either.
 * @returns null when a key is none of these, a bucket does not start at a multiple of its length, has another length,
 * comes twice, or is outside the range: then the platform ignored the interval, and no bucket may be used
 */
export function readHistogram(values: readonly ValueCount[], bucketMs: number, range: TimeRange): Histogram | null {
  let keyForm: BucketKeyForm | null = null;
  const buckets = new Map<number, HistogramBucket>();
  for (const { value, count } of values) {
    const key = readBucketKey(value);
    if (key === null || (keyForm !== null && key.form !== keyForm)) return null;
    keyForm = key.form;
    const startMs = key.startMs;
    const endMs = startMs + bucketMs;
    if (startMs % bucketMs !== 0 || buckets.has(startMs)) return null;
    // The end is written exclusive or, like the ranges of the query language, inclusive.
    if (key.endMs !== null && key.endMs !== endMs && key.endMs !== endMs - 1) return null;
    if (count === 0) continue;
    if (startMs >= range.endMs || endMs <= range.startMs) return null;
    buckets.set(startMs, { range: { startMs, endMs }, count });
  }
  return { keyForm, buckets: [...buckets.values()].sort((a, b) => a.range.startMs - b.range.startMs) };
}

/**
 * The answer of `/events/count/time-buckets`: `{"<from>_<to>": n}` with times in ISO, epoch seconds or epoch
 * milliseconds. Where two buckets touch, they show whether an end is written exclusive or inclusive; a bucket that
 * touches no other is taken as exclusive.
 * @returns half-open ranges, oldest first, including empty ones; null for another shape, or ranges that overlap
 */
export function readTimeBuckets(answer: unknown): readonly HistogramBucket[] | null {
  const values = isObject(answer) ? readGroups(answer)?.values : undefined;
  if (values === undefined) return null;
  const found: { startMs: number; endMs: number; count: number }[] = [];
  for (const { value, count } of values) {
    const key = readBucketKey(value);
    if (key === null || key.endMs === null) return null;
    // Eleven digits of milliseconds are the year 1973, before any endpoint existed: these are seconds.
    const unitMs = key.endMs < 100_000_000_000 && /^\d+_\d+$/.test(value) ? 1000 : 1;
    found.push({ startMs: key.startMs * unitMs, endMs: key.endMs * unitMs, count });
  }
  found.sort((a, b) => a.startMs - b.startMs);
  const gaps = found.slice(1).map(({ startMs }, index) => startMs - (found[index]?.endMs ?? startMs));
  // Inclusive ends are one millisecond, or one second, before the next start.
  const inclusiveMs = [1, 1000].find((ms) => gaps.length > 0 && gaps.every((gap) => gap === ms)) ?? 0;
  if (gaps.some((gap) => gap < 0) || found.some(({ startMs, endMs }) => endMs + inclusiveMs <= startMs)) return null;
  return found.map(({ startMs, endMs, count }) => ({ range: { startMs, endMs: endMs + inclusiveMs }, count }));
}

function readBucketKey(key: string): { form: BucketKeyForm; startMs: number; endMs: number | null } | null {
  const [from, to, ...rest] = key.split('_');
  if (from === undefined || rest.length > 0) return null;
  const startMs = readInstant(from);
  if (startMs === null) return null;
  if (to === undefined) return { form: /^\d+$/.test(from) ? 'epoch-ms' : 'iso', startMs, endMs: null };
  const endMs = readInstant(to);
  return endMs === null ? null : { form: 'from_to', startMs, endMs };
}

const ISO_PATTERN = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(:\d{2})?(\.\d{1,9})?(Z|[+-]\d{2}:?\d{2})?)?$/;

function readInstant(text: string): number | null {
  if (/^\d{10,14}$/.test(text)) return Number(text);
  const match = ISO_PATTERN.exec(text);
  if (match === null) return null;
  const [, day, minutes = '00:00', seconds = ':00', fraction = '', zone = 'Z'] = match;
  const offset = zone === 'Z' || zone.includes(':') ? zone : `${zone.slice(0, 3)}:${zone.slice(3)}`;
  const ms = Date.parse(`${day}T${minutes}${seconds}${fraction.slice(0, 4)}${offset}`);
  return Number.isFinite(ms) ? ms : null;
}

/** A histogram as one line, for messages. */
export function describeBuckets(bucketMs: number, range: TimeRange): string {
  return `${intervalOf(bucketMs)} from ${isoInstant(range.startMs)} to ${isoInstant(range.endMs)}`;
}
