import {
  intersect,
  MS_PER_DAY,
  MS_PER_HOUR,
  type QueryScope,
  type RejectRule,
  type TimeAxis,
  type TimeRange,
} from '@edrlake/core';
import type { Lake, RejectedRange } from '@edrlake/lake';

/** A range of which too many records could not become rows, and its next attempt. The watermark stays before it. */
export interface RejectRetry {
  readonly range: TimeRange;
  /** From when on a sync fetches it again. */
  readonly retryAtMs: number;
}

/** Less than a day, so that a nightly sync does not miss it by minutes. */
const FIRST_RETRY_MS = 20 * MS_PER_HOUR;

/** The longest time between two attempts. */
const LAST_RETRY_MS = 30 * MS_PER_DAY;

/**
 * The rejected ranges of an axis and scope from an instant on, oldest first; neighbours with the same retry are one.
 * They are fetched again at growing intervals, because the same records usually become the same rejects: as long after
 * the last attempt as that one was after the range, at least 20 hours and at most 30 days. A larger allowed share or
 * another version of edrlake may read them otherwise, so that they are due at once.
 */
export async function rejectRetries(
  lake: Pick<Lake, 'rejectedRanges'>,
  { axis, scope, startMs }: { readonly axis: TimeAxis; readonly scope: QueryScope; readonly startMs: number },
  rule: RejectRule,
): Promise<readonly RejectRetry[]> {
  const followed = { startMs, endMs: Number.MAX_SAFE_INTEGER };
  const retries: RejectRetry[] = [];
  for (const rejected of await lake.rejectedRanges(axis, scope)) {
    const range = intersect(rejected.range, followed);
    if (range === null) continue;
    const retryAtMs = isRuleNew(rejected.judgedBy, rule) ? rejected.countedAtMs : retryOf(rejected);
    const last = retries.at(-1);
    const isJoined = last?.range.endMs === range.startMs && last.retryAtMs === retryAtMs;
    if (isJoined) retries[retries.length - 1] = { range: { ...range, startMs: last.range.startMs }, retryAtMs };
    else retries.push({ range, retryAtMs });
  }
  return retries;
}

function retryOf({ range, countedAtMs }: RejectedRange): number {
  const ageMs = countedAtMs - range.endMs;
  return countedAtMs + Math.min(Math.max(ageMs, FIRST_RETRY_MS), LAST_RETRY_MS);
}

function isRuleNew(judgedBy: RejectRule | null, rule: RejectRule): boolean {
  return judgedBy !== null && (rule.maxRejectShare > judgedBy.maxRejectShare || rule.edrlake !== judgedBy.edrlake);
}
