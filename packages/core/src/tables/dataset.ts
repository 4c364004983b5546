import type { TableSpec } from './table-spec.ts';

/**
 * One kind of events: the tables that it is stored in, and where their values come from in a record. Everything that
 * flattens, stores, counts or queries works from it. Plain data; each dataset is made once and compared by identity.
 *
 * Some names mean the same in every dataset, and a dataset says which delivered fields feed them. The table of events
 * is `events`, with the columns `event_date`, `event_id`, `event_time`, `processed_time`, `event_type`, `agent_id` and
 * `extra`. The table of records that could not become events is `rejects`.
 */
export interface Dataset {
  /** Such as `door-events`: lower-case words with hyphens. */
  readonly name: string;
  /** `events` first, then the tables whose rows come from arrays inside an event, `rejects` last. */
  readonly tables: readonly TableSpec[];
  /**
   * Dotted paths of documented fields that no column takes. They go to `extra` like any other, but are no news: they
   * are not reported as unknown.
   */
  readonly leftovers: readonly string[];
  /**
   * Members that come with a record in its wrapper, as `sortValues` beside `data`. They go to `extra` and are no news.
   */
  readonly wrapperMembers: readonly string[];
  /** Lakes that record no dataset hold this one: they were made when there was no other. */
  readonly unnamedLakes?: true;
}
