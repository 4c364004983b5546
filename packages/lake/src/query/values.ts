import {
  DuckDBArrayValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  type DuckDBType,
  DuckDBUnionValue,
  type DuckDBValue,
} from '@duckdb/node-api';

/** A JSON value, except that an integer beyond 53 bits is a bigint. */
export type QueryValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly QueryValue[]
  | { readonly [name: string]: QueryValue };

/**
 * Converts a DuckDB value to a plain one. Integers are numbers where a double holds them exactly, else bigints;
 * decimals are numbers up to 15 digits, else text; instants are ISO text in UTC with `Z`, to the millisecond, or finer
 * where the value is; dates are `YYYY-MM-DD`; lists are arrays, structs and maps objects; all other values are DuckDB's
 * own text.
 */
export function plainValue(value: DuckDBValue): QueryValue {
  if (value === null || typeof value === 'boolean' || typeof value === 'string' || typeof value === 'number') {
    return value;
  }
  if (typeof value === 'bigint') return plainInteger(value);
  if (value instanceof DuckDBTimestampValue || value instanceof DuckDBTimestampTZValue)
    return instantText(value.micros);
  if (value instanceof DuckDBTimestampMillisecondsValue) return instantText(value.millis * 1000n);
  if (value instanceof DuckDBTimestampSecondsValue) return instantText(value.seconds * 1_000_000n);
  if (value instanceof DuckDBTimestampNanosecondsValue) return instantText(value.nanos / 1000n);
  if (value instanceof DuckDBDateValue) return value.toString();
  if (value instanceof DuckDBDecimalValue) return plainDecimal(value);
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) return value.items.map(plainValue);
  if (value instanceof DuckDBStructValue) return plainEntries(Object.entries(value.entries));
  if (value instanceof DuckDBMapValue)
    return plainEntries(value.entries.map((entry) => [String(entry.key), entry.value]));
  if (value instanceof DuckDBUnionValue) return plainValue(value.value);
  return String(value);
}

function plainInteger(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Digits that a double always keeps. */
const EXACT_DIGITS = 15;

function plainDecimal(value: DuckDBDecimalValue): number | string {
  const text = value.toString();
  return text.replace(/[-.]/g, '').length <= EXACT_DIGITS ? Number(text) : text;
}

function plainEntries(entries: readonly (readonly [string, DuckDBValue])[]): Readonly<Record<string, QueryValue>> {
  return Object.fromEntries(entries.map(([name, value]) => [name, plainValue(value)]));
}

/** The last instant of a JavaScript Date; DuckDB's range is larger. */
const MAX_DATE_MICROS = 8_640_000_000_000_000_000n;

function instantText(micros: bigint): string {
  if (micros > MAX_DATE_MICROS || micros < -MAX_DATE_MICROS) return new DuckDBTimestampValue(micros).toString();
  const rest = ((micros % 1000n) + 1000n) % 1000n;
  const text = new Date(Number((micros - rest) / 1000n)).toISOString();
  return rest === 0n ? text : `${text.slice(0, -1)}${String(rest).padStart(3, '0')}Z`;
}

/** A column of a result. */
export interface QueryColumn {
  readonly name: string;
  /** DuckDB's name of the type, `VARCHAR`, `TIMESTAMP`, `DECIMAL(18,3)`, `JSON`. */
  readonly type: string;
}

/** The type as SQL text. */
export function typeText(type: DuckDBType): string {
  return type.alias ?? type.toString();
}
