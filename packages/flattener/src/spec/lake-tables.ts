import type { TableSpec } from '@edrlake/core';
import { ASSET_TAGS, CERTIFICATES, INDICATORS, INTERFACES } from './child-tables.ts';
import { derived } from './column.ts';
import { EVENTS } from './events-table.ts';

/** Records that could not become an event, whole and with the reason; never dropped. */
export const REJECTS: TableSpec = {
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

/**
 * Every table of the lake, events first, rejects last: the one declaration that both executors and the schema page
 * follow.
 */
export const LAKE_TABLES: readonly TableSpec[] = [EVENTS, CERTIFICATES, INDICATORS, INTERFACES, ASSET_TAGS, REJECTS];

/** The tables whose rows come from arrays inside an event. */
export const CHILD_TABLES: readonly TableSpec[] = [CERTIFICATES, INDICATORS, INTERFACES, ASSET_TAGS];

/**
 * Documented fields that no column takes. They go to `extra` like any other, but are no news: they are not reported as
 * unknown. Naming them lets the SQL read them in the same pass as the columns.
 */
export const DOCUMENTED_LEFTOVERS: readonly string[] = [
  'verdict',
  'category',
  'familyName',
  'infections',
  'actor.type',
  'process.isCertificateExists',
  'process.processFile.path',
  'process.processFile.moduleName',
  'process.processFile.uniqueImageId',
];
