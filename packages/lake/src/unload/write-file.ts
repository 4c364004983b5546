import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { type Dataset, writeText } from '@edrlake/core';
import type { Snapshot } from '../log/snapshot.ts';
import { outputError, outputTarget } from '../query/output-target.ts';
import type { QueryResult } from '../query/query.ts';
import type { QueryOptions } from '../query/query-target.ts';
import { writeCsv, writeNdjson } from './result-writers.ts';

/** Formats of files, which programs read. */
export const UNLOAD_FORMATS = ['arrow', 'parquet', 'csv', 'ndjson'] as const;

/** One of them. */
export type UnloadFormat = (typeof UNLOAD_FORMATS)[number];

/** What an unload needs of a lake. */
export interface UnloadSource {
  readonly dataset: Dataset;
  snapshot(): Promise<Snapshot>;
  query(sql: string, options?: QueryOptions): Promise<QueryResult>;
  queryArrow(sql: string, options?: QueryOptions): Promise<AsyncIterable<Uint8Array>>;
  queryToParquet(sql: string, file: string, options?: QueryOptions): Promise<number>;
}

/** One statement, and the form of its answer. */
export interface UnloadStatement {
  readonly lake: UnloadSource;
  readonly sql: string;
  readonly format: UnloadFormat;
  readonly signal: AbortSignal;
}

/** Writes the answer of a statement to a stream, as fast as that takes it. */
export async function writeUnload(out: NodeJS.WritableStream, about: UnloadStatement): Promise<void> {
  const { lake, sql, format, signal } = about;
  if (format === 'parquet') return writeParquet(out, about);
  if (format === 'arrow') {
    for await (const bytes of await lake.queryArrow(sql, { signal })) await writeText(out, bytes);
    return;
  }
  const result = await lake.query(sql, { signal });
  await (format === 'csv' ? writeCsv(out, result) : writeNdjson(out, result));
}

async function writeParquet(out: NodeJS.WritableStream, { lake, sql, signal }: UnloadStatement): Promise<void> {
  await writeMadeAside(out, (path) => lake.queryToParquet(sql, path, { signal }));
}

/**
 * A Parquet file goes to a stream when it is whole. DuckDB could write it into a pipe directly, but a thread that waits
 * for a slow reader cannot be interrupted, and a reader would get the beginning of an answer that fails.
 */
export async function writeMadeAside(
  out: NodeJS.WritableStream,
  make: (path: string) => Promise<unknown>,
): Promise<void> {
  const path = join(tmpdir(), `edrlake-${randomUUID()}.parquet`);
  try {
    await make(path);
    const file = await open(path);
    // The name goes first: without its reader the process may end at any moment.
    await rm(path, { force: true }).catch(() => undefined);
    for await (const piece of file.createReadStream()) await writeText(out, piece as Uint8Array);
  } finally {
    await rm(path, { force: true });
  }
}

/**
 * Writes the answer of a statement to a file, which replaces what is there when it is whole; or into a device or a
 * pipe.
 * @throws {EdrlakeError} `USAGE` for a path that cannot be written, `OUTPUT_FAILED` for a full disk or a closed pipe
 */
export async function writeUnloadFile(named: string, about: UnloadStatement): Promise<void> {
  const { lake, sql, format, signal } = about;
  if (format === 'parquet') await lake.queryToParquet(sql, named, { signal });
  else await writeOutputFile(named, signal, (file, signal) => writeUnload(file, { ...about, signal }));
}

/**
 * Fills a file, which replaces what is there when it is whole; or a device or a pipe.
 * @param fill gets a signal that is aborted by the given one, and when the file cannot be written
 * @throws {EdrlakeError} as `writeUnloadFile`; what `fill` throws otherwise
 */
export async function writeOutputFile(
  named: string,
  signal: AbortSignal,
  fill: (file: NodeJS.WritableStream, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { path, isReplaceable } = await outputTarget(named);
  const written = isReplaceable ? `${path}.partial` : path;
  const file = createWriteStream(written);
  // What keeps the file from being written ends the query as well.
  const stop = new AbortController();
  const ended = finished(file).catch((error: NodeJS.ErrnoException) => {
    stop.abort();
    return error;
  });
  try {
    await fill(file, AbortSignal.any([signal, stop.signal]));
    file.end();
    const failure = await ended;
    if (failure !== undefined) throw failure;
    if (isReplaceable) await rename(written, path);
  } catch (thrown) {
    const failure = file.errored;
    file.destroy();
    await ended;
    if (isReplaceable) await rm(written, { force: true });
    if (failure !== null) throw outputError(named, failure);
    throw (thrown as NodeJS.ErrnoException).syscall === undefined ? thrown : outputError(named, thrown);
  }
}
