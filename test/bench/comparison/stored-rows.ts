import { DuckDBInstance } from '@duckdb/node-api';
import { quoteText } from '@edrlake/core';
import { FLOOR_TABLES } from '../contestants/floor-script.ts';

/** The rows of the four tables in a folder, read by a DuckDB without edrlake. */
export interface StoredRows {
  readonly rows: Readonly<Record<string, number>>;
  readonly distinctEvents: number;
  /** Of the Parquet files of the four tables. */
  readonly fileBytes: number;
}

/** Where a contestant puts the rows of each table, and how it calls the id of an event. */
export interface StoredLayout {
  readonly id: string;
  /** By table, below the contestant's folder; files are one level further down. */
  readonly folders: Readonly<Record<string, readonly string[]>>;
}

const OWN_LAYOUT: StoredLayout = {
  id: 'event_id',
  folders: Object.fromEntries(FLOOR_TABLES.map((table) => [table, [table]])),
};

/** Counts rows, different events and bytes. */
export async function storedRows(folder: string, { id, folders }: StoredLayout = OWN_LAYOUT): Promise<StoredRows> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const numbers = async (sql: string) => {
    const reader = await connection.runAndReadAll(sql);
    return (reader.getRowsJS()[0] ?? []).map(Number);
  };
  const rows: Record<string, number> = {};
  let fileBytes = 0;
  for (const table of FLOOR_TABLES) {
    const files = `[${(folders[table] ?? []).map((name) => quoteText(`${folder}/${name}/*/*.parquet`)).join(', ')}]`;
    const [count = 0] = await numbers(`SELECT count(*) FROM read_parquet(${files})`);
    const [bytes = 0] = await numbers(`SELECT sum(size) FROM read_blob(${files})`);
    rows[table] = count;
    fileBytes += bytes;
  }
  const events = quoteText(`${folder}/${folders.events?.[0]}/*/*.parquet`);
  const [distinctEvents = 0] = await numbers(`SELECT count(DISTINCT ${id}) FROM read_parquet(${events})`);
  connection.closeSync();
  instance.closeSync();
  return { rows, distinctEvents, fileBytes };
}
