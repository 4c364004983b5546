import {
  EdrlakeError,
  type EventQuery,
  type HistogramBucket,
  intersect,
  MS_PER_DAY,
  MS_PER_HOUR,
  MS_PER_MINUTE,
  MS_PER_SECOND,
  sum,
  type TimeRange,
} from '@edrlake/core';
import type { CountClient } from './count-client.ts';
import { addPoint, type CountCurve, eventsBetween, pointAt, replaceBetween, shiftFrom } from './count-curve.ts';
import { pagesOf, type WindowSizes } from './page-math.ts';
import { between } from './split-by-count.ts';

/** Bucket sizes, ascending; each divides a day, so that buckets of different sizes never overlap partly. */
const BUCKET_SIZES_MS = [
  ...[1, 2, 5, 10, 15, 20, 30].map((seconds) => seconds * MS_PER_SECOND),
  ...[1, 2, 3, 5, 10, 15, 20, 30].map((minutes) => minutes * MS_PER_MINUTE),
  ...[1, 2, 3, 4, 6, 8, 12].map((hours) => hours * MS_PER_HOUR),
  MS_PER_DAY,
];

/** Buckets of one answer: a few thousand are a small body and finer than any plan needs. */
const MAX_BUCKETS = 4_000;

/** The most refinements that are useful from days to seconds. */
const MAX_PASSES = 6;

/** Plans of this many pages can afford one request to check the times in a histogram. */
const SPOT_CHECK_PAGES = 100;

/** Errors that the next count would have as well: falling back would only hide them. */
const FATAL_CODES = new Set([
  ...['AUTH_REJECTED', 'ACCESS_DENIED', 'CREDENTIALS_MISSING', 'CUSTOMER_FOREIGN', 'INTERRUPTED'],
  'REQUESTS_SPENT',
]);

/**
 * Adds points from histograms: one over the whole range, then finer ones only where buckets are so full that split
 * points would be bad. Each must add up to the known number of its range. After the first one that fails, contradicts
 * the counts or is out of order, no more are requested, and the curve keeps only points that add up.
 */
export async function addSplitPointsByHistogram(
  countClient: CountClient,
  query: EventQuery,
  curve: CountCurve,
  sizes: WindowSizes,
): Promise<void> {
  const whole = coarsestUseful(query.range);
  if (whole === null || !(await refine(countClient, query, curve, { ...query.range, bucketMs: whole }))) return;
  if (!(await spotCheck(countClient, query, curve, sizes))) return;
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const dense = denseRanges(curve, sizes);
    if (dense.length === 0) return;
    for (const range of dense) {
      if (!(await refine(countClient, query, curve, range))) return;
    }
  }
}

interface DenseRange extends TimeRange {
  readonly bucketMs: number;
}

function coarsestUseful(range: TimeRange): number | null {
  const spanMs = range.endMs - range.startMs;
  const fits = BUCKET_SIZES_MS.find((bucketMs) => spanMs / bucketMs <= MAX_BUCKETS) ?? MS_PER_DAY;
  return fits < spanMs ? fits : null;
}

/** Requests one histogram and adopts its points; false when it cannot be trusted. */
async function refine(
  countClient: CountClient,
  query: EventQuery,
  curve: CountCurve,
  range: DenseRange,
): Promise<boolean> {
  const { startMs, endMs, bucketMs } = range;
  const part = between(query, startMs, endMs);
  const buckets = await bucketsOf(countClient, part, bucketMs);
  if (buckets === null) return false;
  const from = pointAt(curve, startMs);
  const to = pointAt(curve, endMs);
  const total = sum(buckets, (bucket) => bucket.count);
  const known = eventsBetween(curve, from, to);
  if (total !== known) {
    // Data may have changed since the count: a count now decides.
    const count = await countClient.count(part);
    shiftFrom(curve, to, count - known);
    if (count !== total) {
      replaceBetween(curve, from, to, { atMs: [], before: [] });
      return false;
    }
  }
  const points: CountCurve = { atMs: [], before: [] };
  let before = curve.before[from] as number;
  for (const bucket of buckets) {
    if (bucket.range.startMs > startMs && points.atMs.at(-1) !== bucket.range.startMs) {
      points.atMs.push(bucket.range.startMs);
      points.before.push(before);
    }
    before += bucket.count;
    if (bucket.range.endMs < endMs) {
      points.atMs.push(bucket.range.endMs);
      points.before.push(before);
    }
  }
  replaceBetween(curve, from, to, points);
  return true;
}

