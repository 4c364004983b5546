import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { PromiseBroken } from './promise-broken.ts';

/** One stored event, with the compared columns. */
export interface StoredEvent {
  readonly id: string;
  readonly eventMs: number;
  readonly processedMs: number;
  readonly type: string;
  readonly day: string;
}

/** One row of a child table, with the compared columns. */
export interface StoredChild {
  readonly id: string;
  readonly day: string;
  /** The array of the event that it comes from; empty where there is only one. */
  readonly array: string;
  readonly position: number;
}

/** The content of one data file. */
export interface FileRows {
  readonly events: readonly StoredEvent[];
  readonly children: Readonly<Record<string, readonly StoredChild[]>>;
  /** The text of each record that could not become a row. */
  readonly rejects: readonly string[];
}

/** Tables whose rows belong to an event. */
export const CHILDREN = ['certificates', 'indicators', 'interfaces', 'asset_tags'] as const;
/** All tables of a lake. */
export const TABLES = ['events', ...CHILDREN, 'rejects'] as const;

/**
 * Reads data files with the checker's own DuckDB, each once while it stays the same: a file whose inode, size or time
 * of change differs is read again. Most looks at a lake find few new files.
 */
export class RowReader {
  private readonly connection: DuckDBConnection;
  private known = new Map<string, FileRows>();

  constructor(connection: DuckDBConnection) {
    this.connection = connection;
  }

  /**
   * The content of files, in the requested order.
   * @param paths below the lake, `table/partition/file`
   * @throws {PromiseBroken} where one cannot be read: the log names it, so that is a finding, not a fault of the
   * checker
   */
  async read(lake: string, paths: readonly string[]): Promise<readonly FileRows[]> {
    const keys = paths.map((path) => keyOf(lake, path));
    const fresh = paths.filter((_, nth) => !this.known.has(keys[nth] as string));
    const found = fresh.length === 0 ? new Map<string, FileRows>() : await this.readFresh(lake, fresh);
    const files = paths.map((path, nth) => this.known.get(keys[nth] as string) ?? found.get(path) ?? NO_ROWS);
    this.known = new Map(keys.map((key, nth) => [key, files[nth] as FileRows]));
    return files;
  }

  private async readFresh(lake: string, paths: readonly string[]): Promise<Map<string, FileRows>> {
    const selects = TABLES.flatMap((table) => {
      const files = paths.filter((path) => path.startsWith(`${table}/`)).map((path) => `'${join(lake, path)}'`);
      const columns = table === 'events' ? EVENT_COLUMNS : table === 'rejects' ? REJECT_COLUMNS : childColumns(table);
      const source = `read_parquet([${files.join(', ')}], hive_partitioning = true, union_by_name = true, filename = true)`;
      return files.length === 0 ? [] : [`SELECT '${table}', filename, ${columns} FROM ${source}`];
    });
    const read = new Map<
      string,
      { events: StoredEvent[]; children: Record<string, StoredChild[]>; rejects: string[] }
    >();
    for (const [table, file, day, id, text, first, second] of await this.rows(selects.join(' UNION ALL '))) {
      const path = String(file).slice(lake.length + 1);
      const rows = read.get(path) ?? { events: [], children: {}, rejects: [] };
      read.set(path, rows);
      const common = { id: String(id), day: String(day) };
      if (table === 'rejects') rows.rejects.push(common.id);
      else if (table === 'events') {
        rows.events.push({
          ...common,
          eventMs: Number(first),
          processedMs: Number(second),
          type: String(text),
        });
      } else {
        rows.children[String(table)] ??= [];
        rows.children[String(table)]?.push({ ...common, array: String(text), position: Number(first) });
      }
    }
    return read;
  }

  private async rows(sql: string) {
    try {
      return (await this.connection.runAndReadAll(sql)).getRowsJson();
    } catch (thrown) {
      throw new PromiseBroken('nothing lost', thrown instanceof Error ? thrown.message : String(thrown));
    }
  }
}

const NO_ROWS: FileRows = { events: [], children: {}, rejects: [] };

const EVENT_COLUMNS =
  'event_date::VARCHAR, event_id, event_type, epoch_ms(event_time)::BIGINT, epoch_ms(processed_time)::BIGINT';
const REJECT_COLUMNS = `'', coalesce(record::VARCHAR, ''), '', 0::BIGINT, 0::BIGINT`;

function childColumns(table: string): string {
  const array = table === 'indicators' ? 'indicator_set::VARCHAR' : `''`;
  return `event_date::VARCHAR, event_id, ${array}, position::BIGINT, 0::BIGINT`;
}

/** Differs once a file was written again, replaced or cut. */
function keyOf(lake: string, path: string): string {
  const { ino, size, mtimeNs } = statSync(join(lake, path), { bigint: true });
  return `${path} ${ino} ${size} ${mtimeNs}`;
}
