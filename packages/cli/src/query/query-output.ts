import { EdrlakeError } from '@edrlake/core';
import {
  UNLOAD_FORMATS,
  type UnitedLakes,
  type UnloadStatement,
  writeJsonRows,
  writeOutputFile,
  writeUnload,
  writeUnloadFile,
} from '@edrlake/lake';
import type { CommandInput } from '../args/command.ts';
import { type QueryFormat, queryFormatOf } from '../args/options.ts';
import { lineWidth, type ProcessContext, type TextSink } from '../process/process-context.ts';
import { writeTable } from './result-table.ts';

/** What to ask and in which form the answer is wanted. */
export interface FormattedQuery {
  readonly lake: UnitedLakes;
  readonly sql: string;
  readonly format: QueryFormat;
  readonly signal: AbortSignal;
}

/** `--json` is the short form of `--format json`; a file keeps its own format. */
export function formatOf({ values, typed }: CommandInput): QueryFormat {
  if (!values.json || values.output !== null) return queryFormatOf(values);
  if (typed.has('format') && values.format !== 'json') {
    throw new EdrlakeError('USAGE', `--json and --format ${values.format} exclude each other`, {
      hint: 'Give one of the two, or write to a file with --output.',
    });
  }
  return 'json';
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
  if (isExport(query)) return writeUnload(out, query);
  const { lake, sql, format, signal } = query;
  const result = await lake.query(sql, { signal });
  await (format === 'json' ? writeJsonRows(out, result) : writeTable(out, result, width));
}

function isExport(query: FormattedQuery): query is FormattedQuery & UnloadStatement {
  return UNLOAD_FORMATS.some((format) => format === query.format);
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
    if (path !== null) await writeFile(path, query);
    return true;
  }
  refuseBinaryAtTerminal(query.format, stream);
  await writeResult(stream, query, stream.isTTY === true ? lineWidth(stream, context.env) : null);
  return false;
}

/** Into a file, which replaces what is there when it is whole; or into a device or a pipe. */
async function writeFile(path: string, query: FormattedQuery): Promise<void> {
  if (isExport(query)) return writeUnloadFile(path, query);
  await writeOutputFile(path, query.signal, (file, signal) => writeResult(file, { ...query, signal }, null));
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
