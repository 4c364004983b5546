import { stat } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { EdrlakeError } from '@edrlake/core';
import { type FolderReport, unloadToFolder } from './unload-folder.ts';
import { UNLOAD_FORMATS, type UnloadFormat, type UnloadSource, writeUnloadFile } from './write-file.ts';

/** What to unload, and where to. */
export interface UnloadRequest {
  /** A table or view such as `events`, or one SQL statement. */
  readonly what: string;
  /** A folder where it ends with a slash or is one already; else a file, a device or a pipe. */
  readonly to: string;
  /** Absolute; what a relative `to` begins at. */
  readonly workingDirectory: string;
  /** null: as the extension of the file says; Parquet in a folder. */
  readonly format: UnloadFormat | null;
  /** What a user calls the format, for errors. */
  readonly formatName: string;
}

/** An unload that can be run. */
export interface UnloadPlan {
  /** Absolute. */
  readonly output: string;
  readonly format: UnloadFormat;
  readonly sql: string;
  /** The table whose days become files of a folder; null for one file. */
  readonly table: string | null;
}

/** What an unload has written. */
export interface UnloadReport {
  /** Absolute. */
  readonly output: string;
  readonly format: UnloadFormat;
  /** The files of the days; null of an unload into one file. */
  readonly folder: FolderReport | null;
}

/** The table or view that a text names, or null where the text is a statement. */
export function tableNamedBy(what: string): string | null {
  return /^\w+$/.test(what) ? what : null;
}

/** The statement that an unload of a table or of a statement runs. */
export function statementOf(what: string): string {
  const table = tableNamedBy(what);
  return table === null ? what : `FROM "${table}"`;
}

/**
 * Decides what an unload writes, before any lake is opened.
 * @throws {EdrlakeError} `USAGE` for a statement into a folder, and where nothing says the format
 */
export async function planUnload(request: UnloadRequest): Promise<UnloadPlan> {
  const { what, to, workingDirectory } = request;
  const output = resolve(workingDirectory, to);
  const isFolder = /[/\\]$/.test(to) || (await isDirectory(output));
  const format = unloadFormatOf(request, isFolder);
  const table = isFolder ? tableNamedBy(what) : null;
  if (isFolder && table === null) {
    throw new EdrlakeError('USAGE', 'a query cannot be written into a folder: only tables have days', {
      hint: `Name a table, such as events, for ${to}. A query fits into a file.`,
    });
  }
  return { output, format, sql: statementOf(what), table };
}

/**
 * Writes a table, or the answer of a statement, to a file; or the days of a table into a folder, where a second call
 * goes on.
 * @throws {EdrlakeError} `USAGE` for a path that cannot be written; `OUTPUT_FAILED`, `QUERY_FAILED`; as
 * `unloadToFolder`
 */
export async function runUnload(
  lake: UnloadSource,
  { output, format, sql, table }: UnloadPlan,
  signal: AbortSignal,
): Promise<UnloadReport> {
  if (table !== null) {
    return { output, format, folder: await unloadToFolder({ lake, table, format, folder: output, signal }) };
  }
  await writeUnloadFile(output, { lake, sql, format, signal });
  return { output, format, folder: null };
}

/** The format of an unload: the given one, or what the extension of a file says. */
export function unloadFormatOf(
  { format, to, formatName }: Pick<UnloadRequest, 'format' | 'to' | 'formatName'>,
  isFolder: boolean,
): UnloadFormat {
  const extension = extname(to).slice(1);
  const named = UNLOAD_FORMATS.find((known) => known === (extension === 'jsonl' ? 'ndjson' : extension));
  const found = format ?? (isFolder ? 'parquet' : named);
  if (found !== undefined) return found;
  throw new EdrlakeError('USAGE', `expected ${formatName}, found none`, {
    hint: `Choose of ${UNLOAD_FORMATS.join(', ')}.`,
  });
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
