import { dayOf, idHash, MS_PER_DAY, type Row } from '@edrlake/core';
import { type RowColumn, writeRows } from '@edrlake/writers/parquetjs';
import type { WriteEntries } from '../commit/id-index.ts';
import type { CommitTools } from '../log/commit-context.ts';
import type { LakeState } from '../log/lake-state.ts';
import { tableNamed } from '../log/table-rows.ts';
import { EVENTS, REJECTS } from '../storage/layout.ts';
import { blocksOf, rowsOfFiles } from './parquet-rows.ts';

/** An entry of the id index. */
export interface IndexEntry {
  readonly idHash: bigint;
  /** null: unknown. */
  readonly contentHash: bigint | null;
  /** Days since the epoch. */
  readonly day: number;
  readonly version: number;
}

/** The day as the log names it. */
export function dayNamed(day: number): string {
  return dayOf(day * MS_PER_DAY);
}

const COLUMNS: readonly RowColumn[] = [
  { name: 'id_hash', type: 'hash' },
  { name: 'content_hash', type: 'hash' },
  { name: 'event_date', type: 'date' },
  { name: 'version', type: 'bigint' },
];

const NAMES = COLUMNS.map(({ name }) => name);

/** All entries of some index files, one row group in memory at a time. */
export async function* entriesIn(locations: readonly string[]): AsyncGenerator<IndexEntry> {
  for (const location of locations) {
    for await (const block of blocksOf(location, NAMES)) for (const row of block) yield entryOf(row);
  }
}

function entryOf([idHash, contentHash, day, version]: Row): IndexEntry {
  return {
    idHash: BigInt(idHash ?? 0),
    contentHash: contentHash === null || contentHash === undefined ? null : BigInt(contentHash),
    day: Number(day),
    version: Number(version),
  };
}

/** Writes entries, and those of the merged files behind them. */
export function entryWriter(entries: Iterable<IndexEntry> | AsyncIterable<IndexEntry>): WriteEntries {
  return async (merged, file) => {
    async function* rows(): AsyncGenerator<Row> {
      for await (const entry of entries) yield rowOf(entry);
      for await (const entry of entriesIn(merged)) yield rowOf(entry);
    }
    return (await writeRows(COLUMNS, rows(), file, 'SNAPPY')).rowCount;
  };
}

function rowOf({ idHash, contentHash, day, version }: IndexEntry): Row {
  return [idHash, contentHash, day, BigInt(version)];
}

/**
 * The entries of all rows in the data files of a state, as `claimsSql`: the content of events is unknown, equal rejects
 * are numbered.
 */
export async function* claimsIn(
  { store, tables }: Pick<CommitTools, 'store' | 'tables'>,
  state: LakeState,
): AsyncGenerator<IndexEntry> {
  const reader = { store, schemas: state.schemas };
  const filesOf = (table: string) => [...state.files.values()].filter((file) => file.table === table);
  const events = rowsOfFiles(reader, tableNamed(tables, EVENTS), filesOf(EVENTS), ['event_id', 'event_date']);
  for await (const [eventId, day] of events) {
    yield { idHash: idHash(String(eventId)), contentHash: null, day: Number(day), version: 0 };
  }
  const copies = new Map<bigint, number>();
  const rejects = rowsOfFiles(reader, tableNamed(tables, REJECTS), filesOf(REJECTS), ['record', 'ingest_date']);
  for await (const [record, day] of rejects) {
    const text = String(record);
    const copy = (copies.get(idHash(text)) ?? 0) + 1;
    copies.set(idHash(text), copy);
    yield { idHash: idHash(`${text}#${copy}`), contentHash: 0n, day: Number(day), version: 0 };
  }
}
