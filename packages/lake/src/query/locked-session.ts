import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { quoteFile, quoteName, quoteText, rowsOf, sum } from '@edrlake/core';
import type { LogPoint } from '../log/log-point.ts';
import {
  type CopiesOnly,
  directFailure,
  planReading,
  type ReadingPlan,
  type ReadLake,
} from '../reading/direct-reading.ts';
import { isNamedIn } from '../reading/named-tables.ts';
import { PROCESS_EDGES } from '../reading/process-view.ts';
import { type DuckDbLimits, type DuckDbSession, openDuckDb } from '../storage/duckdb.ts';
import { HUNT_MATCHES } from '../storage/hunt-matches.ts';
import { EVENTS, VIEW_FILE } from '../storage/layout.ts';
import type { QueryReads } from '../storage/store.ts';
import type { NamedTarget, QueryTarget } from './query-target.ts';
import { createViews, showsVersion, type ViewSource } from './views.ts';

/** What a DuckDB is opened for. */
export interface Statement {
  readonly sql: string;
  /** The version of the lake that was chosen. */
  readonly point: LogPoint;
  /** Absolute paths of files outside the lake that it may write. */
  readonly paths: readonly string[];
  /** Files of object stores are read as copies, although the user left the choice; null: as the user prefers. */
  readonly copiesOnly: CopiesOnly | null;
}

/** A locked DuckDB, and how it reads an object store; null where it reads none. */
export interface LockedSession extends DuckDbSession {
  readonly reads: QueryReads | null;
  /** A `DirectReadFailure` where a failure of its statement is about objects that it reads; else the failure itself. */
  explain(thrown: unknown): Promise<unknown>;
}

/** An open one that is not locked yet, and the addresses that it reads beside the folders of the lakes. */
interface OpenedViews {
  readonly session: DuckDbSession;
  readonly plans: readonly ReadingPlan[];
  readonly addresses: readonly string[];
}

/**
 * Opens `lake.duckdb` where it shows the newest version, otherwise the same views in memory; locks it before the user's
 * query runs. This DuckDB answers one query and is closed, so caching files of a disk for the next one would only take
 * time; of an object store, what one statement reads twice is kept.
 */
export async function openLocked(target: QueryTarget, statement: Statement): Promise<LockedSession> {
  const limits = target.newLimits();
  const { parts } = target;
  const viewFile = parts === undefined ? await openViewFile(target, statement.point, limits) : null;
  const { session, plans, addresses } = viewFile ?? (await openInMemory(target, statement, limits));
  try {
    // DuckDB compares the path of a data file as the view spells it, where `[` and `*` of the lake's path are escaped.
    const lakes = lakesOf(target).flatMap(({ directory }) => [quoteText(directory), quoteFile(directory)]);
    const directories = `[${[...lakes, quoteText(limits.spillDirectory)].join(', ')}]`;
    // Objects are allowed one by one: behind a folder, the options of httpfs in an address could name another server.
    const allowed = [...statement.paths, ...addresses];
    await session.connection.run(`
      SET allowed_directories = ${directories};
      ${allowed.length === 0 ? '' : `SET allowed_paths = [${allowed.map(quoteText).join(', ')}];`}
      SET enable_external_access = false;
      SET enable_external_file_cache = ${addresses.length > 0};
      SET lock_configuration = true`);
    const explain = async (thrown: unknown) => (addresses.length > 0 ? explainDirect(target, thrown) : thrown);
    return { ...session, reads: readsOf(plans), explain };
  } catch (thrown) {
    session.close();
    throw thrown;
  }
}

/** The lakes that a statement is about. */
export function lakesOf(target: QueryTarget): readonly QueryTarget[] {
  return target.parts?.map((part) => part.target) ?? [target];
}

async function explainDirect(target: QueryTarget, thrown: unknown): Promise<unknown> {
  const lakes: ReadLake[] = [];
  for (const { store, newestFiles } of lakesOf(target)) {
    if (store.remote !== null) lakes.push({ addressOf: store.remote.addressOf, files: await newestFiles() });
  }
  return directFailure(thrown, lakes) ?? thrown;
}

