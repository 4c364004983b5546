import {
  type EventQuery,
  type EventSource,
  MS_PER_DAY,
  MS_PER_HOUR,
  MS_PER_MINUTE,
  MS_PER_SECOND,
  type QueryScope,
  type TimeAxis,
  type TimeRange,
} from '@edrlake/core';
import type { Lake } from '@edrlake/lake';
import type { Services } from './export-types.ts';

/** Where the API and the lake hold different numbers of events. */
export interface DifferingStretch {
  readonly range: TimeRange;
  readonly inApi: number;
  readonly inLake: number;
}

/** What is compared. The scope must be everything: rows of a lake cannot be counted under the API's filter. */
export interface Comparison {
  readonly axis: TimeAxis;
  readonly range: TimeRange;
  readonly scope: QueryScope;
}

/** Lengths a histogram is asked in, coarse to fine. */
const BUCKETS_MS = [MS_PER_DAY, MS_PER_HOUR, 10 * MS_PER_MINUTE, MS_PER_MINUTE, 10 * MS_PER_SECOND, MS_PER_SECOND];

/** Buckets of one answer: more make the answer large, and no request is saved by them. */
const MAX_BUCKETS = 1_500;

/** Ends the search inside a stretch that keeps differing, whatever the source answers. */
const MAX_ROUNDS = 64;

/**
 * Finds the stretches of a range in which the API's count differs from the lake's rows, looking closer only where looking
 * closer costs less than fetching: a stretch that fits on one page is never divided. Equal counts of a stretch are taken
 * as equal content. Oldest first, apart from each other; empty when nothing differs. One request when nothing does.
 */
export async function differingStretches(
  source: EventSource,
  lake: Lake,
  comparison: Comparison,
  services: Pick<Services, 'signal'>,
): Promise<readonly DifferingStretch[]> {
  const query: EventQuery = { ...comparison, cuts: [] };
  const inApi = await source.count(query, services.signal);
  const [inLake = 0] = await lake.countStored([comparison.range], comparison.axis);
  if (inApi === inLake) return [];
  const found: DifferingStretch[] = [];
  const open: DifferingStretch[] = [{ range: comparison.range, inApi, inLake }];
  for (let round = 0, stretch = open.pop(); stretch !== undefined; round += 1, stretch = open.pop()) {
    const isSmall = stretch.inApi <= source.pageSize || stretch.range.endMs - stretch.range.startMs <= MS_PER_SECOND;
    if (isSmall || round >= MAX_ROUNDS) {
      found.push(stretch);
      continue;
    }
    open.push(...(await lookCloser(source, lake, query, stretch, services.signal)));
  }
  return joinTouching(found);
}

/** The parts of a differing stretch that differ themselves. One request. */
async function lookCloser(
  source: EventSource,
  lake: Lake,
  query: EventQuery,
  stretch: DifferingStretch,
  signal: AbortSignal,
): Promise<DifferingStretch[]> {
  const parts =
    (await countByHistogram(source, query, stretch.range, signal)) ??
    (await countHalves(source, query, stretch, signal));
  const stored = await lake.countStored(
    parts.map(({ range }) => range),
    query.axis,
  );
  return parts
    .map(({ range, count }, position) => ({ range, inApi: count, inLake: stored[position] ?? 0 }))
    .filter(({ inApi, inLake }) => inApi !== inLake);
}

interface CountedRange {
  readonly range: TimeRange;
  readonly count: number;
}

/** Counts by the finest buckets that stay few, clipped to the range, empty ones included. null where the source cannot. */
async function countByHistogram(
  source: EventSource,
  query: EventQuery,
  range: TimeRange,
  signal: AbortSignal,
): Promise<CountedRange[] | null> {
  if (source.histogram === null) return null;
  const lengthMs = range.endMs - range.startMs;
  const bucketMs = BUCKETS_MS.findLast((ms) => lengthMs / ms <= MAX_BUCKETS) ?? MS_PER_DAY;
  if (bucketMs >= lengthMs) return null;
  let counts: Map<number, number>;
  try {
    const buckets = await source.histogram({ ...query, range }, bucketMs, signal);
    counts = new Map(buckets.map((bucket) => [Math.floor(bucket.range.startMs / bucketMs) * bucketMs, bucket.count]));
  } catch (thrown) {
    // A platform without histograms says so by refusing; a source that knows has become one without them.
    if (source.histogram === null) return null;
    throw thrown;
  }
  const parts: CountedRange[] = [];
  for (
    let bucketStartMs = Math.floor(range.startMs / bucketMs) * bucketMs;
    bucketStartMs < range.endMs;
    bucketStartMs += bucketMs
  ) {
    const startMs = Math.max(bucketStartMs, range.startMs);
    const endMs = Math.min(bucketStartMs + bucketMs, range.endMs);
    parts.push({ range: { startMs, endMs }, count: counts.get(bucketStartMs) ?? 0 });
  }
  return parts;
}

/** Both halves from one count: what the source does not have in the first it has in the second. */
async function countHalves(
  source: EventSource,
  query: EventQuery,
  { range, inApi }: DifferingStretch,
  signal: AbortSignal,
): Promise<CountedRange[]> {
  const middleMs = Math.floor((range.startMs + range.endMs) / 2);
  const first = { startMs: range.startMs, endMs: middleMs };
  const inFirst = await source.count({ ...query, range: first }, signal);
  return [
    { range: first, count: inFirst },
    { range: { startMs: middleMs, endMs: range.endMs }, count: Math.max(0, inApi - inFirst) },
  ];
}

function joinTouching(stretches: readonly DifferingStretch[]): DifferingStretch[] {
  const joined: DifferingStretch[] = [];
  for (const stretch of [...stretches].sort((a, b) => a.range.startMs - b.range.startMs)) {
    const last = joined.at(-1);
    if (last === undefined || last.range.endMs < stretch.range.startMs) {
      joined.push(stretch);
      continue;
    }
    joined[joined.length - 1] = {
      range: { startMs: last.range.startMs, endMs: stretch.range.endMs },
      inApi: last.inApi + stretch.inApi,
      inLake: last.inLake + stretch.inLake,
    };
  }
  return joined;
}
