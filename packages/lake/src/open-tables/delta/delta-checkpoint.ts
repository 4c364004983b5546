import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { quoteFile, quoteText } from '@edrlake/core';
import { rowsOf } from '../../log/table-rows.ts';
import type { Store } from '../../storage/store.ts';
import { ndjsonSql, withScratch } from '../publication/scratch-folder.ts';
import type { Action } from './delta-actions.ts';

/** Where the log of a Delta table is, and what computes. */
export interface DeltaLog {
  readonly store: Store;
  /** `_tables/events/_delta_log` */
  readonly folder: string;
  readonly connect: () => Promise<DuckDBConnection>;
}

const VERSION_DIGITS = 20;

/** The columns of a checkpoint, as the protocol of Delta names them, in DuckDB's types. */
const COLUMNS = {
  txn: 'STRUCT(appId VARCHAR, version BIGINT, lastUpdated BIGINT)',
  add: 'STRUCT(path VARCHAR, partitionValues MAP(VARCHAR, VARCHAR), size BIGINT, modificationTime BIGINT, dataChange BOOLEAN, stats VARCHAR)',
  remove: 'STRUCT(path VARCHAR, deletionTimestamp BIGINT, dataChange BOOLEAN)',
  metaData:
    'STRUCT(id VARCHAR, name VARCHAR, description VARCHAR, format STRUCT(provider VARCHAR, options MAP(VARCHAR, VARCHAR)), schemaString VARCHAR, partitionColumns VARCHAR[], configuration MAP(VARCHAR, VARCHAR), createdTime BIGINT)',
  protocol: 'STRUCT(minReaderVersion INTEGER, minWriterVersion INTEGER)',
} as const;

/** `00000000000000000007.json` */
export function entryName(version: number): string {
  return `${String(version).padStart(VERSION_DIGITS, '0')}.json`;
}

/** The version of an entry or a checkpoint by the name of its file; null for other files. */
export function parseDeltaName(name: string): { readonly version: number; readonly isCheckpoint: boolean } | null {
  const match = /^(\d{20})(?:\.json|(\.checkpoint\.parquet))$/.exec(name);
  return match === null ? null : { version: Number(match[1]), isCheckpoint: match[2] !== undefined };
}

/**
 * Writes the state of a table after a version as one Parquet file, so that readers need not read every entry. Derived:
 * without it they do.
 * @param actions protocol, metadata and all files
 */
export async function writeCheckpoint(log: DeltaLog, version: number, actions: readonly Action[]): Promise<void> {
  const { store, folder, connect } = log;
  await withScratch(async (scratch) => {
    const [lines, parquet] = [join(scratch, 'actions.ndjson'), join(scratch, 'checkpoint.parquet')];
    await writeFile(lines, actions.map((action) => JSON.stringify(action)).join('\n'));
    await (await connect()).run(
      `COPY (SELECT * FROM ${ndjsonSql(lines, COLUMNS)}) TO ${quoteText(parquet)} (FORMAT parquet)`,
    );
    await store.put(checkpointIn(folder, version), await readFile(parquet));
  });
  const hint = JSON.stringify({ version, size: actions.length });
  const known = JSON.parse((await store.read(`${folder}/_last_checkpoint`)) ?? '{}') as { version?: number };
  // Of two publishers the one behind must not point readers back to a checkpoint that may be tidied away.
  if ((known.version ?? -1) < version) await store.put(`${folder}/_last_checkpoint`, hint);
}

/** The `add` actions of a table's files after a version, from its newest checkpoint and the entries after it. */
export async function readFilesOf(log: DeltaLog, version: number): Promise<Action[]> {
  const { store, folder, connect } = log;
  const names = (await store.list(folder)).flatMap((name) => parseDeltaName(name) ?? []);
  const checkpoints = names.filter((name) => name.isCheckpoint && name.version <= version);
  const base = Math.max(-1, ...checkpoints.map((name) => name.version));
  const adds = new Map<string, Action>();
  const bytes = base < 0 ? null : await store.readBytes(checkpointIn(folder, base));
  if (bytes !== null) {
    await withScratch(async (scratch) => {
      const parquet = join(scratch, 'checkpoint.parquet');
      await writeFile(parquet, bytes);
      const source = `read_parquet(${quoteFile(parquet)})`;
      const rows = await rowsOf(await connect(), `SELECT to_json(add) AS action FROM ${source} WHERE add IS NOT NULL`);
      for (const { action } of rows) note(adds, { add: JSON.parse(String(action)) });
    });
  }
  const after = names.filter((name) => !name.isCheckpoint && name.version > base && name.version <= version);
  for (const entry of after.sort((a, b) => a.version - b.version)) {
    const text = (await store.read(`${folder}/${entryName(entry.version)}`)) ?? '';
    for (const line of text.split('\n')) if (line !== '') note(adds, JSON.parse(line) as Action);
  }
  return [...adds.values()];
}

function checkpointIn(folder: string, version: number): string {
  return `${folder}/${entryName(version).replace('.json', '.checkpoint.parquet')}`;
}

/** A checkpoint is small, and DuckDB reads and writes it on this machine, wherever the lake is. */

function note(adds: Map<string, Action>, { add, remove }: Action): void {
  if (add !== undefined) adds.set((add as { path: string }).path, { add: { ...(add as object), dataChange: false } });
  if (remove !== undefined) adds.delete((remove as { path: string }).path);
}
