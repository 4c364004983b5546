import type { DuckDBConnection } from '@duckdb/node-api';
import { quoteName, type TableSpec } from '@edrlake/core';

/** Rows by whose keys the ranges are chosen. With 20,000 none of 16 ranges is a tenth larger than it should be. */
const SAMPLE_ROWS = 20_000;

/** DuckDB's variable with the keys at which ranges begin. */
const CUTS = 'edrlake_run_cuts';

/** Ranges of a table's sort key. */
export interface RunCuts {
  /** A SQL condition for each, in the order of the keys: every row meets exactly one. */
  readonly ranges: readonly string[];
  drop(): Promise<void>;
}

/**
 * Divides rows into ranges of their sort key, of about the same number of rows. Keys are compared as DuckDB sorts them,
 * a missing value last. They stay in DuckDB, so that no value is rounded on its way.
 * @param rowsSql a query with the columns of the sort key
 * @param count 2 or more
 */
export async function runCuts(
  connection: DuckDBConnection,
  { sortBy }: TableSpec,
  rowsSql: string,
  count: number,
): Promise<RunCuts> {
  const key = `struct_pack(${sortBy.map((name, place) => `k${place} := ${quoteName(name)}`).join(', ')})`;
  const places = Array.from({ length: count - 1 }, (_, place) => `total * ${place + 1} // ${count} + 1`);
  await connection.run(
    `SET VARIABLE ${CUTS} = (SELECT list(key ORDER BY key) FROM (
       SELECT key, row_number() OVER (ORDER BY key) AS place, count(*) OVER () AS total
       FROM (SELECT ${key} AS key FROM (${rowsSql}) USING SAMPLE reservoir(${SAMPLE_ROWS} ROWS) REPEATABLE (1))
     ) WHERE place IN (${places.join(', ')}))`,
  );
  const isFrom = (cut: number) => `(${key} >= getvariable('${CUTS}')[${cut}])`;
  // As numbers: DuckDB would join two comparisons to a BETWEEN, which it does not know for structs.
  const ranges = Array.from({ length: count }, (_, run) => {
    if (run === 0) return `NOT ${isFrom(1)}`;
    if (run === count - 1) return isFrom(run);
    return `${isFrom(run)}::TINYINT - ${isFrom(run + 1)}::TINYINT = 1`;
  });
  return { ranges, drop: () => connection.run(`RESET VARIABLE ${CUTS}`).then(() => undefined) };
}
