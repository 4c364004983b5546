import type { DuckDBConnection } from '@duckdb/node-api';
import { type OwnTime, timed } from './own-time.ts';

/** All runs of statements with the same beginning. */
export interface StatementTime extends OwnTime {
  /** The beginning of the statement, without parts that differ from batch to batch. */
  readonly begins: string;
  readonly runs: number;
}

const SHOWN_CHARACTERS = 46;

/** A connection that measures the time of each statement. Concurrent statements would be counted together. */
export function withStatementTimes(connection: DuckDBConnection): {
  readonly connection: DuckDBConnection;
  /** The longest first. */
  readonly times: () => StatementTime[];
} {
  const book = new Map<string, StatementTime>();
  const note = (sql: string, { seconds, cpuSeconds }: OwnTime) => {
    const begins = beginningOf(sql);
    const known = book.get(begins) ?? { begins, runs: 0, seconds: 0, cpuSeconds: 0 };
    book.set(begins, {
      begins,
      runs: known.runs + 1,
      seconds: known.seconds + seconds,
      cpuSeconds: known.cpuSeconds + cpuSeconds,
    });
  };
  const noted = new Proxy(connection, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      if (name !== 'run' && name !== 'runAndReadAll') return value.bind(target);
      return async (sql: string, ...rest: unknown[]) => {
        const { value: result, ...time } = await timed(() => value.call(target, sql, ...rest) as Promise<unknown>);
        note(sql, time);
        return result;
      };
    },
  });
  return { connection: noted, times: () => [...book.values()].sort((a, b) => b.cpuSeconds - a.cpuSeconds) };
}

function beginningOf(sql: string): string {
  const target = /\/(events|certificates|indicators|interfaces|asset_tags|rejects)\//.exec(sql)?.[1];
  if (sql.startsWith('COPY') && target !== undefined) return `COPY … ${target}`;
  return sql.replace(/\s+/g, ' ').trim().slice(0, SHOWN_CHARACTERS);
}
