import { type ColumnType, isoInstant, quoteName, rowMeaning, type TableSpec } from '@edrlake/core';
import type { LoggedFile } from '../../log/lake-state.ts';
import { partitionDay } from '../../log/table-rows.ts';
import { type FileFooter, isoOrNull, type StatsValue } from '../publication/column-stats.ts';
import type { LakeVersion } from '../publication/history.ts';
import { type Publication, uuidOf } from '../publication/publication.ts';
import { columnsAt, commentsOf, fieldId } from '../publication/published-columns.ts';
import { type Catalog, type CatalogRow, type CatalogTable, DUCKLAKE_VERSION } from './ducklake-catalog.ts';
import type { CatalogState, PublishedColumn, PublishedTable } from './ducklake-state.ts';

/** JSON is text in the files, and a reader compares the types of a file with those of the table. */
const TYPES: Readonly<Record<ColumnType, string>> = {
  text: 'varchar',
  integer: 'int32',
  bigint: 'int64',
  boolean: 'boolean',
  timestamp: 'timestamptz',
  date: 'date',
  json: 'varchar',
};

/** The one schema of a catalogue. */
const SCHEMA = { id: 0, name: 'main' };

/** A version of the lake, and what it did. */
export interface VersionChange {
  readonly version: LakeVersion;
  readonly added: readonly LoggedFile[];
  readonly removed: readonly LoggedFile[];
  readonly tables: readonly TableSpec[];
  /** null where nothing is known of it. */
  footerOf(file: LoggedFile, table: TableSpec): Promise<FileFooter | null>;
}

/** Rows that are gathered before they are written: each statement of DuckDB takes a millisecond. */
const PENDING_ROWS = 50_000;

/** Changes of a catalogue that are gathered. */
export interface PendingChanges {
  insert(table: CatalogTable, row: CatalogRow): void;
  endFile(row: { readonly table_id: number; readonly path: string; readonly end_snapshot: number }): void;
  endColumn(row: { readonly table_id: number; readonly column_id: number; readonly end_snapshot: number }): void;
  /** Writes them, if there are many. */
  flushMany(): Promise<void>;
  /** Writes them. */
  flush(): Promise<void>;
}

/** No changes yet. */
export function pendingChanges(catalog: Catalog): PendingChanges {
  const rows = new Map<CatalogTable, CatalogRow[]>();
  let files: CatalogRow[] = [];
  let columns: CatalogRow[] = [];
  let count = 0;
  const flush = async () => {
    for (const [table, added] of rows) await catalog.insert(table, added);
    await endSpans(catalog, 'ducklake_data_file', files, { path: 'VARCHAR' });
    // A column that has changed has a newer row, which begins where this one ends.
    await endSpans(catalog, 'ducklake_column', columns, { column_id: 'BIGINT' });
    await endSpans(catalog, 'ducklake_column_tag', columns, { column_id: 'BIGINT' });
    rows.clear();
    [files, columns, count] = [[], [], 0];
  };
  return {
    insert: (table, row) => {
      count += 1;
      const known = rows.get(table);
      if (known === undefined) rows.set(table, [row]);
      else known.push(row);
    },
    endFile: (row) => {
      files.push(row);
    },
    endColumn: (row) => {
      columns.push(row);
    },
    flush,
    flushMany: async () => {
      if (count > PENDING_ROWS) await flush();
    },
  };
}

async function endSpans(
  { run, given, table }: Catalog,
  name: CatalogTable,
  ended: readonly CatalogRow[],
  by: Readonly<Record<string, string>>,
): Promise<void> {
  if (ended.length === 0) return;
  const source = await given(ended, { table_id: 'BIGINT', end_snapshot: 'BIGINT', ...by });
  const [key = ''] = Object.keys(by);
  await run(`
    UPDATE ${table(name)} AS span SET end_snapshot = ended.end_snapshot FROM ${source} AS ended
    WHERE span.table_id = ended.table_id AND span.${key} = ended.${key} AND span.end_snapshot IS NULL
      AND span.begin_snapshot < ended.end_snapshot`);
}

