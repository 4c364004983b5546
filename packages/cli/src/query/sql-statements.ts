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

/** A statement of a script, or a command of the shell such as `.tables`, which is a line of its own. */
export type ScriptStep = { readonly sql: string } | { readonly dot: string };

/** The steps of a script, as if its lines were typed into the shell. The last statement needs no semicolon. */
export function scriptSteps(text: string): ScriptStep[] {
  const steps: ScriptStep[] = [];
  let sql = '';
  const take = () => {
    const { statements, rest } = splitStatements(sql);
    steps.push(...statements.map((statement) => ({ sql: statement })));
    if (!isBlank(rest)) steps.push({ sql: rest.trim() });
    sql = '';
  };
  for (const line of text.split('\n')) {
    // Inside of a statement or a comment, a line with a dot first belongs to it.
    if (/^\s*\.[A-Za-z]/.test(line) && isBlank(splitStatements(sql).rest) && !endsInComment(sql)) {
      take();
      steps.push({ dot: line.trim() });
    } else {
      sql += `${line}\n`;
    }
  }
  take();
  return steps;
}

function endsInComment(sql: string): boolean {
  const last = [...sql.matchAll(PIECES)].at(-1)?.[0] ?? '';
  return last.startsWith('/*') && (last.length < 4 || !last.endsWith('*/'));
}
