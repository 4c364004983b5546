import { EdrlakeError, type TableSpec, withRowOrder } from '@edrlake/core';
import { copyToParquet } from '@edrlake/writers';
import type { FileSchema } from '../commit/build-log-entry.ts';
import type { CommitNames } from '../commit/optimistic-retry.ts';
import type { CommitContext } from '../log/commit-context.ts';
import { contentOf, fingerprintOf } from '../log/content-digest.ts';
import type { LakeState, LoggedFile } from '../log/lake-state.ts';
import { tableRowsSql } from '../log/table-rows.ts';
import { refuseDamaged } from '../storage/checksum.ts';

/** What becomes of the rows of a file. */
export interface ColumnRewrite {
  /** The table as its files are, and as they will be. */
  readonly before: TableSpec;
  readonly after: TableSpec;
  /** The column that comes or goes. Only it and `extra` may differ. */
  readonly column: string;
  /** SQL of the new rows. @param rows a table expression with those of `before` */
  rowsSql(rows: string): string;
}

/** Copies that attempts of one commit have written. */
export interface Rewritten {
  /** By the path of the file that each replaces. */
  readonly copies: Map<string, LoggedFile>;
  /** Each copy has its own name, also where the one of an earlier attempt cannot be used. */
  written: number;
}

/** Before the first attempt. */
export function noCopies(): Rewritten {
  return { copies: new Map(), written: 0 };
}

/**
 * Writes a copy of each file with another set of columns into the staging folder, and compares all other values of the
 * copy with those of the file. A file that an earlier attempt has written under the same schema is used again.
 * @returns the copies, in the order of the files
 * @throws {EdrlakeError} `LAKE_CORRUPT` where a file is damaged; `BUG` where other values changed, with nothing
 * committed
 */
export async function rewriteFiles(
  context: CommitContext,
  state: LakeState,
  names: CommitNames,
  work: {
    readonly files: readonly LoggedFile[];
    readonly rewrite: ColumnRewrite;
    readonly fileSchema: FileSchema;
    readonly done: Rewritten;
    readonly signal: AbortSignal;
  },
): Promise<readonly LoggedFile[]> {
  const { files, fileSchema, done, signal } = work;
  const copies: LoggedFile[] = [];
  for (const file of files) {
    signal.throwIfAborted();
    const known = done.copies.get(file.path);
    const copy =
      known?.schemaVersion === fileSchema.schemaVersion ? known : await rewriteFile(context, state, names, file, work);
    done.copies.set(file.path, copy);
    copies.push(copy);
  }
  return copies;
}

async function rewriteFile(
  context: CommitContext,
  state: LakeState,
  { stage, fileStem }: CommitNames,
  file: LoggedFile,
  work: { readonly rewrite: ColumnRewrite; readonly fileSchema: FileSchema; readonly done: Rewritten },
): Promise<LoggedFile> {
  const { connection, store } = context;
  const { before, after, rowsSql } = work.rewrite;
  const { schemaVersion, schema, fieldIds } = work.fileSchema;
  await refuseDamaged(store, [file]);
  const path = `${file.table}/${file.partition}/${fileStem}-c${work.done.written++}.parquet`;
  const staged = `${stage}/${path}`;
  const old = tableRowsSql({ store, schemas: state.schemas }, before, [file]);
  const shape = { layout: file.layout, fieldIds: fieldIds[file.table] ?? {}, maxRows: file.rowCount } as const;
  const write = () => copyToParquet(connection, rowsSql(`(${old})`), after, store.locate(staged), shape);
  const written = file.layout === 'sorted' ? await write() : await withRowOrder(connection, write);
  const { table, partition } = file;
  const copy: LoggedFile = { table, partition, path, schemaVersion, ...written };
  const schemas = new Map(state.schemas).set(schemaVersion, schema);
  const rows = tableRowsSql({ store, schemas }, after, [{ ...copy, path: staged }]);
  const untouched = { ...before, columns: before.columns.filter(({ name }) => isUntouched(name, work.rewrite)) };
  const [expected, found] = [
    await fingerprintOf(connection, untouched, old),
    await fingerprintOf(connection, untouched, rows),
  ];
  if (expected !== found) {
    throw new EdrlakeError('BUG', `rewriting ${file.path} did not keep the other columns`, {
      context: { expected, found },
      hint: 'Nothing was changed. Please report this with the version of edrlake.',
    });
  }
  return file.digest === undefined ? copy : { ...copy, digest: (await contentOf(connection, after, rows)).digest };
}

function isUntouched(name: string, { column }: ColumnRewrite): boolean {
  return name !== column && name !== 'extra';
}
