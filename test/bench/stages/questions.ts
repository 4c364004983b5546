import type { DuckDBConnection } from '@duckdb/node-api';
import { quoteText } from '@edrlake/core';

/** A typical question of an analyst, and how much faster than with plain files the lake must answer it. */
export interface Question {
  readonly name: string;
  readonly sql: string;
  /** Time with plain files over time with the lake, at least. */
  readonly speedUp: number;
  /** Where its time goes. */
  readonly reason: string;
}

const OPENING =
  'opening files of 70 columns, 0.5 ms each, and decoding all columns of the row groups of the rows found.';
const SORTED = 'merged files are sorted by type and host, so that ten minutes lie in every row group of a day.';

/**
 * The questions, with values from the data: a rare hash, a host on a busy day, an issuer that is neither rare nor
 * everywhere.
 * @param connection with the views `events` and `certificates`
 */
export async function questionsFor(connection: DuckDBConnection): Promise<Question[]> {
  const one = async (sql: string) => {
    const reader = await connection.runAndReadAll(sql);
    return (reader.getRowsJson()[0] ?? []).map(String);
  };
  const [sha256 = ''] = await one(
    'SELECT file_sha256 FROM events WHERE file_sha256 IS NOT NULL GROUP BY 1 HAVING count(*) <= 3 ORDER BY 1 LIMIT 1',
  );
  const [day = ''] = await one('SELECT event_date::VARCHAR FROM events GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1');
  const [host = ''] = await one(
    `SELECT host_name FROM events WHERE event_date = DATE ${quoteText(day)} AND host_name IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1`,
  );
  const [issuer = ''] = await one(
    'SELECT issuer FROM certificates WHERE issuer IS NOT NULL GROUP BY 1 ORDER BY count(*), 1 LIMIT 1',
  );
  const onDay = `event_date = DATE ${quoteText(day)}`;
  const tenMinutes = `event_time >= TIMESTAMP '${day} 10:00:00' AND event_time < TIMESTAMP '${day} 10:10:00'`;
  return [
    {
      name: 'one SHA-256',
      sql: `SELECT * FROM events WHERE file_sha256 = ${quoteText(sha256)}`,
      speedUp: 1.5,
      reason: OPENING,
    },
    {
      name: "one host's day",
      sql: `SELECT * FROM events WHERE ${onDay} AND host_name = ${quoteText(host)}`,
      speedUp: 2,
      reason: OPENING,
    },
    { name: 'ten minutes', sql: `SELECT * FROM events WHERE ${onDay} AND ${tenMinutes}`, speedUp: 1, reason: SORTED },
    {
      name: 'all days by type',
      sql: 'SELECT event_date, event_type, count(*), max(score) FROM events GROUP BY ALL',
      speedUp: 1,
      reason: OPENING,
    },
    {
      name: "one issuer's events",
      sql: `SELECT e.event_type, e.file_name, count(*) FROM certificates c JOIN events e USING (event_date, event_id) WHERE c.issuer = ${quoteText(issuer)} GROUP BY ALL`,
      speedUp: 1,
      reason: OPENING,
    },
  ];
}