/** Begins a catalogue with its schema and its tables, at the first version that it has. */
export function beginCatalog(
  changes: PendingChanges,
  state: CatalogState,
  tables: readonly TableSpec[],
  { version, claim }: { readonly version: number; readonly claim: Publication },
): void {
  const settings = {
    version: DUCKLAKE_VERSION,
    created_by: 'edrlake',
    data_path: state.dataPath,
    encrypted: 'false',
    // A compaction by another program would make files that the lake does not know.
    auto_compact: 'false',
  };
  for (const [key, value] of Object.entries(settings)) changes.insert('ducklake_metadata', { key, value });
  const place = { begin_snapshot: version, path_is_relative: true };
  const uuid = uuidOf(`schema ${claim.origin}`);
  changes.insert('ducklake_schema', {
    schema_id: SCHEMA.id,
    schema_uuid: uuid,
    schema_name: SCHEMA.name,
    path: '',
    ...place,
  });
  for (const table of tables) {
    const id = state.nextCatalogId;
    state.nextCatalogId += 3;
    const published: PublishedTable = {
      ...{ id, partitionId: id + 1, mappingId: id + 2, columns: new Map(), mapped: new Set() },
      ...{ nextRowId: 0, rows: 0, bytes: 0 },
    };
    state.tables.set(table.name, published);
    const [table_id, table_uuid] = [id, uuidOf(`${table.name} ${claim.origin}`)];
    const { name: table_name } = table;
    changes.insert('ducklake_table', {
      table_id,
      table_uuid,
      schema_id: SCHEMA.id,
      table_name,
      path: `${table_name}/`,
      ...place,
    });
    const comment = `${rowMeaning(table)}; published by edrlake, do not write`;
    changes.insert('ducklake_tag', { object_id: id, begin_snapshot: version, key: 'comment', value: comment });
    changes.insert('ducklake_partition_info', { partition_id: id + 1, table_id, begin_snapshot: version });
    changes.insert('ducklake_column_mapping', { mapping_id: id + 2, table_id, type: 'map_by_name' });
  }
}

/** Adds a version of the lake as a snapshot, which is one for all tables. */
export async function addVersion(changes: PendingChanges, state: CatalogState, change: VersionChange): Promise<void> {
  const { version } = change;
  const isFirst = state.version < 0;
  const made = isFirst ? [`created_schema:${quoteName(SCHEMA.name)}`] : [];
  for (const table of change.tables) {
    const published = state.tables.get(table.name);
    if (published === undefined) continue;
    const isAltered = setColumns(changes, published, table, version);
    const [added, removed] = [change.added, change.removed].map((files) =>
      files.filter((file) => file.table === table.name),
    ) as [LoggedFile[], LoggedFile[]];
    for (const file of added) {
      const footer = await change.footerOf(file, table);
      addFile(changes, state, published, version, { table, file, footer });
      await changes.flushMany();
    }
    for (const file of removed) {
      const path = pathInTable(file);
      changes.endFile({ table_id: published.id, path, end_snapshot: version.version });
      published.rows -= file.rowCount;
      published.bytes -= file.fileBytes;
    }
    const isRewritten = version.isRearranged && removed.length > 0;
    if (isFirst) made.push(`created_table:${quoteName(SCHEMA.name)}.${quoteName(table.name)}`);
    else if (isAltered) made.push(`altered_table:${published.id}`);
    if (isRewritten) made.push(`compacted_table:${published.id}`);
    if (!isRewritten && removed.length > 0) made.push(`deleted_from_table:${published.id}`);
    if (!isRewritten && added.length > 0) made.push(`inserted_into_table:${published.id}`);
  }
  addSnapshot(changes, state, version, made);
}

function addSnapshot(
  changes: PendingChanges,
  state: CatalogState,
  version: LakeVersion,
  made: readonly string[],
): void {
  state.version = version.version;
  state.commitId = version.commitId;
  // Version 0 was before the first commit, whose time it has; and readers order snapshots by their times.
  const atMs = Math.max(version.committedAtMs - (version.version === 0 ? 1 : 0), state.snapshotAtMs + 1);
  state.snapshotAtMs = atMs;
  const { version: snapshot_id, nextCatalogId: next_catalog_id, nextFileId: next_file_id } = state;
  const { schemaVersion: schema_version, commitId, runId } = version;
  const snapshot_time = isoInstant(atMs);
  changes.insert('ducklake_snapshot', { snapshot_id, snapshot_time, schema_version, next_catalog_id, next_file_id });
  changes.insert('ducklake_snapshot_changes', {
    ...{ snapshot_id, changes_made: made.join(','), author: 'edrlake' },
    commit_extra_info: JSON.stringify({ commitId, runId }),
  });
}

