import duckdb from '@duckdb/node-bindings';
import { sum } from '@edrlake/core';
import { Data, Field, RecordBatch, RecordBatchStreamWriter, Schema, Struct } from 'apache-arrow';
import { arrowColumn } from './arrow-columns.ts';
import { startQuery } from './query.ts';
import type { QueryOptions, QueryTarget } from './query-target.ts';

/** A result as Arrow, which is read while it is computed. */
export interface ArrowResult {
  readonly schema: Schema;
  /** Batches with rows, in order. Can be read once; leaving the loop ends the query. */
  readonly batches: AsyncIterable<RecordBatch>;
}

/** Batches of one DuckDB chunk, 2,048 rows, would be mostly headers. */
const BATCH_ROWS = 32_768;
const BATCH_BYTES = 16 * 1024 * 1024;

/**
 * Runs one statement and returns its result in record batches of at most 34,816 rows, and of about 16 MiB where 2,048
 * rows are no larger. At most one is held in memory. See `arrowColumn` for the types; all columns may be null.
 * @throws {EdrlakeError} as `Lake.query`, also while batches are read; `QUERY_FAILED` for a HUGEINT of more than 38
 * digits
 */
export async function runArrowBatches(
  target: QueryTarget,
  sql: string,
  options: QueryOptions = {},
): Promise<ArrowResult> {
  const { columns, chunks } = await startQuery(target, sql, options);
  const collected = columns.map(({ name, type }) => arrowColumn(type, name));
  const fields = collected.map(({ type }, position) => new Field(columns[position]?.name ?? '', type, true));
  const schema = new Schema(fields);
  async function* batches(): AsyncGenerator<RecordBatch, void, void> {
    let rowCount = 0;
    const take = () => {
      const children = collected.map((column) => column.take());
      const data = new Data(new Struct(fields), 0, rowCount, 0, {}, children);
      rowCount = 0;
      return new RecordBatch(schema, data);
    };
    for await (const chunk of chunks) {
      for (const [position, column] of collected.entries())
        column.append(duckdb.data_chunk_get_vector(chunk.chunk, position), 0, chunk.rowCount);
      rowCount += chunk.rowCount;
      const bytes = sum(collected, (column) => column.byteCount());
      if (rowCount >= BATCH_ROWS || bytes >= BATCH_BYTES) yield take();
    }
    if (rowCount > 0) yield take();
  }
  return { schema, batches: batches() };
}

/**
 * The same as an Arrow IPC stream.
 */
export async function runArrowQuery(
  target: QueryTarget,
  sql: string,
  options: QueryOptions = {},
): Promise<AsyncIterable<Uint8Array>> {
  const { schema, batches } = await runArrowBatches(target, sql, options);
  return ipcStream(schema, batches);
}

/**
 * The end of an Arrow stream: the continuation mark and a length of 0. Arrow columnar format, "IPC streaming format".
 */
const END_OF_STREAM_BYTES = 8;

/** Each batch is serialized as a stream of its own, of which only the middle is used. */
async function* ipcStream(schema: Schema, batches: AsyncIterable<RecordBatch>): AsyncGenerator<Uint8Array, void, void> {
  const header = serialize(schema, []);
  const headerBytes = header.byteLength - END_OF_STREAM_BYTES;
  yield header.subarray(0, headerBytes);
  for await (const batch of batches) {
    const whole = serialize(schema, [batch]);
    yield whole.subarray(headerBytes, whole.byteLength - END_OF_STREAM_BYTES);
  }
  yield header.subarray(headerBytes);
}

function serialize(schema: Schema, batches: readonly RecordBatch[]): Uint8Array {
  const writer = new RecordBatchStreamWriter();
  writer.reset(undefined, schema);
  for (const batch of batches) writer.write(batch);
  writer.finish();
  return writer.toUint8Array(true);
}
