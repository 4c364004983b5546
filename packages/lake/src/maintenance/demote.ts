import { didYouMean, EdrlakeError, type TableSpec } from '@edrlake/core';
import { buildLogEntry, NO_COUNTS, NO_INDEX_CHANGE, schemaOnTop } from '../commit/build-log-entry.ts';
import { type CommitNames, commitWithRetry, type DraftedCommit } from '../commit/optimistic-retry.ts';
import type { CommitContext } from '../log/commit-context.ts';
import type { LakeState, LoggedFile } from '../log/lake-state.ts';
import { pathText } from '../log/live-tables.ts';
import { rowsOf, tableRowsSql } from '../log/table-rows.ts';
import { type PromotedColumn, promotedColumns } from '../promoted/place-values.ts';
import { isPlaceTaken, placeTaken, returnedRowsSql } from '../promoted/promoted-sql.ts';
import type { PromoteContext } from './promote.ts';
import { noCopies, type Rewritten, rewriteFiles } from './rewrite-column.ts';

/** Which column goes. */
export interface DemoteRequest {
  /** Name of the column. */
  readonly column: string;
  /** Only needed where several tables have a promoted column of that name. */
  readonly table?: string;
}

/** What was demoted. */
export interface DemoteReport {
  readonly version: number;
  readonly table: string;
  readonly column: string;
  /** The path in `extra` where the values are again. */
  readonly path: string;
  readonly values: number;
  /** Data files that were rewritten: all that had the column. */
  readonly files: number;
}

/**
 * Undoes `promote`, in one commit: puts the values back into `extra` and removes the column from all files that have
 * it. Its field id is never given to another column.
 * @throws {EdrlakeError} as `commitWithRetry`; `USAGE` for a column that is not a promoted one, `INTERRUPTED`,
 * `LAKE_CORRUPT`
 */
export async function demote(
  context: CommitContext,
  request: DemoteRequest,
  run: PromoteContext,
): Promise<DemoteReport> {
  const done = noCopies();
  const { version, outcome } = await commitWithRetry(context, (state, names) =>
    draft(context, state, names, { request, run, done }),
  );
  return { ...outcome, version };
}

async function draft(
  context: CommitContext,
  state: LakeState,
  names: CommitNames,
  work: { readonly request: DemoteRequest; readonly run: PromoteContext; readonly done: Rewritten },
): Promise<DraftedCommit<Omit<DemoteReport, 'version'>>> {
  const { connection, store, tables } = context;
  const { table, column } = columnWanted(tables, work.request);
  const has = ({ table: name, schemaVersion }: LoggedFile) =>
    name === table.name && (state.schemas.get(schemaVersion)?.[name] ?? []).some((one) => one.name === column.name);
  const files = [...state.files.values()].filter(has);
  const rows = tableRowsSql({ store, schemas: state.schemas }, table, files);
  const [count] = await rowsOf(connection, `SELECT count("${column.name}")::DOUBLE AS taken FROM (${rows})`);
  const after = { ...table, columns: table.columns.filter(({ name }) => name !== column.name) };
  const next = tables.map((each) => (each === table ? after : each));
  const fileSchema = schemaOnTop(state, next);
  const rewrite = {
    ...{ before: table, after, column: column.name },
    rowsSql: (some: string) => returnedRowsSql(connection, some, column),
  };
  const { done, run } = work;
  const added = await rewriteFiles(context, state, names, {
    ...{ files, rewrite, fileSchema, done },
    signal: run.signal,
  }).catch((thrown: unknown) => {
    throw isPlaceTaken(thrown) ? placeTaken(column) : thrown;
  });
  context.onStep('staged');
  const drafted = buildLogEntry({ ...context, tables: next }, state, names, {
    runId: run.runId,
    counts: NO_COUNTS,
    added,
    removed: files.map((file) => file.path),
    ids: NO_INDEX_CHANGE,
    proofs: [],
    losses: [],
  });
  const about = { table: table.name, column: column.name, path: pathText(column.promoted.path) };
  return { ...drafted, outcome: { ...about, values: Number(count?.taken), files: files.length } };
}

/** @throws {EdrlakeError} `USAGE` where no table, or more than one, has such a promoted column */
function columnWanted(
  tables: readonly TableSpec[],
  { column: name, table: wanted }: DemoteRequest,
): { readonly table: TableSpec; readonly column: PromotedColumn } {
  const all = tables.flatMap((table) => promotedColumns(table).map((column) => ({ table, column })));
  const found = all.filter(
    ({ table, column }) => column.name === name && (wanted === undefined || table.name === wanted),
  );
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  const text = ({ table, column }: (typeof all)[number]) => `${table.name}.${column.name}`;
  if (found.length > 1) {
    throw new EdrlakeError('USAGE', `${found.length} tables have a promoted column ${name}`, {
      hint: `Name the table with --table: ${found.map(({ table }) => table.name).join(' or ')}.`,
    });
  }
  const isOfDataset = tables.some(({ columns }) => columns.some((column) => column.name === name));
  const near = didYouMean(
    name,
    all.map(({ column }) => column.name),
  );
  throw new EdrlakeError('USAGE', `${wanted ?? 'the lake'} has no promoted column ${name}`, {
    hint: isOfDataset
      ? 'Columns of the dataset stay: only promoted ones can be demoted.'
      : near !== null
        ? `Did you mean ${near}?`
        : all.length === 0
          ? 'No column of this lake is promoted.'
          : `Promoted are: ${all.map(text).join(', ')}.`,
  });
}