/** Of several lakes: what any of them does. */
function readsOf(plans: readonly ReadingPlan[]): QueryReads | null {
  const all = plans.map(({ reads }) => reads).filter(({ files }) => files > 0);
  const [first] = all;
  if (first === undefined) return null;
  const isDirect = all.some(({ by }) => by === 'httpfs');
  return {
    by: isDirect ? 'httpfs' : 'copies',
    files: sum(all, ({ files }) => files),
    copies: sum(all, ({ copies }) => copies),
    why: isDirect ? null : first.why,
  };
}

async function openViewFile(target: QueryTarget, point: LogPoint, limits: DuckDbLimits): Promise<OpenedViews | null> {
  if (target.store.remote !== null) return null;
  const path = join(target.directory, VIEW_FILE);
  if (!existsSync(path)) return null;
  // Damaged, or locked by a shell that has it open for writing: it is only a cache.
  const session = await openDuckDb(path, limits).catch(() => null);
  if (session === null) return null;
  if (await showsVersion(session.connection, target.store, point)) return { session, plans: [], addresses: [] };
  session.close();
  return null;
}

async function openInMemory(target: QueryTarget, statement: Statement, limits: DuckDbLimits): Promise<OpenedViews> {
  const session = await openDuckDb(null, limits);
  const plans: ReadingPlan[] = [];
  const addresses: string[] = [];
  const see = async (lake: QueryTarget, place: number) => {
    const { source, plan } = await filesToRead(lake, statement, session, place);
    if (plan !== null) plans.push(plan);
    const { remote } = lake.store;
    if (plan !== null && remote !== null) addresses.push(...[...plan.direct].map(remote.addressOf));
    return source;
  };
  try {
    if (target.parts === undefined) await createViews(session.connection, await see(target, 0));
    else await createUnion(target.parts, session, see);
    return { session, plans, addresses };
  } catch (thrown) {
    session.close();
    throw addresses.length > 0 ? await explainDirect(target, thrown) : thrown;
  }
}

/**
 * The views of each lake in a database of its own, and over them in the first one views of the same names with the rows
 * of all lakes that have them.
 * @param see what the views of a lake show
 */
async function createUnion(
  parts: readonly NamedTarget[],
  { connection }: DuckDbSession,
  see: (lake: QueryTarget, place: number) => Promise<ViewSource>,
): Promise<void> {
  const holders = new Map<string, string[]>();
  for (const [place, { name, target }] of parts.entries()) {
    const database = `lake_${place}`;
    await connection.run(`ATTACH ':memory:' AS ${database}`);
    await connection.run(`USE ${database}`);
    await createViews(connection, await see(target, place));
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
}

/**
 * What the views show, with the files that the statement reads, and how it does. In an object store a table that the
 * statement does not name has no files: nothing of them is read.
 */
async function filesToRead(
  target: QueryTarget,
  { sql, copiesOnly }: Statement,
  { connection }: DuckDbSession,
  place: number,
): Promise<{ readonly source: ViewSource; readonly plan: ReadingPlan | null }> {
  const source = await target.viewSource();
  const { store } = target;
  const { remote } = store;
  if (remote === null) return { source, plan: null };
  const files = Object.fromEntries(
    Object.entries(source.snapshot.files).map(([table, ofTable]) => {
      const views = [table, `${table}_proven`, ...(table === EVENTS ? [PROCESS_EDGES] : [])];
      const isNamed = views.some((name) => isNamedIn(sql, name));
      return [table, isNamed ? ofTable : []];
    }),
  );
  const { huntMatches } = source;
  const matches = huntMatches !== null && isNamedIn(sql, HUNT_MATCHES) ? [{ path: huntMatches }] : [];
  const named = [...Object.values(files).flat(), ...matches];
  const plan = await planReading(connection, remote, named, { place, copiesOnly });
  const locate = (path: string) => (plan.direct.has(path) ? remote.addressOf(path) : store.locate(path));
  return {
    source: {
      ...{ ...source, snapshot: { ...source.snapshot, files } },
      reader: { ...source.reader, store: { ...store, locate } },
      huntMatches: matches.length === 0 ? null : huntMatches,
    },
    plan,
  };
}
