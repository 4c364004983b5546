import { EdrlakeError } from '@edrlake/core';
import { messageOf } from './file-errors.ts';

/**
 * Loads a module that needs DuckDB. @throws {EdrlakeError} `DUCKDB_MISSING` where its native part cannot be loaded on
 * this machine
 */
export async function loadWithDuckDb<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (thrown) {
    throw new EdrlakeError('DUCKDB_MISSING', `DuckDB cannot be loaded on this machine: ${messageOf(thrown)}`, {
      cause: thrown,
      hint: 'Only backfill, sync and status work without it, with --writer parquetjs. For the rest, install edrlake where DuckDB has binaries.',
    });
  }
}
