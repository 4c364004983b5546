import { type Comment, parseSync, type StaticExportEntry, Visitor, type VisitorObject } from 'oxc-parser';

/** One `import`, re-export, `import()` or `import('…')` type with a literal specifier. */
export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** Nothing of it exists at run time. */
  readonly isTypeOnly: boolean;
  /** Names imported as values; `*` where everything is reachable (namespace, side effect, dynamic import). */
  readonly valueNames: readonly string[];
  /** An `export … from`. */
  readonly isReExport: boolean;
  /** An `import()`: loaded only when the program gets there. */
  readonly isDynamic: boolean;
}

/** A parsed source text. Offsets count UTF-16 units, lines count from 1. */
export interface Source {
  readonly path: string;
  readonly text: string;
  readonly program: ReturnType<typeof parseSync>['program'];
  readonly comments: readonly Comment[];
  readonly imports: readonly Import[];
  lineAt(offset: number): number;
}

/** Parses TypeScript or JavaScript. A text with syntax errors is an error of the test run, not a violation. */
export function parseSource(path: string, text: string): Source {
  const { program, comments, module, errors } = parseSync(path, text);
  if (errors.length > 0) throw new SyntaxError(`${path}: ${errors[0]?.message}`);
  const lineAt = lineFinder(text);
  const imports: Import[] = [];
  for (const { start, moduleRequest, entries } of module.staticImports) {
    const values = entries.filter((entry) => !entry.isType);
    imports.push({
      specifier: moduleRequest.value,
      line: lineAt(start),
      isTypeOnly: entries.length > 0 && values.length === 0,
      valueNames: entries.length === 0 ? ['*'] : values.map(({ importName }) => importName.name ?? importName.kind),
      isReExport: false,
      isDynamic: false,
    });
  }
  for (const { start, entries } of module.staticExports) imports.push(...reExports(lineAt(start), entries));
  visit(program, {
    ImportExpression: ({ source, start }) => {
      if (source.type === 'Literal') imports.push(anonymousImport(String(source.value), lineAt(start), false));
    },
    TSImportType: ({ source, start }) => {
      imports.push(anonymousImport(source.value, lineAt(start), true));
    },
  });
  return { path, text, program, comments, imports, lineAt };
}

/** Walks every node of a program. */
export function visit(program: Source['program'], visitor: VisitorObject): void {
  new Visitor(visitor).visit(program);
}

function anonymousImport(specifier: string, line: number, isTypeOnly: boolean): Import {
  return { specifier, line, isTypeOnly, valueNames: isTypeOnly ? [] : ['*'], isReExport: false, isDynamic: true };
}

function reExports(line: number, entries: readonly StaticExportEntry[]): Import[] {
  return entries.flatMap(({ moduleRequest, isType, importName }) =>
    moduleRequest === null
      ? []
      : [
          {
            specifier: moduleRequest.value,
            line,
            isTypeOnly: isType,
            valueNames: isType ? [] : [importName.name ?? '*'],
            isReExport: true,
            isDynamic: false,
          },
        ],
  );
}

function lineFinder(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  };
}
