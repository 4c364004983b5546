import { relative, sep } from 'node:path';
import { EdrlakeError, explainDiskError, isMemoryError, outOfMemory } from '@edrlake/core';
import { FOLDERS } from './layout.ts';

/** The errors by which DuckDB says that a file is not there or is not what it should be. */
const FILE_ERROR = /^(IO|Invalid Input|Invalid|Serialization) Error|No files found|TProtocolException|Snappy|ZSTD/;

/** File errors about the machine: they say nothing about the file. */
const MACHINE_ERROR = /No space left|Could not write|Read-only file system|Permission denied|Too many open files/;

/** What a person can do about a data file that is gone. */
const REPAIR_HINT = 'Restore the file from a backup, or run: edrlake reconcile --repair';

/** Whether DuckDB failed because a file is missing or broken, and not for want of space, memory or permission. */
export function isFileError(thrown: unknown): boolean {
  if (thrown instanceof EdrlakeError || !(thrown instanceof Error)) return false;
  return FILE_ERROR.test(thrown.message) && !MACHINE_ERROR.test(thrown.message) && !isMemoryError(thrown);
}

/** Whether it failed over a Parquet file. */
export function isDataFileError(thrown: unknown): boolean {
  return isFileError(thrown) && fileNamedBy(thrown) !== null;
}

/** The file a DuckDB error names, or null. */
function fileNamedBy(thrown: unknown): string | null {
  return /["']([^"']+\.parquet)["']/.exec(messageOf(thrown))?.[1] ?? null;
}

/** DuckDB's and the system's errors about files, as something a person can act on; anything else as it is. */
export function explainFileError(failure: unknown): unknown {
  const thrown = explainDiskError(failure);
  if (thrown instanceof EdrlakeError || !(thrown instanceof Error)) return thrown;
  if (isMemoryError(thrown)) return outOfMemory(thrown);
  const { message } = thrown;
  if (/^(IO|Invalid Input) Error|No files found|Invalid Error/.test(message) && MACHINE_ERROR.test(message)) {
    return new EdrlakeError('LAKE_UNWRITABLE', message, {
      cause: thrown,
      hint: 'Free some space, or check the permissions.',
    });
  }
  if (!isFileError(thrown)) return thrown;
  return message.includes(`/${FOLDERS.ids}/`) ? unreadableIndex(thrown) : unreadableData(message, thrown);
}

/**
 * A query's failure over a file of the lake: one that the newest version names is lost; one of an older version was replaced
 * while the query ran. Any other failure as it is.
 * @param directory of the lake, absolute
 */
export function explainQueryFailure(thrown: unknown, directory: string, files: ReadonlyMap<string, unknown>): unknown {
  const location = isFileError(thrown) ? fileNamedBy(thrown) : null;
  if (location === null) return thrown;
  const path = relative(directory, location).replaceAll(sep, '/');
  if (files.has(path)) return unreadableData(path, thrown);
  // What a commit writes is named by it; other names are the user's own.
  if (!/^[^/]+\/\w+=[^/]+\/\d{8}T\d{6}Z-[^/]+\.parquet$/.test(path)) return thrown;
  return new EdrlakeError('QUERY_FAILED', `${path} was replaced while the query ran`, {
    disposition: 'retry',
    cause: thrown,
    hint: 'Run the query again.',
  });
}

/** What DuckDB says of a failed call of the file system, and its error number. */
const WORDS_OF_ERRORS: readonly (readonly [RegExp, string])[] = [
  [/No such file or directory/, 'ENOENT'],
  [/Not a directory/, 'ENOTDIR'],
  [/Is a directory/, 'EISDIR'],
  [/Permission denied|not permitted/, 'EACCES'],
  [/Read-only/, 'EROFS'],
  [/No space left/, 'ENOSPC'],
  [/File too large/, 'EFBIG'],
  [/quota/i, 'EDQUOT'],
];

/** The error number of the file system that DuckDB tells only in words; null for any other error. */
export function errnoInWords(thrown: unknown): string | null {
  return WORDS_OF_ERRORS.find(([words]) => words.test(messageOf(thrown)))?.[1] ?? null;
}

/** The text of what was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The error of a data file that is gone or broken. */
function unreadableData(what: string, cause: unknown): EdrlakeError {
  return new EdrlakeError('LAKE_CORRUPT', `a data file cannot be read: ${what}`, { cause, hint: REPAIR_HINT });
}

/** The error of an index file that is there but cannot be read: deleting it makes the lake rebuild the index. */
function unreadableIndex(cause: unknown): EdrlakeError {
  return new EdrlakeError('LAKE_CORRUPT', 'a file of the identity index cannot be read', {
    cause,
    hint: `Delete the lake's folder ${FOLDERS.ids} and run again: the index is made anew from the data files.`,
  });
}
