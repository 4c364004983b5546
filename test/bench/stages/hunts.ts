import { createHash } from 'node:crypto';
import type { DuckDBConnection } from '@duckdb/node-api';
import { quoteText, seededRandom } from '@edrlake/core';
import { readIndicators } from '@edrlake/lake/indicators';
import { openEdrLake } from '@edrlake/runner';
import { withViews } from './plain-files.ts';
import { SERVICES } from './stage-order.ts';

/** A hunt for hashes, and how much faster than a query of plain files the lake must answer it. */
export interface Hunt {
  readonly name: string;
  readonly hashes: readonly string[];
  /** Time with plain files over time with the lake, at least. */
  readonly speedUp: number;
  /** Where its time goes. */
  readonly reason: string;
}

const REASON =
  'it also compares checksums, works out which days are proven, and reads the event of each match, whose column of ids ' +
  'is one page in a row group (docs/performance.md).';

/** Where the dataset has SHA-256: `edrlake hunt` looks in all of these. */
const PLACES = [
  { table: 'events', column: 'file_sha256' },
  { table: 'events', column: 'process_file_sha256' },
  { table: 'indicators', column: 'sha256' },
] as const;

/** Indicators of the long list; ten of them are in the lake. */
const LONG_LIST = 10_000;

/**
 * One hash that is rare, and a long list of which nearly none is there.
 * @param connection with the views of `withViews`
 */
export async function huntsFor(connection: DuckDBConnection, days: number): Promise<Hunt[]> {
  const reader = await connection.runAndReadAll(
    'SELECT file_sha256 FROM events WHERE file_sha256 IS NOT NULL GROUP BY 1 HAVING count(*) <= 3 ORDER BY 1 LIMIT 10',
  );
  const rare = reader.getRowsJson().map(([hash]) => String(hash));
  const random = seededRandom(1);
  const made = Array.from({ length: LONG_LIST - rare.length }, () =>
    createHash('sha256').update(String(random())).digest('hex'),
  );
  return [
    { name: 'hunt of one SHA-256', hashes: rare.slice(0, 1), speedUp: days >= 1_000 ? 20 : 6, reason: REASON },
    { name: 'hunt of 10,000 SHA-256', hashes: [...rare, ...made], speedUp: 10, reason: REASON },
  ];
}

/** The number of matches, and the time of the hunt in a lake that was just opened. */
export async function huntInLake(
  folder: string,
  hashes: readonly string[],
): Promise<{ readonly rows: number; readonly milliseconds: number }> {
  const { indicators } = readIndicators(hashes.join('\n'));
  const lake = await openEdrLake(folder, { create: false, readOnly: true }, SERVICES);
  try {
    // DuckDB is started, as it is for the plain files, and the code of hunting is loaded.
    await lake.hunt(readIndicators('0'.repeat(64)).indicators);
    const startedAt = performance.now();
    const { matches } = await lake.hunt(indicators);
    return { rows: matches, milliseconds: performance.now() - startedAt };
  } finally {
    await lake.close();
  }
}

/** The same matches from plain files: the columns that a person looks at, from each place that can hold the hash. */
export function huntInPlainFiles(
  folder: string,
  hashes: readonly string[],
): Promise<{ readonly rows: number; readonly milliseconds: number }> {
  return withViews(folder, async (connection) => {
    const [only, another] = hashes;
    const isList = another !== undefined;
    if (isList) {
      const rows = hashes.map((hash) => `(${quoteText(hash)})`).join(', ');
      await connection.run(`CREATE TEMP TABLE sought AS SELECT col0 AS hash FROM (VALUES ${rows})`);
    }
    const parts = PLACES.map(({ table, column }) => {
      const shown = table === 'events' ? 'host_name, event_type, agent_id' : 'NULL, NULL, NULL';
      const wanted = isList ? `SEMI JOIN sought ON ${column} = hash` : `WHERE ${column} = ${quoteText(only ?? '')}`;
      return `SELECT event_time, event_id, ${shown}, ${quoteText(column)} AS place, ${column} AS value FROM ${table} ${wanted}`;
    });
    const startedAt = performance.now();
    // An event with two indicators of one hash is one match.
    const reader = await connection.runAndReadAll(parts.join(' UNION '));
    return { rows: reader.currentRowCount, milliseconds: performance.now() - startedAt };
  });
}
