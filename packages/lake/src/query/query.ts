import { randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { DuckDBDataChunk, DuckDBResult } from '@duckdb/node-api';
import { EdrlakeError, errnoOf, interruptOn, quoteFile, quoteName, quoteText, rowsOf } from '@edrlake/core';
import { type DuckDbLimits, type DuckDbSession, openDuckDb } from '../storage/duckdb.ts';
import { errnoInWords, messageOf } from '../storage/file-errors.ts';
import { HUNT_MATCHES } from '../storage/hunt-matches.ts';
import { EVENTS, VIEW_FILE } from '../storage/layout.ts';
import type { Store } from '../storage/store.ts';
import { outputError, outputTarget } from './output-target.ts';
import { PROCESS_EDGES } from './process-view.ts';
import { prepareReading } from './read-only-statement.ts';
import { plainValue, type QueryColumn, type QueryValue, typeText } from './values.ts';
import { createViews, showsVersion, type ViewSource } from './views.ts';

/** Options of a query. */
export interface QueryOptions {
  /** Aborting it interrupts the query within moments. */
  readonly signal?: AbortSignal;
}

/** A result that is read while it is computed. */
export interface QueryResult {
  readonly columns: readonly QueryColumn[];
  /**
   * Chunks of at most 2,048 rows, values in the order of the columns. Can be read once; leaving the loop ends the
   * query.
   */
  readonly rows: AsyncIterable<readonly (readonly QueryValue[])[]>;
}

/** Access of queries to one lake. */
export interface QueryTarget {
  readonly directory: string;
  readonly store: Store;
  /** Limits with a spill directory that no other query uses. */
  readonly newLimits: () => DuckDbLimits;
  /** What the newest version shows; called only where `lake.duckdb` is behind. */
  readonly viewSource: () => Promise<ViewSource>;
  readonly newestVersion: () => Promise<number>;
  /** Explains a failure over a file of the lake; returns any other error as it is. */
  readonly explain: (thrown: unknown) => Promise<unknown>;
  /** Of a query over several lakes: each with its name. The other members are those of all of them. */
  readonly parts?: readonly NamedTarget[];
}

/** One of several lakes, and the name that its rows have in the column `subscription`. */
export interface NamedTarget {
  readonly name: string;
  readonly target: QueryTarget;
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
export async function startQuery(target: QueryTarget, sql: string, { signal }: QueryOptions): Promise<RunningQuery> {
  for (let attempt = 1; ; attempt += 1) {
    refuseAborted(signal);
    const version = await target.newestVersion();
    try {
      return await startOnVersion(target, version, sql, signal);
    } catch (thrown) {
      const wasOvertaken = attempt < START_ATTEMPTS && (await target.newestVersion()) !== version;
      if (!wasOvertaken) throw queryError(await target.explain(thrown), signal);
    }
  }
}

async function startOnVersion(
  target: QueryTarget,
  version: number,
  sql: string,
  signal: AbortSignal | undefined,
): Promise<RunningQuery> {
  const session = await openLocked(target, version, sql, []);
  const guard = interruptOn(session.connection, signal);
  try {
    const result = await (await prepareReading(session.connection, sql)).stream();
    const names = result.deduplicatedColumnNames();
    const columns = names.map((name, position) => ({ name, type: result.columnType(position) }));
    return { columns, chunks: chunksOf(target, result, { session, guard, signal }) };
  } catch (thrown) {
    guard.release();
    session.close();
    throw thrown;
  }
}

interface QueryRun {
  readonly session: DuckDbSession;
  readonly guard: { release(): void };
  readonly signal: AbortSignal | undefined;
}

async function* chunksOf(
  target: QueryTarget,
  result: DuckDBResult,
  { session, guard, signal }: QueryRun,
): AsyncGenerator<DuckDBDataChunk> {
  try {
    for (;;) {
      const chunk = await result.fetchChunk();
      if (chunk === null || chunk.rowCount === 0) break;
      yield chunk;
    }
    signal?.throwIfAborted();
  } catch (thrown) {
    throw queryError(await target.explain(thrown), signal);
  } finally {
    guard.release();
    session.close();
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
  { signal }: QueryOptions = {},
): Promise<number> {
  refuseAborted(signal);
  const { path, isReplaceable } = await outputTarget(file);
  const partial = isReplaceable ? `${path}.partial` : join(tmpdir(), `edrlake-${randomUUID()}.parquet`);
  try {
    const rowCount = await copyToParquet(target, sql, partial, signal);
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
  sql: string,
  partial: string,
  signal: AbortSignal | undefined,
): Promise<number> {
  const session = await openLocked(target, await target.newestVersion(), sql, [partial]).catch(async (thrown) => {
    throw queryError(await target.explain(thrown), signal);
  });
  const guard = interruptOn(session.connection, signal);
  try {
    await prepareReading(session.connection, sql);
    const query = sql.trim().replace(/;+\s*$/, '');
    // The line break ends a comment at the end of the query.
    const copy = `COPY (${query}\n) TO ${quoteText(partial)} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)`;
    return (await session.connection.run(copy)).rowsChanged;
  } catch (thrown) {
    throw queryError(await target.explain(thrown), signal);
  } finally {
    guard.release();
    session.close();
  }
}

/**
 * Opens `lake.duckdb` where it shows the newest version, otherwise the same views in memory; locks it before the user's
 * query runs. This DuckDB answers one query and is closed, so caching files for the next one would only take time.
 */
async function openLocked(
  target: QueryTarget,
  version: number,
  sql: string,
  paths: readonly string[],
): Promise<DuckDbSession> {
  const limits = target.newLimits();
  const { parts } = target;
  const session =
    parts === undefined
      ? ((await openViewFile(target, version, limits)) ?? (await openInMemory(target, sql, limits)))
      : await openUnion(parts, sql, limits);
  try {
    // DuckDB compares the path of a data file as the view spells it, where `[` and `*` of the lake's path are escaped.
    const lakes = (parts?.map((part) => part.target) ?? [target]).flatMap(({ directory }) => [
      quoteText(directory),
      quoteFile(directory),
    ]);
    const directories = `[${[...lakes, quoteText(limits.spillDirectory)].join(', ')}]`;
    await session.connection.run(`
      SET allowed_directories = ${directories};
      ${paths.length === 0 ? '' : `SET allowed_paths = [${paths.map(quoteText).join(', ')}];`}
      SET enable_external_access = false;
      SET enable_external_file_cache = false;
      SET lock_configuration = true`);
    return session;
  } catch (thrown) {
    session.close();
    throw thrown;
  }
}

async function openViewFile(target: QueryTarget, version: number, limits: DuckDbLimits): Promise<DuckDbSession | null> {
  if (target.store.remote !== null) return null;
  const path = join(target.directory, VIEW_FILE);
  if (!existsSync(path)) return null;
  // Damaged, or locked by a shell that has it open for writing: it is only a cache.
  const session = await openDuckDb(path, limits).catch(() => null);
  if (session === null || (await showsVersion(session.connection, target.store, version))) return session;
  session.close();
  return null;
}

async function openInMemory(target: QueryTarget, sql: string, limits: DuckDbLimits): Promise<DuckDbSession> {
  const session = await openDuckDb(null, limits);
  try {
    await createViews(session.connection, await filesHere(target, sql));
    return session;
  } catch (thrown) {
    session.close();
    throw thrown;
  }
}

/**
 * The views of each lake in a database of its own, and over them in the first one views of the same names with the rows
 * of all lakes that have them.
 */
async function openUnion(parts: readonly NamedTarget[], sql: string, limits: DuckDbLimits): Promise<DuckDbSession> {
  const session = await openDuckDb(null, limits);
  const { connection } = session;
  try {
    const holders = new Map<string, string[]>();
    for (const [place, { name, target }] of parts.entries()) {
      const database = `lake_${place}`;
      await connection.run(`ATTACH ':memory:' AS ${database}`);
      await connection.run(`USE ${database}`);
      await createViews(connection, await filesHere(target, sql));
      const names = await rowsOf(
        connection,
        `SELECT view_name AS name FROM duckdb_views() WHERE database_name = '${database}' AND NOT internal UNION ALL SELECT table_name FROM duckdb_tables() WHERE database_name = '${database}'`,
      );
      for (const { name: view } of names) {
        const rows = `SELECT ${quoteText(name)} AS subscription, * FROM ${database}.main.${quoteName(String(view))}`;
        holders.set(String(view), [...(holders.get(String(view)) ?? []), rows]);
      }
    }
    await connection.run('USE memory');
    for (const [view, rows] of holders) {
      await connection.run(`CREATE VIEW ${quoteName(view)} AS ${rows.join(' UNION ALL BY NAME ')}`);
    }
    return session;
  } catch (thrown) {
    session.close();
    throw thrown;
  }
}

/**
 * What the views show, with the files that the statement reads on this machine. In an object store a table that the
 * statement does not name has no files: they are not downloaded for it.
 */
async function filesHere(target: QueryTarget, sql: string): Promise<ViewSource> {
  const source = await target.viewSource();
  const { remote } = target.store;
  if (remote === null) return source;
  const files = Object.fromEntries(
    Object.entries(source.snapshot.files).map(([table, ofTable]) => {
      const views = [table, `${table}_proven`, ...(table === EVENTS ? [PROCESS_EDGES] : [])];
      const isNamed = views.some((name) => isNamedIn(sql, name));
      return [table, isNamed ? ofTable : []];
    }),
  );
  const { huntMatches } = source;
  const matches = huntMatches !== null && isNamedIn(sql, HUNT_MATCHES) ? [{ path: huntMatches }] : [];
  await remote.bring([...Object.values(files).flat(), ...matches]);
  return {
    ...{ ...source, snapshot: { ...source.snapshot, files } },
    huntMatches: matches.length === 0 ? null : huntMatches,
  };
}

/** Functions that make a name of a table, or a statement, from a text. */
const BY_TEXT = /\bquery(?:_table)?\b/i;

/** What may hold a quote that begins no text, so that only the grammar knows where texts are. */
const UNUSUAL = /[$\\]|--|\/\*|"[^"]*'/;

/**
 * Whether a statement may read a table or view: its name is in it, outside of texts. DuckDB's own list of the names in
 * a statement is empty for a PIVOT, a recursive query and a join with USING, and a table that is left out looks empty.
 */
function isNamedIn(sql: string, name: string): boolean {
  const statement = UNUSUAL.test(sql) ? sql : sql.replace(/'(?:[^']|'')*'/g, "''");
  return BY_TEXT.test(sql) || new RegExp(`(?<![a-z0-9_])${name}(?![a-z0-9_])`, 'i').test(statement);
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
  return new EdrlakeError('QUERY_FAILED', message, { cause: thrown, context: position });
}
