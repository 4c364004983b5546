import { EdrlakeError, quoteFile } from '@edrlake/core';
import type { CommitContext } from '../log/commit-context.ts';
import { rowsOf } from '../log/table-rows.ts';
import { MATCH_IDENTITY } from '../storage/hunt-matches.ts';
import { FOLDERS } from '../storage/layout.ts';
import type { Store } from '../storage/store.ts';
import { type MatchReader, nextGeneration, readHuntState, removeOlderStates, writeHuntState } from './hunt-state.ts';

/** A match of a standing hunt, times in ISO 8601 UTC. */
export interface StandingMatch {
  readonly list: string;
  readonly indicator: string;
  readonly kind: string;
  /** `table.column` */
  readonly column: string;
  readonly value: string;
  readonly eventId: string;
  readonly eventTime: string;
  readonly eventType: string | null;
  readonly agentId: string | null;
  readonly host: string | null;
  readonly foundAt: string;
}

/** Matches that a reader has not seen. */
export interface NewMatches {
  readonly count: number;
  /** At most as many as were asked for. */
  readonly matches: readonly StandingMatch[];
  /** What to mark as reported: all of them were found by then. */
  readonly generation: number;
}

/** Matches that were found after those that a reader has seen, the first ones found first, each once. */
export async function newMatches(
  { store, connection }: Pick<CommitContext, 'store' | 'connection'>,
  reader: MatchReader,
  limit: number,
): Promise<NewMatches> {
  const state = await readHuntState(store);
  if (state === null) return { count: 0, matches: [], generation: 0 };
  const path = `${FOLDERS.hunts}/${state.matches}`;
  await store.remote?.bring([{ path, fileBytes: state.matchBytes, crc32: state.matchSum }]);
  const iso = (time: string) => `strftime(${time}::TIMESTAMP, '%Y-%m-%dT%H:%M:%S.%gZ')`;
  const fresh = `SELECT DISTINCT ON (${MATCH_IDENTITY}) * FROM read_parquet(${quoteFile(store.locate(path))})
    WHERE generation > ${state.reported[reader]} ORDER BY ${MATCH_IDENTITY}, generation`;
  const rows = await rowsOf(
    connection,
    `SELECT list, indicator, kind, table_name || '.' || column_name AS "column", value, event_id AS "eventId",
       ${iso('event_time')} AS "eventTime", event_type AS "eventType", agent_id AS "agentId", host,
       ${iso('found_at')} AS "foundAt", count(*) OVER ()::DOUBLE AS total
     FROM (${fresh}) ORDER BY generation, event_time, ${MATCH_IDENTITY} LIMIT ${limit}`,
  );
  const matches = rows.map(({ total: _, ...row }) => row as unknown as StandingMatch);
  return { count: Number(rows[0]?.total ?? 0), matches, generation: state.generation };
}

const MAX_ATTEMPTS = 5;

/**
 * Notes that a reader has seen all matches up to a generation.
 * @throws {EdrlakeError} `LAKE_UNWRITABLE`, `LAKE_CONTENDED`
 */
export async function markReported(store: Store, reader: MatchReader, generation: number): Promise<void> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const state = await readHuntState(store);
    if (state === null || state.reported[reader] >= generation) return;
    const reported = { ...state.reported, [reader]: generation };
    if (!(await writeHuntState(store, { ...state, reported, generation: await nextGeneration(store) }))) continue;
    await removeOlderStates(store);
    return;
  }
  throw new EdrlakeError('LAKE_CONTENDED', 'other processes kept changing the standing hunts', {
    disposition: 'retry',
    hint: 'Run it again.',
  });
}
