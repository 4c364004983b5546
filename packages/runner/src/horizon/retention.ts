import { dayOf, type HistogramBucket, MS_PER_DAY, MS_PER_HOUR, type TimeRange } from '@edrlake/core';

/** What one look at the API found: when it was, and where its oldest hour with events begins. */
export interface HorizonObservation {
  readonly atMs: number;
  readonly oldestMs: number;
}

/** Looks that are kept, one a day; a change of the retention is known after as many. */
export const KEPT_OBSERVATIONS = 14;

/** Looks after the first that must have found it moved: one wrong answer is not enough. */
const MOVED_OBSERVATIONS = 2;

/** How far ahead a day says that it will be lost. */
const WARNED_BEFORE_MS = 30 * MS_PER_DAY;

/** The oldest bucket with events. null without any: an empty answer says nothing about retention. */
export function oldestOf(buckets: readonly HistogramBucket[]): number | null {
  const starts = buckets.filter(({ count }) => count > 0).map(({ range }) => range.startMs);
  return starts.length === 0 ? null : starts.reduce((oldest, startMs) => Math.min(oldest, startMs));
}

/**
 * How long after an event the API still answers for it, at least; null where that is not known. The oldest events of an
 * API may be the first that ever were, so it counts only what was seen to disappear: the oldest day must have moved, as
 * two later looks found it. Events do not come back, so a look that a later one contradicts counts as that one. What is
 * still answered is never older than the retention, so the greatest age is the best estimate, less the hour whose
 * events may have gone in part.
 * @param observations oldest first
 */
export function retentionOf(observations: readonly HorizonObservation[]): number | null {
  const first = observations[0];
  if (first === undefined) return null;
  let oldestMs = Number.POSITIVE_INFINITY;
  const seen = observations.toReversed().map(({ atMs, oldestMs: found }) => {
    oldestMs = Math.min(oldestMs, found);
    return { atMs, oldestMs };
  });
  const firstMs = seen.at(-1)?.oldestMs ?? 0;
  if (seen.filter((each) => each.oldestMs > firstMs).length < MOVED_OBSERVATIONS) return null;
  const ages = seen.map((each) => each.atMs - each.oldestMs - MS_PER_HOUR);
  return Math.max(0, ...ages);
}

/** When events of a range begin to be lost, and whether that has begun. */
export interface Loss {
  readonly atMs: number;
  readonly hasBegun: boolean;
}

/** null where the retention is not known, or where there is time enough. */
export function lossOf(
  { startMs }: Pick<TimeRange, 'startMs'>,
  retentionMs: number | null,
  nowMs: number,
): Loss | null {
  if (retentionMs === null) return null;
  const atMs = startMs + retentionMs;
  return atMs - nowMs > WARNED_BEFORE_MS ? null : { atMs, hasBegun: atMs <= nowMs };
}

/** `unrecoverable after 2026-12-14`: of days that are not proven. */
export function lossText({ atMs, hasBegun }: Loss): string {
  return `unrecoverable ${hasBegun ? 'since' : 'after'} ${dayOf(atMs)}`;
}
