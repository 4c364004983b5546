import type { DuckDBConnection } from '@duckdb/node-api';
import {
  dayOf,
  type ProcessColumns,
  quoteName,
  quoteText,
  rowMeaning,
  type TableSpec,
  type TimeRange,
} from '@edrlake/core';
import { isSamePoint, type LogPoint } from '../log/log-point.ts';
import type { Snapshot } from '../log/snapshot.ts';
import { isEventTable, rowsOf, type TableReader, tableRowsSql } from '../log/table-rows.ts';
import { PROCESS_EDGES, PROCESS_EDGES_MEANING, processEdgesSql } from '../reading/process-view.ts';
import { HUNT_MATCHES, HUNT_MATCHES_MEANING, hasStandingHunts, huntMatchesSql } from '../storage/hunt-matches.ts';
import type { Store } from '../storage/store.ts';
import type { ViewPlace } from '../storage/view-place.ts';
import { type DayCoverage, scopeText } from '../verify/coverage.ts';

/** The form of the views; a `lake.duckdb` of another number is rewritten. */
const VIEW_FORMAT = 9;

/** What the views are created from. */
export interface ViewSource {
  readonly reader: TableReader;
  readonly tables: readonly TableSpec[];
  /** Where the dataset knows processes. */
  readonly processes?: ProcessColumns;
  readonly snapshot: Snapshot;
  readonly coverage: readonly DayCoverage[];
  /** Whole UTC days, oldest first. */
  readonly provenDays: readonly TimeRange[];
  /** The file with the matches of standing hunts; null where there are none. */
  readonly huntMatches: string | null;
}

/**
 * Creates, in the connection's current database: a view for each table over exactly the files of the version; for each
 * table of events the view `<table>_proven` with the rows of proven days only; the tables `commits`, `windows` and
 * `coverage_spans` (a row for each day and scope, or for consecutive days that hold nothing); the view `coverage`,
 * which expands it to one row a day; the view `hunt_matches`; and `lake_info` with the version they show.
 * @param place how the views find the files later; their current paths unless given
 */
export async function createViews(connection: DuckDBConnection, source: ViewSource, place?: ViewPlace): Promise<void> {
  const { reader, tables, snapshot } = source;
  // Views over views are created while these have no files: DuckDB plans each view, and would find all files again.
  for (const table of tables) {
    await connection.run(`CREATE VIEW ${quoteName(table.name)} AS ${tableRowsSql(reader, table, [])}`);
    if (!isEventTable(table)) continue;
    const proven = `SELECT * FROM ${quoteName(table.name)} WHERE ${inDaysSql(source.provenDays)}`;
    await connection.run(`CREATE VIEW ${quoteName(`${table.name}_proven`)} AS ${proven}`);
  }
  if (source.processes !== undefined) {
    await connection.run(`CREATE VIEW ${PROCESS_EDGES} AS ${processEdgesSql(source.processes)}`);
  }
  await connection.run(`CREATE VIEW ${HUNT_MATCHES} AS ${huntMatchesSql(reader.store, source.huntMatches, place)}`);
  for (const table of tables) {
    const files = snapshot.files[table.name] ?? [];
    if (files.length === 0) continue;
    const rows = tableRowsSql(reader, table, files, place && { place });
    await connection.run(`CREATE OR REPLACE VIEW ${quoteName(table.name)} AS ${rows}`);
  }
  for (const { name, columns, rows } of derivedTables(source)) {
    const shape = JSON.stringify([Object.fromEntries(columns.map(([column, type]) => [column, wireType(type)]))]);
    const selected = columns.map(([column, type]) => {
      const field = `r.${quoteName(column)}`;
      return `${type === 'TIMESTAMPTZ' ? `make_timestamptz(${field} * 1000)` : field} AS ${quoteName(column)}`;
    });
    await connection.run(
      `CREATE TABLE ${quoteName(name)} AS SELECT ${selected.join(', ')} FROM (SELECT unnest(from_json($rows::JSON, $shape)) AS r)`,
      { rows: JSON.stringify(rows), shape },
    );
  }
  await connection.run(
    `CREATE VIEW coverage AS SELECT CAST(event_date AS DATE) AS event_date, scope, counted, in_lake, rejected, verdict, last_verified FROM (SELECT unnest(generate_series(first_day, last_day, INTERVAL 1 DAY)) AS event_date, * EXCLUDE (first_day, last_day) FROM coverage_spans)`,
  );
}

