import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { quoteName, quoteText } from '@edrlake/core';
import { type PlainRow, rowsOf } from '../../log/table-rows.ts';
import { ndjsonSql, withScratch } from '../publication/scratch-folder.ts';

/** The version of the specification that the catalogue follows. */
export const DUCKLAKE_VERSION = '1.0';

const SPAN = { begin_snapshot: 'BIGINT', end_snapshot: 'BIGINT' } as const;
const PLACE = { path: 'VARCHAR', path_is_relative: 'BOOLEAN' } as const;
const STATS = {
  column_size_bytes: 'BIGINT',
  value_count: 'BIGINT',
  null_count: 'BIGINT',
  min_value: 'VARCHAR',
  max_value: 'VARCHAR',
  contains_nan: 'BOOLEAN',
  extra_stats: 'VARCHAR',
} as const;

/**
 * The tables of a catalogue with their columns, in DuckDB's types. All of them have to be there, also those that stay
 * empty. Source: the specification of DuckLake 1.0, "Tables".
 */
const TABLES = {
  ducklake_metadata: { key: 'VARCHAR', value: 'VARCHAR', scope: 'VARCHAR', scope_id: 'BIGINT' },
  ducklake_snapshot: {
    snapshot_id: 'BIGINT',
    snapshot_time: 'TIMESTAMPTZ',
    schema_version: 'BIGINT',
    next_catalog_id: 'BIGINT',
    next_file_id: 'BIGINT',
  },
  ducklake_snapshot_changes: {
    snapshot_id: 'BIGINT',
    changes_made: 'VARCHAR',
    author: 'VARCHAR',
    commit_message: 'VARCHAR',
    commit_extra_info: 'VARCHAR',
  },
  ducklake_schema: { schema_id: 'BIGINT', schema_uuid: 'UUID', ...SPAN, schema_name: 'VARCHAR', ...PLACE },
  ducklake_schema_versions: { begin_snapshot: 'BIGINT', schema_version: 'BIGINT', table_id: 'BIGINT' },
  ducklake_table: {
    table_id: 'BIGINT',
    table_uuid: 'UUID',
    ...SPAN,
    schema_id: 'BIGINT',
    table_name: 'VARCHAR',
    ...PLACE,
  },
  ducklake_column: {
    column_id: 'BIGINT',
    ...SPAN,
    table_id: 'BIGINT',
    column_order: 'BIGINT',
    column_name: 'VARCHAR',
    column_type: 'VARCHAR',
    initial_default: 'VARCHAR',
    default_value: 'VARCHAR',
    nulls_allowed: 'BOOLEAN',
    parent_column: 'BIGINT',
    default_value_type: 'VARCHAR',
    default_value_dialect: 'VARCHAR',
  },
  ducklake_tag: { object_id: 'BIGINT', ...SPAN, key: 'VARCHAR', value: 'VARCHAR' },
  ducklake_column_tag: { table_id: 'BIGINT', column_id: 'BIGINT', ...SPAN, key: 'VARCHAR', value: 'VARCHAR' },
  ducklake_partition_info: { partition_id: 'BIGINT', table_id: 'BIGINT', ...SPAN },
  ducklake_partition_column: {
    partition_id: 'BIGINT',
    table_id: 'BIGINT',
    partition_key_index: 'BIGINT',
    column_id: 'BIGINT',
    transform: 'VARCHAR',
  },
  ducklake_column_mapping: { mapping_id: 'BIGINT', table_id: 'BIGINT', type: 'VARCHAR' },
  ducklake_name_mapping: {
    mapping_id: 'BIGINT',
    column_id: 'BIGINT',
    source_name: 'VARCHAR',
    target_field_id: 'BIGINT',
    parent_column: 'BIGINT',
    is_partition: 'BOOLEAN',
  },
  ducklake_data_file: {
    data_file_id: 'BIGINT',
    table_id: 'BIGINT',
    ...SPAN,
    file_order: 'BIGINT',
    ...PLACE,
    file_format: 'VARCHAR',
    record_count: 'BIGINT',
    file_size_bytes: 'BIGINT',
    footer_size: 'BIGINT',
    row_id_start: 'BIGINT',
    partition_id: 'BIGINT',
    encryption_key: 'VARCHAR',
    mapping_id: 'BIGINT',
    partial_max: 'BIGINT',
  },
  ducklake_file_partition_value: {
    data_file_id: 'BIGINT',
    table_id: 'BIGINT',
    partition_key_index: 'BIGINT',
    partition_value: 'VARCHAR',
  },
  ducklake_file_column_stats: { data_file_id: 'BIGINT', table_id: 'BIGINT', column_id: 'BIGINT', ...STATS },
  ducklake_file_variant_stats: {
    data_file_id: 'BIGINT',
    table_id: 'BIGINT',
    column_id: 'BIGINT',
    variant_path: 'VARCHAR',
    shredded_type: 'VARCHAR',
    ...STATS,
  },
  ducklake_table_stats: {
    table_id: 'BIGINT',
    record_count: 'BIGINT',
    next_row_id: 'BIGINT',
    file_size_bytes: 'BIGINT',
  },
  ducklake_table_column_stats: {
    table_id: 'BIGINT',
    column_id: 'BIGINT',
    contains_null: 'BOOLEAN',
    contains_nan: 'BOOLEAN',
    min_value: 'VARCHAR',
    max_value: 'VARCHAR',
    extra_stats: 'VARCHAR',
  },
  ducklake_delete_file: {
    delete_file_id: 'BIGINT',
    table_id: 'BIGINT',
    ...SPAN,
    data_file_id: 'BIGINT',
    ...PLACE,
    format: 'VARCHAR',
    delete_count: 'BIGINT',
    file_size_bytes: 'BIGINT',
    footer_size: 'BIGINT',
    encryption_key: 'VARCHAR',
    partial_max: 'BIGINT',
  },
  ducklake_files_scheduled_for_deletion: {
    data_file_id: 'BIGINT',
    ...PLACE,
    schedule_start: 'TIMESTAMPTZ',
  },
  ducklake_inlined_data_tables: { table_id: 'BIGINT', table_name: 'VARCHAR', schema_version: 'BIGINT' },
  ducklake_view: {
    view_id: 'BIGINT',
    view_uuid: 'UUID',
    ...SPAN,
    schema_id: 'BIGINT',
    view_name: 'VARCHAR',
    dialect: 'VARCHAR',
    sql: 'VARCHAR',
    column_aliases: 'VARCHAR',
  },
  ducklake_macro: { schema_id: 'BIGINT', macro_id: 'BIGINT', macro_name: 'VARCHAR', ...SPAN },
  ducklake_macro_impl: {
    macro_id: 'BIGINT',
    impl_id: 'BIGINT',
    dialect: 'VARCHAR',
    sql: 'VARCHAR',
    type: 'VARCHAR',
  },
  ducklake_macro_parameters: {
    macro_id: 'BIGINT',
    impl_id: 'BIGINT',
    column_id: 'BIGINT',
    parameter_name: 'VARCHAR',
    parameter_type: 'VARCHAR',
    default_value: 'VARCHAR',
    default_value_type: 'VARCHAR',
  },
  ducklake_sort_info: { sort_id: 'BIGINT', table_id: 'BIGINT', ...SPAN },
  ducklake_sort_expression: {
    sort_id: 'BIGINT',
    table_id: 'BIGINT',
    sort_key_index: 'BIGINT',
    expression: 'VARCHAR',
    dialect: 'VARCHAR',
    sort_direction: 'VARCHAR',
    null_order: 'VARCHAR',
  },
} as const satisfies Record<string, Readonly<Record<string, string>>>;

