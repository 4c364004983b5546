/** Functions that make a name of a table, or a statement, from a text. */
const BY_TEXT = /\bquery(?:_table)?\b/i;

/** What may hold a quote that begins no text, so that only the grammar knows where texts are. */
const UNUSUAL = /[$\\]|--|\/\*|"[^"]*'/;

/**
 * Whether a statement may read a table or view: its name is in it, outside of texts. DuckDB's own list of the names in
 * a statement is empty for a PIVOT, a recursive query and a join with USING, and a table that is left out looks empty.
 */
export function isNamedIn(sql: string, name: string): boolean {
  const statement = UNUSUAL.test(sql) ? sql : sql.replace(/'(?:[^']|'')*'/g, "''");
  return BY_TEXT.test(sql) || new RegExp(`(?<![a-z0-9_])${name}(?![a-z0-9_])`, 'i').test(statement);
}
