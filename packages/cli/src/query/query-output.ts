import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { EdrlakeError } from '@edrlake/core';
import { type Lake, outputError, outputTarget } from '@edrlake/lake';
import type { QueryFormat } from '../args/options.ts';
import { lineWidth, type ProcessContext, type TextSink, writeText } from '../process/process-context.ts';
import { writeCsv, writeJsonRows, writeNdjson, writeTable } from './result-writers.ts';

/** Formats of files, which programs read. */
export const EXPORT_FORMATS = ['arrow', 'parquet', 'csv', 'ndjson'] as const satisfies readonly QueryFormat[];

/** One of them. */
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

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
    const file = await open(path);
    // The name goes first: without its reader the process may end at any moment.
    await rm(path, { force: true }).catch(() => undefined);
    for await (const piece of file.createReadStream()) await writeText(out, piece as Uint8Array);
  } finally {
    await rm(path, { force: true });
  }
}

/**
 * Runs the query and writes its result to a file, which replaces what is there when it is whole; or into a device or a
 * pipe.
 * @throws {EdrlakeError} `USAGE` for a path that cannot be written, `OUTPUT_FAILED` for a full disk or a closed pipe
 */
export async function writeResultFile(named: string, query: FormattedQuery): Promise<void> {
  if (query.format === 'parquet') {
    await query.lake.queryToParquet(query.sql, named, { signal: query.signal });
    return;
  }
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
    await writeResult(file, { ...query, signal: AbortSignal.any([query.signal, stop.signal]) }, null);
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

/**
 * Answers a query where the user wants it: on standard output, in a file, or in what else a path names.
 * @param path absolute; null for standard output
 * @returns whether a file was written, so that standard output is free
 */
export async function writeAnswer(
  query: FormattedQuery,
  path: string | null,
  context: ProcessContext,
): Promise<boolean> {
  const stream = outputOf(path, context);
  if (stream === null) {
    if (path !== null) await writeResultFile(path, query);
    return true;
  }
  refuseBinaryAtTerminal(query.format, stream);
  await writeResult(stream, query, stream.isTTY === true ? lineWidth(stream, context.env) : null);
  return false;
}

/** The open stream of this process that is meant; null for a file. */
export function outputOf(path: string | null, context: ProcessContext): TextSink | null {
  return path === null ? context.stdout : outputStreamOf(path, context);
}

/**
 * The output stream that a path means which names an open file of this process, or null. Writing to the stream is what
 * was meant: opening the name again fails where it is a socket, and begins at the wrong place where it is a file.
 */
function outputStreamOf(path: string, { stdout, stderr }: Pick<ProcessContext, 'stdout' | 'stderr'>): TextSink | null {
  const name = /^\/dev\/(stdout|stderr|fd\/[12])$|^\/proc\/self\/(fd\/[12])$/.exec(path);
  const which = name?.[1] ?? name?.[2];
  if (which === 'stdout' || which === 'fd/1') return stdout;
  return which === 'stderr' || which === 'fd/2' ? stderr : null;
}

/** @throws {EdrlakeError} `USAGE` when bytes no one can read would go to a terminal */
export function refuseBinaryAtTerminal(format: QueryFormat, stdout: TextSink): void {
  if (stdout.isTTY !== true || (format !== 'arrow' && format !== 'parquet')) return;
  throw new EdrlakeError('USAGE', `--format ${format} needs --output FILE, or standard output that is not a terminal`, {
    hint: `For example: --format ${format} --output result.${format}`,
  });
}