/** The name of a table in a catalogue. */
export type CatalogTable = keyof typeof TABLES;

/** Those with a primary key, and its column. */
const KEYS: Partial<Record<CatalogTable, string>> = {
  ducklake_snapshot: 'snapshot_id',
  ducklake_snapshot_changes: 'snapshot_id',
  ducklake_schema: 'schema_id',
  ducklake_data_file: 'data_file_id',
  ducklake_delete_file: 'delete_file_id',
};

/** A row to insert: columns that are left out are NULL. */
export type CatalogRow = Readonly<Record<string, string | number | boolean | null>>;

/** A catalogue that is open for changes. */
export interface Catalog {
  /** SQL of the name of a table. */
  table(name: CatalogTable): string;
  run(sql: string): Promise<void>;
  rows(sql: string): Promise<PlainRow[]>;
  insert(table: CatalogTable, rows: readonly CatalogRow[]): Promise<void>;
  /** SQL of rows that are not in the catalogue. @param columns types in DuckDB by name */
  given(rows: readonly CatalogRow[], columns: Readonly<Record<string, string>>): Promise<string>;
}

/**
 * Measured: with 15,000 files a catalogue has 4.5 MB, with DuckDB's default of 256 KiB 8.9 and with its smallest 12.8.
 */
const BLOCK_BYTES = 65_536;

