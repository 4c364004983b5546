import type { Lake as StoredLake, QueryColumn, QueryOptions, QueryValue } from '@edrlake/lake';

/** One row: a value for each column, by the name of the column. */
export type QueryRow = Readonly<Record<string, QueryValue>>;

/**
 * One SQL statement over the newest version of a lake. It runs when it is read, each time anew:
 * `for await (const row of lake.query('from events limit 10')) …`. Rows are computed as they are read, at most 2,048
 * ahead; leaving the loop ends the statement. Each statement has a DuckDB of its own, so statements may run at once.
 *
 * The statement may read and nothing else. Views: `events`, `certificates`, `indicators`, `interfaces`, `asset_tags`,
 * `rejects`, `coverage`, `coverage_spans`; columns and units are on the page about the format of the lake.
 *
 * Values are plain: integers are numbers where a double holds them exactly, else bigints; decimals are numbers up to 15
 * digits, else text; instants are ISO text in UTC, `2020-08-17T04:15:06.000Z`; dates are `2020-08-17`; JSON columns are
 * JSON text; lists are arrays, structs and maps are objects.
 *
 * Errors, from any of its methods: `QUERY_FAILED` with the words of DuckDB and the place, `INTERRUPTED`,
 * `OUT_OF_MEMORY`, `LAKE_CORRUPT` for a file that is gone.
 * @typeParam Row what a row holds. The caller asserts it; nothing checks it.
 */
export interface Query<Row = QueryRow> extends AsyncIterable<Row> {
  /** Names and DuckDB types, without reading rows. */
  columns(): Promise<readonly QueryColumn[]>;
  /** All rows, in memory. */
  toArray(): Promise<Row[]>;
  /**
   * The result as an Arrow IPC stream, for a file, a pipe, or the `tableFromIPC` of `apache-arrow`. At most one record
   * batch is held in memory.
   */
  toArrowStream(): AsyncIterable<Uint8Array>;
  /**
   * Writes the result as Parquet.
   * @param file a path; a file is replaced once the new one is whole
   * @returns the number of rows
   * @throws {EdrlakeError} `USAGE` for a path that cannot be written, `OUTPUT_FAILED` for a full disk
   */
  toParquet(file: string): Promise<number>;
}

/** A query that has not run yet. */
export function queryOf<Row>(lake: StoredLake, sql: string, options: QueryOptions): Query<Row> {
  async function* rows(): AsyncGenerator<Row, void, void> {
    const { columns, rows } = await lake.query(sql, options);
    const names = columns.map(({ name }) => name);
    for await (const chunk of rows) {
      for (const values of chunk) yield Object.fromEntries(names.map((name, at) => [name, values[at]])) as Row;
    }
  }
  async function* arrow(): AsyncGenerator<Uint8Array, void, void> {
    yield* await lake.queryArrow(sql, options);
  }
  return {
    [Symbol.asyncIterator]: rows,
    async columns() {
      const { columns, rows } = await lake.query(sql, options);
      // Leaving the loop is what ends a query.
      for await (const _ of rows) break;
      return columns;
    },
    async toArray() {
      const all: Row[] = [];
      for await (const row of rows()) all.push(row);
      return all;
    },
    toArrowStream: arrow,
    toParquet: (file) => lake.queryToParquet(sql, file, options),
  };
}
