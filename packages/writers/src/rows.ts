import type { DuckDBConnection } from '@duckdb/node-api';

/** Runs a query and returns its rows with plain JavaScript values; 64-bit integers as bigint. For small results. */
export async function rowsOf(
  connection: DuckDBConnection,
  sql: string,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const reader = await connection.runAndReadAll(sql);
  return reader.getRowObjectsJS();
}