/** The buckets within the query's range, oldest first; null when there is no histogram or it is out of order. */
async function bucketsOf(
  countClient: CountClient,
  query: EventQuery,
  bucketMs: number,
): Promise<readonly HistogramBucket[] | null> {
  if (countClient.histogram === null) return null;
  try {
    const clipped: HistogramBucket[] = [];
    let reachedMs = query.range.startMs;
    for (const { range, count } of await countClient.histogram(query, bucketMs)) {
      if (!Number.isSafeInteger(count) || count < 0) return null;
      if (count === 0) continue;
      const inside = intersect(range, query.range);
      if (inside === null || inside.startMs < reachedMs) return null;
      clipped.push({ range: inside, count });
      reachedMs = inside.endMs;
    }
    return clipped;
  } catch (thrown) {
    if (thrown instanceof EdrlakeError && !FATAL_CODES.has(thrown.code)) return null;
    throw thrown;
  }
}

/** Counts up to the middle of the events: a histogram in another time zone has the right total in the wrong places. */
async function spotCheck(
  countClient: CountClient,
  query: EventQuery,
  curve: CountCurve,
  sizes: WindowSizes,
): Promise<boolean> {
  const total = curve.before.at(-1) as number;
  if (pagesOf(total, sizes.pageSize) < SPOT_CHECK_PAGES) return true;
  const middle = curve.before.findIndex((before) => before >= total / 2);
  const atMs = curve.atMs[middle] as number;
  if (atMs === query.range.endMs) return true;
  const before = await countClient.count(between(query, query.range.startMs, atMs));
  if (before === curve.before[middle]) return true;
  replaceBetween(curve, 0, curve.atMs.length - 1, { atMs: [], before: [] });
  if (addPoint(curve, atMs, before)) {
    const rest = await countClient.count(between(query, atMs, query.range.endMs));
    addPoint(curve, query.range.endMs, before + rest);
  }
  return false;
}

/**
 * Ranges whose buckets are worth a finer histogram. A split point can be chosen among all points of a window; with
 * buckets of a tenth of a window it misses the best place by about a tenth of a page, with larger ones by up to half a
 * page. The total cost for all split points in the range must exceed the one request of a finer histogram.
 */
function denseRanges(curve: CountCurve, { maxEvents, pageSize }: WindowSizes): DenseRange[] {
  const dense: DenseRange[] = [];
  const last = curve.atMs.length - 1;
  for (let point = 0; point < last; ) {
    const bucketMs = finerBucketMs(curve, point, pageSize);
    if (bucketMs === null) {
      point++;
      continue;
    }
    const startMs = curve.atMs[point] as number;
    let saved = 0;
    let endMs = startMs;
    for (; point < last; point++) {
      const cellEndMs = curve.atMs[point + 1] as number;
      const cellMs = cellEndMs - (curve.atMs[point] as number);
      if (cellMs <= bucketMs || cellEndMs - startMs > MAX_BUCKETS * bucketMs) break;
      const count = eventsBetween(curve, point, point + 1);
      if (count <= pageSize) continue;
      saved += count > maxEvents ? 2 : (count / maxEvents) * Math.min(0.5, count / maxEvents);
      endMs = cellEndMs;
    }
    if (saved > 1) dense.push({ startMs, endMs, bucketMs });
  }
  return dense;
}

/**
 * The bucket size that reduces a dense bucket to a quarter page each; null for buckets that need or allow no finer one.
 */
function finerBucketMs(curve: CountCurve, point: number, pageSize: number): number | null {
  const count = eventsBetween(curve, point, point + 1);
  const cellMs = (curve.atMs[point + 1] as number) - (curve.atMs[point] as number);
  if (count <= pageSize) return null;
  const wantedMs = (cellMs * pageSize) / 4 / count;
  const wanted = BUCKET_SIZES_MS.findLast((bucketMs) => bucketMs <= wantedMs) ?? MS_PER_SECOND;
  const finest = BUCKET_SIZES_MS.find((bucketMs) => bucketMs >= cellMs / MAX_BUCKETS) ?? MS_PER_DAY;
  const finer = Math.max(wanted, finest);
  return finer < cellMs ? finer : null;
}
