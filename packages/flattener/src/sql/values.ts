import type { ColumnSpec } from '@edrlake/core';
import { quoteText } from '@edrlake/core';

// How delivered text becomes a value, as DuckDB SQL. `values.ts` says the same in TypeScript; the rules are stated
// once, in the package's opening comment in `index.ts`, and a property test holds the two together. Expressions are
// kept short: a hundred columns of them are planned for every batch.

/** White space that counts as blank, as a SQL literal. */
const BLANK_CHARS = quoteText(' \t\n\v\f\r');

/**
 * Text, or NULL where it is blank. The comparison is a guard: text that begins after the space character is not blank.
 */
export function unblankSql(text: string): string {
  return `CASE WHEN ${text} < '!' AND trim(${text}, ${BLANK_CHARS}) = '' THEN NULL ELSE ${text} END`;
}

/**
 * The text of a field that may have been delivered as an array: a single scalar counts as itself, only blanks as
 * nothing, anything else stays JSON text.
 * @param typeSql the JSON type of the field; evaluated only where the text looks like an array
 */
export function unwrapSql(text: string, typeSql: string): string {
  const items = `json_transform(${text}, '["VARCHAR"]')`;
  const single = `json_array_length(${text}) = 1 AND json_type(${text}, '$[0]') NOT IN ('OBJECT', 'ARRAY')`;
  const unwrapped = `CASE WHEN trim(coalesce(array_to_string(${items}, ''), ''), ${BLANK_CHARS}) = '' THEN NULL WHEN ${single} THEN ${items}[1] ELSE ${text} END`;
  const irregular = `CASE WHEN starts_with(${text}, '[') AND ${typeSql} = 'ARRAY' THEN ${unwrapped} WHEN trim(${text}, ${BLANK_CHARS}) <> '' THEN ${text} END`;
  return `CASE WHEN ${text} < '!' OR ${text} BETWEEN '[' AND '\\' THEN ${irregular} ELSE ${text} END`;
}

/** A value of the column's type, or NULL where the text does not say one. Rules beyond the type are `ruledSql`'s. */
export function parseSql({ type, rule }: Pick<ColumnSpec, 'type' | 'rule'>, text: string): string {
  switch (type) {
    case 'integer':
    case 'bigint':
      return integerSql(text, type === 'integer' ? 'INTEGER' : 'BIGINT');
    case 'boolean':
      return `CASE lower(${text}) WHEN 'true' THEN true WHEN 'false' THEN false END`;
    case 'timestamp':
      return timestampSql(text, rule === 'validity' ? '[1-9]' : '[12]');
    default:
      return text;
  }
}

/** Applies the column's rule to a parsed value. */
export function ruledSql(column: ColumnSpec, value: string): string {
  switch (column.rule) {
    case 'path':
    case 'file-path':
      return pathSql(value);
    case 'extension':
      return unblankSql(`ltrim(${value}, '.')`);
    case 'creation-time':
      return `nullif(${value}, TIMESTAMP '1970-01-01 00:00:00')`;
    default:
      return value;
  }
}

/** Digits only: a cast alone would round 1.5 and take hexadecimal digits. */
function integerSql(text: string, type: 'INTEGER' | 'BIGINT'): string {
  const digits = `split_part(${text}, '.', 1)`;
  return `CASE WHEN regexp_full_match(${text}, '-?[0-9]+(\\.0+)?') THEN try_cast(${digits} AS ${type}) END`;
}

const DATE = '[0-9]{3}-[0-9]{2}-[0-9]{2}';
const TIME = '([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]';

/**
 * What is in UTC first: nearly every field is, and a time with another offset costs ten times as much. DuckDB ignores
 * offsets when it reads a TIMESTAMP and applies them to a TIMESTAMPTZ, which is then taken as the UTC instant it holds.
 */
function timestampSql(text: string, millennium: string): string {
  const cut = `regexp_replace(${text}, '(\\.[0-9]{3})[0-9]+', '\\1')`;
  return [
    `CASE WHEN regexp_full_match(${text}, '${millennium}${DATE}[T ]${TIME}(\\.[0-9]{3,9}(\\+00:?00|Z)?|(\\.[0-9]{1,2})?Z?)') THEN try_cast(left(${text}, 23) AS TIMESTAMP)`,
    `WHEN regexp_full_match(${text}, '${millennium}${DATE}[T ]${TIME}(\\.[0-9]{1,9})?[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?') THEN make_timestamp(epoch_us(try_cast(${cut} AS TIMESTAMPTZ)))`,
    `WHEN regexp_full_match(${text}, '[0-9]{12,14}') THEN epoch_ms(try_cast(${text} AS BIGINT))`,
    `WHEN regexp_full_match(${text}, '[1-9][0-9]{9}') THEN epoch_ms(1000 * try_cast(${text} AS BIGINT))`,
    `WHEN regexp_full_match(${text}, '${millennium}${DATE}[Tt ]${RARE_TIME}') THEN ${rareTimeSql(text)} END`,
  ].join(' ');
}

