import { EdrlakeError } from '@edrlake/core';
import type { HuntMatch, HuntReport, QueryColumn, QueryOptions, QueryValue, Lake as StoredLake } from '@edrlake/lake';
import { type Indicator, readIndicators, refuseFaults } from '@edrlake/lake/indicators';
import type { RecordBatch, Table } from 'apache-arrow';
import { type CallOptions, optionalRangeOf, type RangeOptions } from '../input/options.ts';

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
   * Rows as lists of values in the order of the columns, for results in which two columns share a name, and where an
   * object a row is too much.
   * @typeParam Values what a row holds. The caller asserts it; nothing checks it.
   * @example
   * const byType = lake.query('select event_type, count(*) from events group by 1');
   * for await (const [type, count] of byType.arrays()) console.log(type, count);
   */
  arrays<Values extends readonly unknown[] = readonly QueryValue[]>(): AsyncIterable<Values>;
  /**
   * The result as a table of `apache-arrow`, in memory. Columns keep the types that DuckDB has, as far as Arrow has
   * them: times are microseconds, and have the zone UTC where DuckDB's have one; JSON is text; HUGEINT, which sums are,
   * is a decimal of 38 digits, and a longer one is refused (`QUERY_FAILED`).
   * @throws {EdrlakeError} `USAGE` where `apache-arrow` is not installed
   */
  toArrow(): Promise<Table>;
  /**
   * The same as record batches of at most 34,816 rows, of about 16 MiB where the rows are not large. One is held in
   * memory; leaving the loop ends the statement.
   */
  toArrowBatches(): AsyncIterable<RecordBatch>;
  /**
   * The same as an Arrow IPC stream, for a file, a pipe, or another reader of Arrow.
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
  async function* arrays<Values>(): AsyncGenerator<Values, void, void> {
    const { rows } = await lake.query(sql, options);
    for await (const chunk of rows) yield* chunk as Iterable<Values>;
  }
  async function* arrowStream(): AsyncGenerator<Uint8Array, void, void> {
    yield* await withArrow(() => lake.queryArrow(sql, options));
  }
  async function* arrowBatches(): AsyncGenerator<RecordBatch, void, void> {
    yield* (await withArrow(() => lake.queryArrowBatches(sql, options))).batches;
  }
  return {
    arrays,
    toArrowBatches: arrowBatches,
    async toArrow() {
      const [{ Table }, { schema, batches }] = await withArrow(() =>
        Promise.all([import('apache-arrow'), lake.queryArrowBatches(sql, options)]),
      );
      const all: RecordBatch[] = [];
      for await (const batch of batches) all.push(batch);
      return new Table(schema, all);
    },
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
    toArrowStream: arrowStream,
    toParquet: (file) => lake.queryToParquet(sql, file, options),
  };
}

/** Explains why nothing can be loaded that needs the package which a program may leave out. */
export async function withArrow<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    if (code !== 'ERR_MODULE_NOT_FOUND' || !message.includes('apache-arrow')) throw thrown;
    throw new EdrlakeError('USAGE', 'Arrow needs the package apache-arrow, which is not installed', {
      cause: thrown,
      hint: 'npm install apache-arrow',
    });
  }
}

/** Where and how far a hunt looks. */
export interface HuntLakeOptions extends Partial<RangeOptions>, Pick<CallOptions, 'signal'> {
  /** Matches that are returned, the oldest; all are counted. Default 100,000. */
  readonly maxMatches?: number;
}

/** The answer of a hunt. */
export interface Hunt extends HuntReport {
  /** By time, at most `maxMatches`. */
  readonly found: readonly HuntMatch[];
  /** Whether all of the range is proven and was read: only then "not seen" means that it did not happen. */
  readonly isProven: boolean;
}

const MAX_MATCHES = 100_000;

/** Hunts in a stored lake; see `Lake.hunt`. */
export async function huntIn(
  stored: StoredLake,
  values: readonly (string | Indicator)[],
  { maxMatches = MAX_MATCHES, signal, ...options }: HuntLakeOptions,
): Promise<Hunt> {
  const range = optionalRangeOf(options);
  const found: HuntMatch[] = [];
  const report = await stored.hunt(values.flatMap(indicatorsIn), {
    ...(range !== null && { range }),
    ...(signal !== undefined && { signal }),
    onMatches: async (matches) => {
      for await (const some of matches) {
        found.push(...some.slice(0, maxMatches - found.length));
        if (found.length >= maxMatches) return;
      }
    },
  });
  return { ...report, found, isProven: report.coverage.isProven };
}

/** @throws {EdrlakeError} `INDICATORS_INVALID` */
function indicatorsIn(value: string | Indicator): readonly Indicator[] {
  if (typeof value !== 'string') return [value];
  const { indicators, faults } = readIndicators(value);
  refuseFaults('the values', faults);
  return indicators;
}