/**
 * What tables and columns mean, as comments that tools show beside them. Only in the file: each takes DuckDB about 0.2
 * ms, and a query would wait for all of them.
 */
export function commentsSql({ tables, processes }: ViewSource): string {
  const statements = tables.flatMap((table) => [
    `COMMENT ON VIEW ${quoteName(table.name)} IS ${quoteText(rowMeaning(table))}`,
    ...table.columns.map(
      ({ name, meaning, unit }) =>
        `COMMENT ON COLUMN ${quoteName(table.name)}.${quoteName(name)} IS ${quoteText(unit === undefined ? meaning : `${meaning} (${unit})`)}`,
    ),
    ...(isEventTable(table)
      ? [`COMMENT ON VIEW ${quoteName(`${table.name}_proven`)} IS ${quoteText(`${table.name}, of proven days only`)}`]
      : []),
  ]);
  const derived = Object.entries(DERIVED_MEANINGS).map(
    ([name, meaning]) => `COMMENT ON ${name === 'coverage' ? 'VIEW' : 'TABLE'} ${name} IS ${quoteText(meaning)}`,
  );
  derived.push(`COMMENT ON VIEW ${HUNT_MATCHES} IS ${quoteText(HUNT_MATCHES_MEANING)}`);
  if (processes !== undefined) {
    derived.push(`COMMENT ON VIEW ${PROCESS_EDGES} IS ${quoteText(PROCESS_EDGES_MEANING)}`);
  }
  return [...statements, ...derived].join('; ');
}

const DERIVED_MEANINGS = {
  coverage: 'a row for each UTC day and scope: counted by the API, in the lake, and the verdict',
  coverage_spans: 'as coverage, with one row for consecutive days that hold nothing',
  windows: 'a row for each window that was fetched, with the counts that prove it',
  commits: 'a row for each version of the lake',
} as const;

/** Constants, so that DuckDB leaves out the files of other days before it opens any. */
function inDaysSql(days: readonly TimeRange[]): string {
  const parts = days.map(
    ({ startMs, endMs }) => `event_date BETWEEN DATE '${dayOf(startMs)}' AND DATE '${dayOf(endMs - 1)}'`,
  );
  return parts.length === 0 ? 'false' : parts.join(' OR ');
}

type DerivedType = 'BOOLEAN' | 'DATE' | 'VARCHAR' | 'BIGINT' | 'TIMESTAMPTZ' | 'JSON';

