import { resolve } from 'node:path';
import type { CommitTools } from '../log/commit-context.ts';
import type { Snapshot } from '../log/snapshot.ts';
import type { ArrowResult } from '../query/arrow.ts';
import { countFromLog } from '../query/count-from-log.ts';
import type { QueryResult } from '../query/query.ts';
import type { QueryOptions, QueryTarget } from '../query/query-target.ts';
import type { ViewSource } from '../query/views.ts';
import type { DuckDbLimits } from '../storage/duckdb.ts';
import { explainQueryFailure } from '../storage/file-errors.ts';
import { loadWithDuckDb } from '../storage/load-duckdb.ts';

/** Statements over the newest version of a lake. */
export interface Querying {
  /** What a query over several lakes needs of each, see `uniteLakes`. */
  readonly queryTarget: QueryTarget;
  /**
   * Runs one reading statement over the views of the newest version. @throws {EdrlakeError} `QUERY_FAILED`,
   * `INTERRUPTED`.
   */
  query(sql: string, options?: QueryOptions): Promise<QueryResult>;
  /** The same, as an Arrow IPC stream for a file or a pipe. `apache-arrow` is loaded at the first call. */
  queryArrow(sql: string, options?: QueryOptions): Promise<AsyncIterable<Uint8Array>>;
  /** The same, as record batches. */
  queryArrowBatches(sql: string, options?: QueryOptions): Promise<ArrowResult>;
  /** The same, into a Parquet file at any path. @returns the number of rows. */
  queryToParquet(sql: string, file: string, options?: QueryOptions): Promise<number>;
}

/** What a lake is asked with. */
interface Asked extends Pick<CommitTools, 'store' | 'log'> {
  readonly directory: string;
  readonly newLimits: () => DuckDbLimits;
}

/** The statements of a lake; DuckDB is loaded with the first that the log alone cannot answer. */
export function querying(
  { store, log, directory, newLimits }: Asked,
  snapshot: () => Promise<Snapshot>,
  viewSource: () => Promise<ViewSource>,
): Querying {
  const loadQuery = () => loadWithDuckDb(() => import('../query/query.ts'));
  const loadArrow = () => loadWithDuckDb(() => import('../query/arrow.ts'));
  const target: QueryTarget = {
    directory: store.remote === null ? directory : store.locate(''),
    store,
    newLimits,
    viewSource,
    newest: async () => {
      const { version, commitId } = await log.refresh();
      return { version, commitId };
    },
    newestFiles: async () => (await log.refresh()).files,
    explain: async (thrown) => explainQueryFailure(thrown, target.directory, (await log.refresh()).files),
  };
  return {
    queryTarget: target,
    query: async (sql, options) => {
      const counted = options?.signal?.aborted ? null : await countFromLog(sql, await snapshot(), store);
      return counted ?? (await loadQuery()).runQuery(target, sql, options);
    },
    queryArrow: async (sql, options) => (await loadArrow()).runArrowQuery(target, sql, options),
    queryArrowBatches: async (sql, options) => (await loadArrow()).runArrowBatches(target, sql, options),
    queryToParquet: async (sql, file, options) =>
      (await loadQuery()).exportParquet(target, sql, resolve(file), options),
  };
}
