import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type LogEntry, readLog } from './log-reader.ts';
import { CHILDREN, type FileRows, type RowReader, type StoredEvent, TABLES } from './row-reader.ts';

/** The content of a lake, read by the checker's own DuckDB and its own code for the log. */
export interface StoredLake {
  readonly version: number;
  readonly events: readonly StoredEvent[];
  /** The text of each record that could not become a row. */
  readonly rejects: readonly string[];
  /** Rows of the child tables by day. */
  readonly childRows: Readonly<Record<string, ReadonlyMap<string, number>>>;
  /** Child rows without their event, or whose positions have gaps. */
  readonly misplaced: readonly string[];
  /** Files that the version names and that are missing. */
  readonly missingFiles: readonly string[];
}

/** The newest version, by the log. */
export async function readVersion(reader: RowReader, lake: string): Promise<StoredLake> {
  const { version, files } = readLog(lake);
  const missingFiles: string[] = [];
  const there: string[] = [];
  for (const { path } of files) {
    if (existsSync(join(lake, path))) there.push(path);
    else missingFiles.push(path);
  }
  return { version, missingFiles, ...contentOf(await reader.read(lake, there)) };
}

/** What a pattern over the table folders finds, as any reader of Parquet does. */
export async function readByPattern(reader: RowReader, lake: string): Promise<StoredLake> {
  const files = TABLES.flatMap((table) => parquetIn(lake, table));
  return { version: 0, missingFiles: [], ...contentOf(await reader.read(lake, files)) };
}

/** The existing entries of the log, from a version on, oldest first. */
export function entriesFrom(lake: string, version: number): LogEntry[] {
  const folder = join(lake, '_log');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => /^\d{20}\.json$/.test(name) && Number.parseInt(name, 10) >= version)
    .sort()
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as LogEntry);
}

function parquetIn(lake: string, table: string): string[] {
  if (!existsSync(join(lake, table))) return [];
  return readdirSync(join(lake, table)).flatMap((day) =>
    readdirSync(join(lake, table, day))
      .filter((name) => name.endsWith('.parquet'))
      .sort()
      .map((name) => `${table}/${day}/${name}`),
  );
}

/** The rows of all files together; each row is checked. */
function contentOf(files: readonly FileRows[]): Omit<StoredLake, 'version' | 'missingFiles'> {
  const events = files.flatMap((file) => file.events).sort(byValues);
  const known = new Set(events.map(({ id, day }) => `${day} ${id}`));
  const childRows: Record<string, Map<string, number>> = {};
  const misplaced: string[] = [];
  for (const table of CHILDREN) {
    const perDay = new Map<string, number>();
    childRows[table] = perDay;
    /** Positions of an event's rows; there are two arrays of indicators, and each counts from 0. */
    const arrays = new Map<string, { readonly of: string; readonly owner: string; readonly positions: number[] }>();
    for (const { day, id, array, position } of files.flatMap((file) => file.children[table] ?? [])) {
      perDay.set(day, (perDay.get(day) ?? 0) + 1);
      const owner = `${day} ${id}`;
      const found = arrays.get(`${owner} ${array}`) ?? { of: id, owner, positions: [] };
      arrays.set(`${owner} ${array}`, found);
      found.positions.push(position);
    }
    for (const { of, owner, positions } of arrays.values()) {
      const isWhole = new Set(positions).size === positions.length && Math.max(...positions) === positions.length - 1;
      if (!known.has(owner) || !isWhole) misplaced.push(`${table} of ${of}`);
    }
  }
  const rejects = files.flatMap((file) => file.rejects);
  return { events, rejects, childRows, misplaced };
}

function byValues(a: StoredEvent, b: StoredEvent): number {
  if (a.id !== b.id) return a.id < b.id ? -1 : 1;
  return a.eventMs - b.eventMs || a.processedMs - b.processedMs;
}
