import type { TableSpec } from '@edrlake/core';
import type { SchemaColumn } from '../../log/lake-state.ts';
import type { LakeVersion } from './history.ts';

/** The columns of a table at a version; those of its spec before the log says anything about it. */
export function columnsAt(version: LakeVersion, table: TableSpec): readonly SchemaColumn[] {
  return version.schema[table.name] ?? table.columns.map(({ name, type }) => ({ name, type }));
}

/** The field id of a column: that of the data files, which files of format 1 do not have. */
export function fieldId({ id }: SchemaColumn, position: number): number {
  return id ?? position + 1;
}

/** What published tables say about each column, by name. */
export function commentsOf(table: TableSpec, columns: readonly SchemaColumn[]): ReadonlyMap<string, string> {
  const meanings = new Map(table.columns.map(({ name, meaning }) => [name, meaning]));
  return new Map(
    columns.map(({ name, type }) => [name, `${meanings.get(name) ?? ''}${type === 'json' ? ' (JSON)' : ''}`]),
  );
}
