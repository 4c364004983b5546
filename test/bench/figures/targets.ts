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
  /** Where the time or memory goes, as it was last profiled: printed where the target is missed. */
  readonly reason?: string;
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
  const table = tableText(['target', 'measured', 'wanted', 'of it', ''], rows);
  return [table, ...notes.map((note) => `  ${note}`), ...reasonsText(targets)].join('\n');
}

/** Why targets are missed, those with one reason together. */
function reasonsText(targets: readonly Target[]): string[] {
  const missed = new Map<string, string[]>();
  for (const target of targets.filter((one) => !isMet(one))) {
    const reason = target.reason ?? 'no reason is known: profile it';
    missed.set(reason, [...(missed.get(reason) ?? []), target.name]);
  }
  return [...missed].flatMap(([reason, names]) => ['', `missed: ${names.join('; ')}`, ...wrapped(reason)]);
}

/** Lines of at most 78 characters, indented. */
function wrapped(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + word.length < 78) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(`  ${word}`);
  }
  return lines;
}

function shareText(target: Target): string {
  const share = shareOf(target);
  return share === null ? '' : `${numberText(share)} ×`;
}
