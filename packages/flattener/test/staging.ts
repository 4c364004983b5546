import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import {
  type Dataset,
  type FetchedWindow,
  NO_FILTER,
  SPOOL_MEMBERS,
  type StagedBatch,
  type TableSpec,
  windowOf,
} from '@edrlake/core';
import { QUALYS_EDR } from '@edrlake/datasets';
import { dropStagedBatch, stageBatch } from '@edrlake/flattener';
import type { Table } from 'apache-arrow';
import { isLosslessNumber, parse } from 'lossless-json';

export const INGEST_DAY = '2026-11-21';

/** A DuckDB connection and a folder of its own, both gone after `close`. */
export interface Bench {
  readonly connection: DuckDBConnection;
  readonly directory: string;
  close(): Promise<void>;
}

export async function openBench(): Promise<Bench> {
  const directory = await mkdtemp(join(tmpdir(), 'edrlake-staging-'));
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: '512MB',
    threads: '2',
    temp_directory: join(directory, 'duckdb'),
    preserve_insertion_order: 'false',
  });
  const connection = await instance.connect();
  return {
    connection,
    directory,
    close: async () => {
      connection.closeSync();
      instance.closeSync();
      await rm(directory, { recursive: true });
    },
  };
}

let windowNumber = 0;

/** A fetched window whose pages hold the given records, each as one that does not fit the shape. */
export async function spool(directory: string, ...pages: readonly (readonly string[])[]): Promise<FetchedWindow> {
  windowNumber += 1;
  const window = windowOf({
    axis: 'event',
    range: { startMs: windowNumber, endMs: Date.UTC(9999, 0) },
    cuts: [],
    scope: NO_FILTER,
  });
  const folder = join(directory, `spool it's ${windowNumber}`);
  await mkdir(folder);
  const spooled = await Promise.all(
    pages.map(async (lines, pageNumber) => {
      const path = join(folder, `${pageNumber}.ndjson`);
      const body = lines.map((line) => `${JSON.stringify({ [SPOOL_MEMBERS.irregular]: line })}\n`).join('');
      await writeFile(path, body);
      const bodyBytes = Buffer.byteLength(body);
      return { windowId: window.id, pageNumber, path, bodyBytes, recordCount: lines.length, crc32: '00000000' };
    }),
  );
  const recordCount = pages.flat().length;
  return {
    window,
    count: recordCount,
    pages: spooled,
    bodyBytes: 0,
    recordCount,
    distinctIds: recordCount,
    withoutId: 0,
    verdict: 'complete',
  };
}

let batchNumber = 0;

export function stage(
  bench: Bench,
  windows: readonly FetchedWindow[],
  dataset: Dataset = QUALYS_EDR,
): Promise<StagedBatch> {
  batchNumber += 1;
  return stageBatch(bench.connection, windows, {
    dataset,
    prefix: `batch${batchNumber}`,
    ingestDay: INGEST_DAY,
  });
}

export function drop(bench: Bench, batch: StagedBatch): Promise<void> {
  return dropStagedBatch(bench.connection, batch);
}

/** A row for comparing: ISO instants, days, integers as text beyond 32 bits, JSON parsed with its numbers as text. */
export type PlainRow = Readonly<Record<string, unknown>>;

/** The rows of a relation with a table's columns, in the table's sort order. */
export async function plainRows(connection: DuckDBConnection, table: TableSpec, relation: string): Promise<PlainRow[]> {
  const columns = table.columns.map(({ name, type }) =>
    type === 'timestamp'
      ? `epoch_ms("${name}") AS "${name}"`
      : type === 'text'
        ? `"${name}"`
        : `"${name}"::VARCHAR AS "${name}"`,
  );
  const order = [...table.sortBy, 'extra'].filter((name) => table.columns.some((column) => column.name === name));
  const reader = await connection.runAndReadAll(
    `SELECT ${columns.join(', ')} FROM ${relation} AS source ORDER BY ${order.map((name) => `source."${name}"`).join(', ')}`,
  );
  return reader.getRowObjectsJS().map((row) => plainRow(table, (name) => row[name]));
}

export async function stagedRows(
  bench: Bench,
  batch: StagedBatch,
  dataset: Dataset = QUALYS_EDR,
): Promise<Record<string, PlainRow[]>> {
  const rows: Record<string, PlainRow[]> = {};
  for (const table of dataset.tables) {
    rows[table.name] = await plainRows(bench.connection, table, `"${batch.rowTables[table.name]}"`);
  }
  return rows;
}

/** The rows of Arrow tables in the same form, in delivered order. */
export function arrowRows(
  tables: Readonly<Record<string, Table>>,
  dataset: Dataset = QUALYS_EDR,
): Record<string, PlainRow[]> {
  return Object.fromEntries(
    dataset.tables.map((table) => {
      const rows = tables[table.name]?.toArray() ?? [];
      return [table.name, rows.map((row) => plainRow(table, (name) => row[name]))];
    }),
  );
}

export function plainRow(table: TableSpec, cell: (name: string) => unknown): PlainRow {
  return Object.fromEntries(
    table.columns.map(({ name, type }) => {
      const value = cell(name) ?? null;
      if (value === null) return [name, null];
      if (type === 'timestamp')
        return [name, typeof value === 'string' ? value : new Date(Number(value)).toISOString()];
      if (type === 'date')
        return [name, typeof value === 'string' ? value : new Date(Number(value)).toISOString().slice(0, 10)];
      if (type === 'json') return [name, plainJson(String(value))];
      return [name, type === 'text' ? value : type === 'boolean' ? String(value) === 'true' : String(value)];
    }),
  );
}

/** Parsed JSON with numbers as `#digits`, so that none is rounded. Of a key that comes twice the first counts. */
function plainJson(text: string): unknown {
  const plain = (value: unknown): unknown => {
    if (isLosslessNumber(value)) return `#${/^-?[1-9]\d*$/.test(value.value) ? value.value : Number(value.value) + 0}`;
    if (Array.isArray(value)) return value.map(plain);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plain(member)]));
  };
  return plain(parse(text, null, { onDuplicateKey: ({ oldValue }) => oldValue }));
}

/** Rows as sorted text: for comparing rows whose order is not the point. Columns are in one order on both sides. */
export function asSet(rows: readonly PlainRow[]): string[] {
  const sorted = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(sorted)
      : typeof value === 'object' && value !== null
        ? Object.fromEntries(
            Object.entries(value)
              .sort()
              .map(([key, member]) => [key, sorted(member)]),
          )
        : value;
  // Most columns are not JSON, and sorting their names takes longer than all the rest of a comparison.
  const text = (row: PlainRow) => {
    const nested = Object.entries(row).filter(([, value]) => typeof value === 'object' && value !== null);
    if (nested.length === 0) return JSON.stringify(row);
    return JSON.stringify({ ...row, ...Object.fromEntries(nested.map(([name, value]) => [name, sorted(value)])) });
  };
  return rows.map(text).sort();
}