interface DerivedTable {
  readonly name: string;
  readonly columns: readonly (readonly [string, DerivedType])[];
  /** Instants as epoch milliseconds. */
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

function wireType(type: DerivedType): string {
  return type === 'TIMESTAMPTZ' ? 'BIGINT' : type;
}

function derivedTables({ snapshot, coverage, reader, huntMatches }: ViewSource): DerivedTable[] {
  return [
    {
      name: 'coverage_spans',
      columns: [
        ['first_day', 'DATE'],
        ['last_day', 'DATE'],
        ['scope', 'VARCHAR'],
        ['counted', 'BIGINT'],
        ['in_lake', 'BIGINT'],
        ['rejected', 'BIGINT'],
        ['verdict', 'VARCHAR'],
        ['last_verified', 'TIMESTAMPTZ'],
      ],
      rows: coverage.map(({ day, lastDay, scope, counted, inLake, rejected, verdict, lastVerifiedAtMs }) => ({
        ...{
          first_day: day,
          last_day: lastDay,
          scope,
          counted,
          in_lake: inLake,
          rejected,
          verdict,
          last_verified: lastVerifiedAtMs,
        },
      })),
    },
    {
      name: 'commits',
      columns: [
        ['version', 'BIGINT'],
        ['committed_at', 'TIMESTAMPTZ'],
        ['run_id', 'VARCHAR'],
        ['new_events', 'BIGINT'],
        ['changed_events', 'BIGINT'],
        ['unchanged_events', 'BIGINT'],
        ['deleted_events', 'BIGINT'],
        ['files_added', 'BIGINT'],
        ['files_removed', 'BIGINT'],
        ['windows', 'BIGINT'],
      ],
      rows: snapshot.commits.map((commit) => ({
        version: commit.version,
        committed_at: commit.committedAtMs,
        run_id: commit.runId,
        new_events: commit.newEvents,
        changed_events: commit.changedEvents,
        unchanged_events: commit.unchangedEvents,
        deleted_events: commit.deletedEvents,
        files_added: commit.filesAdded,
        files_removed: commit.filesRemoved,
        windows: commit.windows,
      })),
    },
    windowsTable(snapshot),
    {
      name: 'lake_info',
      columns: [
        ['version', 'BIGINT'],
        ['commit_id', 'VARCHAR'],
        ['location', 'VARCHAR'],
        ['view_format', 'BIGINT'],
        ['is_hunted', 'BOOLEAN'],
      ],
      rows: [
        {
          version: snapshot.version,
          commit_id: snapshot.commitId,
          location: reader.store.address,
          view_format: VIEW_FORMAT,
          is_hunted: huntMatches !== null,
        },
      ],
    },
  ];
}

function windowsTable({ proofs }: Snapshot): DerivedTable {
  return {
    name: 'windows',
    columns: [
      ['window_id', 'VARCHAR'],
      ['axis', 'VARCHAR'],
      ['range_start', 'TIMESTAMPTZ'],
      ['range_end', 'TIMESTAMPTZ'],
      ['cuts', 'JSON'],
      ['scope', 'VARCHAR'],
      ['counted', 'BIGINT'],
      ['fetched', 'BIGINT'],
      ['distinct_ids', 'BIGINT'],
      ['rejected', 'BIGINT'],
      ['duplicates', 'BIGINT'],
      ['compared_only', 'BOOLEAN'],
      ['verdict', 'VARCHAR'],
      ['verified_at', 'TIMESTAMPTZ'],
    ],
    rows: proofs.map(
      ({ window, counted, fetched, distinct, rejected, duplicates, comparedOnly = false, verdict, verifiedAtMs }) => ({
        window_id: window.id,
        axis: window.axis,
        range_start: window.range.startMs,
        range_end: window.range.endMs,
        cuts: window.cuts,
        scope: scopeText(window.scope),
        ...{ counted, fetched, distinct_ids: distinct, rejected, duplicates: duplicates ?? 0 },
        ...{ compared_only: comparedOnly, verdict },
        verified_at: verifiedAtMs,
      }),
    ),
  };
}

/**
 * Whether the open database was made for this version of the lake, and for its current path.
 * @param store null where the path does not matter
 * @param prefix of its tables' names
 */
export async function showsVersion(
  connection: DuckDBConnection,
  store: Store | null,
  point: LogPoint,
  prefix = '',
): Promise<boolean> {
  try {
    const columns = 'version, commit_id, location, view_format, is_hunted';
    const [row] = await rowsOf(connection, `SELECT ${columns} FROM ${prefix}lake_info`);
    const isOfThisForm = Number(row?.view_format) === VIEW_FORMAT;
    const isHere =
      store === null || (row?.location === store.address && row.is_hunted === (await hasStandingHunts(store)));
    const shown = { version: Number(row?.version), commitId: (row?.commit_id as string | undefined) ?? null };
    return isOfThisForm && isHere && isSamePoint(point, shown);
  } catch {
    return false;
  }
}

/** Whether views of an older form show a version of this number. */
export async function isOfOlderForm(connection: DuckDBConnection, version: number, prefix: string): Promise<boolean> {
  const [row] = await rowsOf(connection, `SELECT version, view_format FROM ${prefix}lake_info`);
  return Number(row?.version) === version && Number(row?.view_format) < VIEW_FORMAT;
}
