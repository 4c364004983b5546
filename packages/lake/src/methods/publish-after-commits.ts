import type { DuckDBConnection } from '@duckdb/node-api';
import type { TableFormat } from '@edrlake/core';
import type { CommitTools } from '../log/commit-context.ts';
import type { PublishSource } from '../open-tables/publication/publication.ts';
import type { Publishing } from '../open-tables/publish-tables.ts';

/** The publishing of a lake in table formats; its code is loaded when it is used. */
export function publishing(source: PublishSource, write: <T>(work: () => Promise<T>) => Promise<T>): Publishing {
  const load = () => import('../open-tables/publish-tables.ts');
  return {
    publish: (format, options, { signal }) =>
      write(async () => (await load()).publishTables(source, format, options, signal)),
    publications: async () => (await load()).publicationsOf(source),
  };
}

/** What an open lake publishes; its tables are those of the newest version. @param connect null: without DuckDB */
export function publishSource(
  tools: CommitTools,
  directory: string,
  connect: (() => Promise<DuckDBConnection>) | null,
): PublishSource {
  const { store, log } = tools;
  return {
    ...{ directory, store, log, connect },
    get tables() {
      return tools.tables;
    },
  };
}

type Call = (...args: never[]) => Promise<unknown>;

/** The calls of a lake that may commit. */
interface Committing extends Publishing {
  readonly commit: Call;
  readonly compact: Call;
  readonly deduplicate: Call;
  readonly forgetLostFiles: Call;
  readonly recordRecounts: Call;
  readonly promote: Call;
  readonly demote: Call;
  readonly addDetails: Call;
  readonly close: () => Promise<void>;
}

/**
 * The same lake, which publishes after each call that may have committed. The commit is final before that: an error of
 * publishing is thrown by `close`, unless a later commit published everything.
 */
export function publishedAfterCommits<Lake extends Committing>(lake: Lake, formats: readonly TableFormat[] = []): Lake {
  if (formats.length === 0) return lake;
  let failure: { readonly thrown: unknown } | null = null;
  const { signal } = new AbortController();
  const andPublish = <C extends Call>(call: C) =>
    (async (...args: Parameters<C>) => {
      const result = await call(...args);
      try {
        for (const format of formats) await lake.publish(format, {}, { signal });
        failure = null;
      } catch (thrown) {
        failure = { thrown };
      }
      return result;
    }) as C;
  return {
    ...lake,
    commit: andPublish(lake.commit),
    compact: andPublish(lake.compact),
    deduplicate: andPublish(lake.deduplicate),
    forgetLostFiles: andPublish(lake.forgetLostFiles),
    recordRecounts: andPublish(lake.recordRecounts),
    promote: andPublish(lake.promote),
    demote: andPublish(lake.demote),
    addDetails: andPublish(lake.addDetails),
    close: async () => {
      await lake.close();
      if (failure !== null) throw failure.thrown;
    },
  };
}
