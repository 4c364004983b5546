import {
  type EventQuery,
  type EventSource,
  intersect,
  MS_PER_DAY,
  MS_PER_HOUR,
  MS_PER_MINUTE,
  MS_PER_SECOND,
  type QueryScope,
  sum,
  type TimeAxis,
  type TimeRange,
} from '@edrlake/core';
import type { Lake } from '@edrlake/lake';
import { brokenAnswer } from '@edrlake/pager';
import type { Services } from '../run/types.ts';

/** A range for which the API and the lake hold different numbers of events. */
export interface DifferingRange {
  readonly range: TimeRange;
  readonly inApi: number;
  readonly inLake: number;
}

/** What is compared. The scope must be empty: rows of a lake cannot be counted under a filter of the API. */
export interface Comparison {
  readonly axis: TimeAxis;
  readonly range: TimeRange;
  readonly scope: QueryScope;
}

/** Bucket lengths of a histogram, coarse to fine. */
const BUCKETS_MS = [MS_PER_DAY, MS_PER_HOUR, 10 * MS_PER_MINUTE, MS_PER_MINUTE, 10 * MS_PER_SECOND, MS_PER_SECOND];

/** Buckets of one answer: more make the answer large, and save no request. */
export const MAX_BUCKETS = 1_500;

/** Bounds the search inside a range that keeps differing. */
const MAX_ROUNDS = 64;

/**
 * Finds the ranges to fetch again, in which the API and the lake count differently. The ranges contain every difference
 * and take few requests, so small differences close to each other share a range. Oldest first, without overlap; empty
 * when nothing differs. Equal counts of a range are taken as equal content. One request when nothing differs.
 */
export async function differingRanges(
  source: EventSource,
  lake: Lake,
  comparison: Comparison,
  services: Pick<Services, 'signal'>,
): Promise<readonly DifferingRange[]> {
  const query: EventQuery = { ...comparison, cuts: [] };
  const inApi = await source.count(query, services.signal);
  const [inLake = 0] = await lake.countStored([comparison.range], comparison.axis);
  if (inApi === inLake) return [];
  const all = [{ range: comparison.range, inApi, inLake }];
  return (await narrowDown(source, lake, query, all, services.signal)).differing;
}

/** Whether a counted part has to be fetched. */
export type IsDiffering = (part: DifferingRange) => boolean;

const countsDiffer: IsDiffering = ({ inApi, inLake }) => inApi !== inLake;

/** Parts of what was compared. */
interface ComparedParts {
  /** To be fetched, oldest first. */
  readonly differing: DifferingRange[];
  /** All others, in no order. */
  readonly equal: DifferingRange[];
}

/**
 * The parts of differing ranges that have to be fetched, as `differingRanges` finds them, and those that are equal.
 * @param isDiffering whether a part has to be fetched; by its counts unless given
 */
export async function narrowDown(
  source: EventSource,
  lake: Lake,
  query: EventQuery,
  ranges: readonly DifferingRange[],
  signal: AbortSignal,
  isDiffering = countsDiffer,
): Promise<ComparedParts> {
  const found: DifferingRange[] = [];
  const equal: DifferingRange[] = [];
  const open = [...ranges];
  for (let round = 0, differing = open.pop(); differing !== undefined; round += 1, differing = open.pop()) {
    const isSmall =
      differing.inApi <= source.pageSize || differing.range.endMs - differing.range.startMs <= MS_PER_SECOND;
    if (isSmall || round >= MAX_ROUNDS) {
      found.push(differing);
      continue;
    }
    const parts = await lookCloser(source, lake, query, differing, signal);
    const groups = cheapestGroups(parts, source.pageSize, isDiffering);
    equal.push(...outsideOf(groups, parts));
    for (const group of groups) {
      // Differences that are cheaper to fetch together are not searched one by one.
      if (group.isOnePart) open.push(group.differing);
      else found.push(group.differing);
    }
  }
  return { differing: found.sort((a, b) => a.range.startMs - b.range.startMs), equal };
}

/** The parts that no group contains. */
export function outsideOf(groups: readonly RangeGroup[], parts: readonly DifferingRange[]): DifferingRange[] {
  return parts.filter(({ range }) => groups.every(({ differing }) => intersect(range, differing.range) === null));
}

/** A range to fetch, and whether it is one of the counted parts. */
export interface RangeGroup {
  readonly differing: DifferingRange;
  readonly isOnePart: boolean;
}

