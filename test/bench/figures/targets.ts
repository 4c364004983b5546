import { numberText, tableText } from './text.ts';

/** A target and the measured value. */
export interface Target {
  readonly name: string;
  readonly measured: number;
  readonly bound: 'at most' | 'at least';
  readonly limit: number;
  readonly unit: string;
  /** What is needed to judge it, such as that it was defined for another size. */
  readonly note?: string;
}

function isMet({ measured, bound, limit }: Target): boolean {
  return bound === 'at most' ? measured <= limit : measured >= limit;
}

/** The targets with their verdicts, for machines. */
export function judged(targets: readonly Target[]) {
  return targets.map((target) => ({ ...target, verdict: isMet(target) ? 'met' : 'missed' }));
}

/** All targets, one a line, each met or missed. */
export function targetsText(targets: readonly Target[]): string {
  const rows = targets.map((target) => [
    target.name,
    `${numberText(target.measured)} ${target.unit}`.trimEnd(),
    `${target.bound === 'at most' ? '≤' : '≥'} ${numberText(target.limit)}`,
    isMet(target) ? 'met' : 'missed',
  ]);
  const notes = [...new Set(targets.flatMap(({ note }) => (note === undefined ? [] : [note])))];
  return [tableText(['target', 'measured', 'wanted', ''], rows), ...notes.map((note) => `  ${note}`)].join('\n');
}
