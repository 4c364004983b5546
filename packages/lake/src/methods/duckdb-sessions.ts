import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { CommitTools } from '../log/commit-context.ts';
import type { DuckDbLimits, DuckDbSession } from '../storage/duckdb.ts';
import { loadWithDuckDb } from '../storage/load-duckdb.ts';

/** DuckDB's memory unless the options say otherwise. */
const DEFAULT_MEMORY_LIMIT = '512MB';

/** What the user allows DuckDB, see `LakeOptions`. */
interface Allowed {
  readonly memoryLimit?: string;
  readonly threads?: number;
}

/** The DuckDBs of one open lake. */
export interface DuckDbSessions {
  /** Limits with a spill directory that no other DuckDB uses. */
  newLimits(): DuckDbLimits;
  /** The one that all methods of the lake share. It starts with its first use. */
  shared(): Promise<DuckDbSession>;
  /** A further one for a batch: less memory, one thread unless the user gave a number. */
  openForBatch(): Promise<DuckDbSession>;
  /** Closes the shared one. */
  stop(): Promise<void>;
}

/**
 * In a lake in an object store, files that a statement names are brought to this machine before it runs.
 * @param spillRoot absolute
 */
export function duckDbSessions(
  { store, log }: Pick<CommitTools, 'store' | 'log'>,
  { memoryLimit = DEFAULT_MEMORY_LIMIT, threads }: Allowed,
  spillRoot: string,
): DuckDbSessions {
  const newLimits = (): DuckDbLimits => ({
    memoryLimit,
    threads: threads ?? null,
    keepsRowOrder: false,
    spillDirectory: join(spillRoot, `edrlake-spill-${randomUUID()}`),
  });
  const start = async (limits: DuckDbLimits): Promise<DuckDbSession> => {
    const { beforeStatements, openDuckDb } = await loadWithDuckDb(() => import('../storage/duckdb.ts'));
    const session = await openDuckDb(null, limits);
    const { remote } = store;
    if (remote === null) return session;
    const bring = async (sql: string) => {
      const { files, identityFiles } = log.known();
      await remote.bringNamed(sql, (path) => files.get(path) ?? identityFiles.get(path) ?? { path });
    };
    return { ...session, connection: beforeStatements(session.connection, bring) };
  };
  const shared = startedOnce(() => start(newLimits()));
  return {
    newLimits,
    shared: shared.start,
    openForBatch: () =>
      start({ ...newLimits(), memoryLimit: halfOf(memoryLimit), threads: threads ?? 1, keepsRowOrder: true }),
    stop: shared.stop,
  };
}

/** Half of `512MB` or `2GiB`; any other notation stays as it is. */
function halfOf(memoryLimit: string): string {
  const [, amount, unit] = /^\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*$/.exec(memoryLimit) ?? [];
  return amount === undefined ? memoryLimit : `${Number(amount) / 2}${unit}`;
}

/** A DuckDB that starts with its first use. */
function startedOnce(open: () => Promise<DuckDbSession>) {
  let session: Promise<DuckDbSession> | null = null;
  return {
    start: () => {
      session ??= open();
      return session;
    },
    stop: async () => (await session?.catch(() => null))?.close(),
  };
}
