import type { ColumnType, TableSpec } from '@edrlake/core';
import type { LoggedFile, SchemaColumn } from '../../log/lake-state.ts';
import { partitionDay } from '../../log/table-rows.ts';
import { type FileStats, isoOrNull, type StatsValue } from '../publication/column-stats.ts';
import type { LakeVersion } from '../publication/history.ts';
import { type Publication, uuidOf } from '../publication/publication.ts';
import { commentsOf } from '../publication/published-columns.ts';

/** One line of a Delta log entry: an object with one member, named after the action. */
export type Action = Readonly<Record<string, unknown>>;

/** By which a Delta table says what the writer did last; see `txn` in the protocol of Delta. */
const APP_ID = 'edrlake';

/** No feature of a table is used, so that every reader of Delta can read it. */
export const PROTOCOL: Action = { protocol: { minReaderVersion: 1, minWriterVersion: 2 } };

const TYPES: Readonly<Record<ColumnType, string>> = {
  text: 'string',
  integer: 'integer',
  bigint: 'long',
  boolean: 'boolean',
  timestamp: 'timestamp',
  date: 'date',
  json: 'string',
};

/** The table's columns and comments. Its id follows from the lake's history, so that all publishers write the same. */
export function metaDataAction(table: TableSpec, columns: readonly SchemaColumn[], claim: Publication): Action {
  const comments = commentsOf(table, columns);
  const fields = columns.map(({ name, type }) => ({
    name,
    type: TYPES[type],
    nullable: true,
    metadata: { comment: comments.get(name) },
  }));
  return {
    metaData: {
      id: uuidOf(`${table.name} ${claim.origin}`),
      name: table.name,
      description: 'Published by edrlake; version n is version n of the lake. Do not write, VACUUM or OPTIMIZE it.',
      format: { provider: 'parquet', options: {} },
      schemaString: JSON.stringify({ type: 'struct', fields }),
      partitionColumns: [table.partitionBy],
      configuration: {},
      createdTime: claim.createdAtMs,
    },
  };
}

/** What a version did. The same text from every publisher. */
export function commitInfoAction(version: LakeVersion, isFirst: boolean, removes: boolean): Action {
  return {
    commitInfo: {
      timestamp: version.committedAtMs,
      operation: isFirst ? 'CREATE TABLE' : version.isRearranged ? 'OPTIMIZE' : 'WRITE',
      operationParameters: {},
      isBlindAppend: !isFirst && !removes,
      engineInfo: 'edrlake',
      txnId: version.commitId,
    },
  };
}

/** The commit of the lake that an entry shows; null where it does not say. */
export function commitOf(entry: string): string | null {
  const [line = ''] = entry.split('\n');
  const found = /"txnId":"([^"]+)"/.exec(line);
  return found?.[1] ?? null;
}

/** Says which version of the lake the table shows. */
export function txnAction({ version, committedAtMs }: LakeVersion): Action {
  return { txn: { appId: APP_ID, version, lastUpdated: committedAtMs } };
}

/** A file that belongs to the table from now on. */
export function addAction(
  file: LoggedFile,
  table: TableSpec,
  stats: FileStats,
  { committedAtMs, isRearranged }: Pick<LakeVersion, 'committedAtMs' | 'isRearranged'>,
): Action {
  return {
    add: {
      path: pathInTable(file),
      partitionValues: { [table.partitionBy]: partitionDay(file) },
      size: file.fileBytes,
      modificationTime: committedAtMs,
      dataChange: !isRearranged,
      stats: statsText(file, table, stats),
    },
  };
}

/** A file that does not belong to the table any more. */
export function removeAction(file: LoggedFile, table: TableSpec, about: LakeVersion): Action {
  return {
    remove: {
      path: pathInTable(file),
      deletionTimestamp: about.committedAtMs,
      dataChange: !about.isRearranged,
      extendedFileMetadata: true,
      partitionValues: { [table.partitionBy]: partitionDay(file) },
      size: file.fileBytes,
    },
  };
}

/** Relative to the table. Names that edrlake gives need no encoding. */
function pathInTable({ path, table }: LoggedFile): string {
  return path.slice(table.length + 1);
}

function statsText(file: LoggedFile, table: TableSpec, stats: FileStats): string {
  const types = new Map(table.columns.map(({ name, type }) => [name, type]));
  const minValues: Record<string, unknown> = {};
  const maxValues: Record<string, unknown> = {};
  const nullCount: Record<string, number> = {};
  for (const [name, { nulls, min, max }] of stats) {
    nullCount[name] = nulls;
    const [low, high] = [deltaValue(min, types.get(name)), deltaValue(max, types.get(name))];
    if (low === null || high === null) continue;
    minValues[name] = low;
    maxValues[name] = high;
  }
  return JSON.stringify({ numRecords: file.rowCount, minValues, maxValues, nullCount });
}

/** Delta has times in milliseconds, as the lake does; null for one that is finer. */
function deltaValue(value: StatsValue | null, type: ColumnType | undefined): unknown {
  if (value === null) return null;
  if (type === 'timestamp') {
    const micros = BigInt(value);
    return micros % 1000n === 0n ? isoOrNull(Number(micros / 1000n)) : null;
  }
  if (type === 'date') return isoOrNull(Number(value) * 86_400_000)?.slice(0, 10) ?? null;
  if (typeof value !== 'bigint') return value;
  return Number.isSafeInteger(Number(value)) ? Number(value) : null;
}
