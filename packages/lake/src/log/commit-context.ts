import type { DuckDBConnection } from '@duckdb/node-api';
import type { Clock, Emit, TableSpec } from '@edrlake/core';
import type { Lease } from '../storage/lease.ts';
import type { Store } from '../storage/store.ts';
import type { CommitLog } from './commit-log.ts';

/** Named moments of a commit, in order; a test may end the process at any of them. */
export type CommitStep =
  | 'screened'
  | 'staged'
  | 'manifest-written'
  | 'file-moved'
  | 'files-moved'
  | 'committed'
  | 'file-trashed'
  | 'trashed'
  | 'settled'
  | 'matches-written'
  | 'matches-named'
  | 'views-written';

/** For whom a lake is opened. */
export interface WantedOwner {
  /** Its name in the configuration. */
  readonly subscription: string;
  /** The customer whose events the lake may hold, where the configuration says it. */
  readonly customerId: string | null;
  /** The tenant of the login, once there was one; null where it does not say it. */
  readonly tenant: () => string | null;
}

/** What the steps of a commit share. One for each open lake. */
export interface CommitTools {
  readonly store: Store;
  readonly log: CommitLog;
  /** Those of the newest version that the log has read, with promoted columns: ask anew in each attempt of a commit. */
  readonly tables: readonly TableSpec[];
  readonly clock: Clock;
  readonly emit: Emit;
  /** The open lake's own folder for unfinished work, relative to the lake. */
  readonly workFolder: string;
  /** The lease that holds unfinished work; null where the lake is open for reading. */
  readonly lease: Lease | null;
  readonly onStep: (step: CommitStep) => void;
  /** The column of `events` that says whose event it is; null where there is none. */
  readonly customerColumn: string | null;
  /** null: for no subscription in particular. */
  readonly owner: WantedOwner | null;
}

/** The same with the DuckDB that computes. */
export interface CommitContext extends CommitTools {
  readonly connection: DuckDBConnection;
}

/** The tools with a connection; the tables stay those of the newest version. */
export function withConnection(tools: CommitTools, connection: DuckDBConnection): CommitContext {
  return Object.defineProperties({ connection }, Object.getOwnPropertyDescriptors(tools)) as unknown as CommitContext;
}
