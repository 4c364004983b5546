import { type QueryScope, rangeFlagsText, shellText, type TimeRange } from '@edrlake/core';
import type { DayState } from './day-states.ts';

/** States in which the lake and the API are known to differ. */
export const DIFFERENT_STATES: ReadonlySet<DayState> = new Set(['mismatched', 'missing', 'late']);

/** Where the days belong, and what already follows them. */
export interface DayContext {
  readonly scope: QueryScope;
  /** Where a sync began, whose next one brings what is missing behind it; null before the first. */
  readonly followedFromMs: number | null;
}

/**
 * The command that puts days right, to be pasted.
 * @param lakeFlags ` --lake DIR --dataset NAME` as far as typed
 */
export function dayCommand(
  { state, startMs, endMs }: TimeRange & { readonly state: DayState },
  { scope, followedFromMs }: DayContext,
  lakeFlags: string,
): string {
  const days = rangeFlagsText({ startMs, endMs });
  const { filter, state: onlyState } = scope;
  const isAll = filter === null && onlyState === null;
  const [filterFlag, stateFlag] = [
    filter === null ? '' : ` --filter ${shellText(filter)}`,
    onlyState === null ? '' : ` --state ${onlyState}`,
  ];
  const rest = `${filterFlag}${stateFlag}${lakeFlags}`;
  if (DIFFERENT_STATES.has(state) && isAll) return `edrlake reconcile --repair ${days}${rest}`;
  if (state === 'rejected') return `edrlake backfill --only rejected ${days}${rest}`;
  const isFollowed = followedFromMs !== null && followedFromMs <= startMs;
  if (isFollowed && state !== 'unverified') return `edrlake sync${rest}`;
  return `edrlake backfill ${DIFFERENT_STATES.has(state) ? '--force ' : ''}${days}${rest}`;
}
