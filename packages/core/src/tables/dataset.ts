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
  /** The column of `events` that says whose event it is. Absent: these events do not say it. */
  readonly customer?: string;
  /** Which columns of `events` say what a process did. Absent: these events know no processes. */
  readonly processes?: ProcessColumns;
  /** Lakes that record no dataset hold this one: they were made when there was no other. */
  readonly unnamedLakes?: true;
}

/**
 * Columns of `events` about processes. On one host (`agent_id`) a process is known by its id, which another process may
 * have later: of several events with an id the newest one before an instant counts.
 */
export interface ProcessColumns {
  /** The name of the host. */
  readonly host: string;
  /** The process that an event is about: such an event says that the process exists, and which one started it. */
  readonly subject: ProcessNames & { readonly parent: string };
  /** The process that did what any event reports. */
  readonly actor: ProcessNames;
}

/** The columns that describe one process; those left out are not delivered. */
export interface ProcessNames {
  readonly id: string;
  readonly name: string;
  /** Process id of its parent. */
  readonly parent?: string;
  readonly path?: string;
  readonly arguments?: string;
  readonly user?: string;
  /** When it was started. */
  readonly started?: string;
}
