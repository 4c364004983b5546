import type { DuckDBConnection } from '@duckdb/node-api';
import type { TableSpec } from '@edrlake/core';
import type { Store } from '../storage/store.ts';

/** A part of a lake that is not as edrlake leaves it. */
export interface LakeDamage {
  /**
   * Which part of the lake: `log`, `data`, `duplicates`, `index`, `work`, `leases`, `views`, `proofs`, `values`,
   * `hunts`, `folders`, `marker`.
   */
  readonly part: string;
  /** What was found, with a path. */
  readonly found: string;
  /** What it means for readers and writers of the lake. */
  readonly means: string;
  /** The command that repairs it, without `--lake`; null where the user has to act, as `means` says. */
  readonly command: string | null;
  /** Relative to the lake; empty where no single files are concerned. */
  readonly paths: readonly string[];
  /** Nothing is lost or wrong: an older edrlake wrote it, and the next one that writes the lake makes it anew. */
  readonly isOlder?: true;
}

/** What an examination works with. */
export interface Examination {
  readonly store: Store;
  readonly connection: DuckDBConnection;
  readonly tables: readonly TableSpec[];
  readonly nowMs: number;
  /** `all` reads every data file. A `sample` reads some, and checks only the size of the others. */
  readonly reads: 'all' | 'sample';
}
