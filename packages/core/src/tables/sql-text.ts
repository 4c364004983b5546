/** A SQL string literal. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A SQL string literal of a file to read: there DuckDB takes `*`, `?` and `[` for patterns of other names. */
export function quoteFile(path: string): string {
  return quoteText(path.replaceAll(/[*?[]/g, '[$&]'));
}

/** A SQL identifier. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/**
 * The SQL of the 64-bit identity of an event id (or of a reject's record): the low half of its MD5, so that it stays
 * the same across DuckDB versions. Two ids may share it; callers compare the ids themselves after a match.
 */
export function idHashSql(textSql: string): string {
  return `(md5_number(${textSql}) & 18446744073709551615::UHUGEINT)::UBIGINT`;
}
