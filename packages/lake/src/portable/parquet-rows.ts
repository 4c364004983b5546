import { gunzipSync } from 'node:zlib';
import { type Cell, EdrlakeError, MS_PER_DAY, type Row, type TableSpec } from '@edrlake/core';
import { asyncBufferFromFile, type FileMetaData, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import type { LoggedFile } from '../log/lake-state.ts';
import { partitionDay, type TableReader } from '../log/table-rows.ts';
import { messageOf } from '../storage/file-errors.ts';

/**
 * Rows that are in memory at once where all columns are read. With few columns it is a row group, of at most 122,880.
 */
const BLOCK_ROWS = 8_192;

/** Up to this number of columns a row group is read as a whole. */
const FEW_COLUMNS = 8;

/** Values as the lake has them: times as milliseconds, days as numbers, JSON as text. */
const PARSERS = {
  timestampFromMicroseconds: (micros: bigint) => Number(micros / 1000n) as unknown as Date,
  dateFromDays: (days: number) => days as unknown as Date,
  jsonFromBytes: (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString(),
};

const DECOMPRESSORS = { ...compressors, GZIP: (bytes: Uint8Array) => new Uint8Array(gunzipSync(bytes)) };

/**
 * The rows of a Parquet file, in blocks of bounded size, in order.
 * @param columns wanted columns in order; one that the file does not have is NULL
 * @throws {EdrlakeError} `LAKE_CORRUPT` when it is missing or cannot be read
 */
export async function* blocksOf(location: string, columns: readonly string[]): AsyncGenerator<readonly Row[]> {
  try {
    const file = await asyncBufferFromFile(location);
    const metadata = await parquetMetadataAsync(file);
    const held = new Set(metadata.schema.slice(1).map(({ name }) => name));
    const present = columns.filter((name) => held.has(name));
    for (const [rowStart, rowEnd] of blockBounds(metadata, columns.length)) {
      const common = { file, metadata, rowStart, rowEnd, compressors: DECOMPRESSORS, parsers: PARSERS };
      const rows = await parquetReadObjects({ ...common, columns: [...present] });
      yield rows.map((row) => columns.map((name) => (row[name] ?? null) as Cell));
    }
  } catch (thrown) {
    throw cannotBeRead(location, thrown);
  }
}

function* blockBounds({ row_groups }: FileMetaData, columns: number): Generator<[number, number]> {
  let first = 0;
  for (const { num_rows } of row_groups) {
    const end = first + Number(num_rows);
    const step = columns <= FEW_COLUMNS ? end - first : BLOCK_ROWS;
    for (; first < end; first += step) yield [first, Math.min(end, first + step)];
    first = end;
  }
}

/** The number of rows that a file's footer names. @throws {EdrlakeError} as `blocksOf` */
export async function rowCountOf(location: string): Promise<number> {
  try {
    return Number((await parquetMetadataAsync(await asyncBufferFromFile(location))).num_rows);
  } catch (thrown) {
    throw cannotBeRead(location, thrown);
  }
}

function cannotBeRead(location: string, thrown: unknown): EdrlakeError {
  if (thrown instanceof EdrlakeError) return thrown;
  return new EdrlakeError('LAKE_CORRUPT', `${location} is missing or cannot be read: ${messageOf(thrown)}`, {
    cause: thrown,
    context: { path: location },
    hint: 'Restore the file from a backup, or run: edrlake reconcile --repair',
  });
}

/** Some columns of a table's rows in some of its files of any format, file by file; the day is that of the folder. */
export async function* rowsOfFiles(
  { store, schemas }: TableReader,
  table: TableSpec,
  files: readonly LoggedFile[],
  columns: readonly string[],
): AsyncGenerator<Row> {
  for (const file of files) {
    const present = new Set(schemas.get(file.schemaVersion)?.[table.name]?.map(({ name }) => name));
    const known = columns.map((name) => (present.has(name) && name !== table.partitionBy ? name : ''));
    const dayAt = columns.indexOf(table.partitionBy);
    const day = Date.parse(partitionDay(file)) / MS_PER_DAY;
    await store.remote?.bring([file]);
    for await (const block of blocksOf(store.locate(file.path), known)) {
      if (dayAt < 0) yield* block;
      else for (const row of block) yield row.with(dayAt, day);
    }
  }
}
