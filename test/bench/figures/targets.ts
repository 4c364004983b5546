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

/** How many times the limit was needed, at most 1 where it is met; null for a limit of 0, which has no share. */
function shareOf({ measured, bound, limit }: Target): number | null {
  if (limit === 0) return null;
  return bound === 'at most' ? measured / limit : limit / measured;
}

/** The targets with their verdicts, for machines. */
export function judged(targets: readonly Target[]) {
  return targets.map((target) => ({
    ...target,
    share: shareOf(target),
    verdict: isMet(target) ? 'met' : 'missed',
  }));
}

/** All targets, one a line, each met or missed, and how far from it. */
export function targetsText(targets: readonly Target[]): string {
  const rows = targets.map((target) => [
    target.name,
    `${numberText(target.measured)} ${target.unit}`.trimEnd(),
    `${target.bound === 'at most' ? '≤' : '≥'} ${numberText(target.limit)}`,
    shareText(target),
    isMet(target) ? 'met' : 'missed',
  ]);
  const notes = [...new Set(targets.flatMap(({ note }) => (note === undefined ? [] : [note])))];
  return [tableText(['target', 'measured', 'wanted', 'of it', ''], rows), ...notes.map((note) => `  ${note}`)].join(
    '\n',
  );
}

function shareText(target: Target): string {
  const share = shareOf(target);
  return share === null ? '' : `${numberText(share)} ×`;
}
