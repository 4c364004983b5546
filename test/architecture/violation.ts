import { expect } from 'vitest';

/** One place that breaks a rule of the house. */
export interface Violation {
  /** Path from the top of the repository, with forward slashes. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** What is wrong there. */
  readonly problem: string;
  /** What to do about it, as an imperative sentence. */
  readonly remedy: string;
}

/** One line a violation, in the form `file:line  problem. remedy.`, so that editors and terminals link to the place. */
function report(violations: readonly Violation[]): string {
  return violations
    .toSorted((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line))
    .map(({ file, line, problem, remedy }) => `${file}:${line}  ${problem}. ${remedy}.`)
    .join('\n');
}

/** Fails the test with every violation at once: fixing them one run at a time wastes an afternoon. */
export function expectNone(violations: readonly Violation[]): void {
  if (violations.length > 0) expect.fail(`${violations.length} places break the rule:\n${report(violations)}\n`);
}

/** What a rule said about synthetic sources, short enough to compare: `file:line problem`. */
export function problemsOf(violations: readonly Violation[]): string[] {
  return violations.map(({ file, line, problem }) => `${file}:${line} ${problem}`);
}
