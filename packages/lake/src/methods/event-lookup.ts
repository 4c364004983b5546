import type { CommitContext } from '../log/commit-context.ts';
import type { FoundEvent } from '../query/find-event.ts';
import { loadWithDuckDb } from '../storage/load-duckdb.ts';

/** What a lake knows about single events. */
export interface EventLookup {
  /**
   * Everything that the lake records about one event: its rows with their places, the commits that wrote it, the
   * windows that select it. Without rows where it is not stored.
   * @throws {EdrlakeError} `LAKE_CORRUPT` where a file cannot be read
   */
  findEvent(eventId: string): Promise<FoundEvent>;
}

/** The questions about single events; their code is loaded when it is used. */
export function eventLookup(read: <T>(work: (context: CommitContext) => Promise<T>) => Promise<T>): EventLookup {
  return {
    findEvent: (eventId) =>
      read(async (context) =>
        (await loadWithDuckDb(() => import('../query/find-event.ts'))).findEvent(context, eventId),
      ),
  };
}
