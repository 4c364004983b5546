import type { TextFile } from './repository.ts';
import { type Source, visit } from './source.ts';
import type { Violation } from './violation.ts';

/** Names that say where code was left over, not what it does. */
const NAMELESS = new Set(['util', 'utils', 'common', 'helper', 'helpers', 'shared', 'misc']);

const BUILT_IN_ERRORS = new Set(['Error', 'TypeError', 'RangeError', 'AggregateError']);

/** What each use of a global does instead of taking what it is given. */
const AMBIENT_MEMBERS: Readonly<Record<string, string>> = {
  'Date.now': "Take core's Clock",
  'performance.now': "Take core's Clock",
  'Math.random': "Take core's Random",
  'process.env': 'Take the value as an argument: only the command reads the environment',
  'process.argv': 'Take the value as an argument: only the command reads its arguments',
  'process.exit': 'Throw an EdrlakeError: only the command ends the process',
  'process.exitCode': 'Throw an EdrlakeError: only the command ends the process',
  'process.stdout': 'Emit an event: only the command prints',
  'process.stderr': 'Emit an event: only the command prints',
  'process.on': 'Take an AbortSignal: only the command listens to signals',
  'process.once': 'Take an AbortSignal: only the command listens to signals',
};

/** Comments that a linter or the compiler obeys, and what must follow them. */
const SILENCERS: readonly { readonly marker: RegExp; readonly withReason: RegExp | null }[] = [
  { marker: /@ts-(?:ignore|nocheck)/, withReason: null },
  { marker: /@ts-expect-error/, withReason: /@ts-expect-error:?\s+\S.{10}/ },
  { marker: /biome-ignore/, withReason: /biome-ignore(?:-all|-start|-end)?\s+\S+: \S.{10}/ },
];

const UNFINISHED = new RegExp(
  `\\b(?:${['TO', 'FIX', 'XX'].map((word, at) => word + ['DO', 'ME', 'X'][at]).join('|')})\\b`,
);

/** Files and folders with names that say nothing, and tests not called `<subject>.<aspect>.test.ts`. */
export function nameViolations(files: readonly Pick<TextFile, 'path'>[]): Violation[] {
  return files.flatMap(({ path }) => {
    const violations: Violation[] = [];
    const nameless = path.split('/').find((part) => NAMELESS.has(part.split('.')[0]?.split(/[-_]/).at(-1) ?? ''));
    if (nameless !== undefined) {
      violations.push({
        file: path,
        line: 1,
        problem: `the name ${nameless} says nothing`,
        remedy: 'Name what is in it',
      });
    }
    if (/^packages\/[^/]+\/test\/.*\.test\.ts$/.test(path) && !/\/[a-z0-9-]+\.[a-z0-9-]+\.test\.ts$/.test(path)) {
      violations.push({
        file: path,
        line: 1,
        problem: 'the name does not say subject and aspect',
        remedy: 'Call it <subject>.<aspect>.test.ts',
      });
    }
    return violations;
  });
}

/** Words no source may contain: shipped or not. */
export function sourceViolations(sources: readonly Source[]): Violation[] {
  return sources.flatMap((source) => {
    const violations: Violation[] = [];
    const add = (offset: number, problem: string, remedy: string) =>
      violations.push({ file: source.path, line: source.lineAt(offset), problem, remedy });
    for (const { value, start } of source.comments) {
      for (const { marker, withReason } of SILENCERS) {
        const found = marker.exec(value)?.[0];
        if (found !== undefined && withReason?.test(value) !== true) {
          const remedy = withReason === null ? 'Correct the types' : 'Correct it, or add the reason in words';
          add(start, `${found} without a reason`, remedy);
        }
      }
      const unfinished = UNFINISHED.exec(value)?.[0];
      if (unfinished !== undefined) add(start, `${unfinished} in a comment`, 'Do it, or leave it out');
    }
    visit(source.program, {
      TSAnyKeyword: ({ start }) => add(start, 'the type any', 'Use unknown and look at what it is'),
      ExportAllDeclaration: ({ start }) => add(start, 'export *', 'List the exports by name'),
    });
    return violations;
  });
}

/** What only the command may do to its process, and what only the clock may read. */
export function ambientViolations(sources: readonly Source[]): Violation[] {
  return sources.flatMap((source) => {
    const violations: Violation[] = [];
    const add = (offset: number, problem: string, remedy: string) =>
      violations.push({ file: source.path, line: source.lineAt(offset), problem, remedy });
    visit(source.program, {
      MemberExpression: ({ object, property, start }) => {
        if (object.type !== 'Identifier') return;
        if (object.name === 'console') add(start, 'console', 'Emit an event: only the command prints');
        if (property.type !== 'Identifier') return;
        const name = `${object.name}.${property.name}`;
        const remedy = AMBIENT_MEMBERS[name];
        if (remedy !== undefined) add(start, name, remedy);
      },
      NewExpression: ({ callee, arguments: given, start }) => {
        if (callee.type === 'Identifier' && callee.name === 'Date' && given.length === 0) {
          add(start, 'new Date()', "Take core's Clock");
        }
      },
    });
    for (const { specifier, line } of source.imports) {
      if (specifier !== 'node:process') continue;
      violations.push({ file: source.path, line, problem: specifier, remedy: 'Only the command touches the process' });
    }
    return violations;
  });
}

/** Errors that no caller can act on, for lack of a code and a disposition. */
export function bareErrorViolations(sources: readonly Source[]): Violation[] {
  return sources.flatMap((source) => {
    const violations: Violation[] = [];
    const note = (name: string | null, offset: number) => {
      if (name === null || !BUILT_IN_ERRORS.has(name)) return;
      violations.push({
        file: source.path,
        line: source.lineAt(offset),
        problem: `a bare ${name}`,
        remedy: 'Use EdrlakeError with a code, a disposition and a hint',
      });
    };
    visit(source.program, {
      NewExpression: ({ callee, start }) => note(callee.type === 'Identifier' ? callee.name : null, start),
      CallExpression: ({ callee, start }) => note(callee.type === 'Identifier' ? callee.name : null, start),
    });
    return violations;
  });
}
