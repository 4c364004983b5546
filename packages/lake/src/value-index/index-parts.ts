import type { DuckDBConnection } from '@duckdb/node-api';
import { quoteFile } from '@edrlake/core';
import { rowsOf } from '../log/table-rows.ts';
import { damagedFiles, type FilePart, sumParts } from '../storage/checksum.ts';
import type { Store } from '../storage/store.ts';
import type { IndexPart, IndexSegment } from './index-files.ts';

/**
 * The row groups of a file of the index that was just written, and what follows them, each with its checksum.
 * @param location absolute
 * @returns null where DuckDB does not say what is where
 */
export async function partsOf(
  connection: DuckDBConnection,
  location: string,
  fileBytes: number,
): Promise<readonly IndexPart[] | null> {
  const begin = `least(data_page_offset, coalesce(nullif(dictionary_page_offset, 0), data_page_offset))`;
  const ofKeys = (bound: string) => `max(${bound}) FILTER (path_in_schema = 'key')::DOUBLE`;
  const groups = await rowsOf(
    connection,
    `SELECT min(${begin})::DOUBLE AS "from", max(${begin} + total_compressed_size)::DOUBLE AS "to",
       ${ofKeys('stats_min_value')} AS first, ${ofKeys('stats_max_value')} AS last
     FROM parquet_metadata(${quoteFile(location)}) GROUP BY row_group_id ORDER BY row_group_id`,
  );
  const bounds = groups.map(({ from, to, first, last }) => [from, to, first, last].map(Number));
  if (groups.some((group) => Object.values(group).includes(null)) || bounds.length === 0) return null;
  const begins = [...bounds.map(([from = 0], position) => (position === 0 ? 0 : from)), bounds.at(-1)?.[1] ?? 0];
  const sums = await sumParts(location, rangesOf(begins, fileBytes));
  return begins.map((from, position) => {
    const [, , first = 0, last = 0] = bounds[position] ?? [];
    return { from, crc32: sums?.[position]?.crc32 ?? 0, keys: position < bounds.length ? [first, last] : null };
  });
}

function rangesOf(begins: readonly number[], fileBytes: number): FilePart[] {
  return begins.map((from, position) => ({ from, to: begins[position + 1] ?? fileBytes }));
}

/** A part and where it ends. */
type PlacedPart = IndexPart & FilePart;

/**
 * Whether a file of the index has the bytes that were written, wherever an entry of one of the keys can be: parts of
 * other keys are not read. A file without parts is compared as a whole.
 * @param keys null: all
 */
export async function isIntactFor(
  store: Store,
  segment: IndexSegment,
  keys: readonly number[] | null,
): Promise<boolean> {
  const { parts, fileBytes, path } = segment;
  if (parts === undefined || keys === null) return (await damagedFiles(store, [segment])).length === 0;
  const asked = parts.flatMap((part, position): PlacedPart[] => {
    const isAsked = part.keys === null || keys.some((key) => isWithin(key, part.keys));
    return isAsked ? [{ ...part, to: parts[position + 1]?.from ?? fileBytes }] : [];
  });
  // One byte more than the file has: DuckDB looks for the footer where it ends.
  const ends = { from: fileBytes, to: fileBytes + 1 };
  const sums = await sumParts(store.locate(path), [...asked, ends]);
  if (sums === null || sums.at(-1)?.bytes !== 0) return false;
  return asked.every((part, position) => {
    const sum = sums[position];
    return sum?.crc32 === part.crc32 && sum.bytes === part.to - part.from;
  });
}

function isWithin(key: number, keys: IndexPart['keys']): boolean {
  return keys === null || (keys[0] <= key && key <= keys[1]);
}
