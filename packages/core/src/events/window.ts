import { createHash } from 'node:crypto';
import type { TimeRange } from '../time/time-range.ts';

/** The time of an event that a range selects on: when it happened on the asset, or when the platform processed it. */
export type TimeAxis = 'event' | 'processed';

/** The fields that divide a range which time can no longer divide. */
export type FilterField = 'type' | 'agent';

/** Narrows a query to events whose field is (`in`), or is not (`not-in`), one of the values, as delivered. */
export interface WindowFilter {
  readonly field: FilterField;
  readonly op: 'in' | 'not-in';
  readonly values: readonly string[];
}

/** What the user asked for besides the range; the same for all windows of a run. */
export interface QueryScope {
  /** The user's own filter in the API's query language, or null for everything. */
  readonly filter: string | null;
  /** `true`: only events from the current state. null: the parameter is not sent. */
  readonly state: boolean | null;
}

/** The scope of a user who asked for nothing but a range. */
export const NO_FILTER: QueryScope = { filter: null, state: null };

/** One query to the source: all events of a range on one axis that pass the filters in `cuts` and the scope. */
export interface EventQuery {
  readonly axis: TimeAxis;
  readonly range: TimeRange;
  readonly cuts: readonly WindowFilter[];
  readonly scope: QueryScope;
}

/** A query with few enough events to page through all of them. `id` is a pure function of the query. */
export interface Window extends EventQuery {
  readonly id: string;
}

/** A window and how many events the source counted in it when it was planned. */
export interface PlannedWindow {
  readonly window: Window;
  readonly count: number;
}

/** The window of a query: the same query always gets the same id, in any process and at any time. */
export function windowOf(query: EventQuery): Window {
  const { axis, range, cuts, scope } = query;
  const canonical = JSON.stringify([
    axis,
    range.startMs,
    range.endMs,
    cuts.map((filter) => [filter.field, filter.op, [...filter.values].sort()]),
    scope.filter,
    scope.state,
  ]);
  const digest = createHash('sha256').update(canonical).digest('hex').slice(0, 16);
  return { id: `${axis === 'event' ? 'e' : 'p'}${range.startMs}-${digest}`, axis, range, cuts, scope };
}