/** @returns whether the columns are others than before */
function setColumns(changes: PendingChanges, published: PublishedTable, table: TableSpec, at: LakeVersion): boolean {
  const columns = columnsAt(at, table);
  const comments = commentsOf(table, columns);
  const wanted = new Map<number, PublishedColumn>(
    columns.map((column, order) => {
      const { name, type } = column;
      return [fieldId(column, order), { name, type: TYPES[type], order: order + 1 }];
    }),
  );
  const isSame = (id: number, column: PublishedColumn | undefined) => {
    const known = published.columns.get(id);
    return known?.name === column?.name && known?.type === column?.type && known?.order === column?.order;
  };
  const table_id = published.id;
  const span = { table_id, begin_snapshot: at.version };
  let isAltered = false;
  for (const id of [...published.columns.keys()].filter((known) => !isSame(known, wanted.get(known)))) {
    changes.endColumn({ table_id, column_id: id, end_snapshot: at.version });
    published.columns.delete(id);
    isAltered = true;
  }
  for (const [column_id, column] of [...wanted].filter(([id]) => !published.columns.has(id))) {
    const { name: column_name, type: column_type, order } = column;
    changes.insert('ducklake_column', {
      ...{ ...span, column_id, column_order: order, column_name, column_type, nulls_allowed: true },
      ...{ default_value: 'NULL', default_value_type: 'literal', default_value_dialect: 'duckdb' },
    });
    const value = comments.get(column_name) ?? '';
    changes.insert('ducklake_column_tag', { ...span, column_id, key: 'comment', value });
    mapColumn(changes, published, table, { id: column_id, name: column_name });
    published.columns.set(column_id, column);
    isAltered = true;
  }
  if (isAltered) changes.insert('ducklake_schema_versions', { ...span, schema_version: at.schemaVersion });
  return isAltered;
}

/** Where readers find the values of a column: by its name in the files, or in the name of the folder. */
function mapColumn(
  changes: PendingChanges,
  published: PublishedTable,
  { partitionBy }: TableSpec,
  { id, name }: { readonly id: number; readonly name: string },
): void {
  if (published.mapped.has(id)) return;
  published.mapped.add(id);
  const is_partition = name === partitionBy;
  changes.insert('ducklake_name_mapping', {
    ...{ mapping_id: published.mappingId, column_id: id, source_name: name, target_field_id: id, is_partition },
  });
  if (!is_partition) return;
  changes.insert('ducklake_partition_column', {
    ...{ partition_id: published.partitionId, table_id: published.id, partition_key_index: 0 },
    ...{ column_id: id, transform: 'identity' },
  });
}

function addFile(
  changes: PendingChanges,
  state: CatalogState,
  published: PublishedTable,
  { version }: LakeVersion,
  { table, file, footer }: { readonly table: TableSpec; readonly file: LoggedFile; readonly footer: FileFooter | null },
): void {
  const key = { data_file_id: state.nextFileId, table_id: published.id };
  state.nextFileId += 1;
  const { rowCount, fileBytes } = file;
  changes.insert('ducklake_data_file', {
    ...{ ...key, begin_snapshot: version, path: pathInTable(file), path_is_relative: true, file_format: 'parquet' },
    ...{ record_count: rowCount, file_size_bytes: fileBytes, footer_size: footer?.bytes ?? null },
    ...{ row_id_start: published.nextRowId, partition_id: published.partitionId, mapping_id: published.mappingId },
  });
  published.nextRowId += rowCount;
  published.rows += rowCount;
  published.bytes += fileBytes;
  const day = partitionDay(file);
  changes.insert('ducklake_file_partition_value', { ...key, partition_key_index: 0, partition_value: day });
  const types = new Map(table.columns.map(({ name, type }) => [name, type]));
  for (const [column_id, { name }] of published.columns) {
    const found = name === table.partitionBy ? { nulls: 0, min: day, max: day } : footer?.stats.get(name);
    if (found === undefined) continue;
    const { nulls, min, max } = found;
    const [min_value, max_value] = [min, max].map((value) => statsText(value, types.get(name)));
    // As many values as are not NULL: so the extension of DuckDB writes it, and reads it.
    const counts = { value_count: rowCount - nulls, null_count: nulls };
    changes.insert('ducklake_file_column_stats', {
      ...{ ...key, column_id, ...counts, min_value: min_value ?? null, max_value: max_value ?? null },
    });
  }
}

/** Relative to the table. */
function pathInTable({ path, table }: LoggedFile): string {
  return path.slice(table.length + 1);
}

/** A bound as text that a reader can cast; null, which bounds nothing, where it could not. */
function statsText(value: StatsValue | null, type: ColumnType | undefined): string | null {
  if (value === null) return null;
  if (type === 'timestamp') {
    const micros = BigInt(value);
    const rest = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
    const iso = isoOrNull(Number((micros - rest) / 1000n));
    const fraction = rest === 0n ? '' : `.${String(rest).padStart(6, '0')}`;
    return iso === null ? null : `${iso.slice(0, 10)} ${iso.slice(11, 19)}${fraction}+00`;
  }
  if (type === 'date' && typeof value === 'number') return isoOrNull(value * 86_400_000)?.slice(0, 10) ?? null;
  return String(value);
}
