import type { ColumnSpec, Dataset, ProcessColumns, TableSpec } from '@edrlake/core';
import { derived, field } from './column.ts';
import { refuseFaults } from './refuse-faults.ts';
import { refuseShapes } from './refuse-shapes.ts';

/** The table of events. Its first four columns and `extra` are added. */
export interface EventsDefinition {
  /** In file order. One named `event_type` and one named `agent_id` are what windows can be divided by. */
  readonly columns: readonly ColumnSpec[];
  /** Columns that the rows of a file are sorted by, before the event time. */
  readonly sortBy?: readonly string[];
}

/** A table with one row for each element of an array. The event's key, `position` and `extra` are added. */
export interface ChildDefinition extends EventsDefinition {
  /** Dotted paths of the arrays, separated by spaces. */
  readonly arrays: string;
  /** A text column with the path of the array that a row came from; needed where there are several arrays. */
  readonly arrayColumn?: { readonly name: string; readonly meaning: string };
}

/** The tables of one kind of events, and the delivered fields that feed them. */
export interface TablesDefinition {
  /** Such as `qualys-edr`: lower-case words with hyphens. A lake keeps it. */
  readonly name: string;
  readonly tables: {
    readonly events: EventsDefinition;
    /** By name, in the order in which they are listed. */
    readonly children?: Readonly<Record<string, ChildDefinition>>;
  };
  /** Top-level fields that may hold the id of an event, separated by spaces, the preferred one first. */
  readonly identity: string;
  /** The field with the time at which it happened, and the one with the time at which the platform processed it. */
  readonly times: { readonly event: string; readonly processed: string };
  /** What records hold beyond the tables. */
  readonly shape?: {
    /** Dotted paths of documented fields that no column takes. */
    readonly leftovers?: readonly string[];
    /** Members beside the record where it comes wrapped, as `sortValues` in `{"sortValues":[…],"data":{…}}`. */
    readonly wrapperMembers?: readonly string[];
  };
  /** Which columns of `events` say what a process did, for `edrlake tree` and the view `process_edges`. */
  readonly processes?: ProcessColumns;
  /** The column of `events` that says whose event it is. */
  readonly customer?: string;
  /** Only for the dataset of lakes that record none. */
  readonly unnamedLakes?: true;
}

/**
 * Makes the tables of a dataset.
 * @throws {EdrlakeError} `CONFIG_INVALID` naming every table and column that cannot work
 * @example
 * const doors = defineTables({
 *   name: 'doors',
 *   identity: 'uuid',
 *   times: { event: 'opened', processed: 'received' },
 *   tables: { events: { columns: [field('door', 'text', 'door.name', 'name of the door')], sortBy: ['door'] } },
 * });
 * console.log(doors.tables.map(({ name }) => name));
 */
export function defineTables(definition: TablesDefinition): Dataset {
  refuseShapes(definition);
  const { events, children = {} } = definition.tables;
  const dataset: Dataset = {
    name: definition.name,
    tables: [
      eventsTable(events, definition),
      ...Object.entries(children).map(([name, child]) => childTable(name, child)),
      REJECTS,
    ],
    leftovers: definition.shape?.leftovers ?? [],
    wrapperMembers: definition.shape?.wrapperMembers ?? [],
    ...(definition.customer && { customer: definition.customer }),
    ...(definition.processes && { processes: definition.processes }),
    ...(definition.unnamedLakes && { unnamedLakes: true }),
  };
  refuseFaults(dataset);
  return dataset;
}

/** Windows are divided by these where time alone cannot; a dataset without such a field has NULL in the column. */
const DIVIDERS: readonly ColumnSpec[] = [
  derived('event_type', 'text', 'NULL: these events have no type'),
  derived('agent_id', 'text', 'NULL: these events have no agent'),
];

function eventsTable({ columns, sortBy = [] }: EventsDefinition, { identity, times }: TablesDefinition): TableSpec {
  const missing = DIVIDERS.filter(({ name }) => !columns.some((column) => column.name === name));
  return {
    name: 'events',
    arrays: null,
    columns: [
      derived('event_date', 'date', 'UTC day of event_time; the partition'),
      field('event_id', 'text', identity, 'identity of the event, as delivered; unique in this table', {
        observable: 'event',
      }),
      field('event_time', 'timestamp', times.event, 'when it happened on the asset', { unit: 'UTC' }),
      field('processed_time', 'timestamp', times.processed, 'when the platform processed it', { unit: 'UTC' }),
      ...columns,
      ...missing,
      derived('extra', 'json', 'every delivered field that no column takes, nested as delivered'),
    ],
    partitionBy: 'event_date',
    sortBy: [...sortBy, 'event_time', 'event_id'],
  };
}

const EVENT_KEY: readonly ColumnSpec[] = [
  derived('event_date', 'date', 'UTC day of event_time; the partition, the same as the event’s'),
  derived('event_id', 'text', 'the event this row belongs to'),
  derived('event_time', 'timestamp', 'when the event happened on the asset'),
  derived('position', 'integer', 'place in the delivered array, from 0'),
];

/** The id and the position end the order: they identify a row, and equal rows are found by them. */
function childTable(name: string, { arrays, arrayColumn, columns, sortBy = [] }: ChildDefinition): TableSpec {
  const named = arrayColumn === undefined ? [] : [derived(arrayColumn.name, 'text', arrayColumn.meaning)];
  return {
    name,
    arrays: arrays.split(' ').filter((path) => path !== ''),
    ...(arrayColumn !== undefined && { arrayColumn: arrayColumn.name }),
    columns: [
      ...EVENT_KEY,
      ...named,
      ...columns,
      derived(
        'extra',
        'json',
        'every field of the element that no column takes; the element itself when it is no object',
      ),
    ],
    partitionBy: 'event_date',
    sortBy: [...sortBy, 'event_time', 'event_id', ...named.map((column) => column.name), 'position'],
  };
}

/** Records that could not become an event, whole and with the reason; never dropped. */
const REJECTS: TableSpec = {
  name: 'rejects',
  arrays: null,
  columns: [
    derived('ingest_date', 'date', 'UTC day it was fetched; the partition'),
    derived('window_id', 'text', 'the window it was fetched in'),
    derived('reason', 'text', 'why, in a fixed wording: no id, unreadable event time, not UTF-8, too large, …'),
    derived('path', 'text', 'the field the reason is about; NULL for the record itself'),
    derived('event_id', 'text', 'identity of the event where it has one'),
    derived('event_time', 'timestamp', 'when it happened on the asset; NULL where that cannot be read'),
    derived('processed_time', 'timestamp', 'when the platform processed it; NULL where that cannot be read'),
    derived(
      'record',
      'json',
      'the record as delivered; one that is no JSON as a string, or as an object with #text and what else is kept of it',
    ),
  ],
  partitionBy: 'ingest_date',
  sortBy: ['window_id', 'reason', 'event_id', 'record'],
};
