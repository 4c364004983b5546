import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { type LogEntry, readLog } from './log-reader.ts';
import { PromiseBroken } from './promise-broken.ts';

/** One stored event, as far as it is compared. */
export interface StoredEvent {
  readonly id: string;
  readonly eventMs: number;
  readonly processedMs: number;
  readonly type: string;
  readonly day: string;
}

/** What a lake holds, read by the checker's own DuckDB and its own reading of the log. */
export interface StoredLake {
  readonly version: number;
  readonly events: readonly StoredEvent[];
  readonly rejects: number;
  /** Rows of the child tables by day. */
  readonly childRows: Readonly<Record<string, ReadonlyMap<string, number>>>;
  /** Child rows without their event, or whose positions have gaps. */
  readonly misplaced: readonly string[];
  /** Files that the version names and that are not there. */
  readonly missingFiles: readonly string[];
}

const CHILDREN = ['certificates', 'indicators', 'interfaces', 'asset_tags'] as const;
const TABLES = ['events', ...CHILDREN, 'rejects'] as const;

type FilesByTable = Readonly<Record<string, readonly string[]>>;

/** The newest version, by the log. */
export async function readVersion(connection: DuckDBConnection, lake: string): Promise<StoredLake> {
  const { version, files } = readLog(lake);
  const byTable: Record<string, string[]> = {};
  const missingFiles: string[] = [];
  for (const { table, path } of files) {
    if (!existsSync(join(lake, path))) missingFiles.push(path);
    else byTable[table] = [...(byTable[table] ?? []), join(lake, path)];
  }
  return { version, missingFiles, ...(await readTables(connection, byTable)) };
}

/** What a pattern over the table folders finds, as any reader of Parquet does. */
export async function readByPattern(connection: DuckDBConnection, lake: string): Promise<StoredLake> {
  const byTable: Record<string, string[]> = {};
  for (const table of TABLES) byTable[table] = parquetIn(join(lake, table));
  return { version: 0, missingFiles: [], ...(await readTables(connection, byTable)) };
}

/** Entries of the log that are there, from a version on, oldest first. */
export function entriesFrom(lake: string, version: number): LogEntry[] {
  const folder = join(lake, '_log');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => /^\d{20}\.json$/.test(name) && Number.parseInt(name, 10) >= version)
    .sort()
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as LogEntry);
}

function parquetIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((day) =>
    readdirSync(join(folder, day))
      .filter((name) => name.endsWith('.parquet'))
      .sort()
      .map((name) => join(folder, day, name)),
  );
}

async function readTables(connection: DuckDBConnection, files: FilesByTable) {
  const source = (table: string) =>
    `read_parquet([${(files[table] ?? []).map((path) => `'${path}'`).join(', ')}], hive_partitioning = true, union_by_name = true)`;
  const isThere = (table: string) => (files[table] ?? []).length > 0;
  const rows = async (sql: string) => {
    try {
      return (await connection.runAndReadAll(sql)).getRowsJson();
    } catch (thrown) {
      // A file that is named and cannot be read is a finding, not a fault of the checker.
      throw new PromiseBroken('nothing lost', thrown instanceof Error ? thrown.message : String(thrown));
    }
  };
  const stored = isThere('events')
    ? await rows(`SELECT event_id, epoch_ms(event_time), epoch_ms(processed_time), event_type, event_date::VARCHAR
        FROM ${source('events')} ORDER BY ALL`)
    : [];
  const events = stored.map(([id, eventMs, processedMs, type, day]) => ({
    id: String(id),
    eventMs: Number(eventMs),
    processedMs: Number(processedMs),
    type: String(type),
    day: String(day),
  }));
  const childRows: Record<string, Map<string, number>> = {};
  const misplaced: string[] = [];
  for (const table of CHILDREN) {
    const perDay = new Map<string, number>();
    childRows[table] = perDay;
    if (!isThere(table)) continue;
    for (const [day, count] of await rows(`SELECT event_date::VARCHAR, count(*) FROM ${source(table)} GROUP BY ALL`)) {
      perDay.set(String(day), Number(count));
    }
    const known = isThere('events')
      ? `SELECT event_id, event_date, true AS known FROM ${source('events')}`
      : 'SELECT NULL::VARCHAR AS event_id, NULL::DATE AS event_date, true AS known';
    // Indicators come in two arrays, and each counts from 0.
    const array = table === 'indicators' ? 'indicator_set, ' : '';
    const wrong = await rows(`SELECT event_id FROM (
        SELECT ${array}event_id, event_date, count(*) AS n, count(DISTINCT position) AS positions, max(position) AS last
        FROM ${source(table)} GROUP BY ALL
      ) LEFT JOIN (${known}) USING (event_id, event_date)
      WHERE known IS NULL OR n <> positions OR last <> n - 1`);
    misplaced.push(...wrong.map(([id]) => `${table} of ${String(id)}`));
  }
  const [[rejects] = [0]] = isThere('rejects') ? await rows(`SELECT count(*) FROM ${source('rejects')}`) : [];
  return { events, rejects: Number(rejects), childRows, misplaced };
}
