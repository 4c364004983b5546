import { randomUUID } from 'node:crypto';
import type { DuckDBConnection } from '@duckdb/node-api';
import { quoteFile, quoteText } from '@edrlake/core';
import type { CommitContext } from '../log/commit-context.ts';
import { rowsOf } from '../log/table-rows.ts';
import { sumFile } from '../storage/checksum.ts';
import { MATCH_COLUMNS, MATCH_IDENTITY } from '../storage/hunt-matches.ts';
import { FOLDERS } from '../storage/layout.ts';
import type { HuntState, ListState, StandingList } from './hunt-state.ts';

const COLUMNS = [...MATCH_COLUMNS, 'found_at TIMESTAMPTZ', 'generation BIGINT', 'lake_file VARCHAR'].join(', ');

/** Temporary tables: matches as they were, and as they will be. */
const [BEFORE, AFTER] = ['standing_before', 'standing_after'];

/** Removes what an update has made, also one that failed. */
export async function dropStandingTables(connection: DuckDBConnection): Promise<void> {
  await connection.run(`DROP TABLE IF EXISTS ${BEFORE}; DROP TABLE IF EXISTS ${AFTER}`);
}

/** Makes the tables. @param location of the matches as they were; null: there are none */
export async function createStandingTables(connection: DuckDBConnection, location: string | null): Promise<void> {
  await dropStandingTables(connection);
  await connection.run(`CREATE TEMP TABLE ${AFTER} (${COLUMNS}); CREATE TEMP TABLE ${BEFORE} (${COLUMNS})`);
  if (location !== null)
    await connection.run(`INSERT INTO ${BEFORE} SELECT * FROM read_parquet(${quoteFile(location)})`);
}

/** Keeps the matches of some indicators in some files. @returns whether all of them were kept */
export async function keepMatches(
  connection: DuckDBConnection,
  kept: readonly StandingList[],
  paths: readonly string[],
): Promise<boolean> {
  const indicators = kept.flatMap(({ name, indicators: all }) =>
    all.map(({ text, kind }) => ({ list: name, indicator: text, kind })),
  );
  const { rowsChanged } = await connection.run(
    `INSERT INTO ${AFTER} SELECT * FROM ${BEFORE} WHERE lake_file IN (SELECT unnest(from_json($paths::JSON, '["VARCHAR"]')))
       AND (list, indicator, kind) IN (SELECT (r.list, r.indicator, r.kind) FROM (SELECT unnest(from_json($indicators::JSON,
         '[{"list":"VARCHAR","indicator":"VARCHAR","kind":"VARCHAR"}]')) AS r))`,
    { paths: JSON.stringify(paths), indicators: JSON.stringify(indicators) },
  );
  const [row] = await rowsOf(connection, `SELECT count(*)::DOUBLE AS rows FROM ${BEFORE}`);
  return Number(row?.rows) === rowsChanged;
}

/** Takes over what a hunt has left in `hunt_matches`. @returns the number of matches */
export async function takeMatches(
  { connection, store }: Pick<CommitContext, 'connection' | 'store'>,
  about: {
    /** The name of the list of each indicator, in the order of the hunt. */
    readonly lists: readonly string[];
    readonly paths: readonly string[];
    readonly foundAtMs: number;
    readonly generation: number;
  },
): Promise<number> {
  const places = about.paths.map((path) => ({ path, location: store.locate(path) }));
  const lists = about.lists.map((list, n) => ({ list, n }));
  const { rowsChanged } = await connection.run(
    `INSERT INTO ${AFTER} SELECT l.r.list, i.text, i.kind, m.table_name, m.column_name, m.value, m.event_id, m.event_time,
       m.event_date, m.event_type, m.agent_id, m.host, make_timestamptz(${about.foundAtMs * 1_000}), ${about.generation},
       p.r.path
     FROM hunt_matches m JOIN hunt_indicators i USING (n)
     JOIN (SELECT unnest(from_json($lists::JSON, '[{"list":"VARCHAR","n":"INTEGER"}]')) AS r) l ON l.r.n = m.n
     JOIN (SELECT unnest(from_json($places::JSON, '[{"path":"VARCHAR","location":"VARCHAR"}]')) AS r) p
       ON p.r.location = m.lake_file`,
    { lists: JSON.stringify(lists), places: JSON.stringify(places) },
  );
  return rowsChanged;
}

/** Writes the matches to a new file. One that was known before keeps the time at which it was found. */
export async function writeMatches({
  store,
  connection,
  workFolder,
}: Pick<CommitContext, 'store' | 'connection' | 'workFolder'>): Promise<
  Pick<HuntState, 'matches' | 'matchBytes' | 'matchSum'>
> {
  const matches = `${randomUUID()}.parquet`;
  const staged = `${workFolder}/hunts-${matches}`;
  await connection.run(
    `COPY (SELECT a.* REPLACE (coalesce(b.found_at, a.found_at) AS found_at, coalesce(b.generation, a.generation) AS generation)
       FROM ${AFTER} a LEFT JOIN (SELECT ${MATCH_IDENTITY}, min(found_at) AS found_at, min(generation) AS generation
         FROM ${BEFORE} GROUP BY ALL) b USING (${MATCH_IDENTITY})
       ORDER BY list, event_time, event_id) TO ${quoteText(store.locate(staged))} (FORMAT parquet, COMPRESSION zstd)`,
  );
  const sum = await sumFile(store.locate(staged));
  await store.move([{ from: staged, to: `${FOLDERS.hunts}/${matches}` }], 'fail');
  return { matches, matchBytes: sum?.bytes ?? 0, matchSum: sum?.crc32 ?? 0 };
}

/** What is known of each list, from the matches as they will be. */
export async function listStates(connection: DuckDBConnection, lists: readonly StandingList[]): Promise<ListState[]> {
  const rows = await rowsOf(
    connection,
    `SELECT list, count(*)::DOUBLE AS matches, count(DISTINCT event_id)::DOUBLE AS events,
       count(DISTINCT coalesce(agent_id, host))::DOUBLE AS hosts, epoch_ms(min(event_time))::DOUBLE AS first_ms,
       epoch_ms(max(event_time))::DOUBLE AS last_ms, epoch_ms(max(found_at))::DOUBLE AS found_ms
     FROM (SELECT ${MATCH_IDENTITY}, event_time, agent_id, host, coalesce(b.found_at, a.found_at) AS found_at
       FROM (SELECT DISTINCT ON (${MATCH_IDENTITY}) * FROM ${AFTER}) a
       LEFT JOIN (SELECT ${MATCH_IDENTITY}, min(found_at) AS found_at FROM ${BEFORE} GROUP BY ALL) b USING (${MATCH_IDENTITY}))
     GROUP BY list`,
  );
  const known = new Map(rows.map((row) => [row.list, row]));
  return lists.map((list) => {
    const row = known.get(list.name);
    const msOf = (value: unknown) => (value === undefined || value === null ? null : Number(value));
    return {
      ...{ name: list.name, indicators: list.indicators },
      matches: Number(row?.matches ?? 0),
      events: Number(row?.events ?? 0),
      hosts: Number(row?.hosts ?? 0),
      firstSeenMs: msOf(row?.first_ms),
      lastSeenMs: msOf(row?.last_ms),
      foundAtMs: msOf(row?.found_ms),
    };
  });
}
