/**
 * The order of the rows of a file. `arrival`: as they came, which is by time, written at the least cost. `sorted`: by
 * the table's `sortBy`, with dictionaries large enough for hash columns. DuckDB writes bloom filters only for
 * dictionary-encoded chunks, and without them a lookup of one hash reads every row group. That costs four times as much
 * to write, so only compaction does it, which writes a day once.
 */
export type FileLayout = 'arrival' | 'sorted';

/** One data file of the lake. */
export interface DataFile {
  readonly table: string;
  /** `event_date=2020-08-17`, the hive-style folder. */
  readonly partition: string;
  /** Relative to the lake, with forward slashes. */
  readonly path: string;
  readonly rowCount: number;
  readonly fileBytes: number;
  readonly layout: FileLayout;
  /**
   * How its values are encoded; absent: 1. Format 1 holds the partition column, times without a zone, and Parquet's
   * JSON type. Format 2 has the partition column only in the folder's name, times as instants, and JSON as text.
   */
  readonly format?: number;
  /** When its newest event happened. Only in files of events, and not in those that an older edrlake wrote. */
  readonly newestEventMs?: number;
  /**
   * First and last processing time in it, both included. Absent without one, and where an older edrlake wrote the file.
   */
  readonly processedMs?: readonly [number, number];
  /** CRC-32 of its bytes, unsigned. Not in files that an older edrlake wrote. */
  readonly crc32?: number;
}