/**
 * Groups the differing parts so that fetching them takes the fewest requests: for each group one count and `ceil(events
 * / pageSize)` pages, which include everything between its parts.
 * @param parts all parts of a range, oldest first, touching each other, the equal ones too
 */
export function cheapestGroups(
  parts: readonly DifferingRange[],
  pageSize: number,
  isDiffering = countsDiffer,
): RangeGroup[] {
  const differing = parts.flatMap((part, position) => (isDiffering(part) ? [position] : []));
  const eventsBefore = [0];
  for (const { inApi } of parts) eventsBefore.push((eventsBefore.at(-1) ?? 0) + inApi);
  const costOf = (first: number, last: number) =>
    1 + Math.ceil(((eventsBefore[last + 1] ?? 0) - (eventsBefore[first] ?? 0)) / pageSize);
  // best[n]: the fewest requests for the first n differing parts, and where the last of their groups begins.
  const best: { readonly cost: number; readonly groupStart: number }[] = [{ cost: 0, groupStart: 0 }];
  for (const [end, last] of differing.entries()) {
    let choice = { cost: Number.POSITIVE_INFINITY, groupStart: end };
    for (let start = end; start >= 0; start -= 1) {
      const cost = (best[start]?.cost ?? 0) + costOf(differing[start] ?? 0, last);
      if (cost < choice.cost) choice = { cost, groupStart: start };
    }
    best.push(choice);
  }
  const groups: RangeGroup[] = [];
  for (let end = differing.length; end > 0; ) {
    const start = best[end]?.groupStart ?? end - 1;
    groups.push(groupOf(parts.slice(differing[start], (differing[end - 1] ?? 0) + 1)));
    end = start;
  }
  return groups;
}

function groupOf(parts: readonly DifferingRange[]): RangeGroup {
  const [first, last] = [parts[0], parts.at(-1)];
  const differing = {
    range: { startMs: first?.range.startMs ?? 0, endMs: last?.range.endMs ?? 0 },
    inApi: sum(parts, ({ inApi }) => inApi),
    inLake: sum(parts, ({ inLake }) => inLake),
  };
  return { differing, isOnePart: parts.length === 1 };
}

/** All parts of a differing range, counted on both sides, oldest first. One request, two if a histogram misleads. */
async function lookCloser(
  source: EventSource,
  lake: Lake,
  query: EventQuery,
  differing: DifferingRange,
  signal: AbortSignal,
): Promise<DifferingRange[]> {
  const buckets = await countByHistogram(source, query, differing.range, signal);
  // A histogram that does not add up to the count does not show where to look.
  const isWhole = buckets !== null && sum(buckets, ({ count }) => count) === differing.inApi;
  const parts = isWhole ? buckets : await countHalves(source, query, differing, signal);
  return besideStored(lake, query.axis, parts);
}

/** Counted ranges with the number of records that the lake holds of each. */
export async function besideStored(
  lake: Lake,
  axis: TimeAxis,
  counted: readonly CountedRange[],
): Promise<DifferingRange[]> {
  const stored = await lake.countStored(
    counted.map(({ range }) => range),
    axis,
  );
  return counted.map(({ range, count }, position) => ({ range, inApi: count, inLake: stored[position] ?? 0 }));
}

/** A range and what the API counts in it. */
export interface CountedRange {
  readonly range: TimeRange;
  readonly count: number;
}

/**
 * Counts by the finest buckets within the bound, clipped to the range, empty ones included. null if the source has
 * none.
 */
export async function countByHistogram(
  source: EventSource,
  query: EventQuery,
  range: TimeRange,
  signal: AbortSignal,
): Promise<CountedRange[] | null> {
  if (source.histogram === null) return null;
  const lengthMs = range.endMs - range.startMs;
  const bucketMs = BUCKETS_MS.findLast((ms) => lengthMs / ms <= MAX_BUCKETS);
  // Longer ranges are halved first: a part for each of a million days would fill the memory.
  if (bucketMs === undefined || bucketMs >= lengthMs) return null;
  let counts: Map<number, number>;
  try {
    const buckets = await source.histogram({ ...query, range }, bucketMs, signal);
    counts = new Map(buckets.map((bucket) => [Math.floor(bucket.range.startMs / bucketMs) * bucketMs, bucket.count]));
  } catch (thrown) {
    // A platform without histograms refuses, and the source then reports that it has none. If the answer stayed broken,
    // counts are used.
    if (source.histogram !== null) brokenAnswer(thrown);
    return null;
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

/** Both halves from one count: the second half has the rest. */
async function countHalves(
  source: EventSource,
  query: EventQuery,
  { range, inApi }: DifferingRange,
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
