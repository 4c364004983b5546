import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { EdrlakeError, quoteText } from '@edrlake/core';
import { messageOf } from './file-errors.ts';

/** The memory, threads and folder that one DuckDB may use. */
export interface DuckDbLimits {
  /** DuckDB's notation, `512MB` or `2GiB`. */
  readonly memoryLimit: string;
  /** null: one for each core. */
  readonly threads: number | null;
  /** Rows keep their order in every statement. Without it several threads write large files in little memory. */
  readonly keepsRowOrder: boolean;
  /** Absolute path for data that does not fit into memory; made when needed. */
  readonly spillDirectory: string;
}

/** A DuckDB of this process with one connection. */
export interface DuckDbSession {
  readonly connection: DuckDBConnection;
  close(): void;
}

/**
 * Opens a DuckDB that computes in UTC and never loads or downloads an extension by itself.
 * @param path a database file, opened read-only, or null for an empty one in memory
 * @throws {EdrlakeError} `CONFIG_INVALID` when DuckDB refuses the limits.
 */
export async function openDuckDb(path: string | null, limits: DuckDbLimits): Promise<DuckDbSession> {
  const instance = await DuckDBInstance.create(path ?? ':memory:', {
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    ...(path === null ? {} : { access_mode: 'READ_ONLY' }),
  });
  const connection = await instance.connect();
  const session = {
    connection,
    close: () => {
      connection.closeSync();
      instance.closeSync();
    },
  };
  try {
    await connection.run(`
      SET memory_limit = ${quoteText(limits.memoryLimit)};
      ${limits.threads === null ? '' : `SET threads = ${limits.threads};`}
      SET temp_directory = ${quoteText(limits.spillDirectory)};
      SET preserve_insertion_order = ${limits.keepsRowOrder};
      SET TimeZone = 'UTC'`);
  } catch (thrown) {
    session.close();
    throw new EdrlakeError('CONFIG_INVALID', `DuckDB refuses its limits: ${messageOf(thrown)}`, {
      cause: thrown,
      context: { memoryLimit: limits.memoryLimit, threads: limits.threads },
      hint: 'Give the memory limit as 512MB or 2GB, and at least one thread.',
    });
  }
  return session;
}

/** Methods that are given SQL, and answer asynchronously. */
const TAKING_SQL = new Set<string | symbol>([
  'run',
  'runAndRead',
  'runAndReadAll',
  'runAndReadUntil',
  'stream',
  'streamAndRead',
  'streamAndReadAll',
  'streamAndReadUntil',
  'prepare',
]);

/** A connection that does something with each statement before it runs. */
export function beforeStatements(
  connection: DuckDBConnection,
  before: (sql: string) => Promise<void>,
): DuckDBConnection {
  return new Proxy(connection, {
    get: (target, property) => {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== 'function') return value;
      const call = value.bind(target) as (...args: unknown[]) => unknown;
      if (!TAKING_SQL.has(property)) return call;
      return async (sql: string, ...args: unknown[]) => {
        await before(sql);
        return call(sql, ...args);
      };
    },
  });
}
