import { gapsIn, type QueryScope, type TimeAxis, type TimeRange } from '@edrlake/core';
import { brokenAnswer } from '@edrlake/pager';
import { type Comparison, type CountedRange, differingRanges } from '../reconcile/diff-ranges.ts';
import type { ExportEndpoints, RunServices, Services } from '../run/types.ts';
import type { RejectRetry } from './reject-retries.ts';
import { readWatermark } from './watermark.ts';

/** What is followed, and how far behind the fetched range it is looked at again. */
interface LookBackRequest {
  readonly axis: TimeAxis;
  readonly scope: QueryScope;
  readonly lookBackMs: number;
}

/** Where the look-back ends, and what is counted before it. */
interface Behind {
  readonly endMs: number;
  /** Left out. */
  readonly rejected: readonly RejectRetry[];
  readonly newCount: NewCount;
}

/** The count of the new range. */
interface NewCount {
  /** Counts it, the first time. */
  ask(): Promise<void>;
  /** null where it was not asked for, or was not answered. */
  known(): number | null;
}

/**
 * The count of a new range. It is asked for before the look-back is compared, and the pages come after that: an API
 * that still counts events in between has not lost its data for both the count and the page of a range without events.
 */
export function countOfNew(
  source: ExportEndpoints['source'],
  { axis, scope, range }: Comparison,
  { signal }: Pick<Services, 'signal'>,
): NewCount {
  let counted: number | null = null;
  let isAsked = range.endMs <= range.startMs;
  return {
    async ask() {
      if (isAsked) return;
      isAsked = true;
      counted = await source.count({ axis, scope, range, cuts: [] }, signal).catch((thrown) => {
        brokenAnswer(thrown);
        return null;
      });
    },
    known: () => counted,
  };
}

/** A range behind the watermark that is looked at again, and the count of the API; null if it was not counted. */
export interface ReopenedRange {
  readonly range: TimeRange;
  readonly inApi: number | null;
  /** Otherwise the lake holds nothing of it, and it is counted and confirmed again together with the new range. */
  readonly isChanged: boolean;
}

/** What a comparison behind the fetched range has shown. */
interface ChangedBehind {
  readonly reopened: readonly ReopenedRange[];
  /** The rest of what was compared, with the events that the lake holds there. */
  readonly equal: readonly CountedRange[];
  /** Whether the API counted any event there, after the new range was counted. */
  readonly isApiCounting: boolean;
}

/** Of a sync without a look-back. */
export const NOTHING_BEHIND: ChangedBehind = { reopened: [], equal: [], isApiCounting: false };

/**
 * What has changed behind the fetched range: ranges of the look-back in which the counts of the API and the lake
 * differ, as far as the lake was synced there. Rejected ranges are left out: rejects without a readable time are in no
 * count of the lake, so that they would differ each time. Where the lake holds nothing, an equal count would be a zero,
 * which has to be confirmed anyway. Rows cannot be counted under a filter; then the whole look-back is fetched again.
 */
export async function changedBehind(
  ends: ExportEndpoints,
  { endMs, rejected, newCount }: Behind,
  request: LookBackRequest,
  services: RunServices,
): Promise<ChangedBehind> {
  const { axis, scope, lookBackMs } = request;
  const startMs = Math.max(endMs - lookBackMs, (await readWatermark(ends.lake, axis, scope)) ?? endMs);
  if (startMs >= endMs) return NOTHING_BEHIND;
  const parts: ChangedBehind[] = [];
  const withoutRejected = gapsIn(
    { startMs, endMs },
    rejected.map(({ range }) => range),
  );
  for (const range of withoutRejected) parts.push(await changedIn(ends, range, newCount, request, services));
  return {
    reopened: parts.flatMap(({ reopened }) => reopened),
    equal: parts.flatMap(({ equal }) => equal),
    isApiCounting: parts.some(({ isApiCounting }) => isApiCounting),
  };
}

async function changedIn(
  { source, lake }: ExportEndpoints,
  range: TimeRange,
  newCount: NewCount,
  { axis, scope }: LookBackRequest,
  services: RunServices,
): Promise<ChangedBehind> {
  const uncompared = { reopened: [{ range, inApi: null, isChanged: true }], equal: [], isApiCounting: false };
  if (scope.filter !== null || scope.state !== null) return uncompared;
  const [inLake = 0] = await lake.countStored([range], axis);
  const notCounted = { range, inApi: null, isChanged: false };
  if (inLake === 0) return { reopened: [notCounted], equal: [], isApiCounting: false };
  await newCount.ask();
  const differing = await differingRanges(source, lake, { axis, range, scope }, services).catch((thrown) => {
    brokenAnswer(thrown);
    return null;
  });
  // A look-back that cannot be compared is fetched, or its windows fail by themselves. The new range is exported either
  // way.
  if (differing === null) return uncompared;
  const equal = gapsIn(
    range,
    differing.map((difference) => difference.range),
  );
  const held = await lake.countStored(equal, axis);
  return {
    reopened: differing.map((difference) => ({ ...difference, isChanged: true })),
    equal: equal.map((part, position) => ({ range: part, count: held[position] ?? 0 })),
    // A zero among them may have been counted later than what shows that the API has its data.
    isApiCounting: differing.every(({ inApi }) => inApi > 0),
  };
}
