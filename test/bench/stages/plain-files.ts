import { DuckDBInstance } from '@duckdb/node-api';
import { quoteText } from '@edrlake/core';

/** The tables of the questions. */
const TABLES = ['events', 'certificates', 'indicators'] as const;

const filesOf = (folder: string, table: string) => quoteText(`${folder}/${table}/*/*.parquet`);

/** Writes the lake's rows again as DuckDB does by default: by date, in the order of arrival. */
export async function writePlainFiles(lake: string, folder: string, spill: string): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:', { memory_limit: '2GB', temp_directory: spill });
  const connection = await instance.connect();
  for (const table of TABLES) {
    // A backfill delivers events in the order of their time.
    const rows = `SELECT * FROM read_parquet(${filesOf(lake, table)}) ORDER BY event_time, event_id`;
    const target = quoteText(`${folder}/${table}`);
    await connection.run(`COPY (${rows}) TO ${target} (FORMAT parquet, PARTITION_BY (event_date))`);
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