/**
 * Works on a copy of a catalogue, so that no reader sees a part: a catalogue is replaced as a whole file.
 * @param before its bytes; null for a new one
 * @returns what the work returned, and the bytes of the catalogue after it
 */
export async function withCatalog<T>(
  connection: DuckDBConnection,
  before: Uint8Array | null,
  work: (catalog: Catalog) => Promise<T>,
): Promise<{ readonly value: T; readonly bytes: Uint8Array }> {
  return await withScratch(async (folder) => {
    const path = join(folder, 'catalog.ducklake');
    if (before !== null) await writeFile(path, before);
    // Unlike any other name in this DuckDB, which the lake uses for other work as well.
    const name = quoteName(basename(folder));
    await connection.run(
      `ATTACH ${quoteText(path)} AS ${name}${before === null ? ` (BLOCK_SIZE ${BLOCK_BYTES})` : ''}`,
    );
    const catalog = catalogIn(connection, name, folder);
    let value: T;
    try {
      if (before === null) await createTables(catalog);
      value = await work(catalog);
      // Else a part of it would stay in a second file beside it.
      await connection.run(`CHECKPOINT ${name}`);
    } finally {
      await connection.run(`DETACH ${name}`);
    }
    return { value, bytes: await readFile(path) };
  });
}

function catalogIn(connection: DuckDBConnection, name: string, folder: string): Catalog {
  let files = 0;
  const given = async (rows: readonly CatalogRow[], columns: Readonly<Record<string, string>>) => {
    files += 1;
    const path = join(folder, `rows-${files}.ndjson`);
    await writeFile(path, rows.map((row) => JSON.stringify(row)).join('\n'));
    return ndjsonSql(path, columns);
  };
  const table = (of: CatalogTable) => `${name}.${of}`;
  const run = async (sql: string) => {
    await connection.run(sql);
  };
  return {
    ...{ table, run, given },
    rows: (sql) => rowsOf(connection, sql),
    insert: async (of, rows) => {
      if (rows.length > 0) await run(`INSERT INTO ${table(of)} SELECT * FROM ${await given(rows, TABLES[of])}`);
    },
  };
}

async function createTables({ run, table }: Catalog): Promise<void> {
  for (const [name, columns] of Object.entries(TABLES) as [CatalogTable, Readonly<Record<string, string>>][]) {
    const lines = Object.entries(columns).map(
      ([column, type]) => `${quoteName(column)} ${type}${KEYS[name] === column ? ' PRIMARY KEY' : ''}`,
    );
    await run(`CREATE TABLE ${table(name)} (${lines.join(', ')})`);
  }
}
