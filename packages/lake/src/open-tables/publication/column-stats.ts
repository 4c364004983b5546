import { type ColumnSpec, errnoOf, type TableSpec, unreadable } from '@edrlake/core';
import { type AsyncBuffer, asyncBufferFromFile, type ColumnMetaData, parquetMetadataAsync } from 'hyparquet';
import type { Store } from '../../storage/store.ts';

/** What the footer of a data file says about one column. */
export interface ColumnStats {
  readonly nulls: number;
  /** Exact bounds of the values; null where there are none, or where the file does not say. */
  readonly min: StatsValue | null;
  readonly max: StatsValue | null;
}

/** Times as microseconds since 1970, 64-bit integers as bigint. */
export type StatsValue = string | number | bigint | boolean;

/** Statistics by column; empty where the writer made none. */
export type FileStats = ReadonlyMap<string, ColumnStats>;

/** Text bounds that are longer do not help to find a file, and would fill the metadata. */
const MAX_TEXT = 64;

/** Numbers and times as they are stored. */
const PARSERS = {
  timestampFromMicroseconds: (micros: bigint) => micros as unknown as Date,
  timestampFromMilliseconds: (millis: bigint) => (millis * 1000n) as unknown as Date,
  timestampFromNanoseconds: (nanos: bigint) => (nanos / 1000n) as unknown as Date,
  dateFromDays: (days: number) => days as unknown as Date,
};

/** What the end of a data file says. */
export interface FileFooter {
  /** Size of the metadata itself, without its length and the magic number after it. */
  readonly bytes: number;
  readonly stats: FileStats;
}

/** The statistics in the footer of a file, see `footerOfFile`; empty without a footer. */
export async function statsOfFile(store: Store, path: string, table: TableSpec): Promise<FileStats> {
  return (await footerOfFile(store, path, table))?.stats ?? new Map();
}

/**
 * Statistics of those columns by which files are found: numbers, times, and the text columns that the table is sorted
 * by. Bounds of text are those of UTF-8 bytes, and are left out where another order could disagree.
 * null where the file is gone, and in an object store, where each footer would be a request.
 */
export async function footerOfFile(store: Store, path: string, table: TableSpec): Promise<FileFooter | null> {
  const file = await bufferOf(store, path);
  if (file === null) return null;
  const { row_groups, schema, metadata_length } = await parquetMetadataAsync(file, { parsers: PARSERS as never });
  const wanted = new Map(
    table.columns
      .filter(({ name, type }) => !['text', 'json', 'boolean'].includes(type) || table.sortBy.includes(name))
      .map((column) => [column.name, column]),
  );
  const stats = new Map<string, ColumnStats>();
  for (const { name } of schema.slice(1)) {
    const column = wanted.get(name);
    if (column === undefined) continue;
    const chunks = row_groups.map(({ columns }) =>
      chunkStats(columns.find(({ meta_data }) => meta_data?.path_in_schema.join('.') === name)?.meta_data, column),
    );
    const merged = chunks.reduce(
      (a, b) =>
        a === null || b === null
          ? null
          : { nulls: a.nulls + b.nulls, min: lower(a.min, b.min), max: higher(a.max, b.max) },
      NOTHING,
    );
    if (merged !== null) stats.set(name, merged);
  }
  return { bytes: metadata_length, stats };
}

const NOTHING: ColumnStats | null = { nulls: 0, min: null, max: null };

/** null where the file does not say, or says only about. */
function chunkStats(chunk: ColumnMetaData | undefined, { type }: ColumnSpec): ColumnStats | null {
  const found = chunk?.statistics;
  if (chunk === undefined || found?.null_count === undefined) return null;
  const nulls = Number(found.null_count);
  if (nulls === Number(chunk.num_values)) return { nulls, min: null, max: null };
  if (found.is_min_value_exact === false || found.is_max_value_exact === false) return null;
  const min = boundOf(found.min_value, type === 'text');
  const max = boundOf(found.max_value, type === 'text');
  return min === null || max === null ? null : { nulls, min, max };
}

async function bufferOf(store: Store, path: string): Promise<AsyncBuffer | null> {
  const location = store.locate(path);
  return asyncBufferFromFile(location).catch((thrown) => {
    if (errnoOf(thrown) === 'ENOENT') return null;
    throw unreadable(`${path} cannot be read`, thrown);
  });
}

function boundOf(value: unknown, isText: boolean): StatsValue | null {
  if (isText) {
    return typeof value === 'string' && value.length <= MAX_TEXT && /^[\x20-\x7e]*$/.test(value) ? value : null;
  }
  return typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean' ? value : null;
}

function lower(a: StatsValue | null, b: StatsValue | null): StatsValue | null {
  return a === null || (b !== null && b < a) ? b : a;
}

function higher(a: StatsValue | null, b: StatsValue | null): StatsValue | null {
  return a === null || (b !== null && b > a) ? b : a;
}

/** A time in ISO 8601; null for years before 1 and after 9999, which readers write in different ways. */
export function isoOrNull(epochMs: number): string | null {
  const date = new Date(epochMs);
  return Number.isNaN(date.getTime()) || !/^(?!0000)\d{4}-/.test(date.toISOString()) ? null : date.toISOString();
}
