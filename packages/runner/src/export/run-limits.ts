import { EdrlakeError, isoInstant, type PlannedWindow } from '@edrlake/core';
import { requestsOf } from '@edrlake/pager';
import type { StartedRun } from './start-run.ts';

/** What a run may spend. */
export interface RunLimits {
  /**
   * The next windows that may be fetched, in their order; empty when the limit is reached. What is known of their
   * requests fits; only a request that is repeated because it failed comes on top.
   * @param left windows that are not fetched yet, the most urgent first
   * @param skips whether one that does not fit gives way to one behind it that does
   */
  next(left: readonly PlannedWindow[], skips: boolean): readonly PlannedWindow[];
  /** Why the windows that are left were not asked for. */
  error(): EdrlakeError;
}

/** The limits of a run; null where it has none. */
export function limitsOf({ run, began }: StartedRun): RunLimits | null {
  const { maxRequests, deadlineMs, concurrency } = run.options;
  if (maxRequests === undefined && deadlineMs === undefined) return null;
  const { clock } = run.services;
  const isLate = () => deadlineMs !== undefined && clock.nowMs() >= deadlineMs;
  const requestsLeft = () =>
    maxRequests === undefined ? Number.POSITIVE_INFINITY : maxRequests - (run.requestsMade() - began.requestsMade);
  return {
    next(left, skips) {
      if (isLate()) return [];
      return fitting(left, { free: requestsLeft(), most: concurrency, pageSize: run.source.pageSize, skips });
    },
    error() {
      const because = isLate()
        ? `the deadline ${isoInstant(deadlineMs ?? 0)} has passed`
        : `the ${maxRequests} requests of this run are spent, or too few are left for a whole window`;
      return new EdrlakeError('LIMIT_REACHED', `not asked for: ${because}`, {
        disposition: 'retry',
        hint: 'Run the same command again for the rest.',
      });
    },
  };
}

/** What is free, and how it is spent. */
interface Allowance {
  readonly free: number;
  /** Windows. */
  readonly most: number;
  readonly pageSize: number;
  readonly skips: boolean;
}

/** The first windows whose requests fit together. */
export function fitting(left: readonly PlannedWindow[], { free, most, pageSize, skips }: Allowance): PlannedWindow[] {
  const chosen: PlannedWindow[] = [];
  let unspent = free;
  for (const planned of left) {
    const requests = requestsOf(planned.count, pageSize);
    if (chosen.length === most || (requests > unspent && !skips)) break;
    if (requests > unspent) continue;
    unspent -= requests;
    chosen.push(planned);
  }
  return chosen;
}
