import type { ColumnSpec, PromotedFrom, TableSpec } from '@edrlake/core';
import type { CommitLog } from './commit-log.ts';
import type { LakeState, Schema, SchemaColumn } from './lake-state.ts';

/** The tables of a dataset with the columns that a schema of the lake has promoted, after those of the dataset. */
export function tablesOf(tables: readonly TableSpec[], schema: Schema | undefined): readonly TableSpec[] {
  return tables.map((table) => {
    const mine = new Set(table.columns.map(({ name }) => name));
    const promoted = (schema?.[table.name] ?? []).filter(({ name }) => !mine.has(name)).flatMap(promotedSpec);
    return promoted.length === 0 ? table : { ...table, columns: [...table.columns, ...promoted] };
  });
}

/** The tables of the newest version in a state. */
export function tablesIn(tables: readonly TableSpec[], { schemas, schemaVersion }: LakeState): readonly TableSpec[] {
  return tablesOf(tables, schemas.get(schemaVersion));
}

/**
 * The tables of the newest version that the log has read, each time they are asked for: another process may promote a
 * column at any time.
 */
export function liveTables(tables: readonly TableSpec[], log: CommitLog): () => readonly TableSpec[] {
  let shown: { readonly schema: Schema | undefined; readonly tables: readonly TableSpec[] } | null = null;
  return () => {
    const { schemas, schemaVersion } = log.known();
    const schema = schemas.get(schemaVersion);
    if (shown === null || shown.schema !== schema) shown = { schema, tables: tablesOf(tables, schema) };
    return shown.tables;
  };
}

function promotedSpec({ name, type, promoted }: SchemaColumn): ColumnSpec[] {
  return promoted === undefined ? [] : [promotedColumn(name, type, promoted)];
}

/** The spec of a promoted column. */
export function promotedColumn(
  name: string,
  type: ColumnSpec['type'],
  promoted: PromotedFrom,
): ColumnSpec & { readonly promoted: PromotedFrom } {
  const path = pathText(promoted.path);
  return { name, paths: [path], type, meaning: `Promoted from ${path} in extra`, promoted };
}

/** A path as `edrlake drift` shows it: names with a dot or a quote are quoted. */
export function pathText(path: readonly string[]): string {
  return path.map((name) => (/^[^."[\]\s]+$/.test(name) ? name : JSON.stringify(name))).join('.');
}
