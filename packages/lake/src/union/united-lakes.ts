import { resolve } from 'node:path';
import { sum } from '@edrlake/core';
import type { QueryResult } from '../query/query.ts';
import type { NamedTarget, QueryOptions, QueryTarget } from '../query/query-target.ts';
import { loadWithDuckDb } from '../storage/load-duckdb.ts';

/** What can be asked of several lakes; as the methods of a lake. */
export interface UnitedLakes {
  query(sql: string, options?: QueryOptions): Promise<QueryResult>;
  queryArrow(sql: string, options?: QueryOptions): Promise<AsyncIterable<Uint8Array>>;
  queryToParquet(sql: string, file: string, options?: QueryOptions): Promise<number>;
}

/** An open lake, and the name that its rows get. */
export interface NamedLake {
  readonly name: string;
  readonly lake: { readonly queryTarget: QueryTarget };
}

/**
 * Queries over the newest versions of several lakes as if they were one: each table and view has the rows of all of
 * them, and a first column `subscription` with the name of the lake. A column that one lake lacks is NULL there. The
 * limits are those of the first lake.
 */
export function uniteLakes(lakes: readonly [NamedLake, ...NamedLake[]]): UnitedLakes {
  const parts = lakes.map(({ name, lake }): NamedTarget => ({ name, target: lake.queryTarget }));
  const [first] = lakes;
  const target: QueryTarget = {
    ...first.lake.queryTarget,
    parts,
    newest: async () => {
      const points = await Promise.all(parts.map((part) => part.target.newest()));
      const commits = points.map(({ commitId }) => commitId ?? '').join(' ');
      return { version: sum(points, ({ version }) => version), commitId: commits };
    },
    explain: async (thrown) => {
      let explained = thrown;
      for (const part of parts) explained = await part.target.explain(explained);
      return explained;
    },
  };
  const loadQuery = () => loadWithDuckDb(() => import('../query/query.ts'));
  const loadArrow = () => loadWithDuckDb(() => import('../query/arrow.ts'));
  return {
    query: async (sql, options) => (await loadQuery()).runQuery(target, sql, options),
    queryArrow: async (sql, options) => (await loadArrow()).runArrowQuery(target, sql, options),
    queryToParquet: async (sql, file, options) =>
      (await loadQuery()).exportParquet(target, sql, resolve(file), options),
  };
}