/** Without seconds, in a leap second, with a comma before the fraction, or in lower case. */
const RARE_TIME =
  '([01][0-9]|2[0-3]):([0-5][0-9]|(59:60|[0-5][0-9]:[0-5][0-9])([.,][0-9]{1,9})?)([Zz]|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)?';

/**
 * A leap second is the second before it, as the platform's own language reads it, so that its day stays the written
 * one.
 */
function rareTimeSql(text: string): string {
  const rules = [
    ['^(.{14}59):60', '\\1:59'],
    ['^(.{16})($|[Z+-].*)', '\\1:00\\2'],
    ['(\\.[0-9]{3})[0-9]+', '\\1'],
    ['^([^Z+]{11}[^Z+-]*)$', '\\1Z'],
  ];
  const plain = rules.reduce(
    (sql, [pattern, by]) => `regexp_replace(${sql}, '${pattern}', '${by}')`,
    `replace(upper(${text}), ',', '.')`,
  );
  return `make_timestamp(epoch_us(try_cast(${plain} AS TIMESTAMPTZ)))`;
}

/** A time as `2020-08-17T04:15:06.000+0000`, or NULL where the text is blank. Nothing else may come. */
export function plainTimeSql(text: string): string {
  return `try_cast(${text}[1:23] AS TIMESTAMP)`;
}

/** Whether a path is written the Windows way: it has a drive or a backslash and does not start at a Unix root. */
function isWindowsSql(path: string): string {
  const isLetter = `(${path}[1] BETWEEN 'A' AND 'Z' OR ${path}[1] BETWEEN 'a' AND 'z')`;
  return `(NOT starts_with(${path}, '/') AND (contains(${path}, '\\') OR (${path}[2] = ':' AND ${isLetter})))`;
}

/**
 * A path with single separators and no trailing one. The guard spares the regular expressions on paths that are clean.
 */
export function pathSql(path: string): string {
  const tidy = (separator: string, kept: number, joined: string) =>
    `CASE WHEN ends_with(${joined}, '${separator}') AND length(${joined}) > ${kept} THEN left(${joined}, length(${joined}) - 1) ELSE ${joined} END`;
  const unc = `CASE WHEN starts_with(${path}, '\\\\') THEN '\\' ELSE '' END`;
  const windows = tidy('\\', 3, `(${unc} || regexp_replace(${path}, '[\\\\/]+', '\\\\', 'g'))`);
  const unix = tidy('/', 1, `regexp_replace(${path}, '/+', '/', 'g')`);
  const clean = `NOT contains(${path}, '/') AND NOT contains(${path}, '\\\\') AND NOT ends_with(${path}, '\\')`;
  return `CASE WHEN ${clean} THEN ${path} WHEN ${isWindowsSql(path)} THEN ${windows} ELSE ${unix} END`;
}

/**
 * The path that a file's name is to be appended to: the directory where the full path is missing, the full path where
 * it is only the directory; else NULL. All three are values: normalised paths and a name that is not blank, or NULL.
 */
export function basePathSql(fullPath: string, directory: string, name: string): string {
  const folded = (path: string) =>
    `translate(${path}, ${quoteText('ABCDEFGHIJKLMNOPQRSTUVWXYZ')}, ${quoteText('abcdefghijklmnopqrstuvwxyz')})`;
  // Folding keeps the number of bytes: it distinguishes most paths that differ, and folding is the costly part.
  const same = `(${fullPath} = ${directory} OR (strlen(${fullPath}) = strlen(${directory}) AND ${isWindowsSql(fullPath)} AND ${folded(fullPath)} = ${folded(directory)}))`;
  return `CASE WHEN ${name} IS NULL THEN NULL WHEN ${fullPath} IS NULL THEN ${directory} WHEN ${same} THEN ${fullPath} END`;
}

/** A name appended to a normalised path. */
export function joinedSql(base: string, name: string): string {
  return `${base} || CASE WHEN ${isWindowsSql(base)} THEN '\\' ELSE '/' END || ${name}`;
}

/**
 * The same, normalised, of a name without separators. A path of one backslash and the one before the name are the two
 * that begin a UNC path.
 */
export function joinedNormalSql(base: string, name: string): string {
  const windows = `CASE WHEN ends_with(${base}, '\\') AND ${base} <> '\\' THEN '' ELSE '\\' END`;
  return `${base} || CASE WHEN ${isWindowsSql(base)} THEN ${windows} WHEN ${base} = '/' THEN '' ELSE '/' END || ${name}`;
}
