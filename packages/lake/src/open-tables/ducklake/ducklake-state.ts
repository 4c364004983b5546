import type { Catalog } from './ducklake-catalog.ts';

/** A column that the newest snapshot has. */
export interface PublishedColumn {
  readonly name: string;
  readonly type: string;
  /** Its place among the columns, from 1. */
  readonly order: number;
}

/** What the catalogue says about one table. Grows in place as versions are added. */
export interface PublishedTable {
  readonly id: number;
  readonly partitionId: number;
  readonly mappingId: number;
  /** By field id. */
  readonly columns: Map<number, PublishedColumn>;
  /** Field ids of all columns that it ever had. */
  readonly mapped: Set<number>;
  nextRowId: number;
  /** Of the files of the newest snapshot. */
  rows: number;
  bytes: number;
}

/** What the newest snapshot of a catalogue says. Grows in place as versions are added. */
export interface CatalogState {
  /** The version of the lake; -1 for a catalogue without a snapshot. */
  version: number;
  /** Of that version; null where the log of the lake does not say it. */
  commitId: string | null;
  snapshotAtMs: number;
  nextCatalogId: number;
  nextFileId: number;
  /** The folder that all paths are relative to, with a slash at its end. */
  readonly dataPath: string;
  /** By name. */
  readonly tables: Map<string, PublishedTable>;
}

/** The snapshot of a writer that is not edrlake has no commit of the lake. */
const FOREIGN = 'of another program';

/** A catalogue without a snapshot. */
export function newState(dataPath: string): CatalogState {
  return {
    ...{ version: -1, commitId: null, snapshotAtMs: Number.NEGATIVE_INFINITY },
    ...{ nextCatalogId: 1, nextFileId: 0, dataPath, tables: new Map() },
  };
}

/** Reads what a catalogue says; null without a snapshot. @throws where it is none */
export async function readState({ rows, table }: Catalog): Promise<CatalogState | null> {
  const [metadata] = await rows(`SELECT value FROM ${table('ducklake_metadata')} WHERE key = 'data_path'`);
  const [newest] = await rows(`
    SELECT snapshot_id::INTEGER AS id, epoch_ms(snapshot_time)::DOUBLE AS at, next_catalog_id::INTEGER AS catalog_id,
      next_file_id::DOUBLE AS file_id, commit_extra_info AS extra
    FROM ${table('ducklake_snapshot')} LEFT JOIN ${table('ducklake_snapshot_changes')} USING (snapshot_id)
    ORDER BY snapshot_id DESC LIMIT 1`);
  if (metadata === undefined || newest === undefined) return null;
  return {
    version: Number(newest.id),
    commitId:
      newest.extra === null ? FOREIGN : (JSON.parse(String(newest.extra)) as { commitId: string | null }).commitId,
    snapshotAtMs: Number(newest.at),
    nextCatalogId: Number(newest.catalog_id),
    nextFileId: Number(newest.file_id),
    dataPath: String(metadata.value),
    tables: await readTables({ rows, table }),
  };
}

async function readTables({ rows, table }: Pick<Catalog, 'rows' | 'table'>): Promise<Map<string, PublishedTable>> {
  const tables = new Map<string, PublishedTable>();
  const byId = new Map<number, PublishedTable>();
  const found = await rows(`
    SELECT table_name AS name, table_id::INTEGER AS id, partition_id::INTEGER AS partition,
      mapping_id::INTEGER AS mapping, next_row_id::DOUBLE AS next_row, record_count::DOUBLE AS records,
      file_size_bytes::DOUBLE AS bytes
    FROM ${table('ducklake_table')} JOIN ${table('ducklake_partition_info')} USING (table_id)
      JOIN ${table('ducklake_column_mapping')} USING (table_id) JOIN ${table('ducklake_table_stats')} USING (table_id)`);
  for (const row of found) {
    const published: PublishedTable = {
      ...{ id: Number(row.id), partitionId: Number(row.partition), mappingId: Number(row.mapping) },
      ...{ columns: new Map(), mapped: new Set() },
      ...{ nextRowId: Number(row.next_row), rows: Number(row.records), bytes: Number(row.bytes) },
    };
    tables.set(String(row.name), published);
    byId.set(published.id, published);
  }
  const columns = await rows(`
    SELECT table_id::INTEGER AS table_id, column_id::INTEGER AS id, column_name AS name, column_type AS type,
      column_order::INTEGER AS position
    FROM ${table('ducklake_column')} WHERE end_snapshot IS NULL`);
  for (const { table_id, id, name, type, position } of columns) {
    const column = { name: String(name), type: String(type), order: Number(position) };
    byId.get(Number(table_id))?.columns.set(Number(id), column);
  }
  const mapped = await rows(`
    SELECT table_id::INTEGER AS table_id, target_field_id::INTEGER AS id
    FROM ${table('ducklake_name_mapping')} JOIN ${table('ducklake_column_mapping')} USING (mapping_id)`);
  for (const { table_id, id } of mapped) byId.get(Number(table_id))?.mapped.add(Number(id));
  return tables;
}
