import {
  type ColumnType,
  didYouMean,
  EdrlakeError,
  nounText,
  type PromotedFrom,
  type TableSpec,
  type TimeForm,
} from '@edrlake/core';
import { buildLogEntry, NO_COUNTS, NO_INDEX_CHANGE, schemaOnTop } from '../commit/build-log-entry.ts';
import { type CommitNames, commitWithRetry, type DraftedCommit } from '../commit/optimistic-retry.ts';
import type { CommitContext } from '../log/commit-context.ts';
import type { LakeState, LoggedFile } from '../log/lake-state.ts';
import { pathText, promotedColumn } from '../log/live-tables.ts';
import { rowsOf, tableRowsSql } from '../log/table-rows.ts';
import { type PromotedColumn, promotedColumns } from '../promoted/place-values.ts';
import { kindSql, placedRowsSql, takesSql } from '../promoted/promoted-sql.ts';
import { columnNameFor, type PromoteRequest, parsePath, promotedAlready, tableWanted } from './promotion-request.ts';
import { type ColumnRewrite, noCopies, type Rewritten, rewriteFiles } from './rewrite-column.ts';

/** What was promoted. */
export interface PromoteReport {
  /** null: the path is promoted already, and nothing was changed. */
  readonly version: number | null;
  readonly table: string;
  readonly path: string;
  readonly column: string;
  readonly type: ColumnType;
  /** Values that are in the column now. */
  readonly values: number;
  /** Values of another type, which stay in `extra`. */
  readonly left: number;
  /** Data files that were rewritten. */
  readonly files: number;
}

/** The run that changes the lake. */
export interface PromoteContext {
  readonly runId: string;
  /** Checked between files; nothing is committed then. */
  readonly signal: AbortSignal;
}

/**
 * Makes a path of `extra` a column of its table, over all history, from the lake alone, in one commit. Only files that
 * hold such a value are rewritten; all writers fill the column from then on. A value that the type does not say
 * exactly stays in `extra`. A crash before the commit leaves the lake as it was.
 * @throws {EdrlakeError} as `commitWithRetry`; `USAGE` for what cannot be promoted, `INTERRUPTED`, `LAKE_CORRUPT`
 */
export async function promote(
  context: CommitContext,
  request: PromoteRequest,
  run: PromoteContext,
): Promise<PromoteReport> {
  const done = noCopies();
  const { entry, outcome } = await commitWithRetry(context, (state, names) =>
    draft(context, state, names, { request, run, done }),
  );
  return { ...outcome, version: entry?.version ?? null };
}

type Outcome = Omit<PromoteReport, 'version'>;

async function draft(
  context: CommitContext,
  state: LakeState,
  names: CommitNames,
  work: { readonly request: PromoteRequest; readonly run: PromoteContext; readonly done: Rewritten },
): Promise<DraftedCommit<Outcome>> {
  const { request, run, done } = work;
  const { connection, tables } = context;
  const path = parsePath(request.path);
  const table = tableWanted(tables, request.table);
  const files = [...state.files.values()].filter((file) => file.table === table.name);
  const reader = { store: context.store, schemas: state.schemas };
  const already = promotedAlready(table, path, request);
  const about = { table: table.name, path: pathText(path) };
  if (already !== null) {
    const counts = { values: 0, left: await leftIn(context, tableRowsSql(reader, table, files), path), files: 0 };
    return { outcome: { ...about, column: already.name, type: already.type, ...counts }, entry: null, moves: [] };
  }
  const kinds = await kindsOf(context, tableRowsSql(reader, table, files), path);
  if (kinds.length === 0 && request.type === undefined) throw await neverSeen(context, state, table, path);
  const name = columnNameFor(table, path, context.store.address, request.as);
  const type = request.type ?? onlyType(kinds, about);
  const column = promotedColumn(name, type, promotedFrom(path, type, kinds));
  const hits = await hitsOf(context, state, { table, files }, column);
  const values = hits.reduce((sum, { taken }) => sum + taken, 0);
  const total = kinds.reduce((sum, { rows }) => sum + rows, 0);
  if (total > 0 && values === 0) throw nothingFits(type, kinds, about);
  const after = { ...table, columns: [...table.columns, column] };
  const next = tables.map((each) => (each === table ? after : each));
  const fileSchema = schemaOnTop(state, next);
  const rewrite: ColumnRewrite = {
    before: table,
    after,
    column: name,
    rowsSql: (rows) => placedRowsSql(connection, rows, [column]),
  };
  const replaced = hits.map(({ file }) => file);
  const added = await rewriteFiles(context, state, names, {
    ...{ files: replaced, rewrite, fileSchema, done },
    signal: run.signal,
  });
  context.onStep('staged');
  const drafted = buildLogEntry({ ...context, tables: next }, state, names, {
    runId: run.runId,
    counts: NO_COUNTS,
    added,
    removed: replaced.map((file) => file.path),
    ids: NO_INDEX_CHANGE,
    proofs: [],
    losses: [],
  });
  const counts = { values, left: total - values, files: replaced.length };
  return { ...drafted, outcome: { ...about, column: name, type, ...counts } };
}

