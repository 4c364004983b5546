/** The types a column can have. Times are UTC with milliseconds; `json` is text that parses as JSON. */
export const COLUMN_TYPES = ['text', 'integer', 'bigint', 'boolean', 'timestamp', 'date', 'json'] as const;
/** One of them. */
export type ColumnType = (typeof COLUMN_TYPES)[number];

/**
 * How delivered text becomes a value, beyond its type.
 * - `path`: repeated separators are collapsed
 * - `file-path`: directory and file name are joined where the delivered path is only the directory
 * - `extension`: without a leading dot
 * - `creation-time`: the epoch itself means unknown
 * - `validity`: a time of any year up to 9999
 */
export type ColumnRule = 'path' | 'file-path' | 'extension' | 'creation-time' | 'validity';

/** What the values of a column identify, for hunts: a list of indicators names values of these kinds. */
export const OBSERVABLES = [
  'md5',
  'sha1',
  'sha256',
  'certificate',
  'ip',
  'domain',
  'host',
  'agent',
  'event',
  'file',
  'path',
] as const;
/** One of these kinds. */
export type Observable = (typeof OBSERVABLES)[number];

/**
 * How the instants of a promoted column are written in `extra`: `2020-08-17T04:15:06.000+0000`, the same with `Z`, with
 * `Z` and without milliseconds, or as a number of epoch milliseconds.
 */
export const TIME_FORMS = ['offset', 'zulu', 'seconds', 'millis'] as const;
/** One of them. */
export type TimeForm = (typeof TIME_FORMS)[number];

/** What a promoted column takes out of `extra`. */
export interface PromotedFrom {
  /** Names of members, from the root of `extra` to the value. */
  readonly path: readonly string[];
  /** Only of a `timestamp`. */
  readonly form?: TimeForm;
}

/** One column: where its value comes from, what it becomes and what it says. */
export interface ColumnSpec {
  readonly name: string;
  /**
   * Dotted paths from the record (or the array's element) by preference: the first that is not null or blank counts.
   */
  readonly paths: readonly string[];
  readonly type: ColumnType;
  readonly rule?: ColumnRule;
  /** Only for the rule `file-path`: dotted paths of the directory and of the name that it is composed of. */
  readonly parts?: { readonly directory: string; readonly name: string };
  /** What it says in the domain's words, for the schema page. */
  readonly meaning: string;
  /** For numbers that have one: `bytes`, `ms`, … */
  readonly unit?: string;
  /** What its values identify; a hunt for such a value looks into the column. Only for text. */
  readonly observable?: Observable;
  /** Of a column that a lake has beyond its dataset: where in `extra` the value was. */
  readonly promoted?: PromotedFrom;
}

/** One table of the lake: where its rows come from and its columns in file order. */
export interface TableSpec {
  readonly name: string;
  /** Dotted paths of the arrays whose elements become rows, or null where every record is one row. */
  readonly arrays: readonly string[] | null;
  /** The column with the path of the array that a row came from, where there are several arrays. */
  readonly arrayColumn?: string;
  readonly columns: readonly ColumnSpec[];
  /** The DATE column that names the folder of a row, `<column>=YYYY-MM-DD`. It is not a column of the files. */
  readonly partitionBy: 'event_date' | 'ingest_date';
  /** Columns the rows of a file are sorted by, so that a host, a time slice and a hash lookup all prune. */
  readonly sortBy: readonly string[];
}

/** What one row of a table is, in words. */
export function rowMeaning({ arrays, partitionBy }: TableSpec): string {
  if (partitionBy !== 'event_date') return 'a row for each record that could not become an event';
  if (arrays === null) return 'a row for each event';
  return `a row for each element of ${arrays.join(' and ')} of an event`;
}

const STAGED_TYPES: Readonly<Record<ColumnType, string>> = {
  text: 'VARCHAR',
  integer: 'INTEGER',
  bigint: 'BIGINT',
  boolean: 'BOOLEAN',
  timestamp: 'TIMESTAMP',
  date: 'DATE',
  json: 'JSON',
};

/** The DuckDB type of a column in a staged batch: times are UTC without a zone. */
export function stagedType(type: ColumnType): string {
  return STAGED_TYPES[type];
}

/** The DuckDB type that a column is queried as: times are instants. */
export function queriedType(type: ColumnType): string {
  return type === 'timestamp' ? 'TIMESTAMPTZ' : STAGED_TYPES[type];
}

/**
 * SQL for a staged or queried value as data files hold it. JSON is plain text there, because some engines read
 * Parquet's JSON type as bytes, and others parse it and fail on what is no object. Times are instants, because engines
 * read a time without a zone in the zone of their session. The conversion is by the number of microseconds: a cast asks
 * the calendar of the session's zone for each value, and is twenty times as slow.
 * @param value SQL of a value of the column's type
 */
export function storedValueSql(type: ColumnType, value: string): string {
  if (type === 'timestamp') return `make_timestamptz(epoch_us(${value}))`;
  return type === 'json' ? `${value}::VARCHAR` : value;
}

/** The key under which the footer of a data file says which of its columns are promoted ones, and from where. */
export const PROMOTED_KEY = 'edrlake.promoted';

/** A promoted column as a footer says it. */
export type PromotedNote = Pick<ColumnSpec, 'name' | 'type'> & { readonly promoted: PromotedFrom };

/** What the footer of a data file says of a table's promoted columns; null without any. */
export function promotedNote({ columns }: TableSpec): string | null {
  const notes = columns.flatMap(({ name, type, promoted }) =>
    promoted === undefined ? [] : [{ name, type, promoted }],
  );
  return notes.length === 0 ? null : JSON.stringify(notes);
}
