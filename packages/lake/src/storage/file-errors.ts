import { relative, sep } from 'node:path';
import { EdrlakeError, explainDiskError, isMemoryError, outOfMemory } from '@edrlake/core';
import { FOLDERS } from './layout.ts';

/** DuckDB's errors about a file that is missing or broken. */
const FILE_ERROR = /^(IO|Invalid Input|Invalid|Serialization) Error|No files found|TProtocolException|Snappy|ZSTD/;

/** DuckDB's errors about the machine: they say nothing about the file. */
const MACHINE_ERROR = /No space left|Could not write|Read-only file system|Permission denied|Too many open files/;

/** What a user can do about a lost data file. */
const REPAIR_HINT = 'Restore the file from a backup, or run: edrlake reconcile --repair';

/** Whether DuckDB failed because a file is missing or broken, and not for lack of space, memory or permission. */
export function isFileError(thrown: unknown): boolean {
  if (thrown instanceof EdrlakeError || !(thrown instanceof Error)) return false;
  return FILE_ERROR.test(thrown.message) && !MACHINE_ERROR.test(thrown.message) && !isMemoryError(thrown);
}

/** Whether DuckDB failed because of a Parquet file. */
export function isDataFileError(thrown: unknown): boolean {
  return isFileError(thrown) && fileNamedBy(thrown) !== null;
}

/** The file a DuckDB error names, or null. */
function fileNamedBy(thrown: unknown): string | null {
  return /["']([^"']+\.parquet)["']/.exec(messageOf(thrown))?.[1] ?? null;
}

/** Turns errors of DuckDB and the system about files into errors with a hint; returns all others unchanged. */
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
  return message.includes(`/${FOLDERS.ids}/`)
    ? unreadableIndex(thrown)
    : unreadableData(reasonIn(message), { cause: thrown });
}

/**
 * Explains a query that failed because of a file of the lake: a file of the newest version is lost; a file of an older
 * version was replaced while the query ran. Other failures are returned unchanged.
 * @param directory of the lake, absolute
 */
export function explainQueryFailure(thrown: unknown, directory: string, files: ReadonlyMap<string, unknown>): unknown {
  const location = isFileError(thrown) ? fileNamedBy(thrown) : null;
  if (location === null) return thrown;
  const path = relative(directory, location).replaceAll(sep, '/');
  if (files.has(path)) return unreadableData(path, { cause: thrown });
  // Commits name their files after this pattern; other names belong to the user.
  if (!/^[^/]+\/\w+=[^/]+\/\d{8}T\d{6}Z-[^/]+\.parquet$/.test(path)) return thrown;
  return replacedFile(path, { cause: thrown });
}

/** The error of a query that began on a version whose data file was replaced since. */
export function replacedFile(path: string, options: { readonly cause?: unknown } = {}): EdrlakeError {
  return new EdrlakeError('QUERY_FAILED', `${path} was replaced while the query ran`, {
    ...{ disposition: 'retry', ...options },
    hint: 'Run the query again.',
  });
}

/** DuckDB's words for failed system calls, with their error numbers. */
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

/** The error number that DuckDB reports only in words; null for any other error. */
export function errnoInWords(thrown: unknown): string | null {
  return WORDS_OF_ERRORS.find(([words]) => words.test(messageOf(thrown)))?.[1] ?? null;
}

/** The text of what was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** What DuckDB says about a file, without the statement that it quotes below. */
function reasonIn(message: string): string {
  const missing = /^IO Error: No files found that match the pattern "([^"]+)"/.exec(message)?.[1];
  return missing === undefined ? (message.split(/\n+LINE \d+:/)[0] ?? message) : `${missing} is missing`;
}

/** The error of a data file that is missing or broken. */
export function unreadableData(what: string, options: { readonly cause?: unknown } = {}): EdrlakeError {
  return new EdrlakeError('LAKE_CORRUPT', `a data file cannot be read: ${what}`, { ...options, hint: REPAIR_HINT });
}

/** The error of an index file that exists but cannot be read: once it is deleted, the lake rebuilds the index. */
function unreadableIndex(cause: unknown): EdrlakeError {
  return new EdrlakeError('LAKE_CORRUPT', 'a file of the id index cannot be read', {
    cause,
    hint: `Delete the lake's folder ${FOLDERS.ids} and run again: the index is rebuilt from the data files.`,
  });
}
