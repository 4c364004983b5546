/**
 * Events as Arrow tables, without a lake and without DuckDB. It needs the package `apache-arrow` beside `edrlake`; the
 * tables are its own.
 * @module
 */
import { type Clock, type Dataset, dayOf, EdrlakeError, systemClock } from '@edrlake/core';
import { DEFAULT_DATASET } from '@edrlake/datasets';
import {
  type DeliveredRecord,
  type FetchedRecord,
  flattenEvents,
  flattenInBatches,
  type TableBatch,
} from '@edrlake/flattener/in-process';
import type { Table } from 'apache-arrow';
import type { EventPage } from './events.ts';
import { CALL_CHECKS, checkArgument, checkOptions, DATASET } from './input/checks.ts';
import { type CallOptions, SURROUNDING_CHECKS, signalOf } from './input/options.ts';

export type { DeliveredRecord, TableBatch };

/** What the events are, and when they came. */
export interface FlattenOptions {
  /** The dataset that they belong to. Default: `QUALYS_EDR`. */
  readonly dataset?: Dataset;
  /** Says the day of what cannot become an event: `ingest_date` of the table `rejects`. Default: this machine's. */
  readonly clock?: Clock;
}

/** An Arrow table for each table of the dataset by its name, also for those without rows. */
export type EventTables = Readonly<Record<string, Table>> & { readonly events: Table; readonly rejects: Table };

/**
 * Flattens events in memory into the tables of their dataset: the columns of the lake in their order, with the types
 * that `lake.query('from events').toArrow()` gives them, and the values that a backfill of the same events would store.
 * Times are instants, in microseconds with the zone UTC; dates are days; JSON is text; every column may be null.
 *
 * Of several events with one id the newest stays. Each event is a row of `events` or of `rejects`; what no column takes
 * is in `extra`. It takes about ten times as long as an export, which flattens in DuckDB.
 * @param events objects as `JSON.parse` makes them, or the JSON text of each. Objects have lost digits of integers
 * beyond 2^53, and whether a number was `1` or `1.0`; text keeps them, and so do bigints
 * @throws {EdrlakeError} `USAGE` for an object that contains itself
 * @example
 * for await (const page of events(source, { from: '2020-08-17', to: '2020-08-17' })) {
 *   const { events: table, certificates } = flatten(page.events);
 *   console.log(table.numRows, table.getChild('host_name')?.get(0), certificates?.numRows);
 * }
 */
export function flatten(events: Iterable<DeliveredRecord>, options: FlattenOptions = {}): EventTables {
  checkArgument('flatten', 'events', events, LIST);
  const { dataset, fetched } = aboutOf('flatten', options);
  return flattenEvents(dataset, events, { ...fetched, windowId: null }) as EventTables;
}

/** How large batches are. */
export interface FlattenStreamOptions extends FlattenOptions, Pick<CallOptions, 'signal'> {
  /** Rows of a batch at most. Default 16,384. */
  readonly maxRows?: number;
  /** About how many bytes a batch may have; a single row may have more. Default 16 MiB. */
  readonly maxBytes?: number;
}

const MAX_ROWS = 16_384;
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * The same for any number of events, as record batches of bounded size: memory holds at most one of each table. The
 * next event is asked for when the reader wants the next batch.
 *
 * Batches of one table come in the order of the events, between those of other tables; a table without rows has none.
 * Events with one id all become rows, because they may be any distance apart. Pages of `events` also bring the records
 * that could not be read: they become rejects.
 * @param events single events, lists of them, or pages of `events`
 * @throws {EdrlakeError} `USAGE` for an object that contains itself, or bounds below 1; what `events` throws
 * @example
 * for await (const { table, batch } of flattenStream(events(source, { from: '2020-08-17', to: '2020-08-17' }))) {
 *   console.log(table, batch.numRows);
 * }
 */
export async function* flattenStream(
  events: Streamed<DeliveredRecord> | Streamed<readonly DeliveredRecord[]> | Streamed<EventPage<object>>,
  options: FlattenStreamOptions = {},
): AsyncGenerator<TableBatch, void, void> {
  checkArgument('flattenStream', 'events', events, STREAM);
  const { maxRows = MAX_ROWS, maxBytes = MAX_BYTES } = options;
  if (!(maxRows >= 1 && maxBytes >= 1)) {
    throw new EdrlakeError('USAGE', `expected maxRows and maxBytes of at least 1, found ${maxRows} and ${maxBytes}`);
  }
  const { dataset, fetched } = aboutOf('flattenStream', options);
  yield* flattenInBatches(dataset, recordsIn(events, fetched, signalOf(options)), { maxRows, maxBytes });
}

/** What comes one after the other. */
export type Streamed<T> = Iterable<T> | AsyncIterable<T>;

async function* recordsIn(
  events: Streamed<DeliveredRecord | readonly DeliveredRecord[] | EventPage<object>>,
  { ingestDay }: { readonly ingestDay: FetchedRecord['fetched']['ingestDay'] },
  signal: AbortSignal,
): AsyncGenerator<FetchedRecord, void, void> {
  for await (const item of events) {
    if (signal.aborted) throw new EdrlakeError('INTERRUPTED', 'flattening was interrupted', { cause: signal.reason });
    const page = isPage(item) ? item : { events: Array.isArray(item) ? item : [item], unreadable: [], windowId: null };
    const fetched = { ingestDay, windowId: page.windowId };
    for (const record of page.events) yield { record, fetched, broken: null };
    for (const { fields, reason } of page.unreadable) yield { record: fields, fetched, broken: reason };
  }
}

/** No event has all of these members. */
function isPage(item: DeliveredRecord | readonly DeliveredRecord[] | EventPage<object>): item is EventPage<object> {
  if (typeof item === 'string' || Array.isArray(item)) return false;
  const { events, unreadable, windowId, pageNumber } = item as Partial<EventPage<object>>;
  const isCounted = typeof windowId === 'string' && typeof pageNumber === 'number';
  return isCounted && Array.isArray(events) && Array.isArray(unreadable);
}

/** Of a text, each character would be an event. */
const LIST = {
  expected: 'a list of events',
  fits: (events: unknown) => typeof events !== 'string' && typeof member(events, Symbol.iterator) === 'function',
};
const STREAM = {
  expected: 'events that come one after the other',
  fits: (events: unknown) => LIST.fits(events) || typeof member(events, Symbol.asyncIterator) === 'function',
};

function member(value: unknown, name: symbol): unknown {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<symbol, unknown>>)[name] : undefined;
}

function aboutOf(call: string, options: FlattenOptions) {
  checkOptions(call, options, { ...CALL_CHECKS, dataset: DATASET, clock: SURROUNDING_CHECKS.clock });
  const { dataset = DEFAULT_DATASET, clock = systemClock } = options;
  return { dataset, fetched: { ingestDay: dayOf(clock.nowMs()) } };
}
