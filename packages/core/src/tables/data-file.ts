/**
 * How the rows of a file lie. `arrival`: as they came, which is by time, written at the least cost. `sorted`: by the table's
 * `sortBy`, with dictionaries so large that hash columns keep theirs: DuckDB writes bloom filters only for dictionary-encoded
 * chunks, and without them a lookup of one hash reads every row group. That costs four times as much to write, so it is
 * left to compaction, which writes a day once.
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
  /** When its newest event happened. Only in files of events, and not in those that an older edrlake wrote. */
  readonly newestEventMs?: number;
  /** First and last processing time in it, both included. Not in files without one, nor in those an older edrlake wrote. */
  readonly processedMs?: readonly [number, number];
  /** CRC-32 of its bytes, unsigned. Not in files that an older edrlake wrote. */
  readonly crc32?: number;
}
