import type { Dataset } from '@edrlake/core';
import type { RecordBatch, Table } from 'apache-arrow';
import { type RecordSpec, recordSpecOf } from '../spec/record-spec.ts';
import { type ArrowRows, collectRows, tableOf } from './arrow-table.ts';
import { type Fetched, type FlatRecord, flattenRecord } from './flatten-record.ts';
import { isList, type JsonValue, jsonValueOf, parseJson } from './json-tree.ts';
import type { Value } from './values.ts';

/** An Arrow table for each table of a dataset by its name, also for those without rows. */
export type ArrowTables = Readonly<Record<string, Table>>;

/**
 * A record to flatten: an object as `JSON.parse` makes it, or the JSON text of one. Text keeps what an object has lost:
 * digits of integers beyond 2^53, and whether a number was `1` or `1.0`. In objects a bigint or a number of
 * `lossless-json` keeps its digits as well.
 */
export type DeliveredRecord = object | string;

/** A record with the place where it was fetched, and why it could not be read whole. */
export interface FetchedRecord {
  readonly record: DeliveredRecord;
  readonly fetched: Fetched;
  /** Where it is not null, the record becomes a reject for this reason. */
  readonly broken: string | null;
}

/**
 * Flattens records in this process, without DuckDB: for single events, for tests, and where no native code may run. It
 * takes about ten times as long as the SQL. Rows are in delivered order; records with one id all become rows: the
 * writer decides.
 * @param text newline-delimited JSON, one record a line, or one JSON array of records
 * @returns tables whose timestamps are UTC
 */
export function flattenRecords(dataset: Dataset, text: string, fetched: Fetched): ArrowTables {
  const spec = recordSpecOf(dataset);
  return tablesOf(
    dataset,
    recordsOf(text).map((record) => flattenRecord(spec, record, fetched)),
  );
}

/**
 * Flattens events that are in memory. Of several with one id the best version stays, as in the lake: the one processed
 * last, of equals the one that happened last, of equals the last one.
 */
export function flattenEvents(dataset: Dataset, records: Iterable<DeliveredRecord>, fetched: Fetched): ArrowTables {
  const spec = recordSpecOf(dataset);
  const flat = Array.from(records, (record) => flattenRecord(spec, treeOf(record), fetched));
  return tablesOf(dataset, newestVersions(spec, flat));
}

/** How much of one table is collected before it becomes a batch. */
export interface BatchBounds {
  readonly maxRows: number;
  /** About how many bytes; a single event may have more. */
  readonly maxBytes: number;
}

/** Some rows of one table. */
export interface TableBatch {
  /** Name of the table. */
  readonly table: string;
  readonly batch: RecordBatch;
}

/**
 * Flattens events as they come: memory holds at most one batch of each table. Batches of one table are in delivered
 * order; events with one id all become rows. A table without rows has no batch.
 */
export async function* flattenInBatches(
  dataset: Dataset,
  records: AsyncIterable<FetchedRecord> | Iterable<FetchedRecord>,
  { maxRows, maxBytes }: BatchBounds,
): AsyncGenerator<TableBatch, void, void> {
  const spec = recordSpecOf(dataset);
  const collected = new Map(dataset.tables.map((table) => [table.name, collectRows(table)]));
  for await (const { record, fetched, broken } of records) {
    for (const [table, rows] of flattenRecord(spec, treeOf(record), fetched, broken)) {
      const collector = collected.get(table);
      for (const row of rows) {
        collector?.append(row);
        const isFull =
          collector !== undefined && (collector.rowCount() >= maxRows || collector.byteCount() >= maxBytes);
        if (isFull) yield { table, batch: collector.takeBatch() };
      }
    }
  }
  for (const [table, collector] of collected) {
    if (collector.rowCount() > 0) yield { table, batch: collector.takeBatch() };
  }
}

function tablesOf({ tables }: Dataset, flat: Iterable<FlatRecord>): ArrowTables {
  const collected = new Map<string, ArrowRows>(tables.map((table) => [table.name, collectRows(table)]));
  for (const record of flat) {
    for (const [table, rows] of record) {
      for (const row of rows) collected.get(table)?.append(row);
    }
  }
  return Object.fromEntries([...collected].map(([name, rows]) => [name, tableOf(rows.takeBatch())]));
}

/**
 * Leaves one record for each event id, in the place where it came; rejects all stay. The order is that of
 * `BEST_VERSION_FIRST`: the newest `processed_time`, without one last; then the latest `event_time`; then the one that
 * came last.
 */
function newestVersions({ events }: RecordSpec, records: readonly FlatRecord[]): FlatRecord[] {
  const at = (name: string) => events.columns.findIndex((column) => column.name === name);
  const [id, processed, time] = [at('event_id'), at('processed_time'), at('event_time')];
  const best = new Map<Value, FlatRecord>();
  const valuesOf = (record: FlatRecord) => record.get(events.name)?.[0];
  for (const record of records) {
    const row = valuesOf(record);
    if (row === undefined) continue;
    const eventId = row[id] ?? null;
    const before = best.get(eventId);
    const rival = before && valuesOf(before);
    const rank = (of: typeof row, column: number) => Number(of[column] ?? Number.NEGATIVE_INFINITY);
    const lead = rival === undefined ? 0 : order(rank(row, processed), rank(rival, processed));
    const isBest = rival === undefined || (lead !== 0 ? lead > 0 : rank(row, time) >= rank(rival, time));
    if (isBest) best.set(eventId, record);
  }
  return records.filter((record) => {
    const row = valuesOf(record);
    return row === undefined || best.get(row[id] ?? null) === record;
  });
}

/** Not a difference: that of two infinities is no number. */
function order(a: number, b: number): number {
  return a === b ? 0 : a > b ? 1 : -1;
}

/** The records of a page in either form. A line that is no JSON counts as the JSON string of its text. */
function recordsOf(text: string): readonly JsonValue[] {
  if (text.trimStart().startsWith('[')) {
    const whole = parsedOrText(text);
    if (isList(whole)) return whole;
  }
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.map(parsedOrText);
}

function treeOf(record: DeliveredRecord): JsonValue {
  return typeof record === 'string' ? parsedOrText(record) : jsonValueOf(record);
}

function parsedOrText(text: string): JsonValue {
  try {
    return parseJson(text);
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}
