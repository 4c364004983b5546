import { EdrlakeError, isoInstant, type PlannedWindow } from '@edrlake/core';
import { requestsOf } from '@edrlake/pager';
import type { StartedRun } from './start-run.ts';

/** What a run may spend. */
export interface RunLimits {
  /**
   * The next windows that may be fetched, newest first; empty when the limit is reached. What is known of their
   * requests fits; only a request that is repeated because it failed comes on top.
   * @param left windows that are not fetched yet, newest first
   */
  next(left: readonly PlannedWindow[]): readonly PlannedWindow[];
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
    next(left) {
      if (isLate()) return [];
      let free = requestsLeft();
      const fitting = left.slice(0, concurrency).findIndex(({ count }) => {
        free -= requestsOf(count, run.source.pageSize);
        return free < 0;
      });
      return left.slice(0, fitting < 0 ? concurrency : fitting);
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
