/** Complete statements of a text, without their semicolons, and what follows the last one. */
export interface SplitSql {
  readonly statements: readonly string[];
  /** An unfinished statement, or blanks and comments. */
  readonly rest: string;
}

// What may hold a semicolon without ending a statement: quoted text, quoted names, dollar quotes, comments. An opening
// without its end takes the rest of the text, so that a shell asks for more.
const PIECES =
  /'(?:[^']|'')*(?:'|$)|"(?:[^"]|"")*(?:"|$)|\$(\w*)\$[\s\S]*?(?:\$\1\$|$)|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|;|[^'"$;/-]+|[\s\S]/g;

/** Cuts SQL at the semicolons that end statements. Statements of blanks and comments alone are left out. */
export function splitStatements(sql: string): SplitSql {
  const statements: string[] = [];
  let current = '';
  for (const [piece] of sql.matchAll(PIECES)) {
    if (piece !== ';') {
      current += piece;
      continue;
    }
    if (!isBlank(current)) statements.push(current.trim());
    current = '';
  }
  return { statements, rest: current };
}

/** Whether nothing is left without comments and blanks. */
export function isBlank(sql: string): boolean {
  for (const [piece] of sql.matchAll(PIECES)) {
    if (!piece.startsWith('--') && !piece.startsWith('/*') && piece.trim() !== '') return false;
  }
  return true;
}
