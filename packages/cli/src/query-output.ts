import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { EdrlakeError } from '@edrlake/core';
import type { Lake } from '@edrlake/lake';
import type { QueryFormat } from './flags.ts';
import { writeCsv, writeJsonRows, writeNdjson, writeTable } from './result-writers.ts';
import { type TextSink, writeText } from './surroundings.ts';

/** What to ask and in which form the answer is wanted. */
export interface FormattedQuery {
  readonly lake: Lake;
  readonly sql: string;
  readonly format: QueryFormat;
  readonly signal: AbortSignal;
}

/**
 * Runs the query and writes its result to the stream, a chunk at a time.
 * @param width of the table; null does not cut it
 */
export async function writeResult(
  out: NodeJS.WritableStream,
  query: FormattedQuery,
  width: number | null,
): Promise<void> {
  const { lake, sql, format, signal } = query;
  if (format === 'parquet') return writeParquet(out, query);
  if (format === 'arrow') {
    for await (const bytes of await lake.queryArrow(sql, { signal })) await writeText(out, bytes);
    return;
  }
  const result = await lake.query(sql, { signal });
  if (format === 'csv') await writeCsv(out, result);
  else if (format === 'ndjson') await writeNdjson(out, result);
  else if (format === 'json') await writeJsonRows(out, result);
  else await writeTable(out, result, width);
}

/** A Parquet file is written from both ends and cannot be streamed: it is made aside first. */
async function writeParquet(out: NodeJS.WritableStream, { lake, sql, signal }: FormattedQuery): Promise<void> {
  const path = join(tmpdir(), `edrlake-${randomUUID()}.parquet`);
  try {
    await lake.queryToParquet(sql, path, { signal });
    await writeText(out, await readFile(path));
  } finally {
    await rm(path, { force: true });
  }
}

/**
 * Runs the query and writes its result to a file, which appears when it is whole.
 * @throws {EdrlakeError} `USAGE` when the file cannot be written
 */
export async function writeResultFile(path: string, query: FormattedQuery): Promise<void> {
  if (query.format === 'parquet') {
    await query.lake.queryToParquet(query.sql, path, { signal: query.signal });
    return;
  }
  const partial = `${path}.partial`;
  const file = createWriteStream(partial);
  // A failure to open or write shows where the stream is awaited.
  const ended = finished(file).catch((error: NodeJS.ErrnoException) => error);
  try {
    await writeResult(file, query, null);
    file.end();
    const failure = await ended;
    if (failure !== undefined) throw failure;
    await rename(partial, path);
  } catch (error) {
    file.destroy();
    await ended;
    await rm(partial, { force: true });
    const code =
      (error as NodeJS.ErrnoException).syscall === undefined ? undefined : (error as NodeJS.ErrnoException).code;
    if (code === undefined) throw error;
    throw new EdrlakeError('USAGE', `--output: cannot write ${path}: ${code}`, {
      cause: error,
      hint: 'Check the path.',
    });
  }
}

/** @throws {EdrlakeError} `USAGE` when bytes no one can read would go to a terminal */
export function refuseBinaryAtTerminal(format: QueryFormat, stdout: TextSink): void {
  if (stdout.isTTY !== true || (format !== 'arrow' && format !== 'parquet')) return;
  throw new EdrlakeError('USAGE', `--format ${format} needs --output FILE, or standard output that is not a terminal`, {
    hint: `For example: --format ${format} --output result.${format}`,
  });
}
