import type { Observable, TableSpec } from '@edrlake/core';
import type { LoggedFile } from '../log/lake-state.ts';

/** A column in which something is hunted. */
export interface HuntedColumn {
  readonly name: string;
  readonly observable: Observable;
}

/** One table of a hunt. */
export interface HuntedTable {
  readonly table: TableSpec;
  readonly columns: readonly HuntedColumn[];
  /** Whole files that may hold an indicator. */
  readonly files: readonly LoggedFile[];
}

/** The rows that hold a value, and how a statement reads them. */
export interface Hits {
  /** SQL of a relation with the columns of `hunt_hits`. */
  readonly sql: string;
  /** The files that have any, as DuckDB names them. */
  readonly locations: ReadonlySet<string>;
  /** SQL of which rows of a table are among them, for files to be read in part; null: they are many. */
  readonly rowsSql: ((table: string) => string) | null;
}
