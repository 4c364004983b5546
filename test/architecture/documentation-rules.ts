import type { Source } from './source.ts';
import type { Violation } from './violation.ts';

type Statement = Source['program']['body'][number];

/** Shorter texts repeat the name and say nothing. */
const MIN_DOC_CHARACTERS = 12;

/**
 * Exported declarations without a docstring directly before them. Re-exports are documented where they are declared.
 */
export function documentationViolations(sources: readonly Source[]): Violation[] {
  return sources.flatMap((source) => {
    const documented = new Set<string>();
    const missing = new Map<string, number>();
    let previous: Statement | null = null;
    const note = (names: readonly string[], statement: Statement) => {
      const isDocumented =
        hasDocstring(source, statement.start) || continuesList(source, statement, previous, documented);
      for (const name of names) {
        // Of a function's overloads only one needs to explain it.
        if (isDocumented) documented.add(name);
        else if (!missing.has(name)) missing.set(name, source.lineAt(statement.start));
      }
      previous = statement;
    };
    const local = new Map<string, Statement>();
    for (const statement of source.program.body) {
      for (const name of declaredNames(statement)) if (!local.has(name)) local.set(name, statement);
    }
    for (const statement of source.program.body) {
      if (statement.type === 'ExportNamedDeclaration' && statement.declaration !== null) {
        note(declaredNames(statement.declaration), statement);
      } else if (statement.type === 'ExportNamedDeclaration' && statement.source === null) {
        for (const { local: name } of statement.specifiers) {
          const declaration = name.type === 'Identifier' ? local.get(name.name) : undefined;
          if (name.type === 'Identifier' && declaration !== undefined) note([name.name], declaration);
        }
      } else if (statement.type === 'ExportDefaultDeclaration') {
        note(['default'], statement);
      }
    }
    return [...missing]
      .filter(([name]) => !documented.has(name))
      .map(([name, line]) => ({
        file: source.path,
        line,
        problem: `${name} is exported without a docstring`,
        remedy: 'Say directly before it what its types do not: shape, units, errors and who acts',
      }));
  });
}

function hasDocstring(source: Source, start: number): boolean {
  return source.comments.some((comment) => {
    if (comment.type !== 'Block' || !comment.value.startsWith('*') || comment.end > start) return false;
    if (comment.value.replaceAll(/[\s*]+/g, ' ').trim().length < MIN_DOC_CHARACTERS) return false;
    // A linter's instruction may stand between the docstring and what it documents; a blank line may not.
    const between = source.text.slice(comment.end, start).split('\n');
    return between.slice(1, -1).every((line) => line.trim().startsWith('//')) && between[0]?.trim() === '';
  });
}

/** One docstring speaks for a whole list of constants that stand line under line. */
function continuesList(
  source: Source,
  statement: Statement,
  previous: Statement | null,
  documented: ReadonlySet<string>,
): boolean {
  if (previous === null || !isExportedConstant(statement) || !isExportedConstant(previous)) return false;
  if (source.lineAt(statement.start) !== source.lineAt(previous.end - 1) + 1) return false;
  return declaredNames(previous.declaration).every((name) => documented.has(name));
}

function isExportedConstant(
  statement: Statement,
): statement is Extract<Statement, { type: 'ExportNamedDeclaration' }> & { declaration: Statement } {
  return statement.type === 'ExportNamedDeclaration' && statement.declaration?.type === 'VariableDeclaration';
}

function declaredNames(statement: Statement): string[] {
  switch (statement.type) {
    case 'FunctionDeclaration':
    case 'TSDeclareFunction':
    case 'ClassDeclaration':
      return statement.id === null ? [] : [statement.id.name];
    case 'TSInterfaceDeclaration':
    case 'TSTypeAliasDeclaration':
    case 'TSEnumDeclaration':
      return [statement.id.name];
    case 'VariableDeclaration':
      return statement.declarations.flatMap(({ id }) => (id.type === 'Identifier' ? [id.name] : []));
    default:
      return [];
  }
}
