import { randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { DuckDBDataChunk, DuckDBResult } from '@duckdb/node-api';
import { EdrlakeError, errnoOf, interruptOn, quoteText } from '@edrlake/core';
import { isSamePoint, type LogPoint } from '../log/log-point.ts';
import { type CopiesOnly, DirectReadFailure } from '../reading/direct-reading.ts';
import { leftOnAbort } from '../reading/left-on-abort.ts';
import { prepareReading } from '../reading/read-only-statement.ts';
import { errnoInWords, messageOf } from '../storage/file-errors.ts';
import type { QueryReads } from '../storage/store.ts';
import { type LockedSession, lakesOf, openLocked, type Statement } from './locked-session.ts';
import { outputError, outputTarget } from './output-target.ts';
import type { QueryOptions, QueryTarget } from './query-target.ts';
import { plainValue, type QueryColumn, type QueryValue, typeText } from './values.ts';

/** A result that is read while it is computed. */
export interface QueryResult {
  readonly columns: readonly QueryColumn[];
  /**
   * Chunks of at most 2,048 rows, values in the order of the columns. Can be read once; leaving the loop ends the
   * query.
   */
  readonly rows: AsyncIterable<readonly (readonly QueryValue[])[]>;
}

/** A writer may move files away between the moment a version is chosen and the moment it is opened. */
const START_ATTEMPTS = 3;

/**
 * Runs one statement over the newest version. It may read files of the lake and nothing else, and change nothing.
 * @throws {EdrlakeError} `QUERY_FAILED` with DuckDB's message and its line, also while rows are read; `INTERRUPTED`.
 */
export async function runQuery(target: QueryTarget, sql: string, options: QueryOptions = {}): Promise<QueryResult> {
  const { columns, chunks } = await startQuery(target, sql, options);
  return { columns: columns.map(({ name, type }) => ({ name, type: typeText(type) })), rows: plainRows(chunks) };
}

async function* plainRows(chunks: AsyncIterable<DuckDBDataChunk>): AsyncGenerator<QueryValue[][]> {
  for await (const chunk of chunks) yield chunk.getRows().map((row) => row.map(plainValue));
}

/** A running query, as DuckDB's own types and chunks. */
export interface RunningQuery {
  readonly columns: readonly { readonly name: string; readonly type: ReturnType<DuckDBResult['columnType']> }[];
  readonly chunks: AsyncIterable<DuckDBDataChunk>;
}

/** Starts one statement on a DuckDB of its own, which is closed after the last chunk. */
export function startQuery(target: QueryTarget, sql: string, { signal, onReads }: QueryOptions): Promise<RunningQuery> {
  return againWhereItHelps(target, signal, async (point, copiesOnly) => {
    const started = startOnVersion(target, { sql, point, paths: [], copiesOnly }, signal);
    const { reads, ...running } = await leftOnAbort(started, signal, (late) => late.end());
    if (reads !== null) onReads?.(reads);
    return running;
  });
}

/**
 * Does what no row has been delivered of yet: again on the newest version where that is another one by now, because a
 * file of the older one may be gone; and with copies where httpfs failed and the user left the choice.
 */
async function againWhereItHelps<T>(
  target: QueryTarget,
  signal: AbortSignal | undefined,
  work: (point: LogPoint, copiesOnly: CopiesOnly | null) => Promise<T>,
): Promise<T> {
  let copiesOnly: CopiesOnly | null = null;
  for (let attempt = 1; ; attempt += 1) {
    refuseAborted(signal);
    const point = await target.newest();
    try {
      return await work(point, copiesOnly);
    } catch (thrown) {
      if (signal?.aborted) throw queryError(thrown, signal);
      const wasOvertaken = attempt < START_ATTEMPTS && !isSamePoint(point, await target.newest());
      if (wasOvertaken) continue;
      const isOverHttpfs = thrown instanceof DirectReadFailure && copiesOnly === null;
      if (!isOverHttpfs || demandsHttpfs(target)) throw await explained(target, thrown, signal);
      copiesOnly = { why: thrown.why };
    }
  }
}

function demandsHttpfs(target: QueryTarget): boolean {
  return lakesOf(target).some(({ store }) => store.remote?.reads.way === 'httpfs');
}

async function explained(target: QueryTarget, thrown: unknown, signal: AbortSignal | undefined): Promise<unknown> {
  if (thrown instanceof DirectReadFailure) return queryError(thrown.explained, signal);
  return queryError(await target.explain(thrown), signal);
}

/** A statement that has started on one version. */
interface StartedQuery extends RunningQuery {
  readonly reads: QueryReads | null;
  end(): void;
}

async function startOnVersion(
  target: QueryTarget,
  statement: Statement,
  signal: AbortSignal | undefined,
): Promise<StartedQuery> {
  const session = await openLocked(target, statement);
  const guard = interruptOn(session.connection, signal);
  const end = () => {
    guard.release();
    session.close();
  };
  try {
    const result = await (await prepareReading(session.connection, statement.sql)).stream();
    const names = result.deduplicatedColumnNames();
    const columns = names.map((name, position) => ({ name, type: result.columnType(position) }));
    // Most objects are opened only now, and before a row is delivered a failure may be got round.
    const first = session.reads?.by === 'httpfs' ? await result.fetchChunk() : undefined;
    const { reads, explain } = session;
    return { columns, reads, end, chunks: chunksOf(target, result, { first, explain, end, signal }) };
  } catch (thrown) {
    end();
    throw await session.explain(thrown);
  }
}

interface QueryRun extends Pick<LockedSession, 'explain'> {
  /** A chunk that was read already. */
  readonly first: DuckDBDataChunk | null | undefined;
  readonly end: () => void;
  readonly signal: AbortSignal | undefined;
}

async function* chunksOf(
  target: QueryTarget,
  result: DuckDBResult,
  { first, explain, end, signal }: QueryRun,
): AsyncGenerator<DuckDBDataChunk> {
  let fetching: Promise<unknown> | null = null;
  const fetch = async () => {
    const chunk = result.fetchChunk();
    fetching = chunk;
    const fetched = await leftOnAbort(chunk, signal);
    fetching = null;
    return fetched;
  };
  try {
    for (let chunk = first === undefined ? await fetch() : first; ; chunk = await fetch()) {
      if (chunk === null || chunk.rowCount === 0) break;
      yield chunk;
    }
    signal?.throwIfAborted();
  } catch (thrown) {
    throw await explained(target, await explain(thrown), signal);
  } finally {
    // A DuckDB that was left is closed once it has come back.
    if (fetching === null) end();
    else (fetching as Promise<unknown>).then(end, end);
  }
}

/**
 * Writes the result of one query as Parquet. A regular file is replaced when the new one is complete; a crash leaves
 * `<file>.partial`. For a device or a pipe the file is first made elsewhere, so that its reader gets a whole one.
 * @param file absolute path; the only place outside the lake that the query may touch
 * @returns the number of rows.
 * @throws {EdrlakeError} `USAGE` for a path that cannot be written, `OUTPUT_FAILED` for a full disk or a closed pipe
 */
export async function exportParquet(
  target: QueryTarget,
  sql: string,
  file: string,
  { signal, onReads }: QueryOptions = {},
): Promise<number> {
  refuseAborted(signal);
  const { path, isReplaceable } = await outputTarget(file);
  const partial = isReplaceable ? `${path}.partial` : join(tmpdir(), `edrlake-${randomUUID()}.parquet`);
  try {
    const rowCount = await againWhereItHelps(target, signal, async (point, copiesOnly) => {
      const statement = { sql, point, paths: [partial], copiesOnly };
      const copied = await leftOnAbort(copyToParquet(target, statement, partial, signal), signal);
      if (copied.reads !== null) onReads?.(copied.reads);
      return copied.rowCount;
    });
    if (isReplaceable) await rename(partial, path);
    else await pipeline(createReadStream(partial), createWriteStream(path), signal === undefined ? {} : { signal });
    return rowCount;
  } catch (thrown) {
    if (signal?.aborted) throw queryError(thrown, signal);
    const code = outputErrno(thrown, partial);
    throw code === null ? thrown : outputError(file, thrown, code);
  } finally {
    await rm(partial, { force: true });
  }
}

/**
 * The file system's error code behind a failure to write the output, even where DuckDB reports it only in words; null
 * for other failures.
 */
function outputErrno(thrown: unknown, partial: string): string | null {
  if (!(thrown instanceof Error)) return null;
  if (!(thrown instanceof EdrlakeError)) {
    return (thrown as NodeJS.ErrnoException).syscall === undefined ? null : errnoOf(thrown);
  }
  if (thrown.code !== 'QUERY_FAILED' && thrown.code !== 'LAKE_UNWRITABLE') return null;
  if (!thrown.message.includes(partial)) return null;
  return errnoInWords(thrown) ?? 'EIO';
}

async function copyToParquet(
  target: QueryTarget,
  statement: Statement,
  partial: string,
  signal: AbortSignal | undefined,
): Promise<{ readonly rowCount: number; readonly reads: QueryReads | null }> {
  const session = await openLocked(target, statement);
  const guard = interruptOn(session.connection, signal);
  try {
    await prepareReading(session.connection, statement.sql);
    const query = statement.sql.trim().replace(/;+\s*$/, '');
    // The line break ends a comment at the end of the query.
    const copy = `COPY (${query}\n) TO ${quoteText(partial)} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)`;
    return { rowCount: (await session.connection.run(copy)).rowsChanged, reads: session.reads };
  } catch (thrown) {
    throw await session.explain(thrown);
  } finally {
    guard.release();
    session.close();
  }
}

function refuseAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw queryError(signal.reason, signal);
}

function queryError(thrown: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return new EdrlakeError('INTERRUPTED', 'the query was interrupted', { cause: thrown });
  if (thrown instanceof EdrlakeError) return thrown;
  const message = messageOf(thrown).replace(/^Failed to (extract|prepare) statements?: /, '');
  const place = /LINE (\d+): (.*)\n( *)\^/.exec(message);
  const position =
    place === null ? {} : { line: Number(place[1]), column: (place[3] ?? '').length - `LINE ${place[1]}: `.length + 1 };
  const isUnknown = /^(?:Binder Error: Referenced column|Catalog Error: Table with name) /.test(message);
  const hint = isUnknown ? 'Tables, and the columns of one: edrlake schema, edrlake schema TABLE' : null;
  return new EdrlakeError('QUERY_FAILED', message, { cause: thrown, context: position, ...(hint && { hint }) });
}
