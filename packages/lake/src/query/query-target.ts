import type { LogPoint } from '../log/log-point.ts';
import type { DuckDbLimits } from '../storage/duckdb.ts';
import type { QueryReads, Store } from '../storage/store.ts';
import type { ViewSource } from './views.ts';

/** Options of a query. */
export interface QueryOptions {
  /** Aborting it interrupts the query within moments. */
  readonly signal?: AbortSignal;
  /** Hears how data files of an object store are read, once it is known that they can be. */
  readonly onReads?: (reads: QueryReads) => void;
}

/** Access of queries to one lake. */
export interface QueryTarget {
  readonly directory: string;
  readonly store: Store;
  /** Limits with a spill directory that no other query uses. */
  readonly newLimits: () => DuckDbLimits;
  /** What the newest version shows; called only where `lake.duckdb` is behind. */
  readonly viewSource: () => Promise<ViewSource>;
  readonly newest: () => Promise<LogPoint>;
  /** The data files of the newest version, by path. */
  readonly newestFiles: () => Promise<ReadonlyMap<string, unknown>>;
  /** Explains a failure over a file of the lake; returns any other error as it is. */
  readonly explain: (thrown: unknown) => Promise<unknown>;
  /** Of a query over several lakes: each with its name. The other members are those of all of them. */
  readonly parts?: readonly NamedTarget[];
}

/** One of several lakes, and the name that its rows have in the column `subscription`. */
export interface NamedTarget {
  readonly name: string;
  readonly target: QueryTarget;
}
