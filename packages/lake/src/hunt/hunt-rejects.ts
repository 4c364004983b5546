import type { DuckDBConnection } from '@duckdb/node-api';
import type { TableSpec, TimeRange } from '@edrlake/core';
import type { Indicator } from '../indicators/indicator.ts';
import type { LoggedFile } from '../log/lake-state.ts';
import { rowsOf, type TableReader, tableNamed, tableRowsSql } from '../log/table-rows.ts';
import { REJECTS } from '../storage/layout.ts';
import { createWanted, duringSql, likeSql } from './hunt-sql.ts';

/** Records that became rejects, of the time that is hunted: an event with a value may be among them. */
export interface HuntedRejects {
  readonly count: number;
  /** By the position of an indicator, those that may hold it. */
  readonly mayHold: ReadonlyMap<number, number>;
}

/**
 * Looks for indicators in the text of rejects, of which no column says what they hold. A reject without a
 * readable time counts in any range. What a text cannot decide counts as held: networks, records that were cut, and
 * characters that are written as escapes.
 * @param files whole files of the table
 */
export async function huntRejects(
  connection: DuckDBConnection,
  reader: TableReader,
  indicators: readonly Indicator[],
  {
    tables,
    files,
    range,
  }: { readonly tables: readonly TableSpec[]; readonly files: readonly LoggedFile[]; readonly range: TimeRange | null },
): Promise<HuntedRejects> {
  if (files.length === 0) return { count: 0, mayHold: new Map() };
  await createWanted(connection, indicators);
  const during = `event_time IS NULL OR ${duringSql('event_time', range)}`;
  const rows = tableRowsSql(reader, tableNamed(tables, REJECTS), files);
  // In JSON a backslash is written twice.
  const texts = `SELECT row_number() OVER () AS reject, replace(lower(record::VARCHAR), '\\\\', '\\') AS text FROM (${rows}) WHERE ${during}`;
  const holds = [
    `contains(text, value)`,
    `how = 'network'`,
    `how = 'wildcard' AND text LIKE '%' || ${likeSql('value')} || '%' ESCAPE '!'`,
    `regexp_matches(text, '"#(bytes|base64)"|\\\\u[0-9a-f]{4}')`,
  ];
  const found = await rowsOf(
    connection,
    `WITH texts AS MATERIALIZED (${texts})
     SELECT NULL::INTEGER AS n, count(*)::DOUBLE AS rejects FROM texts
     UNION ALL
     SELECT n, count(DISTINCT reject)::DOUBLE FROM texts JOIN hunt_wanted ON ${holds.map((one) => `(${one})`).join(' OR ')} GROUP BY n`,
  );
  return {
    count: Number(found.find(({ n }) => n === null)?.rejects ?? 0),
    mayHold: new Map(found.flatMap(({ n, rejects }) => (n === null ? [] : [[Number(n), Number(rejects)]]))),
  };
}
