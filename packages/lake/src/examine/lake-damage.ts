import type { DuckDBConnection } from '@duckdb/node-api';
import type { TableSpec } from '@edrlake/core';
import type { Store } from '../storage/store.ts';

/** Something about a lake that is not as edrlake leaves it. */
export interface LakeDamage {
  /** Which part of the lake: `log`, `data`, `duplicates`, `index`, `work`, `leases`, `views`, `folders`, `marker`. */
  readonly part: string;
  /** What was found, with a path. */
  readonly found: string;
  /** What it means for who reads or writes the lake. */
  readonly means: string;
  /** The command that repairs it, without `--lake`; null where a person has to act, as `means` says. */
  readonly command: string | null;
  /** Relative to the lake; empty where it is not about single files. */
  readonly paths: readonly string[];
}

/** What an examination works with. */
export interface Examination {
  readonly store: Store;
  readonly connection: DuckDBConnection;
  readonly tables: readonly TableSpec[];
  readonly nowMs: number;
  /** `all` data files are read; of a `sample` only some, and of the others it is seen that they are there in their size. */
  readonly reads: 'all' | 'sample';
}
