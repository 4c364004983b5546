/** A SQL string literal. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A SQL string literal of a file to read, see `filePattern`. */
export function quoteFile(path: string): string {
  return quoteText(filePattern(path));
}

/** The pattern that only one file has: in names to read DuckDB takes `*`, `?` and `[` for patterns of other names. */
export function filePattern(path: string): string {
  return path.replaceAll(/[*?[]/g, '[$&]');
}

const BETWEEN_TEXTS = '|';

/**
 * A SQL list of texts. It is one literal unless a text has the separator: DuckDB parses, copies and stores each literal
 * by itself, which takes longer for a thousand files than anything else in a view.
 */
export function textListSql(texts: readonly string[]): string {
  if (texts.length === 0 || texts.some((text) => text.includes(BETWEEN_TEXTS))) {
    return `[${texts.map(quoteText).join(', ')}]`;
  }
  return `string_split(${quoteText(texts.join(BETWEEN_TEXTS))}, ${quoteText(BETWEEN_TEXTS)})`;
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