/** What the values at a path are: their narrowest type and the form of instants, with the number of rows. */
interface Kind {
  readonly type: ColumnType;
  readonly form: TimeForm | null;
  readonly rows: number;
}

/** The most frequent first. */
async function kindsOf({ connection }: CommitContext, rows: string, path: readonly string[]): Promise<Kind[]> {
  const kinds = `SELECT ${kindSql(connection, path)} AS kind FROM (${rows})`;
  const found = await rowsOf(
    connection,
    `SELECT kind, count(*)::DOUBLE AS rows FROM (${kinds}) WHERE kind IS NOT NULL GROUP BY kind ORDER BY rows DESC, kind`,
  );
  return found.map(({ kind, rows: count }) => {
    const [type = 'json', form = ''] = String(kind).split(':');
    return { type: type as ColumnType, form: form === '' ? null : (form as TimeForm), rows: Number(count) };
  });
}

async function leftIn(context: CommitContext, rows: string, path: readonly string[]): Promise<number> {
  return (await kindsOf(context, rows, path)).reduce((sum, kind) => sum + kind.rows, 0);
}

/** Instants of a column have one form, the most frequent. */
function promotedFrom(path: readonly string[], type: ColumnType, kinds: readonly Kind[]): PromotedFrom {
  if (type !== 'timestamp') return { path };
  const counts = new Map<TimeForm, number>();
  for (const { form, rows } of kinds) if (form !== null) counts.set(form, (counts.get(form) ?? 0) + rows);
  const [[form] = ['offset' as const]] = [...counts].sort(([, a], [, b]) => b - a);
  return { path, form };
}

function onlyType(kinds: readonly Kind[], about: { readonly table: string; readonly path: string }): ColumnType {
  const types = new Set(kinds.map(({ type }) => type));
  const [type = 'json'] = types;
  if (types.size === 1) return type;
  throw new EdrlakeError('USAGE', `${about.path} of ${about.table} has values of several types: ${kindsText(kinds)}`, {
    hint: `Choose one, such as --type ${type}: values of the others stay in extra. With --type json all become JSON.`,
  });
}

function kindsText(kinds: readonly Kind[]): string {
  const counts = new Map<ColumnType, number>();
  for (const { type, rows } of kinds) counts.set(type, (counts.get(type) ?? 0) + rows);
  return [...counts].map(([type, rows]) => `${type} in ${nounText(rows, 'row')}`).join(', ');
}

function nothingFits(
  type: ColumnType,
  kinds: readonly Kind[],
  about: { readonly table: string; readonly path: string },
): EdrlakeError {
  return new EdrlakeError('USAGE', `no value of ${about.path} of ${about.table} is of the type ${type}`, {
    hint: `It is ${kindsText(kinds)}. Nothing was changed.`,
  });
}

interface Hit {
  readonly file: LoggedFile;
  readonly taken: number;
}

/** The files with a value that the column takes, in commit order. */
async function hitsOf(
  { connection, store }: CommitContext,
  state: LakeState,
  { table, files }: { readonly table: TableSpec; readonly files: readonly LoggedFile[] },
  column: PromotedColumn,
): Promise<Hit[]> {
  const rows = tableRowsSql({ store, schemas: state.schemas }, table, files, { withFile: true });
  const found = await rowsOf(
    connection,
    `SELECT lake_file, count(*)::DOUBLE AS taken FROM (${rows}) WHERE ${takesSql(connection, column)} GROUP BY lake_file`,
  );
  const taken = new Map(found.map((row) => [String(row.lake_file), Number(row.taken)]));
  return files.flatMap((file) => {
    const count = taken.get(store.locate(file.path)) ?? 0;
    return count === 0 ? [] : { file, taken: count };
  });
}

/** Paths that are looked through for one that is nearly the same. */
const MAX_PATHS = 1_000;

async function neverSeen(
  { connection, store }: CommitContext,
  state: LakeState,
  table: TableSpec,
  path: readonly string[],
): Promise<EdrlakeError> {
  const files = [...state.files.values()].filter((file) => file.table === table.name);
  const rows = tableRowsSql({ store, schemas: state.schemas }, table, files);
  const found = await rowsOf(
    connection,
    `SELECT DISTINCT j.fullkey[3:] AS path FROM (${rows}) t, json_tree(t.extra) j
     WHERE t.extra IS NOT NULL AND j.fullkey <> '$' AND NOT contains(j.fullkey, '[') ORDER BY 1 LIMIT ${MAX_PATHS}`,
  );
  const text = pathText(path);
  const promoted = promotedColumns(table).map((column) => pathText(column.promoted.path));
  const near = didYouMean(text, [...found.map((row) => String(row.path)), ...promoted]);
  const taken = table.columns.find(({ paths }) => paths.includes(text));
  return new EdrlakeError('USAGE', `no row of ${table.name} has ${text} in extra`, {
    context: { table: table.name, path: text },
    hint:
      taken !== undefined
        ? `It is what the column ${taken.name} is read from.`
        : near !== null
          ? `Did you mean ${near}?`
          : 'edrlake drift shows every path. With --type the column is made for what may come.',
  });
}
