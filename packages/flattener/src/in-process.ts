/**
 * The same rules as the SQL, in this process, into Arrow tables. A door of its own, because `apache-arrow` is large:
 * what only stages batches does not load it.
 */
export {
  type ArrowTables,
  type BatchBounds,
  type DeliveredRecord,
  type FetchedRecord,
  flattenEvents,
  flattenInBatches,
  flattenRecords,
  type TableBatch,
} from './in-process/arrow-flatten.ts';
export type { Fetched } from './in-process/flatten-record.ts';
