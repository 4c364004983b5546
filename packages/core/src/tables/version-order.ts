/**
 * DuckDB SQL, for `ORDER BY`: which of several versions of one event is stored, the best first. The one processed last;
 * of those the one with the latest event time. Only of equals does the one delivered last win, so that where an event
 * is stored does not depend on the order of arrival: an API that lists an id on two days would move its row with each
 * fetch.
 */
export const BEST_VERSION_FIRST = 'processed_time DESC NULLS LAST, event_time DESC';

/**
 * DuckDB SQL that is true if version `a` comes before version `b` in `BEST_VERSION_FIRST`. Both are names of relations.
 */
export function isBetterVersionSql(a: string, b: string): string {
  const key = (relation: string) =>
    `(coalesce(${relation}.processed_time, '-infinity'::TIMESTAMP), ${relation}.event_time)`;
  return `${key(a)} > ${key(b)}`;
}

/** The times of a version that decide, in UTC epoch milliseconds. */
export interface VersionTimes {
  readonly eventMs: number;
  readonly processedMs: number | null;
}

/** `BEST_VERSION_FIRST` for sorting in this process: negative where `a` is better, 0 where both are equal. */
export function betterVersionFirst(a: VersionTimes, b: VersionTimes): number {
  const [processedA, processedB] = [a.processedMs ?? -Infinity, b.processedMs ?? -Infinity];
  if (processedA !== processedB) return processedA > processedB ? -1 : 1;
  return b.eventMs - a.eventMs;
}
