import { readdir } from 'node:fs/promises';
import { DuckDBInstance } from '@duckdb/node-api';
import { quoteText } from '@edrlake/core';

/** The tables of the questions. */
const TABLES = ['events', 'certificates', 'indicators'] as const;

const filesOf = (folder: string, table: string) => quoteText(`${folder}/${table}/*/*.parquet`);

/** Days that are written at once: sorting more needs too much memory. */
const DAYS_AT_ONCE = 30;

/** Writes the lake's rows again as DuckDB does by default: by date, in the order of arrival. */
export async function writePlainFiles(lake: string, folder: string, spill: string): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:', { memory_limit: '2GB', temp_directory: spill });
  const connection = await instance.connect();
  const days = (await readdir(`${lake}/${TABLES[0]}`)).map((name) => name.split('=')[1] ?? '').sort();
  for (const table of TABLES) {
    for (let first = 0; first < days.length; first += DAYS_AT_ONCE) {
      const [from = '', to = ''] = [days[first], days[Math.min(first + DAYS_AT_ONCE, days.length) - 1]];
      const inDays = `event_date BETWEEN DATE ${quoteText(from)} AND DATE ${quoteText(to)}`;
      // A backfill delivers events in the order of their time.
      const rows = `SELECT * FROM read_parquet(${filesOf(lake, table)}) WHERE ${inDays} ORDER BY event_time, event_id`;
      const options = 'FORMAT parquet, PARTITION_BY (event_date), OVERWRITE_OR_IGNORE';
      await connection.run(`COPY (${rows}) TO ${quoteText(`${folder}/${table}`)} (${options})`);
    }
  }
  connection.closeSync();
  instance.closeSync();
}

/** Runs questions in a new DuckDB, with views over the files of a folder. */
export async function withViews<T>(
  folder: string,
  work: (connection: Awaited<ReturnType<DuckDBInstance['connect']>>) => Promise<T>,
): Promise<T> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  for (const table of TABLES) {
    const files = `read_parquet(${filesOf(folder, table)}, hive_partitioning = true)`;
    await connection.run(`CREATE VIEW ${table} AS SELECT * FROM ${files}`);
  }
  try {
    return await work(connection);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** Size of all files of the tables. */
export async function sizeOfFiles(folder: string): Promise<number> {
  const globs = TABLES.map((table) => filesOf(folder, table)).join(', ');
  return withViews(folder, async (connection) => {
    const reader = await connection.runAndReadAll(`SELECT sum(size)::DOUBLE FROM read_blob([${globs}])`);
    return Number(reader.getRowsJS()[0]?.[0]);
  });
}
